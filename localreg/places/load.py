"""`load`: the images of an archive into the registry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from localreg.oci.api import RegistryClient
from localreg.places.content import Failed, read_content
from localreg.places.layout.source import LayoutSource
from localreg.places.port import Content, Named, Wanted, Watcher
from localreg.places.registry import RegistryPlace, State
from localreg.places.transfer import Nowhere, transfer


@dataclass(frozen=True, slots=True)
class LoadedImage:
    """An image of an archive."""

    name: Named
    state: State


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
