"""What an archive has, and the names that it gets in the registry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from localreg.errors import InvalidArchiveError
from localreg.oci.manifest import Descriptor
from localreg.oci.reference import Reference
from localreg.places.layout.names import follower_of, name_in, tag_in
from localreg.places.layout.source import LayoutSource
from localreg.places.port import Wanted
from localreg.system.command_line import CommandLine, Sentence

_Named = tuple[Descriptor, Reference]


def find_entries(
    source: LayoutSource, shown: str, *, as_: Reference | None = None, again: CommandLine | None = None
) -> list[Wanted]:
    """Find what an archive has, with the names that it gets in the registry.

    Args:
        source: The archive.
        shown: How messages name it.
        as_: Another name for its images. With a tag, it has one; without one, all are of one repository, and each
            keeps its tag.
        again: The command, without a name: an archive that names no repository needs one.

    Raises:
        InvalidArchiveError: the archive has nothing, an image without a name, or several that would get one name.
    """
    named = list(_named(source.entries))
    known = {entry.digest for entry, _ in named}
    # Without a name are those that follow another one, and the old image of a name that skopeo wrote anew.
    loose = [
        entry
        for entry in {entry.digest: entry for entry in source.entries if entry.digest not in known}.values()
        if source.find_subject(entry) is None
    ]
    if not named and not loose:
        raise InvalidArchiveError(f"`{shown}` contains no image")
    if as_ is not None:
        return _checked(_renamed(named, loose, shown, as_), shown)
    if not named:
        tag = None if len(loose) > 1 else tag_in(loose[0]) or "TAG"
        raise InvalidArchiveError(
            f"`{shown}` does not tell the name of its image",
            hint=CommandLine(
                *(again or CommandLine("load", "-i", shown)).words, "--as", f"NAME:{tag}" if tag else "NAME"
            ),
        )
    return _checked([*map(_wanted, named), *_followers(source.entries, named)], shown)


def _named(entries: Iterable[Descriptor]) -> Iterator[_Named]:
    for entry in entries:
        name = name_in(entry.annotations)
        if name is not None and follower_of(entry.annotations) is None:
            yield entry, name


def _wanted(named: _Named) -> Wanted:
    entry, name = named
    return Wanted("", entry.digest, name.repository, None if name.digest else name.tag)


def _followers(entries: Iterable[Descriptor], named: Iterable[_Named]) -> Iterator[Wanted]:
    """The signatures and the like that hauler stores under the name of their image."""
    digests = {name: entry.digest for entry, name in named}
    for entry in entries:
        name, suffix = name_in(entry.annotations), follower_of(entry.annotations)
        if suffix and name in digests:
            yield Wanted("", entry.digest, name.repository, f"{digests[name].replace(':', '-')}{suffix}")


def _renamed(named: Sequence[_Named], loose: Sequence[Descriptor], shown: str, as_: Reference) -> list[Wanted]:
    digests = {entry.digest for entry in (*(entry for entry, _ in named), *loose)}
    tags = [*((entry, name.tag) for entry, name in named), *((entry, tag_in(entry)) for entry in loose)]
    if len(digests) == 1:
        tag = as_.tag or next((tag for _, tag in tags if tag), "latest")
        return [Wanted("", digests.pop(), as_.repository, tag)]
    kept = [Wanted("", entry.digest, as_.repository, tag) for entry, tag in tags if tag]
    if as_.tag:
        raise InvalidArchiveError(
            f"`--as {as_}` names one image; `{shown}` has {len(digests)}",
            hint=Sentence(f"use `--as {as_.repository}`: each image keeps its tag") if kept else None,
        )
    repositories = {name.repository for _, name in named}
    if not kept or len(repositories) > 1:
        raise InvalidArchiveError(f"--as needs an archive with one image; `{shown}` has {len(digests)}")
    return kept


def _checked(wanted: Iterable[Wanted], shown: str) -> list[Wanted]:
    """Each name once.

    Raises:
        InvalidArchiveError: two manifests would get one name.
    """
    found: dict[str, Wanted] = {}
    for each in wanted:
        if found.setdefault(str(each), each) != each:
            raise InvalidArchiveError(f"`{shown}` has two images with the name `{each}`")
    return list(found.values())
