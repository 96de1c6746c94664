"""Tunnels: this machine's registry on a port of another machine, each kept open by a separate process."""
