"""Configuration of other programs on this machine, so that they can use the registry."""
