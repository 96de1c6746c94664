"""A registry's data, read by a shell in its container."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from localreg.registry.volume_layout import DIGEST, LARGEST, ROOT, Links, StoredFile, is_whole, links_of, place_of

_BATCH = 5000
"""Blobs that one command reads. Their paths are arguments, of which Linux allows 2 MB."""

# No part of a repository's name begins with `_`. A file that vanishes makes `find` fail, which is no error here.
# A line of output is `TIME PATH`, `PATH:CONTENT` or `PATH`.
_READ_LINKS = r"""
cd "$1/repositories" 2>/dev/null || exit 0
shift
find -L "$@" '(' -path '*/_layers' -o -path '*/_uploads' -o -path '*/_manifests/tags/*/index' ')' -prune \
    -o -path '*/_manifests/tags/*/current/link' -type f -exec stat -c '%Y %n' {} + \
        -exec sh -c 'for file; do content=; read -r content <"$file"; echo "$file:$content"; done' sh {} + \
    -o -path '*/_manifests/revisions/sha256/*/link' -type f -exec sh -c 'for file; do echo "$file"; done' sh {} +
exit 0
"""
_READ_BLOBS = f"""
cd "$1/blobs" 2>/dev/null || exit 0
shift
find "$@" -type f -size -{LARGEST + 1}c -exec stat -c '%s %n' {{}} +
echo
find "$@" -type f -size -{LARGEST + 1}c -exec cat {{}} +
exit 0
"""


class ExecVolume:
    """A registry's data, read by a shell in its container.

    Args:
        run: Runs a command in the container.
        folder: The registry's root directory there.
    """

    def __init__(self, run: Callable[[Sequence[str]], Iterator[bytes]], folder: str) -> None:
        self._run = run
        self._root = f"{folder}/{ROOT}"

    def read_links(self, repositories: Collection[str] | None = None) -> Links:
        """The links of some repositories.

        Raises:
            EngineError: the container has no shell.
        """
        within = ["."] if repositories is None else [f"./{name}/_manifests" for name in sorted(repositories)]
        found = b"".join(self._run(["sh", "-c", _READ_LINKS, "sh", self._root, *within])).decode(errors="replace")
        times: dict[str, int] = {}
        contents: dict[str, str] = {}
        for line in found.splitlines():
            time, _, path = line.rpartition(" ")
            if time.isdecimal():
                times[path] = int(time)
                continue
            path, _, content = line.partition(":")
            contents[path] = content
        return links_of(
            StoredFile(path.removeprefix("./"), times.get(path), contents.get(path, "")) for path in times | contents
        )

    def read_blobs(self, digests: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """The digest and the bytes of each blob.

        Raises:
            EngineError: the container has no shell.
        """
        places = [place_of(digest) for digest in digests if DIGEST.fullmatch(digest)]
        for start in range(0, len(places), _BATCH):
            command = ["sh", "-c", _READ_BLOBS, "sh", self._root, *places[start : start + _BATCH]]
            yield from _split(self._run(command))


def _split(received: Iterator[bytes]) -> Iterator[tuple[str, bytes]]:
    """The blobs of a response: a line with size and path for each, an empty line, then their bytes."""
    buffer = bytearray()
    while not (buffer.startswith(b"\n") or b"\n\n" in buffer):
        buffer += next(received, b"\n\n")
    head, _, rest = (b"", b"", buffer[1:]) if buffer.startswith(b"\n") else buffer.partition(b"\n\n")
    buffer = bytearray(rest)
    for line in head.splitlines():
        size, _, path = line.decode(errors="replace").partition(" ")
        while len(buffer) < int(size) and (data := next(received, b"")):
            buffer += data
        # If a blob vanished meanwhile, the bytes of the others have moved, and fail their check.
        data = bytes(buffer[: int(size)])
        del buffer[: int(size)]
        digest = f"sha256:{path.split('/')[-2]}"
        if is_whole(digest, data):
            yield digest, data
    # To its end, so that a connection that broke is noticed.
    for _ in received:
        pass
