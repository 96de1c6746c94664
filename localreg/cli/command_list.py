"""The names of all commands, and what each does in a line."""

from __future__ import annotations

GROUPS = {
    "Registry": {
        "up": "Start the registry and wait until it is ready",
        "down": "Stop the registry and remove its container; keep the images",
        "status": "Show the registry's state",
        "url": "Print the registry's address",
        "env": "Print the variables that name the registry",
        "logs": "Show the registry's log",
        "auth": "Manage the users of a registry that requires a login",
    },
    "Images": {
        "build": "Build an image and push it to the registry",
        "push": "Push images to the registry",
        "pull": "Pull images from the registry",
        "tag": "Tag an image for the registry",
        "ls": "List the images in the registry",
        "inspect": "Show what the registry stores about an image",
        "rm": "Remove tags from the registry",
        "save": "Save images of the registry to an archive",
        "load": "Load images from an archive into the registry",
        "copy": "Copy images between registries",
    },
    "Storage": {
        "du": "Show what the images occupy on the disk",
        "prune": "Remove old tags by rules",
        "gc": "Free the disk space of what no tag leads to",
    },
    "Clients": {
        "trust": "Let the programs on this machine use the registry",
        "untrust": "Take back what trust added",
        "podman-fix": "Let the podman program use the registry over plain HTTP",
        "login": "Log the docker or podman program in to the registry",
        "logout": "Log the docker or podman program out of the registry",
        "connect": "Let a running cluster, or the containers of a network, use the registry",
        "disconnect": "Take back what connect did",
        "doctor": "Find out what is wrong, and how to fix it",
    },
    "Pipelines": {
        "tunnel": "Let another machine push to the registry over ssh",
        "ci": "Print a CI pipeline that pushes through a tunnel",
    },
    "Settings": {
        "config": "Show the settings and where each one is set",
        "completion": "Print the script for TAB completion",
    },
}
"""The commands by purpose, each with its summary. The help of the program imports no command's module."""

SUBCOMMANDS = {
    "auth": {
        "add": "Add a user, or change the password of one",
        "rm": "Remove a user",
        "ls": "List the users",
    },
    "tunnel": {
        "open": "Open a tunnel and keep it open",
        "ls": "List open tunnels",
        "close": "Close tunnels",
    },
    "doctor": {
        "explain": "Explain an error message of an engine or a client",
    },
}
"""The commands that have commands of their own."""

ALSO_ALONE = frozenset({"doctor"})
"""Those of them that also do something without one."""
