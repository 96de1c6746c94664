"""The one way to copy content between two places."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from threading import Event

from localreg.errors import LocalregError
from localreg.places.port import Blob, BlobsGoneError, Content, Source, Target, Unwatched, Watcher
from localreg.places.verified import read_verified
from localreg.system.at_once import do_at_once

_ATTEMPTS = 5
_SHOWN = 5
"""Names that an error shows."""


class _StoppedError(Exception):
    """Another blob failed."""


class Nowhere:
    """A target that keeps nothing: what is copied to it is only read and checked."""

    workers = 4

    def begin(self, content: Content) -> Sequence[Blob]:
        """Take all blobs."""
        return list(content.blobs.values())

    def put_blob(self, _blob: Blob, read: Callable[[], Iterator[bytes]]) -> None:
        """Read a blob."""
        for _ in read():
            pass

    def finish(self, _content: Content) -> None:
        """Do nothing."""


def transfer(source: Source, target: Target, content: Content, watcher: Watcher | None = None) -> int:
    """Copy content: each blob once and checked, then the manifests, then the names.

    Args:
        source: The place that has it.
        target: The place that gets it.
        content: What `read_content` found there.
        watcher: Is told how it goes on.

    Returns:
        The bytes of the blobs that the target lacked.

    Raises:
        LocalregError: something cannot be read or written; no name leads to something incomplete.
    """
    watcher, sent = watcher or Unwatched(), 0
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            lacking = target.begin(content)
            size = sum(blob.size for blob in lacking)
            sent += size
            watcher.begin(size)
            _send(source, target, content, lacking, watcher)
            target.finish(content)
        except BlobsGoneError:
            # A garbage collection took what no manifest needed yet.
            if attempt == _ATTEMPTS:
                raise
        else:
            break
    return sent


def _send(source: Source, target: Target, content: Content, blobs: Sequence[Blob], watcher: Watcher) -> None:
    stop = Event()

    def read(blob: Blob) -> Iterator[bytes]:
        if blob.digest in content.configs:
            yield content.configs[blob.digest]
            return
        try:
            yield from read_verified(source, blob)
        except LocalregError as exc:
            raise exc.with_(details=[*exc.details, _needed_by(content, blob)]) from exc

    def send(blob: Blob) -> None:
        sent = 0

        def chunks() -> Iterator[bytes]:
            nonlocal sent
            if sent:
                watcher.advance(-sent)
                sent = 0
            for chunk in read(blob):
                if stop.is_set():
                    raise _StoppedError
                yield chunk
                sent += len(chunk)
                watcher.advance(len(chunk))

        target.put_blob(blob, chunks)

    do_at_once(send, blobs, workers=target.workers, stop=stop)


def _needed_by(content: Content, blob: Blob) -> str:
    names = [f"`{name}`" for name in content.names_with(blob.digest)]
    more = [f"{len(names) - _SHOWN} more"] if len(names) > _SHOWN else []
    return f"blob {blob.digest} is part of {', '.join([*names[:_SHOWN], *more])}"
