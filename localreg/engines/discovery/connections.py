"""The Podman that a variable names: by an address or by a named connection, as the `podman` program takes them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from localreg.engines.values import Endpoint
from localreg.errors import Unavailable
from localreg.system.address import without_password
from localreg.system.programs import ProgramError, run

_PROGRAM_SECONDS = 30.0
_FORMS = "`unix:///PATH`, `tcp://HOST:PORT` or `ssh://HOST/PATH`"


class BrokenConnectionError(Exception):
    """A variable names no Podman; carries the reason as a failed probe."""

    def __init__(self, unavailable: Unavailable) -> None:
        super().__init__(unavailable.reason)
        self.unavailable = unavailable


def named_podman(environ: Mapping[str, str]) -> tuple[str, Endpoint] | None:
    """The variable that names a Podman, and its endpoint; None if none does.

    Raises:
        BrokenConnectionError: the variable names none.
    """
    name, url = environ.get("CONTAINER_CONNECTION"), environ.get("CONTAINER_HOST")
    if name and url:
        reason = f"CONTAINER_CONNECTION=`{name}` is set as well, and releases of Podman differ in which of them counts"
        raise BrokenConnectionError(Unavailable("podman", without_password(url), reason, variable="CONTAINER_HOST"))
    if name:
        return "CONTAINER_CONNECTION", _connection(name, environ)
    if url:
        try:
            return "CONTAINER_HOST", Endpoint(_address(url))
        except ValueError as exc:
            where = without_password(url)
            raise BrokenConnectionError(Unavailable("podman", where, str(exc), variable="CONTAINER_HOST")) from exc
    return None


def _address(url: str) -> str:
    """An address in localreg's form. Podman also takes `unix:/path`, `unix://path`, and `%2F` for a slash.

    Raises:
        ValueError: Podman does not take it.
    """
    parts = urlsplit(url)
    path = unquote(f"{parts.netloc}{parts.path}")
    is_rooted = bool(parts.netloc) or parts.path.startswith("/")
    if parts.scheme == "unix" and is_rooted and path.strip("/"):
        return f"unix:///{path.lstrip('/')}"
    if parts.scheme == "tcp" and parts.hostname:
        if parts.port is None:
            raise ValueError("the port is missing, and Podman has no usual one")
        return f"tcp://{parts.netloc}"
    if parts.scheme == "ssh" and parts.hostname:
        return f"ssh://{parts.netloc}{parts.path}"
    raise ValueError(f"not the address of a Podman: it must be {_FORMS}")


def _connection(name: str, environ: Mapping[str, str]) -> Endpoint:
    """The endpoint of a named connection. Only the `podman` program knows all the files that connections are in."""
    broken = Unavailable("podman", f"connection `{name}`", "", variable="CONTAINER_CONNECTION")
    program = shutil.which("podman", path=environ.get("PATH"))
    if program is None:
        reason = "cannot look it up: the `podman` program is not installed"
        raise BrokenConnectionError(replace(broken, reason=reason))
    try:
        found = next((entry for entry in _list_connections(program) if entry.get("Name") == name), None)
        url = _address(str(found.get("URI"))) if found else ""
    except (ProgramError, ValueError, AttributeError) as exc:
        raise BrokenConnectionError(replace(broken, reason=f"cannot use it: {exc}")) from exc
    if found is None:
        reason, cure = "the connection does not exist", "podman system connection list"
        raise BrokenConnectionError(replace(broken, reason=reason, cure=cure))
    identity = Path(str(found["Identity"])).expanduser() if found.get("Identity") else None
    if identity is not None and not identity.is_file():
        raise BrokenConnectionError(replace(broken, reason=f"its key `{identity}` does not exist"))
    if any(value for key, value in found.items() if key.lower().startswith("tls")):
        reason = "cannot use it: it needs TLS, which the library podman-py lacks"
        raise BrokenConnectionError(replace(broken, reason=reason))
    return Endpoint(url, context=name, identity=identity, is_machine=found.get("IsMachine") is True)


def _list_connections(program: str) -> list[dict[str, Any]]:
    """All connections, as `podman` prints them.

    Raises:
        ProgramError: it failed.
        ValueError: it printed no JSON.
    """
    ended = run(program, "system", "connection", "list", "--format", "json", seconds=_PROGRAM_SECONDS)
    if ended.code != 0:
        raise ProgramError(ended.err.strip().rpartition("\n")[2] or f"exit code {ended.code}")
    return list(json.loads(ended.out.strip() or "[]"))
