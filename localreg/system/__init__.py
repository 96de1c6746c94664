"""This machine: addresses, ports, processes, sockets. Knows nothing of registries."""
