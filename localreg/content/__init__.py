"""The content of a registry: a module for each command."""
