"""`load`: the images of an archive into the registry."""

from __future__ import annotations

from localreg.oci.api import RegistryClient
from localreg.places.layout.source import LayoutSource
from localreg.places.port import Content, Watcher
from localreg.places.registry import Placed, RegistryPlace
from localreg.places.transfer import Nowhere, transfer


def load(
    source: LayoutSource, content: Content, client: RegistryClient, *, watcher: Watcher
) -> tuple[list[Placed], int]:
    """Copy an archive's content into the registry.

    Returns:
        What is there now, and the bytes of the blobs that the registry lacked.

    Raises:
        InvalidArchiveError: the archive is cut, or has other content than its digests tell.
        RegistryError: the registry does not take it.
    """
    place = RegistryPlace(client)
    sent = transfer(source, place, content, watcher)
    return [Placed(name, state) for name, state in place.states.items()], sent


def check(source: LayoutSource, content: Content, *, watcher: Watcher) -> None:
    """Read all of an archive's content.

    Raises:
        InvalidArchiveError: the archive is cut, or has other content than its digests tell.
    """
    transfer(source, Nowhere(), content, watcher)
