"""The steps of a push or a pull, given up or made again where nothing moves any more."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from localreg.engines.port import Engine
from localreg.engines.values import Progress, TransferState
from localreg.errors import EngineError, EngineLostError, LocalregError, RegistryUnreachableError
from localreg.images.stuck_push import StandstillDetector
from localreg.images.watchdog import watched
from localreg.oci.ping import is_ready
from localreg.oci.reference import Reference
from localreg.registry.container import Registry


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
    stands_still = _standstills(engine, registry, reference) if engine.info().may_stand_still else None
    under_way: set[str] = set()
    try:
        for step in _watched(
            engine, registry, engine.push_image(str(reference), plain_http=True), stands_still=stands_still
        ):
            if step.layer is not None:
                (under_way.add if step.state is TransferState.RUNNING else under_way.discard)(step.layer)
            yield step
    except _StandstillError:
        for layer in sorted(under_way):
            yield Progress(layer, TransferState.RETRYING)
        yield from _watched(engine, registry, engine.push_image(str(reference), plain_http=True))


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

    return StandstillDetector(reference.path, find_size=find_size, read_log=read_log).stands_still


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
    return _watched(engine, registry, engine.pull_image(str(reference), plain_http=True))


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
        published = registry.published
        if published is None or published.from_host is None or is_ready(f"http://{published.from_host}"):
            return _StandstillError("nothing moves") if stands_still is not None and stands_still(seconds) else None
        return RegistryUnreachableError(
            f"the registry at {registry.location} does not answer any more, and nothing moves", hint="localreg logs"
        )

    return watched(steps, find_silence)
