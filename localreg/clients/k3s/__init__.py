"""K3s as a client of the registry: it makes the configuration of its own containerd from a file."""
