"""An image on its way: what it is called on both sides, and the steps, given up or made again where nothing moves."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus

from localreg.command_line import CommandLine
from localreg.engines.port import Engine
from localreg.engines.values import Progress, TransferState
from localreg.errors import (
    EngineError,
    EngineLostError,
    LocalregError,
    RegistryError,
    RegistryUnreachableError,
)
from localreg.images.stuck_push import StandstillDetector
from localreg.images.watchdog import watched
from localreg.oci.api import RegistryClient
from localreg.oci.ping import is_ready
from localreg.oci.reference import Reference, looks_like_image_id, parse_reference
from localreg.registry.container import Registry

_PAUSES = (0.05, 0.1, 0.2)
"""Seconds until a registry is asked again that answered 500, as it does while somebody else pushes to the same tag."""


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Transfer:
    """An image on its way into the registry or out of it."""

    source: str
    """As the user named it."""
    reference: Reference
    """Complete: with the registry and a tag or a digest."""


@dataclass(frozen=True, slots=True)
class Transferred:
    """An image that is in the registry."""

    source: str
    reference: str
    digest: str | None
    """Of the manifest, as the registry says; None where neither it nor the engine could be asked for it."""

    @property
    def pinned(self) -> str:
        """The reference with its digest."""
        known = "@" in self.reference or self.digest is None
        return self.reference if known else f"{self.reference}@{self.digest}"


def check_names(*names: str | None) -> None:
    """Refuse what is no name before anything is done about the others; an image's ID is none of a name's business.

    Raises:
        InvalidReferenceError: the grammar does not accept one of them.
    """
    for name in names:
        if name is not None and not looks_like_image_id(name):
            parse_reference(name)


def find_digest(registry: Registry, reference: Reference) -> str | None:
    """The digest that the registry has under a name; None if this machine cannot reach a remote engine's registry."""
    if registry.url is None:
        return None
    with RegistryClient(registry.url) as client:
        ask = partial(client.head_manifest, reference.repository, str(reference.digest or reference.tag))
        for pause in _PAUSES:
            try:
                return ask().digest
            except RegistryError as exc:
                if exc.status != HTTPStatus.INTERNAL_SERVER_ERROR:
                    raise
            time.sleep(pause)
        return ask().digest


class _StandstillError(EngineError):
    """The engine goes no further, and answers."""


def push_steps(engine: Engine, registry: Registry, reference: Reference) -> Iterator[Progress]:
    """Push an image; where that comes to a standstill, once more, and then for as long as it takes.

    Args:
        engine: Where the image is.
        registry: Where it goes.
        reference: Its name, complete.

    Raises:
        EngineLostError: the engine does not answer any more.
        RegistryUnreachableError: the registry does not answer any more.
        LocalregError: what the engine says.
    """
    push = partial(engine.push_image, str(reference), plain_http=registry.speaks_plain_http)
    stands_still = _standstills(engine, registry, reference) if engine.info().may_stand_still else None
    under_way: set[str] = set()
    try:
        for step in _watched(engine, registry, push(), stands_still=stands_still):
            if step.layer is not None:
                (under_way.add if step.state is TransferState.RUNNING else under_way.discard)(step.layer)
            yield step
    except _StandstillError:
        for layer in sorted(under_way):
            yield Progress(layer, TransferState.RETRYING)
        yield from _watched(engine, registry, push())


def _standstills(engine: Engine, registry: Registry, reference: Reference) -> Callable[[float], bool]:
    """What tells that a push that begins now stands still."""
    began = datetime.now(UTC)

    def find_size() -> int | None:
        with contextlib.suppress(LocalregError):
            image = engine.find_image(str(reference))
            return None if image is None else image.size
        return None

    def read_log() -> bytes | None:
        with contextlib.suppress(LocalregError):
            return b"".join(chunk.data for chunk in engine.read_logs(registry.container.id, since=began))
        return None

    return StandstillDetector(reference.repository, find_size=find_size, read_log=read_log).stands_still


def pull_steps(engine: Engine, registry: Registry, reference: Reference) -> Iterator[Progress]:
    """Pull an image.

    Args:
        engine: Where it goes.
        registry: Where it is.
        reference: Its name there, complete.

    Raises:
        EngineLostError: the engine does not answer any more.
        RegistryUnreachableError: the registry does not answer any more.
        LocalregError: what the engine says.
    """
    return _watched(engine, registry, engine.pull_image(str(reference), plain_http=registry.speaks_plain_http))


def _watched(
    engine: Engine,
    registry: Registry,
    steps: Iterator[Progress],
    *,
    stands_still: Callable[[float], bool] | None = None,
) -> Iterator[Progress]:
    """The steps of a transfer, given up when the registry or the engine hangs.

    Args:
        engine: Between it and the registry.
        registry: The same.
        steps: As the engine says them.
        stands_still: Told for how many seconds it has said none: whether that is to be given up, too.
    """

    def find_silence(seconds: float) -> LocalregError | None:
        if not engine.is_answering():
            return EngineLostError(f"{engine.info().name.capitalize()} does not answer any more, and nothing moves")
        if registry.url is None or is_ready(registry.url):
            return _StandstillError("nothing moves") if stands_still is not None and stands_still(seconds) else None
        return RegistryUnreachableError(
            f"the registry at {registry.location} does not answer any more, and nothing moves", hint=CommandLine("logs")
        )

    return watched(steps, find_silence)
