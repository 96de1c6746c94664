"""Clusters on this machine whose nodes pull from the registry, and other networks that it joins."""
