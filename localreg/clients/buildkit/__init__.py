"""BuildKit as a client of the registry: `buildkitd`, and the builders of `docker buildx` that are containers."""
