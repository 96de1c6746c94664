"""Shared by push and pull: the names of an image, and its transfer, which ends or is tried again if it hangs."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus

from localreg.engines.common.messages import THROUGH_PROXY, UNTRUSTED, WANTS_LOGIN
from localreg.engines.port import Engine
from localreg.engines.values import Progress, TransferState
from localreg.errors import (
    EngineError,
    EngineLostError,
    LocalregError,
    RegistryError,
    RegistryUnreachableError,
    RepositoryNotFoundError,
)
from localreg.images.stuck_push import StuckPushDetector
from localreg.images.watchdog import watched
from localreg.oci.access import Credentials
from localreg.oci.ping import is_ready
from localreg.oci.reference import Reference, looks_like_image_id, parse_reference
from localreg.registry.client import find_login, open_registry
from localreg.registry.container import Registry
from localreg.registry.port import PortClaims
from localreg.registry.request import Notify
from localreg.registry.start import find_cause
from localreg.system import ports
from localreg.system.address import Address
from localreg.system.command_line import CommandLine, Sentence

_MET_ANOTHER = re.compile("digest invalid|blob unknown to registry|invalid checksum digest format", re.IGNORECASE)
"""Distribution's errors if it reads a link in the repository while another push writes it (the last is in its log), or
if garbage collection moved a layer that the client did not push again because the registry had it."""
_ATTEMPTS = 3

OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Transfer:
    """An image to push or pull."""

    source: str
    """The name that the user typed."""
    reference: Reference
    """Complete, with the registry and a tag or a digest."""


@dataclass(frozen=True, slots=True)
class Transferred:
    """An image that is in the registry."""

    source: str
    reference: str
    digest: str | None
    """The digest of its manifest; None if neither the registry nor the engine could tell."""
    index: str | None = None
    """The digest of the index in the engine, if only one of its images was pushed."""

    @property
    def pinned(self) -> str:
        """The reference with its digest."""
        known = "@" in self.reference or self.digest is None
        return self.reference if known else f"{self.reference}@{self.digest}"


def check_names(*names: str | None) -> None:
    """Reject invalid names before touching any image. Image IDs are allowed.

    Raises:
        InvalidReferenceError: a name is not a valid reference.
    """
    for name in names:
        if name is not None and not looks_like_image_id(name):
            parse_reference(name)


def find_digest(registry: Registry, reference: Reference) -> str | None:
    """The digest that the registry has under a name.

    Returns:
        None if localreg cannot ask: the registry requires a login, which only the engine has, or is out of reach.

    Raises:
        RepositoryNotFoundError: the registry does not have it.
    """
    if registry.url is None:
        return None
    try:
        with open_registry(registry) as client:
            try:
                return client.head_manifest(reference.repository, str(reference.digest or reference.tag)).digest
            except RepositoryNotFoundError as exc:
                shown = [reference.repository] if client.has_tags(reference.repository) else []
                raise exc.with_(hint=CommandLine("ls", *shown)) from exc
    except RegistryError as exc:
        if exc.status == HTTPStatus.UNAUTHORIZED:
            return None
        raise


def check_plain_http(engine: Engine, registry: Registry, reference: Reference) -> None:
    """Check that the engine can use plain HTTP for a registry of localreg, before it is asked to.

    Other registries may speak TLS.

    Raises:
        RegistryError: the engine's configuration makes it expect TLS; with the cure.
    """
    if registry.is_ours and registry.speaks_plain_http and reference.registry is not None:
        engine.check_plain_http(reference.registry)


def _may_be_unverified(registry: Registry, reference: Reference) -> bool:
    """Podman is told on loopback what Docker does there by itself: no certificate proves more than the address."""
    return registry.speaks_plain_http or Address(reference.host, 0).is_loopback


class _StuckPushError(EngineError):
    """The push is stuck, although the engine responds."""


def push_steps(
    engine: Engine, registry: Registry, reference: Reference, *, notify: Notify = lambda _: None
) -> Iterator[Progress]:
    """Push an image. A push that is stuck is tried once more, one that met another push or a garbage collection twice.

    Args:
        engine: The engine that has the image.
        registry: The registry to push to.
        reference: The complete name.
        notify: Told why a push is tried again, unless it was stuck.

    Raises:
        EngineLostError: the engine stopped responding.
        RegistryUnreachableError: the registry stopped responding.
        LocalregError: the engine reported an error.
    """
    login = find_login(registry, reference.repository)
    push = partial(engine.push_image, str(reference), plain_http=_may_be_unverified(registry, reference), login=login)
    can_stick = engine.info().pushes_may_stick
    for attempt in range(1, _ATTEMPTS + 1):
        began = datetime.now(UTC)
        is_watched = can_stick and attempt < _ATTEMPTS
        is_stuck = _stuck_check(engine, registry, reference, began) if is_watched else None
        under_way: set[str] = set()
        try:
            for step in _watched(engine, registry, push(), login=login, is_stuck=is_stuck):
                if step.layer is not None:
                    (under_way.add if step.state is TransferState.RUNNING else under_way.discard)(step.layer)
                yield step
        except _StuckPushError:
            can_stick = False
        except LocalregError as exc:
            if attempt == _ATTEMPTS or (met := _find_meeting(exc, engine, registry, began)) is None:
                raise
            notify(f"the registry refused `{reference}`: {met}; pushing it again")
        else:
            return
        for layer in sorted(under_way):
            yield Progress(layer, TransferState.RETRYING)


def _find_meeting(error: LocalregError, engine: Engine, registry: Registry, began: datetime) -> str | None:
    """The registry's words for a push that can succeed at the next attempt; None for any other failure."""
    if isinstance(error, EngineLostError | RegistryUnreachableError):
        return None
    said = [*error.details, find_cause(engine, registry, since=began) or ""]
    return next((found.group() for found in map(_MET_ANOTHER.search, said) if found), None)


def _stuck_check(engine: Engine, registry: Registry, reference: Reference, began: datetime) -> Callable[[float], bool]:
    """A check for a push that began then: is it stuck?"""

    def find_size() -> int | None:
        with contextlib.suppress(LocalregError):
            image = engine.find_image(str(reference))
            return None if image is None else image.size
        return None

    def read_log() -> bytes | None:
        with contextlib.suppress(LocalregError):
            return b"".join(chunk.data for chunk in engine.read_logs(registry.container.id, since=began))
        return None

    return StuckPushDetector(reference.repository, find_size=find_size, read_log=read_log).is_stuck


def pull_steps(engine: Engine, registry: Registry, reference: Reference) -> Iterator[Progress]:
    """Pull an image.

    Args:
        engine: The engine to pull into.
        registry: The registry to pull from.
        reference: The complete name.

    Raises:
        EngineLostError: the engine stopped responding.
        RegistryUnreachableError: the registry stopped responding.
        LocalregError: the engine reported an error.
    """
    login = find_login(registry, reference.repository)
    steps = engine.pull_image(str(reference), plain_http=_may_be_unverified(registry, reference), login=login)
    return _watched(engine, registry, steps, login=login)


def _watched(
    engine: Engine,
    registry: Registry,
    steps: Iterator[Progress],
    *,
    login: Credentials | None,
    is_stuck: Callable[[float], bool] | None = None,
) -> Iterator[Progress]:
    """The steps of a transfer, which ends with an error if the registry or the engine hangs.

    Args:
        engine: The engine.
        registry: The registry.
        steps: The engine's steps.
        login: The one that they were begun with.
        is_stuck: Gets the seconds since the last step, and tells whether the push is stuck.
    """

    def find_silence(seconds: float) -> LocalregError | None:
        if not engine.is_answering():
            return EngineLostError(f"{engine.info().name.capitalize()} stopped responding during the transfer")
        if registry.url is None or is_ready(registry.url):
            return _StuckPushError("the push is stuck") if is_stuck is not None and is_stuck(seconds) else None
        return RegistryUnreachableError(
            f"the registry at {registry.location} stopped responding during the transfer", hint=CommandLine("logs")
        )

    try:
        yield from watched(steps, find_silence)
    except RegistryError as exc:
        raise _with_way(exc, registry, login) from exc


def _with_way(error: RegistryError, registry: Registry, login: Credentials | None) -> RegistryError:
    """The error, with what keeps the engine from a registry that answers localreg, and what lets it through."""
    if any(map(WANTS_LOGIN.search, error.details)):
        refused = None if login is None else f"the registry does not accept the stored login of `{login.user}`"
        return error.with_(message=refused, hint=CommandLine("login"))
    if any(map(UNTRUSTED.search, error.details)):
        return error.with_(hint=CommandLine("trust"))
    bound = None if registry.published is None else registry.published.bound
    if bound is not None and registry.url is not None and is_ready(registry.url):
        if (namesake := ports.find_namesake(bound)) is not None:
            free = PortClaims().next_free(bound).port
            return error.with_(
                details=[*error.details, f"{namesake} listens on {namesake.address}; `localhost` may lead there"],
                hint=CommandLine("up", "--recreate", "--port", str(free)),
            )
        if any(map(THROUGH_PROXY.search, error.details)):
            return error.with_(hint=Sentence(f"add {bound.host} to the NO_PROXY of the engine"))
    if error.hint is None and isinstance(error, RegistryUnreachableError):
        return error.with_(hint=CommandLine("doctor", "registry", "engine-view"))
    return error
