"""The content that pushes under way may need, as the registry's access log tells.

A client asks for each layer with HEAD and skips those that the registry has. Between that and its manifest, nothing
else tells that it needs them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from urllib.parse import unquote

from localreg.engines.port import ContainerRuntime
from localreg.errors import EngineError
from localreg.registry.distribution_log import Request, iter_requests

_LOOKS_BACK = timedelta(minutes=10)
"""How long after its last request a push that has not ended still protects what it asked for."""
_LINES = 5000
"""The lines of the log that are read: 40 pushes of images with ten layers. An engine decodes all of a longer log, which
takes the time of pushes beside it; a push that began before those is refused, and pushed again."""
_PUSHES = frozenset({"HEAD", "POST", "PUT", "PATCH"})
_PATH = re.compile(r"(?P<repository>.+?)/(?P<kind>blobs|manifests)/(?P<rest>.+)")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True)
class InUse:
    """What pushes under way may need."""

    digests: frozenset[str] = frozenset()
    """Blobs, and manifests that were pushed by digest, as the parts of an index are."""
    repositories: frozenset[str] = frozenset()
    """The repositories that they push to."""


def find_in_use(engine: ContainerRuntime, container_id: str) -> InUse:
    """Find what pushes may need that have not ended yet.

    A push ends with the manifest that has its tag. A second push to the same repository at the same time is then no
    longer protected: the registry refuses its manifest, and it must be pushed again.
    """
    try:
        chunks = engine.read_logs(container_id, since=datetime.now(UTC) - _LOOKS_BACK, tail=_LINES, only="stdout")
        log = b"".join(chunk.data for chunk in chunks)
    except EngineError:
        # Its log driver keeps nothing that the engine can read.
        return InUse()
    return in_use_by(iter_requests(log))


def in_use_by(requests: Iterator[Request]) -> InUse:
    """The same from requests, the oldest first."""
    pending: dict[str, set[str]] = {}
    for request in requests:
        path = _PATH.fullmatch(unquote(request.path))
        if path is None or request.method not in _PUSHES:
            continue
        repository, digests = path["repository"], set(_DIGEST.findall(path["rest"]))
        is_tag = path["kind"] == "manifests" and not digests
        if request.method == "PUT" and is_tag and request.status == HTTPStatus.CREATED:
            pending.pop(repository, None)
        elif not is_tag:
            pending.setdefault(repository, set()).update(digests)
    return InUse(frozenset().union(*pending.values()), frozenset(pending))
