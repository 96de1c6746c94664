"""The container engines: the ports, an adapter for each engine, and discovery."""
