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
    others = [e for e in source.entries if e.digest not in known and follower_of(e.annotations) is None]
    # oras lists all manifests, and not only those with a name.
    parts = {digest for entry in source.entries for digest in source.find_children(entry)}
    tagged = [(entry, tag) for entry in others if (tag := tag_in(entry)) is not None]
    # Without a name are also those that follow another one, and the old image of a name that skopeo wrote anew.
    loose = {
        entry.digest
        for entry in others
        if not (named or tagged) and entry.digest not in parts and source.find_subject(entry) is None
    }
    if not (named or tagged or loose):
        raise InvalidArchiveError(f"`{shown}` contains no image")
    if as_ is not None:
        return _checked(_renamed(named, tagged, loose, shown, as_), shown)
    if tagged or loose:
        tag = tagged[0][1] if tagged else "TAG"
        several = len({tag for _, tag in tagged}) > 1
        raise InvalidArchiveError(
            f"`{shown}` does not tell the name of {f'the image with the tag `{tag}`' if named else 'its image'}",
            hint=CommandLine(
                *(again or CommandLine("load", "-i", shown)).words, "--as", "NAME" if several else f"NAME:{tag}"
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


def _renamed(
    named: Sequence[_Named], tagged: Sequence[tuple[Descriptor, str]], loose: Iterable[str], shown: str, as_: Reference
) -> list[Wanted]:
    tags = [*((entry.digest, name.tag) for entry, name in named), *((entry.digest, tag) for entry, tag in tagged)]
    digests = {*(digest for digest, _ in tags), *loose}
    kept = [Wanted("", digest, as_.repository, tag) for digest, tag in tags if tag]
    repositories = {name.repository for _, name in named}
    if len(digests) == 1 and (as_.tag or not kept or len(repositories) > 1):
        return [Wanted("", digests.pop(), as_.repository, as_.tag or next((tag for _, tag in tags if tag), "latest"))]
    if as_.tag:
        raise InvalidArchiveError(
            f"`--as {as_}` names one image; `{shown}` has {len(digests)}",
            hint=Sentence(f"use `--as {as_.repository}`: each image keeps its tag") if kept else None,
        )
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
