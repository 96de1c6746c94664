"""`copy`: images from one registry to another, or within one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from localreg.content.ls import list_images
from localreg.content.pattern import Pattern, choose, is_glob, registry_in_pattern
from localreg.errors import InvalidReferenceError, LocalregError, RegistryError, RepositoryNotFoundError, UsageError
from localreg.oci.api import RegistryClient
from localreg.oci.reference import parse_reference, qualified
from localreg.places.port import Content, Wanted, Watcher
from localreg.places.registry import Placed, RegistryPlace
from localreg.places.transfer import transfer
from localreg.system.command_line import Sentence

_HUB = "docker.io"
_PODMANS = "localhost"
"""Podman's registry for images that are in none."""
_REGISTRY_ALONE = re.compile(r"localhost(?::[0-9]+)?|[0-9]+(?:\.[0-9]+){3}(?::[0-9]+)?|\[[0-9a-fA-F:]+\](?::[0-9]+)?")
_NO_LIST = frozenset({400, 401, 403, 404, 405})
"""The answers of registries that list no repositories."""


@dataclass(frozen=True, slots=True)
class End:
    """One end of a copy."""

    registry: str | None
    """`HOST[:PORT]`; None for the registry that the command works on."""
    path: str
    """The repository; for a folder what its repositories begin with, which may be empty."""
    tag: str | None = None
    digest: str | None = None
    is_folder: bool = False
    """A registry, or the repositories below a path; it is spelled with a `/` at its end."""

    @property
    def prefix(self) -> str:
        """What the names of repositories in a folder begin with."""
        return f"{self.path}/" if self.path else ""


def read_end(text: str) -> End:
    """Read one end of a copy.

    Raises:
        InvalidReferenceError: it is not a valid reference.
        UsageError: it may mean a registry or a repository.
    """
    if text == "/":
        return End(None, "", is_folder=True)
    if text.startswith("/"):
        named = text.lstrip("/")
        raise InvalidReferenceError(f"`{text}` begins with `/`", hint=Sentence(f"use {named}") if named else None)
    if _REGISTRY_ALONE.fullmatch(text):
        text += "/"
    if text.endswith("/") and "://" not in text:
        return _read_folder(text)
    if "/" not in text and "." in text.partition(":")[0]:
        raise UsageError(
            f"`{text}` may be a registry or a repository",
            hint=Sentence(f"write `{text}/` for the registry, or `localhost/{text}` for your repository"),
        )
    found = parse_reference(text)
    if found.registry is not None and found.registry != _PODMANS:
        full = qualified(found)
        return End(_host(full.registry), full.repository, found.tag, found.digest)
    return End(None, found.repository, found.tag, found.digest)


def _read_folder(text: str) -> End:
    if "/" not in text[:-1]:
        # With something below it, a registry is told from a repository.
        below = parse_reference(f"{text}x")
        return End(_host(below.registry), below.repository.removesuffix("x").rstrip("/"), is_folder=True)
    found = parse_reference(text[:-1])
    if found.tag or found.digest:
        raise InvalidReferenceError(
            f"`{text}` has a tag or a digest, but is not one image: leave out the `/` at its end"
        )
    return End(_host(found.registry), found.repository, is_folder=True)


def _host(registry: str | None) -> str | None:
    if registry is None or registry == _PODMANS:
        return None
    try:
        urlsplit(f"//{registry}").port  # noqa: B018 -- the grammar of references has no limit for it
    except ValueError as exc:
        raise InvalidReferenceError(f"`{registry}` is not a valid registry: use HOST or HOST:PORT") from exc
    return qualified(parse_reference(f"{registry}/x/x")).registry


def check_ends(source: End, target: End, patterns: Sequence[str], *, everything: bool) -> None:
    """Refuse ends that do not go together.

    Raises:
        UsageError: they do not.
    """
    if target.digest is not None:
        raise UsageError("the destination has a digest; the content decides on that: give it a tag, or none")
    if everything and patterns:
        raise UsageError("choose one: --all or patterns")
    if not everything and not patterns:
        if source.is_folder:
            raise UsageError(
                "the source names no image", hint=Sentence("add --all for all of its images, or a pattern")
            )
        return
    if source.tag or source.digest:
        raise UsageError("the source is one image; --all and patterns need a registry or a repository")
    if target.tag is not None or (source.is_folder and not target.is_folder):
        raise UsageError(
            "the destination is one name for many images",
            hint=Sentence("name a registry, or what their names begin with, with a `/` at its end"),
        )
    for pattern in patterns:
        if registry_in_pattern(pattern) is not None:
            raise UsageError(f"`{pattern}` names a registry; a pattern is within the source")


def find_wanted(
    client: RegistryClient, source: End, target: End, patterns: Sequence[str], *, everything: bool
) -> tuple[list[Wanted], tuple[str, ...]]:
    """Find what is to be copied, and its names at the destination.

    Args:
        client: A client of the source.
        source: One image, a repository or a folder.
        target: Where they go.
        patterns: Tags of the repository, or repositories and tags in the folder.
        everything: All that there is.

    Returns:
        The images, and the patterns without wildcards that nothing fits.

    Raises:
        InvalidReferenceError: a pattern is not a valid reference.
        RepositoryNotFoundError: there is nothing to copy.
        RegistryError: the source cannot be listed.
    """
    if not everything and not patterns:
        tag = source.tag if source.tag or source.digest else "latest"
        reference = source.digest or tag or ""
        return [Wanted(source.path, reference, _placed(source.path, source, target), target.tag or tag)], ()
    if source.is_folder:
        tags, missing = _list_folder(client, source, patterns)
    else:
        tags, missing = _list_repository(client, source.path, patterns)
    if not tags and not missing:
        reason = "the source is empty" if everything else "no tag fits"
        raise RepositoryNotFoundError(f"there is nothing to copy: {reason}")
    return [Wanted(name, tag, _placed(name, source, target), tag) for name, tag in tags], missing


def _list_folder(
    client: RegistryClient, source: End, patterns: Sequence[str]
) -> tuple[list[tuple[str, str]], tuple[str, ...]]:
    below = [f"{source.prefix}{pattern}" for pattern in patterns or (["*"] if source.path else [])]
    try:
        listing = list_images(client, below, names_only=True)
    except LocalregError as exc:
        is_unlisted = isinstance(exc, RepositoryNotFoundError) or getattr(exc, "status", None) in _NO_LIST
        if source.registry is None or not is_unlisted:
            raise
        raise RegistryError(
            f"the registry at {source.registry} does not list its repositories",
            hint=Sentence(f"name a repository, such as `{source.registry}/TEAM/APP`, with --all for all of its tags"),
            details=[exc.message, *exc.details],
        ) from exc
    return [(row.repository, row.tag) for row in listing.rows if row.tag], listing.missing


def _list_repository(
    client: RegistryClient, repository: str, patterns: Sequence[str]
) -> tuple[list[tuple[str, str]], tuple[str, ...]]:
    wanted = [
        Pattern(repository, each, is_glob=is_glob(each)) for each in (text.removeprefix(":") for text in patterns)
    ]
    return choose(((repository, tag) for tag in client.list_tags(repository)), wanted)


def _placed(repository: str, source: End, target: End) -> str:
    """The repository at the destination."""
    if not target.is_folder:
        return target.path
    # Only Docker Hub means something by it.
    kept = repository.removeprefix("library/") if source.registry == _HUB else repository
    return f"{target.prefix}{kept}"


def copy(
    source: RegistryPlace, target: RegistryPlace, content: Content, *, watcher: Watcher
) -> tuple[list[Placed], int]:
    """Copy content from registry to registry; what is there is not sent again.

    Returns:
        What is at the destination now, and the bytes of the blobs that it lacked.

    Raises:
        RegistryError: the source has other content than its digests tell, or the destination does not take it.
    """
    sent = transfer(source, target, content, watcher)
    return [Placed(name, state) for name, state in target.states.items()], sent


def plan(target: RegistryPlace, content: Content) -> tuple[list[Placed], int]:
    """What a copy would do, and the bytes that it would send at most; nothing is changed.

    Raises:
        RegistryError: the destination cannot be read.
    """
    states, lacking = target.compare(content)
    return [Placed(name, state) for name, state in states.items()], sum(blob.size for blob in lacking)
