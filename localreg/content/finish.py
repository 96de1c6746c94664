"""Finishing a garbage collection that was killed, beside the work of another command."""

from __future__ import annotations

import contextlib
import threading

from localreg.engines.port import ContainerRuntime
from localreg.errors import LocalregError
from localreg.registry.container import Registry

_SECONDS = 10.0
"""How long a command that has ended waits for a collection that is being finished."""


class Finishing:
    """Looks for a killed collection in a thread, and finishes it.

    Nothing waits for the look, and an error is ignored: the next command looks again.

    Args:
        engine: The registry's engine.
        registry: Running; localreg's own.
    """

    def __init__(self, engine: ContainerRuntime, registry: Registry) -> None:
        self._engine = engine
        self._registry = registry
        self._found = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait a while, but only for a collection that was found."""
        if self._found.is_set():
            self._thread.join(_SECONDS)

    def _run(self) -> None:
        # The command closes the engine when it has ended, so that anything may fail here.
        with contextlib.suppress(LocalregError, OSError, ValueError):
            from localreg.registry.volume import open_volume  # noqa: PLC0415 -- not in the command's own time

            volume = open_volume(self._engine, self._registry, writes=True)
            if volume is None:
                return
            from localreg.content.quarantine import Quarantine  # noqa: PLC0415 -- as above

            if Quarantine(volume).has_open():
                self._found.set()
                from localreg.content.collector import Collector  # noqa: PLC0415 -- as above

                Collector(volume).finish()
