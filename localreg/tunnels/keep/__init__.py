"""The process that keeps a tunnel open."""
