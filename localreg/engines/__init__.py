"""The container engines: the ports, an adapter for each engine, and how one is found."""
