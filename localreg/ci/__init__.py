"""Pipelines that build an image and push it through a tunnel."""
