"""`load`: the images of an archive into the registry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from localreg.errors import InvalidArchiveError
from localreg.oci.api import RegistryClient
from localreg.oci.manifest import Descriptor
from localreg.oci.reference import Reference
from localreg.places.content import Failed, read_content
from localreg.places.layout.names import name_in, tag_in
from localreg.places.layout.source import LayoutSource
from localreg.places.port import Content, Named, Wanted, Watcher
from localreg.places.registry import RegistryPlace, State
from localreg.places.transfer import Nowhere, transfer
from localreg.system.command_line import CommandLine


@dataclass(frozen=True, slots=True)
class LoadedImage:
    """An image of an archive."""

    name: Named
    state: State


def find_entries(source: LayoutSource, shown: str, *, as_: Reference | None = None) -> list[Wanted]:
    """Find what an archive has, with the names that it gets in the registry.

    Args:
        source: The archive.
        shown: How messages name it.
        as_: Another name for the only image; its tag may be missing.

    Raises:
        InvalidArchiveError: the archive has nothing, an image without a name, or several that would get one name.
    """
    named: dict[tuple[str, str], Wanted] = {}
    nameless: dict[str, Descriptor] = {}
    for entry in source.entries:
        found = name_in(entry.annotations)
        if found is None:
            nameless[entry.digest] = entry
        else:
            wanted = Wanted("", entry.digest, found.repository, None if found.digest else found.tag)
            named[wanted.repository, wanted.tag or entry.digest] = wanted
    known = {wanted.reference for wanted in named.values()}
    # Without a name are those that follow another one, and the old image of a name that skopeo wrote anew.
    loose = [entry for digest, entry in nameless.items() if digest not in known and source.find_subject(entry) is None]
    if as_ is not None:
        return [_renamed([*known, *(entry.digest for entry in loose)], loose, shown, as_)]
    if not named and loose:
        raise InvalidArchiveError(
            f"`{shown}` does not tell the name of its image",
            hint=CommandLine("load", "-i", shown, "--as", f"NAME:{tag_in(loose[0]) or 'TAG'}"),
        )
    if not named:
        raise InvalidArchiveError(f"`{shown}` contains no image")
    return list(named.values())


def _renamed(digests: Sequence[str], loose: Sequence[Descriptor], shown: str, as_: Reference) -> Wanted:
    if len(set(digests)) != 1:
        raise InvalidArchiveError(f"--as needs an archive with one image; `{shown}` has {len(set(digests))}")
    tag = as_.tag or (tag_in(loose[0]) if loose else None) or "latest"
    return Wanted("", digests[0], as_.repository, tag)


def read_entries(source: LayoutSource, wanted: Sequence[Wanted]) -> tuple[Content, Failed]:
    """Read the manifests of what is to be loaded."""
    return read_content(source, wanted)


def load(source: LayoutSource, content: Content, client: RegistryClient, *, watcher: Watcher) -> list[LoadedImage]:
    """Copy an archive's content into the registry.

    Raises:
        InvalidArchiveError: the archive is cut, or has other content than its digests tell.
        RegistryError: the registry does not take it.
    """
    place = RegistryPlace(client)
    transfer(source, place, content, watcher)
    return [LoadedImage(name, state) for name, state in place.states.items()]


def check(source: LayoutSource, content: Content, *, watcher: Watcher) -> None:
    """Read all of an archive's content.

    Raises:
        InvalidArchiveError: the archive is cut, or has other content than its digests tell.
    """
    transfer(source, Nowhere(), content, watcher)
