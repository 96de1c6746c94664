"""The one way to copy content between two places."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, CancelledError, ThreadPoolExecutor, wait
from threading import Event

from localreg.places.port import Blob, BlobsGoneError, Content, Source, Target, Unwatched, Watcher
from localreg.places.verified import read_verified

_ATTEMPTS = 3


def transfer(source: Source, target: Target, content: Content, watcher: Watcher | None = None) -> None:
    """Copy content: each blob once and checked, then the manifests, then the names.

    Args:
        source: The place that has it.
        target: The place that gets it.
        content: What `read_content` found there.
        watcher: Is told how it goes on.

    Raises:
        LocalregError: something cannot be read or written; no name leads to something incomplete.
    """
    watcher = watcher or Unwatched()
    for attempt in range(1, _ATTEMPTS + 1):
        lacking = target.begin(content)
        watcher.begin(sum(blob.size for blob in lacking))
        _send(source, target, content, lacking, watcher)
        try:
            target.finish(content)
        except BlobsGoneError:
            # A garbage collection took what no manifest needed yet.
            if attempt == _ATTEMPTS:
                raise
        else:
            return


def _send(source: Source, target: Target, content: Content, blobs: Sequence[Blob], watcher: Watcher) -> None:
    failed = Event()

    def chunks(blob: Blob) -> Iterator[bytes]:
        known = content.configs.get(blob.digest)
        for chunk in read_verified(source, blob) if known is None else (known,):
            if failed.is_set():
                raise CancelledError
            yield chunk
            watcher.advance(len(chunk))

    def send(blob: Blob) -> None:
        target.put_blob(blob, chunks(blob))

    if target.workers == 1:
        for blob in blobs:
            send(blob)
        return
    with ThreadPoolExecutor(target.workers) as pool:
        under_way = [pool.submit(send, blob) for blob in blobs]
        try:
            done, _ = wait(under_way, return_when=FIRST_EXCEPTION)
            for each in done:
                each.result()
        finally:
            failed.set()
            pool.shutdown(wait=False, cancel_futures=True)
