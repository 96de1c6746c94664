"""Images between an engine and the registry: a module for each command."""
