"""The registry's side: the HTTP API of Distribution, version 2."""
