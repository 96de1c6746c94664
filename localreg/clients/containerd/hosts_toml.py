"""The text of a `hosts.toml`, which tells containerd how to reach a registry.

containerd drops a file that it does not understand, with a line in its log or without one, and uses HTTPS as before.
These texts use only what each release since 1.5 reads in the same way.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localreg.errors import ConfigError

HEADER = "# Written by `localreg trust`; `localreg untrust` removes it.\n"

_KNOWS_REFERRERS = (2, 2)
_DROPS_DOTTED = (2, 0)
_NEEDS_NO_HOST = (1, 7, 32)
_CAPABILITIES = ("pull", "resolve", "push")


def hosts_toml(url: str, *, ca: str | None = None) -> str:
    """The text of the whole file, if the registry has none.

    Args:
        url: Where containerd reaches the registry, such as `http://registry:5000`; the folder of the file has the
            `HOST:PORT` that begins a reference to it.
        ca: The path of its CA's certificates, absolute or beside the file; None if the system trusts it or it speaks
            plain HTTP.
    """
    return HEADER + server_lines(url, ca=ca)


def server_lines(url: str, *, ca: str | None = None) -> str:
    """The lines that make a registry the only place that containerd asks. Arguments as for `hosts_toml`."""
    # As a host in addition to the server, each request that fails is made twice. Without [host], containerd before
    # 1.7.32 drops the file.
    return f"server = {_quote(url)}\n{_ca_line(ca)}\n[host]\n"


def host_lines(url: str, *, ca: str | None = None) -> str:
    """The lines that add a registry to a file of others. Arguments as for `hosts_toml`."""
    # Without `capabilities`, so that containerd also pushes there.
    return f"[host.{_quote(url)}]\n{_ca_line(ca)}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A place that containerd asks."""

    url: str
    """Without `/v2`, which containerd adds."""
    ca: tuple[str, ...]
    """The paths of its CAs."""
    verifies: bool
    takes_pushes: bool


@dataclass(frozen=True, slots=True)
class HostsFile:
    """What a `hosts.toml` says."""

    values: Mapping[str, Any]
    endpoints: tuple[Endpoint, ...]
    """Without the one that containerd adds if there is no `server`; none if the release drops a file without [host]."""
    has_server: bool
    fault: str | None
    """Why containerd drops all of it, as a sentence without a subject."""


def read_hosts(text: str, path: Path, *, release: tuple[int, ...]) -> HostsFile:
    """Read a file.

    Args:
        text: The file's.
        path: The file, for errors.
        release: The numbers of containerd's version.

    Raises:
        ConfigError: it is not valid TOML.
    """
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        why = "it begins with a byte order mark" if text.startswith("\ufeff") else str(exc)
        raise ConfigError(f"`{path}` is not valid TOML, so containerd drops it: {why}") from exc
    hosts = values.get("host", {})
    hosts = hosts if isinstance(hosts, dict) else {}
    is_dropped = "host" not in values and release < _NEEDS_NO_HOST
    server = None if is_dropped else values.get("server") or None
    tables = [(url, table) for url, table in hosts.items() if isinstance(table, dict)]
    if isinstance(server, str):
        tables.append((server, values))
    return HostsFile(
        values,
        tuple(_endpoint(url, table) for url, table in tables),
        isinstance(server, str),
        _find_fault(text, values, hosts, release),
    )


def _endpoint(url: str, table: Mapping[str, Any]) -> Endpoint:
    ca = table.get("ca", [])
    capabilities = [str(word).lower() for word in table.get("capabilities") or _CAPABILITIES]
    return Endpoint(
        base_of(url),
        tuple(map(str, [ca] if isinstance(ca, str) else ca)),
        verifies=table.get("skip_verify") is not True,
        takes_pushes=set(_CAPABILITIES) <= set(capabilities),
    )


def base_of(url: str) -> str:
    """A URL as containerd reads it, without the path that it adds."""
    return (url if url.startswith("http") else f"https://{url}").rstrip("/").removesuffix("/v2")


def _find_fault(text: str, values: Mapping[str, Any], hosts: Mapping[str, Any], release: tuple[int, ...]) -> str | None:
    for table in (values, *hosts.values()):
        if not isinstance(table, dict):
            return "has a `host` that is not a table, so containerd drops all of it"
        if not isinstance(table.get("skip_verify", False), bool):
            return "has a `skip_verify` that is not true or false, so containerd drops all of it"
        known = (*_CAPABILITIES, *(["referrers"] if release >= _KNOWS_REFERRERS else []))
        for word in table.get("capabilities", []):
            if str(word).lower() not in known:
                return f"has the capability `{word}`, so this release of containerd drops all of it"
    for url in hosts if release >= _DROPS_DOTTED else ():
        if not re.search(rf"""^\s*\[\s*["']?host["']?\s*\.\s*["']?{re.escape(url)}["']?\s*[.\]]""", text, re.MULTILINE):
            return f'has no line `[host."{url}"]`, so containerd drops that host without a word'
    return None


def _ca_line(ca: str | None) -> str:
    return f"ca = {_quote(ca)}\n" if ca else ""


def _quote(text: str) -> str:
    """A basic string of TOML, which escapes as JSON does."""
    return json.dumps(text, ensure_ascii=False)
