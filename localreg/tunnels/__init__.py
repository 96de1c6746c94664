"""Tunnels: this machine's registry on another machine's port, kept open by a process of its own."""
