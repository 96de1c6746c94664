"""The events of Docker's pushes, pulls and loads: progress and errors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from localreg.engines.common.messages import DISK_FULL, transfer_error
from localreg.engines.values import Progress, TransferState
from localreg.errors import EngineError, InvalidArchiveError

_PUSHED_DIGEST = re.compile(r"digest: (sha256:[0-9a-f]{64})")
_PULLED_DIGEST = re.compile(r"^Digest: (sha256:[0-9a-f]{64})")
_LOADED = re.compile(r"^Loaded image(?: ID)?: (\S+)")

_STATES = {
    "Preparing": TransferState.WAITING,
    "Waiting": TransferState.WAITING,
    "Pulling fs layer": TransferState.WAITING,
    "Pushing": TransferState.RUNNING,
    "Downloading": TransferState.RUNNING,
    "Verifying Checksum": TransferState.RUNNING,
    "Download complete": TransferState.RUNNING,
    "Extracting": TransferState.RUNNING,
    "Pushed": TransferState.DONE,
    "Pull complete": TransferState.DONE,
    "Layer already exists": TransferState.EXISTS,
    "Already exists": TransferState.EXISTS,
    # The rest of the line is a repository or a number of seconds.
    "Mounted": TransferState.EXISTS,
    "Retrying": TransferState.RETRYING,
}


def iter_push(events: Iterable[Mapping[str, Any]], reference: str) -> Iterator[Progress]:
    """Read the events of `POST /images/{name}/push`.

    The classic image store sends the digest in a separate event, containerd's store within a sentence.
    """
    yield from _changes(_push(events, reference))


def _push(events: Iterable[Mapping[str, Any]], reference: str) -> Iterator[Progress]:
    for event in _checked(events, reference):
        about = event.get("aux") or {}
        digest = about.get("Digest") or _match(_PUSHED_DIGEST, event)
        # It comes with `manifestPushedInsteadOfIndex`.
        if index := about.get("originalIndex"):
            yield Progress(index=index["digest"])
        elif digest:
            yield Progress(digest=digest, state=TransferState.DONE)
        elif event.get("id"):
            yield _layer(event)


def iter_pull(events: Iterable[Mapping[str, Any]], reference: str) -> Iterator[Progress]:
    """Read the events of `POST /images/create`."""
    yield from _changes(_pull(events, reference))


def _pull(events: Iterable[Mapping[str, Any]], reference: str) -> Iterator[Progress]:
    for event in _checked(events, reference):
        digest = _match(_PULLED_DIGEST, event)
        if digest:
            yield Progress(digest=digest, state=TransferState.DONE)
        elif event.get("id") and event.get("status") in _STATES:
            yield _layer(event)


def _changes(steps: Iterable[Progress]) -> Iterator[Progress]:
    """Leave out steps that repeat the last one of their layer.

    While nothing moves, containerd's store repeats `Waiting` for each layer ten times a second.
    """
    last: dict[str, Progress] = {}
    for step in steps:
        if step.layer is None or last.get(step.layer) != step:
            yield step
        if step.layer is not None:
            last[step.layer] = step


def iter_load(events: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Read the events of `POST /images/load`: the names or IDs of the loaded images."""
    for event in events:
        if message := _error(event):
            if DISK_FULL.search(message):
                raise EngineError("Docker has no disk space left for the image", details=[message])
            raise InvalidArchiveError("Docker could not read the archive", details=[message])
        if name := _LOADED.match(event.get("stream") or ""):
            yield name.group(1)


def _checked(events: Iterable[Mapping[str, Any]], reference: str) -> Iterator[Mapping[str, Any]]:
    for event in events:
        if message := _error(event):
            raise transfer_error(reference, message)
        yield event


def _error(event: Mapping[str, Any]) -> str | None:
    return (event.get("errorDetail") or {}).get("message") or event.get("error")


def _match(pattern: re.Pattern[str], event: Mapping[str, Any]) -> str | None:
    found = pattern.search(event.get("status") or "")
    return found.group(1) if found else None


def _layer(event: Mapping[str, Any]) -> Progress:
    status = str(event.get("status"))
    state = _STATES.get(status) or _STATES.get(status.partition(" ")[0], TransferState.RUNNING)
    detail = event.get("progressDetail") or {}
    total = detail.get("total") or None
    current = detail.get("current")
    if total is not None and current is not None:
        # The classic store counts compressed bytes but an uncompressed total, so the count can exceed the total.
        current = min(current, total)
    return Progress(layer=event["id"], state=state, current=current, total=total)
