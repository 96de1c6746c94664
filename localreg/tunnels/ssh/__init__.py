"""Tunnels through the system's OpenSSH client."""
