"""A registry's data, read by a shell in its container."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby
from operator import itemgetter
from typing import TypeVar

from localreg.oci.digest import is_whole
from localreg.registry.volume_layout import (
    DIGEST,
    LARGEST,
    REPOSITORIES,
    ROOT,
    Links,
    VolumeFile,
    data_of,
    read_link,
)

_T = TypeVar("_T")

_BATCH = 5000
"""Blobs that one command reads. Their paths are arguments, of which Linux allows 2 MB."""

_GIVE_WAY = "{ renice -n 19 -p $$ || busybox renice -n 19 -p $$; } >/dev/null 2>&1\n"
# A file that vanishes makes a command fail. Only other failures are errors.
_CHECKED = r"""
exec 3>&1
checked() {
    { "$@" 2>&1 >&3; } | {
        while read -r line; do case $line in *[Nn]"o such file"*) ;; *) echo "$line" >&2; failed=1 ;; esac; done
        exit ${failed:-0}
    }
}
"""
# No part of a repository's name begins with `_`. A line of output is `TIME PATH`, `PATH:CONTENT` or `PATH`.
# `find` does not walk into the folders of tags, and has no parentheses around `-exec`: busybox's would run nothing. An
# image that localreg made has `grep` and `xargs` only as parts of `busybox`.
_READ_LINKS = rf"""
{_CHECKED}
read_links() {{
    find -L "$@" '(' -name _layers -o -name _uploads ')' -prune \
        -o -path '*/_manifests/tags/*' -prune -type d -exec sh -c 'printf "%s/current/link\0" "$@"' sh {{}} + \
        -o -path '*/_manifests/revisions/sha256/*' -prune -type d -exec sh -c 'printf "%s/link\0" "$@"' sh {{}} + |
    $busybox xargs -0 -r sh -c '
        find -L "$@" -path "*/_manifests/revisions/*" -type f -print \
            -o -type f -exec stat -c "%Y %n" {{}} + -exec $busybox grep -H "" {{}} +' sh
}}
cd "$1/repositories" 2>/dev/null || exit 0
shift
command -v grep >/dev/null && command -v xargs >/dev/null || export busybox=busybox
checked read_links "$@"
"""
_TIME = re.compile(r"^(\d+) \./(.+)/_manifests/tags/([^/\n]+)/current/link$", re.MULTILINE | re.ASCII)
_CONTENT = re.compile(r"^\./(.+)/_manifests/tags/([^/\n]+)/current/link:(.*)$", re.MULTILINE)
_REVISION = re.compile(r"^\./(.+)/_manifests/revisions/sha256/([0-9a-f]{64})/link$", re.MULTILINE)
_READ_BLOBS = f"""
cd "$1" 2>/dev/null || exit 0
shift
set -- $(find "$@" -type f -size -{LARGEST + 1}c)
[ $# -gt 0 ] && stat -c '%s %n' "$@"
echo
[ $# -gt 0 ] && cat "$@"
exit 0
"""
_LIST_REPOSITORIES = rf"""
{_CHECKED}
cd "$1" 2>/dev/null || exit 0
checked find . '(' -name _manifests -o -name _uploads ')' -prune -o -name _layers -type d -prune -print
"""
# The names to skip come first, then `--`, then the paths.
_LIST_FILES = rf"""
{_CHECKED}
cd "$1" || exit
shift
skip=
while [ "$1" != -- ]; do skip="$skip -name $1 -prune -o"; shift; done
shift
set -f
checked find "$@" $skip -type f -exec stat -c '%Y %s %n' {{}} +
"""
_READ_FILES = r"""
cd "$1" || exit
shift
for file; do
    [ -f "$file" ] || continue
    stat -c '%s %n' "$file"
    cat "$file" || exit
    echo
done
"""
_DISK_USAGE = rf"""
{_CHECKED}
checked du -sk "$1"
"""
_MAKE_FILE = r"""
cd "$1" && mkdir -p "${2%/*}" && touch "$2"
"""
# One `mv` renames them all. If one has vanished, it goes on and fails; anything else that fails is still there.
# An overlay cannot rename a folder of an image's layer, and `mv` would copy it; a file there it can.
_MOVE_INTO = r"""
move_files() {
    [ -e "$1" ] || return 0
    find "$1" -type f | while read -r file; do
        new=$2/${1##*/}${file#"$1"}
        mkdir -p "${new%/*}" && mv "$file" "$new" || exit
    done && rm -rf "$1"
}
move_into() {
    folder=$1
    shift
    mkdir -p "$folder" || exit
    if [ $overlay ]; then
        for path; do move_files "$path" "$folder" || failed=1; done
    elif ! mv "$@" "$folder/" 2>/dev/null; then
        for path; do [ ! -e "$path" ] || mv "$path" "$folder/" || failed=1; done
    fi
}
cd "$1" || exit
shift
case $(stat -f -c %t . 2>/dev/null) in 794c7630 | 65735546) overlay=yes ;; esac
# Each folder and its paths come after their number.
while [ $# -gt 0 ]; do
    number=$1 next= words=
    shift
    while [ $((next += 1)) -le "$number" ]; do words="$words \"\${$next}\""; done
    eval "move_into $words"
    shift "$number"
done
exit ${failed:-0}
"""
_PUT_BACK = r"""
cd "$1" || exit
shift
while [ $# -gt 0 ]; do
    if [ -e "$1" ]; then { [ -d "${2%/*}" ] || mkdir -p "${2%/*}"; } && mv -f "$1" "$2" || failed=1; fi
    shift 2
done
exit ${failed:-0}
"""
_REMOVE = r"""
cd "$1" || exit
shift
rm -rf "$@" || failed=1
for path; do
    while [ "$path" != "${path%/*}" ]; do path=${path%/*}; rmdir "$path" 2>/dev/null || [ ! -e "$path" ] || break; done
done
exit ${failed:-0}
"""


class ExecVolume:
    """A registry's data, read by a shell in its container.

    Args:
        run: Runs a command in the container.
        folder: The registry's root directory there.
        gives_way: The commands run with the lowest priority, so that the registry's clients notice little of them.
    """

    is_elsewhere = True

    def __init__(
        self, run: Callable[[Sequence[str]], Iterator[bytes]], folder: str, *, gives_way: bool = False
    ) -> None:
        self._run = run
        self._folder = folder
        self._prelude = _GIVE_WAY if gives_way else ""

    def read_links(self, repositories: Collection[str] | None = None) -> Links:
        """The links of some repositories.

        Raises:
            EngineError: the container has no shell.
        """
        within = ["."] if repositories is None else [f"./{name}/_manifests" for name in sorted(repositories)]
        found = b"".join(self._sh(_READ_LINKS, ROOT, *within)).decode(errors="replace")
        contents = {(repository, tag): content for repository, tag, content in _CONTENT.findall(found)}
        tags = (
            read_link(repository, tag, contents.get((repository, tag), ""), int(seconds))
            for seconds, repository, tag in _TIME.findall(found)
        )
        revisions = ((repository, f"sha256:{encoded}") for repository, encoded in _REVISION.findall(found))
        return Links(tuple(tags), frozenset(revisions))

    def read_blobs(self, digests: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """The digest and the bytes of each blob.

        Raises:
            EngineError: the container has no shell.
        """
        places = [data_of(digest) for digest in digests if DIGEST.fullmatch(digest)]
        for batch in _batches(places):
            yield from _split(self._sh(_READ_BLOBS, "", *batch))

    def list_repositories(self) -> list[str]:
        """Every repository that has or had content."""
        found = b"".join(self._sh(_LIST_REPOSITORIES, REPOSITORIES)).decode(errors="replace")
        return sorted(line.removeprefix("./").removesuffix("/_layers") for line in found.splitlines())

    def list_files(self, *paths: str, skip: Collection[str] = ()) -> Iterator[VolumeFile]:
        """The files in folders, and those named themselves."""
        for batch in _batches(paths):
            for line in _lines(self._sh(_LIST_FILES, "", *skip, "--", *batch)):
                modified, _, rest = line.partition(" ")
                size, _, path = rest.partition(" ")
                yield VolumeFile(path, int(size), int(modified))

    def read_files(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """The path and the content of small files."""
        for batch in _batches(list(paths)):
            data = b"".join(self._sh(_READ_FILES, "", *batch))
            while data:
                head, _, data = data.partition(b"\n")
                size, _, path = head.decode().partition(" ")
                yield path, data[: int(size)]
                data = data[int(size) + 1 :]

    def disk_usage(self) -> int:
        """Bytes that the registry's data occupies on the disk, with its folders."""
        found = b"".join(self._sh(_DISK_USAGE, "")).split()
        return int(found[0]) * 1024 if found else 0

    def make_file(self, path: str) -> None:
        """Create an empty file, with its folder."""
        self._do(_MAKE_FILE, path)

    def move_into(self, folders: Mapping[str, Collection[str]]) -> None:
        """Rename files and folders into folders."""
        moves = [(folder, path) for folder, paths in folders.items() for path in paths]
        for batch in _batches(moves):
            groups = [[folder, *(path for _, path in group)] for folder, group in groupby(batch, key=itemgetter(0))]
            self._do(_MOVE_INTO, *chain.from_iterable([str(len(group)), *group] for group in groups))

    def put_back(self, files: Collection[tuple[str, str]]) -> None:
        """Rename files, and create their folders."""
        for batch in _batches(list(files), _BATCH // 2):
            self._do(_PUT_BACK, *chain.from_iterable(batch))

    def remove(self, paths: Collection[str]) -> None:
        """Remove files and folders, then the folders around them that are empty."""
        for batch in _batches(list(paths)):
            self._do(_REMOVE, *batch)

    def _do(self, script: str, *arguments: str) -> None:
        for _ in self._sh(script, "", *arguments):
            pass

    def _sh(self, script: str, folder: str, *arguments: str) -> Iterator[bytes]:
        """Run a script with a folder below the registry's root directory, and arguments."""
        return self._run(["sh", "-c", self._prelude + script, "sh", f"{self._folder}/{folder}", *arguments])


def _batches(items: Sequence[_T], size: int = _BATCH) -> Iterator[Sequence[_T]]:
    """Parts of a list that fit a command line."""
    return (items[start : start + size] for start in range(0, len(items), size))


def _lines(received: Iterable[bytes]) -> Iterator[str]:
    """The lines of a stream."""
    rest = b""
    for data in received:
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace")


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
