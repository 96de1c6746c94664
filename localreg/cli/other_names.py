"""The names that other tools have for localreg's commands, for the hint about an unknown command."""

from __future__ import annotations

MEANT = {
    "start": "up",
    "run": "up",
    "create": "up",
    "stop": "down",
    "kill": "down",
    "destroy": "down",
    "ps": "status --all",
    "info": "status",
    "images": "ls",
    "list": "ls",
    "catalog": "ls",
    "delete": "rm",
    "remove": "rm",
    "untag": "rm",
    "address": "url",
    "version": "--version",
}
"""Each name, and what to type after `localreg` instead."""
