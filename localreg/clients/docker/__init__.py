"""Docker as a client of the registry."""
