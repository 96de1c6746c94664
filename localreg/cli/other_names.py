"""Words that people type when they mean something else: other tools' names for commands, and misspelt variables."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping

_ALMOST = 0.7
"""How much a variable is like the one that was meant, from 0 to 1."""

MEANT = {
    "": {
        "start": "up",
        "run": "up",
        "create": "up",
        "restart": "up --recreate",
        "stop": "down",
        "kill": "down",
        "destroy": "down",
        "ps": "status --all",
        "info": "status",
        "images": "ls",
        "list": "ls",
        "catalog": "ls",
        "repos": "ls",
        "tags": "ls",
        "df": "du",
        "usage": "du",
        "show": "inspect",
        "describe": "inspect",
        "history": "inspect",
        "manifest": "inspect --raw",
        "digest": "inspect -q",
        "delete": "rm",
        "remove": "rm",
        "untag": "rm",
        "address": "url",
        "version": "--version",
        "signin": "login",
        "users": "auth ls",
        "user": "auth",
        "adduser": "auth add",
        "tls": "up --tls",
        "cert": "up --tls",
        "ca": "trust",
        "useradd": "auth add",
        "passwd": "auth add",
        "htpasswd": "auth add",
        "garbage-collect": "gc",
        "export": "save",
        "backup": "save",
        "import": "load",
        "restore": "load",
        "sync": "copy",
        "mirror": "copy",
        "kind": "connect kind",
        "k3d": "connect k3d",
        "minikube": "connect minikube",
        "network": "connect network",
    },
    "auth": {"passwd": "add", "set": "add", "create": "add", "del": "rm", "delete": "rm", "remove": "rm", "list": "ls"},
    "tunnel": {"start": "open", "stop": "close", "rm": "close", "status": "ls", "list": "ls"},
}
"""For the program and for a command with commands: each name, and what to type instead."""


def misspelt_variables(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The variables that are almost a setting's, each with the setting's.

    Others that begin with `LOCALREG_` may be for the user's own scripts.
    """
    from localreg.settings import SETTINGS, VARIABLES  # noqa: PLC0415 -- not for help and version

    known = {setting.variable.removeprefix(VARIABLES) for setting in SETTINGS}
    for variable in sorted(environ):
        own = variable.removeprefix(VARIABLES)
        if variable.startswith(VARIABLES) and own not in known and environ[variable]:
            for near in difflib.get_close_matches(own, known, n=1, cutoff=_ALMOST):
                yield variable, f"{VARIABLES}{near}"
