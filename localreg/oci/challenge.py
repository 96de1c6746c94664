"""Login to a registry, as the distribution specification and RFC 9110 have it.

A registry answers 401 and names in `WWW-Authenticate` the way in: `Basic`, or a token of a server of its own. Docker
Hub does that for everyone: without credentials the token is for public images.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

Scopes = frozenset[str]
"""What a token is for: `repository:NAME:pull`, and others of the specification."""

_CHALLENGE = re.compile(
    r'(?<![A-Za-z])([A-Za-z]+)\s+(?=[A-Za-z_-]+\s*=)|(?<![A-Za-z_-])([A-Za-z_-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,]+)'
)
"""A scheme before its first parameter, or a parameter and its value. Only the beginning of a word is tried."""
_NAME = re.compile(r"/v2/(.+)/(?:manifests|blobs|tags|referrers)/")
_READS = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Challenge:
    """The way in that a registry names."""

    scheme: str
    """`basic` or `bearer`."""
    realm: str = ""
    service: str = ""
    scopes: Scopes = frozenset()


def read_challenge(header: str) -> Challenge | None:
    """Read `WWW-Authenticate`: a token goes before a password; None if it names neither."""
    found: list[tuple[str, dict[str, str]]] = []
    for scheme, name, value in _CHALLENGE.findall(header):
        if scheme:
            found.append((scheme.lower(), {}))
        elif found:
            text = re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
            found[-1][1].setdefault(name.lower(), text)
    schemes = dict(reversed(found))
    if (bearer := schemes.get("bearer")) and bearer.get("realm"):
        scopes = frozenset(bearer.get("scope", "").split())
        return Challenge("bearer", bearer["realm"], bearer.get("service", ""), scopes)
    if "basic" in schemes or header.strip().lower() == "basic":
        return Challenge("basic")
    return None


def scopes_of(method: str, target: str) -> Scopes:
    """What a request needs, from its path and query. Some registries only name the half of it in their challenge."""
    path, _, query = target.partition("?")
    if path == "/v2/_catalog":
        return frozenset({"registry:catalog:*"})
    found = _NAME.match(unquote(path))
    if found is None:
        return frozenset()
    scopes = {f"repository:{found[1]}:{'pull' if method in _READS else 'pull,push'}"}
    origin = re.search(r"(?:^|&)from=([^&]*)", query)
    return frozenset(scopes | ({f"repository:{unquote(origin[1])}:pull"} if origin else set()))


def joined(*several: Scopes) -> list[str]:
    """All scopes, with the actions on one thing in one scope."""
    actions: dict[str, set[str]] = {}
    for scope in sorted(frozenset[str]().union(*several)):
        thing, _, named = scope.rpartition(":")
        actions.setdefault(thing, set()).update(named.split(","))
    return [f"{thing}:{','.join(sorted(named))}" for thing, named in sorted(actions.items())]


def repository_of(scopes: Scopes) -> str:
    """The repository that scopes are for, the one that is written to if there are several; empty for none."""
    names = sorted((scope for scope in scopes if scope.startswith("repository:")), key=lambda each: "push" not in each)
    return names[0].removeprefix("repository:").rpartition(":")[0] if names else ""
