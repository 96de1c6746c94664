"""The life of a registry: up, down, status and its log, a module for each."""
