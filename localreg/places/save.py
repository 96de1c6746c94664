"""`save`: images of the registry in one OCI archive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from localreg.content.ls import list_images
from localreg.content.pattern import read_pattern
from localreg.errors import LocalregError, RegistryError, RepositoryNotFoundError
from localreg.oci.api import RegistryClient
from localreg.oci.artifact import artifact_of
from localreg.oci.manifest import DOCKER_INDEX, DOCKER_MANIFEST, Manifest
from localreg.oci.reference import parse_reference, registry_reference
from localreg.places.content import Failed, read_content
from localreg.places.layout.archive import ArchiveTarget, Output
from localreg.places.port import Blob, Content, Named, Wanted, Watcher
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
    has_docker_type: bool
    """Its manifest has Docker's type, so that Podman 4 does not find it among others."""


def find_wanted(client: RegistryClient, names: Sequence[str]) -> tuple[list[Wanted], tuple[str, ...]]:
    """Find what names mean.

    Args:
        client: A client of the registry.
        names: Repositories, tags, digests or patterns; none means everything.

    Returns:
        The images, and the names and patterns that fit nothing in the registry.

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
    # Also those with wildcards: an archive without them would be taken for a good backup.
    missing = [each for each in map(read_pattern, patterns) if not any(each.fits(tag.origin, tag.tag) for tag in tags)]
    return [*tags, *found], tuple(map(str, missing))


def read_wanted(
    client: RegistryClient, wanted: Sequence[Wanted], *, wrong: Mapping[str, LocalregError] | None = None
) -> tuple[RegistryPlace, Content, Failed]:
    """Read the manifests of what is to be saved.

    Args:
        client: A client of the registry.
        wanted: The images.
        wrong: By digest, the blobs that are known to be wrong: images that have one fail.

    Raises:
        RegistryUnreachableError: the registry does not respond.
    """
    place = _Registry(client, wrong or {})
    content, failed = read_content(place, wanted)
    return place, content, [(each, _mendable(each, error)) for each, error in failed]


class WrongBlobError(RegistryError):
    """A blob of the registry has other content than its digest and size tell.

    Attributes:
        digest: That of the blob.
    """

    def __init__(self, message: str, *, digest: str = "") -> None:
        super().__init__(message)
        self.digest = digest


class _Registry(RegistryPlace):
    """A registry in which some blobs are known to be wrong, although it says that it has them."""

    def __init__(self, client: RegistryClient, wrong: Mapping[str, LocalregError]) -> None:
        super().__init__(client)
        self._wrong = wrong

    def find_size(self, blob: Blob) -> int | None:
        """Bytes of a blob; None if it lacks the blob."""
        if blob.digest in self._wrong:
            raise self._wrong[blob.digest]
        return super().find_size(blob)

    def damage(self, what: str, blob: str = "", /) -> LocalregError:
        """The error that tells which blob is wrong."""
        error = super().damage(what)
        return WrongBlobError(error.message, digest=blob) if blob else error


def _mendable(wanted: Wanted, error: LocalregError) -> LocalregError:
    """The error with the command that makes something whole again."""
    if error.hint or wanted.tag is None or not isinstance(error, RegistryError | RepositoryNotFoundError):
        return error
    return error.with_(hint=CommandLine("push", str(wanted)))


def save(
    place: RegistryPlace, content: Content, output: Output, *, location: str, watcher: Watcher
) -> list[SavedImage]:
    """Write an archive.

    If a blob turns out to be wrong, `read_wanted` finds what can be saved without it.

    Args:
        place: The registry.
        content: What to save.
        output: Gets the archive.
        location: The registry's part of the names in the archive, such as `localhost:5000`.
        watcher: Is told how it goes on.

    Raises:
        WrongBlobError: a blob has other content than its digest tells.
        LocalregError: the registry cannot be read, or the archive cannot be written.
    """
    transfer(place, ArchiveTarget(output, location=location), content, watcher)
    return [
        SavedImage(
            name,
            _size(name.digest, content),
            _is_image(name.digest, content),
            content.manifests[name.digest].content.media_type in (DOCKER_MANIFEST, DOCKER_INDEX),
        )
        for name in content.names
    ]


def _size(digest: str, content: Content) -> int:
    return sum(len(content.manifests[each].data) for each in content.below(digest)) + sum(
        content.blobs[each].size for each in content.blobs_below(digest)
    )


def _is_image(digest: str, content: Content) -> bool:
    parsed = [content.manifests[each].content for each in content.below(digest)]
    return artifact_of(content.manifests[digest].content) is None and any(
        isinstance(each, Manifest) and each.is_image for each in parsed
    )
