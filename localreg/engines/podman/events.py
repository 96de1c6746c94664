"""The events of Podman's pushes and pulls: layers without byte counts, and errors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from localreg.engines.common.events import iter_pull
from localreg.engines.common.messages import transfer_error
from localreg.engines.values import Progress, TransferState
from localreg.errors import EngineError

_BLOB = re.compile(r"Copying blob (?:sha256:)?([0-9a-f]{12})[0-9a-f]*(.*)")
_SKIPPED = re.compile(r"skipped|already exists", re.IGNORECASE)


def iter_transfer(lines: Iterable[bytes], reference: str) -> Iterator[Progress]:
    """Read the lines of `POST /libpod/images/{name}/push` and `/libpod/images/pull`.

    Podman reports the start of a layer but not its end. All layers are done when the stream ends without an error.
    """
    begun: list[str] = []
    for line in filter(None, lines):
        event = _event(line)
        if message := event.get("error"):
            raise transfer_error(reference, message)
        # The ID is the digest of a manifest list, if that was pushed.
        digest = event.get("manifestdigest") or event.get("Id")
        if digest:
            yield Progress(digest=digest, state=TransferState.DONE)
        found = _BLOB.match(event.get("stream") or "")
        if found and found.group(1) not in begun:
            exists = _SKIPPED.search(found.group(2))
            if not exists:
                begun.append(found.group(1))
            yield Progress(layer=found.group(1), state=TransferState.EXISTS if exists else TransferState.RUNNING)
    for layer in begun:
        yield Progress(layer=layer, state=TransferState.DONE)


def _event(line: bytes) -> dict[str, Any]:
    event = json.loads(line)
    if not isinstance(event, dict):
        text = line.decode(errors="backslashreplace")
        raise EngineError("Podman sent an invalid event", details=[text])
    return event


def iter_pull_with_bytes(lines: Iterable[bytes], reference: str) -> Iterator[Progress]:
    """Read the lines of `POST /libpod/images/pull` with `compatMode`, which are like Docker's events.

    A layer ends with `Download complete`; the last line of the stream is the same with the image's ID.
    """
    layers: set[str] = set()
    for line in filter(None, lines):
        event = _event(line)
        name = event.get("id")
        if event.get("status") == "Download complete":
            if name in layers:
                layers.remove(name)
                yield Progress(layer=name, state=TransferState.DONE)
            continue
        for step in iter_pull([event], reference):
            if step.layer and step.state is not TransferState.EXISTS:
                layers.add(step.layer)
            yield step
