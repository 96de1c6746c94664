"""The manifest that a reference leads to, as `inspect` takes it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from http import HTTPStatus

from localreg.content.short_digest import shown
from localreg.content.source import Source
from localreg.content.summary import Summarizer
from localreg.content.untag import is_thrown_away
from localreg.errors import (
    LocalregError,
    NotFoundError,
    RegistryError,
    RegistryUnreachableError,
    RepositoryNotFoundError,
)
from localreg.oci.api import StoredManifest
from localreg.oci.manifest import Descriptor, Index, Platform
from localreg.oci.platform import fits
from localreg.oci.reference import Reference
from localreg.system.command_line import CommandLine


@dataclass(frozen=True, slots=True)
class Found:
    """A manifest that a reference leads to."""

    source: str
    """The reference as the user typed it."""
    reference: Reference
    """With the registry, and with a tag or a digest."""
    stored: StoredManifest
    part_of: str | None = None
    """The digest of the index that it was chosen from by its platform."""

    @property
    def registry(self) -> str:
        """The registry's part of the reference."""
        return str(self.reference.registry)

    @property
    def repository(self) -> str:
        """Its repository within the registry."""
        return self.reference.repository

    @property
    def short(self) -> str:
        """The reference without the registry, and with a short digest, as `inspect` takes it."""
        return shown(self.reference)

    @property
    def top(self) -> str:
        """The digest that the reference leads to: its own, or that of the index that it is part of."""
        return self.part_of or self.stored.digest

    @property
    def by_digest(self) -> str:
        """The reference of exactly this manifest."""
        return str(replace(self.reference, tag=None, digest=self.stored.digest))


def find(source: Source, name: str, reference: Reference) -> Found:
    """Find a manifest.

    Args:
        source: The registry.
        name: The reference as the user typed it.
        reference: With the registry, and with a tag or a digest.

    Raises:
        RepositoryNotFoundError: the registry does not have it.
        RegistryError: it cannot be read. If its tag is broken, the hint removes it.
    """
    repository, typed = reference.repository, shown(reference)
    by = reference.digest or str(reference.tag)
    try:
        stored = source.get_manifest(repository, by)
    except RegistryUnreachableError:
        raise
    except LocalregError as exc:
        tags = source.list_tags(repository)
        if reference.tag in tags and _is_damage(exc):
            raise RegistryError(
                f"tag `{typed}` is broken: {exc.message}; push it again, or remove it", hint=CommandLine("rm", typed)
            ) from exc
        if isinstance(exc, RepositoryNotFoundError):
            listing = [*([repository] if tags else []), *(["--digests"] if reference.digest else [])]
            raise exc.with_(message=f"the registry does not have `{typed}`", hint=CommandLine("ls", *listing)) from exc
        raise
    if is_thrown_away(stored):
        raise RepositoryNotFoundError(
            f"the registry does not have `{typed}`: its removal was interrupted", hint=CommandLine("rm", typed)
        )
    return Found(name, reference, stored)


def _is_damage(error: LocalregError) -> bool:
    """The registry lists a tag, but does not serve it. A login that it demands is another matter."""
    if isinstance(error, RegistryError):
        return error.status in (None, HTTPStatus.OK, HTTPStatus.INTERNAL_SERVER_ERROR)
    return isinstance(error, RepositoryNotFoundError)


def choose(source: Source, found: Found, platform: Platform) -> Found:
    """Choose the manifest for a platform from an index. An image must be for that platform.

    Raises:
        NotFoundError: there is none. The hint has a platform that there is.
        RegistryError: the index or the manifest cannot be read.
    """
    parsed = found.stored.content
    summarizer = Summarizer(source)
    if not isinstance(parsed, Index):
        own = summarizer.summarize(found.repository, found.stored).platforms
        if any(fits(one, platform) for one in own):
            return found
        raise _no_such_platform(found, platform, own)
    platforms = [
        (one, child)
        for child in parsed.manifests
        if child.is_manifest and not child.is_attestation
        for one in _platforms_of(source, summarizer, found.repository, child)
    ]
    child = next((child for one, child in platforms if fits(one, platform)), None)
    if child is None:
        raise _no_such_platform(found, platform, [one for one, _ in platforms])
    stored = source.get_manifest(found.repository, child.digest)
    return replace(found, stored=stored, part_of=found.stored.digest)


def _platforms_of(source: Source, summarizer: Summarizer, repository: str, child: Descriptor) -> tuple[Platform, ...]:
    """The platforms of a manifest in an index; its config tells if the index does not."""
    if child.platform:
        return (child.platform,)
    try:
        return summarizer.summarize(repository, source.get_manifest(repository, child.digest)).platforms
    except RegistryUnreachableError:
        raise
    except LocalregError:
        return ()


def _no_such_platform(found: Found, platform: Platform, has: list[Platform] | tuple[Platform, ...]) -> NotFoundError:
    there = ", ".join(map(str, has))
    return NotFoundError(
        f"`{found.short}` has no image for {platform}" + (f", only for {there}" if there else ""),
        hint=CommandLine("inspect", found.short, *(["--platform", str(has[0])] if has else [])),
    )
