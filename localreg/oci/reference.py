"""Image references: the grammar of the distribution project's `reference` package, and what they mean to a registry.

    reference  := name [":" tag] ["@" digest]
    name       := [domain "/"] path

See https://github.com/distribution/reference (regexp.go, normalize.go).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from localreg.errors import InvalidReferenceError

_PATH_LENGTH = 255
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
    """An image reference, taken apart."""

    registry: str | None
    """The registry, `host` or `host:port`; None where none is named."""
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
    """Take a reference apart, without filling in what it does not say.

    Raises:
        InvalidReferenceError: the grammar does not accept it; the message names the part.
    """
    scheme, is_url, rest = text.partition("://")
    if is_url:
        raise InvalidReferenceError(f"`{scheme}://` in `{text}` is of a URL, not of a reference", hint=f"use {rest}")
    if _IMAGE_ID.fullmatch(text):
        raise InvalidReferenceError(f"`{text}` is an image ID, which names no repository")
    name, at, digest = text.partition("@")
    slash = name.rfind("/")
    colon = name.find(":", slash + 1)
    name, tag = (name, None) if colon < 0 else (name[:colon], name[colon + 1 :])
    domain, path = _split_domain(name)
    if not path:
        raise InvalidReferenceError(f"`{text}` names no repository")
    if domain is not None and not _DOMAIN.fullmatch(domain):
        raise InvalidReferenceError(f"`{domain}` in `{text}` is no registry's host and port")
    if not _PATH.fullmatch(path):
        raise _bad_path(text, path)
    if tag is not None and not _TAG.fullmatch(tag):
        raise _bad_tag(text, tag)
    if at:
        _check_digest(text, digest)
    if len(path) > _PATH_LENGTH:
        raise InvalidReferenceError(f"the repository in `{text}` is longer than {_PATH_LENGTH} characters")
    return Reference(domain, path, tag, digest if at else None)


def find_reference(text: str) -> Reference | None:
    """Take a reference apart; None if the grammar does not accept it."""
    try:
        return parse_reference(text)
    except InvalidReferenceError:
        return None


def _split_domain(name: str) -> tuple[str | None, str]:
    """The first component is a registry when it cannot be a repository's: it has a `.`, a `:`, or upper case."""
    first, slash, rest = name.partition("/")
    if slash and (first == "localhost" or any(mark in first for mark in ".:[") or first.lower() != first):
        return first, rest
    return None, name


def _bad_path(text: str, path: str) -> InvalidReferenceError:
    if path != path.lower() and _PATH.fullmatch(path.lower()):
        return InvalidReferenceError(
            f"`{path}` in `{text}` has upper-case letters; a repository has none",
            hint=f"use {text[: text.index(path)].lower()}{path.lower()}{text[text.index(path) + len(path) :]}",
        )
    return InvalidReferenceError(
        f"`{path}` in `{text}` is no repository: lower-case letters and digits, with `.`, `_` or `-` between them"
    )


def _bad_tag(text: str, tag: str) -> InvalidReferenceError:
    if not tag:
        return InvalidReferenceError(f"`{text}` ends with `:` but names no tag", hint=f"use {text}latest")
    return InvalidReferenceError(
        f"`{tag}` in `{text}` is no tag: at most 128 letters, digits, `_`, `.` or `-`, not beginning with `.` or `-`"
    )


def _check_digest(text: str, digest: str) -> None:
    algorithm, _, encoded = digest.partition(":")
    length = _DIGEST_LENGTHS.get(algorithm)
    if length is None:
        raise InvalidReferenceError(f"`{digest}` in `{text}` is no digest: `sha256:` and 64 hexadecimal digits")
    if not re.fullmatch(rf"[0-9a-f]{{{length}}}", encoded):
        raise InvalidReferenceError(
            f"`{digest}` in `{text}` is no digest: {algorithm} has {length} lower-case hexadecimal digits"
        )


def looks_like_image_id(text: str) -> bool:
    """It is an image's whole ID, which names no repository; a shorter one may be a name, and only the engine knows."""
    return _IMAGE_ID.fullmatch(text) is not None


def registry_reference(image: Reference, *, registry: str) -> Reference:
    """The reference of an image in a registry: the registry that it names is replaced.

    Args:
        image: Any reference; `docker.io/library/` and Podman's `localhost/` go too.
        registry: The registry's part of a reference, such as `localhost:5000`.

    Returns:
        A complete reference: with a digest, else with a tag, which is `latest` where none is named. Beside a digest a
        tag means nothing and is left out, as by the reference package's `ParseDockerRef` and by Podman.
    """
    path = image.repository
    if image.registry in _HUB_DOMAINS:
        path = path.removeprefix("library/")
    tag = None if image.digest else image.tag or "latest"
    return replace(image, registry=registry, repository=path, tag=tag)


def qualified(reference: Reference) -> Reference:
    """With the registry, the repository and the tag that Docker means by a short name, as `normalize.go` has it."""
    domain, path = reference.registry, reference.repository
    if domain is None or domain in _HUB_DOMAINS:
        domain, path = _HUB, path if "/" in path else f"library/{path}"
    tag = reference.tag if reference.tag or reference.digest else "latest"
    return Reference(domain, path, tag, reference.digest)
