"""`save`: images of the registry in one OCI archive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from localreg.content.ls import list_images
from localreg.errors import LocalregError, RegistryError, RepositoryNotFoundError
from localreg.oci.api import RegistryClient
from localreg.oci.reference import parse_reference, registry_reference
from localreg.places.content import Failed, read_content
from localreg.places.layout.archive import ArchiveTarget, Output
from localreg.places.port import Content, Named, Wanted, Watcher
from localreg.places.registry import RegistryPlace
from localreg.places.transfer import transfer
from localreg.system.command_line import CommandLine


@dataclass(frozen=True, slots=True)
class SavedImage:
    """An image, or something else, in an archive."""

    name: Named
    size: int
    """Bytes of all that it consists of."""
    is_image: bool
    """An engine can load it."""


def find_wanted(client: RegistryClient, names: Sequence[str]) -> tuple[list[Wanted], tuple[str, ...]]:
    """Find what names mean.

    Args:
        client: A client of the registry.
        names: Repositories, tags, digests or patterns; none means everything.

    Returns:
        The images, and the names that the registry does not have.

    Raises:
        InvalidReferenceError: a name is not a valid reference.
        RepositoryNotFoundError: the registry is empty.
    """
    digests = [registry_reference(parse_reference(name), registry="") for name in names if "@" in name]
    patterns = [name for name in names if "@" not in name]
    found = [Wanted(each.repository, str(each.digest), each.repository, None) for each in digests]
    if names and not patterns:
        return found, ()
    listing = list_images(client, patterns, names_only=True)
    if not names and not listing.rows:
        raise RepositoryNotFoundError(
            "the registry is empty: there is nothing to save", hint=CommandLine("push", "IMAGE")
        )
    tags = [Wanted(row.repository, row.tag, row.repository, row.tag) for row in listing.rows if row.tag]
    return [*tags, *found], listing.missing


def read_wanted(client: RegistryClient, wanted: Sequence[Wanted]) -> tuple[RegistryPlace, Content, Failed]:
    """Read the manifests of what is to be saved.

    Raises:
        RegistryUnreachableError: the registry does not respond.
    """
    place = RegistryPlace(client)
    content, failed = read_content(place, wanted)
    return place, content, [(each, _mendable(each, error)) for each, error in failed]


def _mendable(wanted: Wanted, error: LocalregError) -> LocalregError:
    """The error with the command that makes something whole again."""
    if error.hint or wanted.tag is None or not isinstance(error, RegistryError | RepositoryNotFoundError):
        return error
    return error.with_(hint=CommandLine("push", str(wanted)))


def save(
    place: RegistryPlace, content: Content, output: Output, *, location: str, watcher: Watcher
) -> list[SavedImage]:
    """Write an archive.

    Args:
        place: The registry.
        content: What to save.
        output: Gets the archive.
        location: The registry's part of the names in the archive, such as `localhost:5000`.
        watcher: Is told how it goes on.

    Raises:
        LocalregError: the registry cannot be read, or the archive cannot be written.
    """
    transfer(place, ArchiveTarget(output, location=location), content, watcher)
    return [SavedImage(name, _size(name.digest, content), _is_image(name.digest, content)) for name in content.names]


def _size(digest: str, content: Content) -> int:
    manifests = content.below(digest)
    blobs = frozenset[str]().union(*(content.needs[each] for each in manifests))
    return sum(len(content.manifests[each].data) for each in manifests) + sum(
        content.blobs[each].size for each in blobs
    )


def _is_image(digest: str, content: Content) -> bool:
    parsed = [content.manifests[each].content for each in content.below(digest)]
    return any(getattr(each, "is_image", False) for each in parsed)
