"""Image references: the grammar of the distribution project's `reference` package, and their meaning for a registry.

    reference  := name [":" tag] ["@" digest]
    name       := [domain "/"] path

See https://github.com/distribution/reference (regexp.go, normalize.go).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from localreg.errors import InvalidReferenceError
from localreg.system.address import LAST_PORT
from localreg.system.command_line import Sentence

_PATH_LENGTH = 255
_SHORT_LENGTH = _PATH_LENGTH - len("library/")
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_DOMAIN_COMPONENT = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = re.compile(rf"(?:{_DOMAIN_COMPONENT}(?:\.{_DOMAIN_COMPONENT})*|\[(?:[a-fA-F0-9:]+)\])(?::[0-9]+)?", re.ASCII)
_PATH = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*", re.ASCII)
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}", re.ASCII)
_DIGEST_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}
_IMAGE_ID = re.compile(r"sha256:[0-9a-f]{64}|[0-9a-f]{64}", re.ASCII)

_HUB = "docker.io"
_HUB_DOMAINS = frozenset({_HUB, "index.docker.io", "registry-1.docker.io"})


@dataclass(frozen=True, slots=True)
class Reference:
    """The parts of an image reference."""

    registry: str | None
    """The registry, `host` or `host:port`; None if the reference has none."""
    repository: str
    """The repository within the registry."""
    tag: str | None = None
    digest: str | None = None

    @property
    def host(self) -> str:
        """The registry's host, without port and brackets; empty if no registry is named."""
        return re.sub(r":[0-9]+\Z", "", self.registry or "").strip("[]")

    @property
    def basename(self) -> str:
        """The last component of the repository."""
        return self.repository.rpartition("/")[2]

    def __str__(self) -> str:
        name = f"{self.registry}/{self.repository}" if self.registry else self.repository
        return f"{name}{':' + self.tag if self.tag else ''}{'@' + self.digest if self.digest else ''}"


def parse_reference(text: str) -> Reference:
    """Split a reference into its parts, without adding defaults.

    Raises:
        InvalidReferenceError: it is not valid; the message names the part.
    """
    scheme, is_url, rest = text.partition("://")
    if is_url:
        raise InvalidReferenceError(
            f"`{text}` is a URL; a reference has no `{scheme}://`", hint=Sentence(f"use {rest}")
        )
    if _IMAGE_ID.fullmatch(text):
        raise InvalidReferenceError(f"`{text}` is an image ID, not a repository")
    name, at, digest = text.partition("@")
    slash = name.rfind("/")
    colon = name.find(":", slash + 1)
    name, tag = (name, None) if colon < 0 else (name[:colon], name[colon + 1 :])
    domain, path = _split_domain(name)
    if not path:
        raise InvalidReferenceError(f"`{text}` has no repository" if text else "the image name is empty")
    if domain is not None and not _DOMAIN.fullmatch(domain):
        raise InvalidReferenceError(f"`{domain}` in `{text}` is not a valid registry: use HOST or HOST:PORT")
    if not _PATH.fullmatch(path):
        raise _bad_path(text, path)
    if tag is not None and not _TAG.fullmatch(tag):
        raise _bad_tag(text, tag)
    if at:
        _check_digest(text, digest)
    if len(path) > _PATH_LENGTH:
        raise InvalidReferenceError(f"the repository in `{text}` must not be longer than {_PATH_LENGTH} characters")
    return Reference(domain, path, tag, digest if at else None)


def find_reference(text: str) -> Reference | None:
    """Split a reference into its parts; None if it is not valid."""
    try:
        return parse_reference(text)
    except InvalidReferenceError:
        return None


def is_location(text: str) -> bool:
    """Whether the text is a `HOST:PORT` that a reference can begin with."""
    host, _, port = text.rpartition(":")
    named = find_reference(f"{text}/x") if host else None
    return named is not None and named.registry == text and port.isdecimal() and 0 < int(port) <= LAST_PORT


def _split_domain(name: str) -> tuple[str | None, str]:
    """The first component is a registry if it cannot be part of a repository: with a `.`, a `:` or upper case."""
    first, slash, rest = name.partition("/")
    if slash and (first == "localhost" or any(mark in first for mark in ".:[") or first.lower() != first):
        return first, rest
    return None, name


def _bad_path(text: str, path: str) -> InvalidReferenceError:
    if path != path.lower() and _PATH.fullmatch(path.lower()):
        return InvalidReferenceError(
            f"`{path}` in `{text}` is not a valid repository: it must be lower case",
            hint=Sentence(
                f"use {text[: text.index(path)].lower()}{path.lower()}{text[text.index(path) + len(path) :]}"
            ),
        )
    return InvalidReferenceError(
        f"`{path}` in `{text}` is not a valid repository: use lower-case letters and digits, joined by `.`, `_` or `-`"
    )


def _bad_tag(text: str, tag: str) -> InvalidReferenceError:
    if not tag:
        return InvalidReferenceError(f"`{text}` ends with `:` but has no tag", hint=Sentence(f"use {text}latest"))
    return InvalidReferenceError(
        f"`{tag}` in `{text}` is not a valid tag: use up to 128 letters, digits, `_`, `.`, `-`; `.` and `-` not first"
    )


def _check_digest(text: str, digest: str) -> None:
    algorithm, _, encoded = digest.partition(":")
    length = _DIGEST_LENGTHS.get(algorithm)
    if length is None:
        raise InvalidReferenceError(f"`{digest}` in `{text}` is not a valid digest: use `sha256:` and 64 hex digits")
    if not re.fullmatch(rf"[0-9a-f]{{{length}}}", encoded):
        raise InvalidReferenceError(
            f"`{digest}` in `{text}` is not a valid digest: {algorithm} has {length} lower-case hex digits"
        )


def looks_like_image_id(text: str) -> bool:
    """It is a whole image ID. A shorter ID may also be a name; only the engine can tell."""
    return _IMAGE_ID.fullmatch(text) is not None


def registry_reference(image: Reference, *, registry: str) -> Reference:
    """The reference of an image in a registry: its own registry is replaced.

    Args:
        image: Any reference; `docker.io/library/` and Podman's `localhost/` are removed.
        registry: The registry's part of a reference, such as `localhost:5000`.

    Returns:
        A complete reference, with a digest or a tag; the default tag is `latest`. A tag beside a digest is removed, as
        the reference package's `ParseDockerRef` and Podman do.

    Raises:
        InvalidReferenceError: Distribution fails on this repository. Its cache of descriptors reads the name again as a
            short name of Docker Hub, which cannot be an image ID, and gets `library/` added.
    """
    path = image.repository
    if image.registry in _HUB_DOMAINS:
        path = path.removeprefix("library/")
    if _IMAGE_ID.fullmatch(path):
        raise InvalidReferenceError(f"`{path}` has 64 hex digits like an image ID, which registries reject as a name")
    if "/" not in path and len(path) > _SHORT_LENGTH:
        raise InvalidReferenceError(
            f"registries reject a repository without `/` that is longer than {_SHORT_LENGTH} characters"
        )
    tag = None if image.digest else image.tag or "latest"
    return replace(image, registry=registry, repository=path, tag=tag)


def qualified(reference: Reference) -> Reference:
    """Complete a short name with Docker's default registry, repository and tag, as `normalize.go` does."""
    domain, path = reference.registry, reference.repository
    if domain is None or domain in _HUB_DOMAINS:
        domain, path = _HUB, path if "/" in path else f"library/{path}"
    tag = reference.tag if reference.tag or reference.digest else "latest"
    return Reference(domain, path, tag, reference.digest)
