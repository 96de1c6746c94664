"""An OCI image layout to copy from."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from localreg.errors import InvalidArchiveError, LocalregError, RegistryError
from localreg.oci.api import LARGEST_MANIFEST, StoredManifest
from localreg.oci.archive.files import blob_path
from localreg.oci.digest import is_whole
from localreg.oci.manifest import OCI_INDEX, Descriptor, Index, parse_manifest
from localreg.places.layout.files import COPY_AGAIN, INDEX, Files, read_small
from localreg.places.port import Blob


@dataclass(frozen=True, slots=True)
class _Relations:
    """What a manifest tells of others."""

    children: Sequence[str] = ()
    """Their digests."""
    subject: str | None = None


class LayoutSource:
    """The content of an OCI image layout.

    Args:
        files: The files of the layout.

    Raises:
        InvalidArchiveError: its index is missing or cannot be read.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self.entries = _read_index(files)
        """What its index names."""
        self._relations: dict[str, _Relations] = {}
        self._types: dict[str, str] = {entry.digest: entry.media_type for entry in self.entries}

    def read_manifest(self, _repository: str, reference: str) -> StoredManifest:
        """A manifest or an index, by its digest."""
        data = read_small(self._files, blob_path(reference), limit=LARGEST_MANIFEST)
        if not is_whole(reference, data):
            raise self.damage(f"`{blob_path(reference)}` has other content than its digest tells")
        stored = StoredManifest(data, self._types.get(reference, ""), reference)
        try:
            parsed = stored.content
        except RegistryError as exc:
            raise self.damage(f"{reference} is not a manifest").with_(details=exc.details) from exc
        if isinstance(parsed, Index):
            self._types |= {child.digest: child.media_type for child in parsed.manifests}
        return stored

    def find_referrers(self, _repository: str, digest: str) -> Iterable[str]:
        """The digests of the manifests without a name that are about another one, as oras writes them."""
        return self._referrers.get(digest, ())

    def find_size(self, blob: Blob) -> int | None:
        """Bytes of a blob's file."""
        path = blob_path(blob.digest)
        return self._files.size(path) if path in self._files else None

    def damage(self, what: str, _blob: str = "", /) -> LocalregError:
        """The error for something that was cut or changed."""
        return InvalidArchiveError(f"in {self._files}, {what}", hint=COPY_AGAIN)

    def read_blob(self, blob: Blob) -> Iterator[bytes]:
        """The bytes of a blob."""
        return self._files.read(blob_path(blob.digest))

    def has(self, digest: str) -> bool:
        """The archive has a blob or a manifest."""
        return blob_path(digest) in self._files

    @cached_property
    def _referrers(self) -> Mapping[str, list[str]]:
        found: dict[str, list[str]] = {}
        for entry in self.entries:
            if (subject := self.find_subject(entry)) is not None:
                found.setdefault(subject, []).append(entry.digest)
        return found

    def find_children(self, entry: Descriptor) -> Sequence[str]:
        """The digests of the manifests in an index; none if it is not one or cannot be read."""
        return self._related(entry.digest).children

    def find_subject(self, entry: Descriptor) -> str | None:
        """The digest of the manifest that an entry of the index is about; None if it does not tell one."""
        return self._related(entry.digest).subject

    def _related(self, digest: str) -> _Relations:
        """Read once: an index can name one manifest a hundred thousand times."""
        if digest not in self._relations:
            self._relations[digest] = _Relations()
            # An error is told when the entry itself is read.
            with contextlib.suppress(LocalregError):
                found = self.read_manifest("", digest).content
                children = [child.digest for child in found.manifests] if isinstance(found, Index) else []
                self._relations[digest] = _Relations(children, found.subject)
        return self._relations[digest]


def _read_index(files: Files) -> tuple[Descriptor, ...]:
    try:
        found = parse_manifest(read_small(files, INDEX), OCI_INDEX)
    except RegistryError as exc:
        raise InvalidArchiveError(f"`{INDEX}` in {files} cannot be read", details=exc.details) from exc
    return found.manifests if isinstance(found, Index) else ()
