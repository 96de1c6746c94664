"""Checks that find out why the registry cannot be used, from the engine's and each client's point of view."""
