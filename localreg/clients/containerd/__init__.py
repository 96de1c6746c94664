"""containerd as a client of the registry: `ctr`, `nerdctl` and its CRI, which a kubelet uses."""
