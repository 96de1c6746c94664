"""Whether a container engine answers."""

from __future__ import annotations

from collections.abc import Iterator

from localreg.doctor.finding import Finding
from localreg.doctor.scene import Scene
from localreg.errors import LocalregError
from localreg.explain.find import explain
from localreg.system.command_line import Sentence


def check_engine(scene: Scene) -> Iterator[Finding]:
    """Find out why no engine can be used."""
    if scene.no_engine is not None:
        yield _unavailable(scene.no_engine)
    elif not scene.engine.is_answering():
        info = scene.engine.info()
        name = info.name.capitalize()
        yield Finding(
            f"{name} stopped responding at {info.shown_endpoint}",
            "no command can use the registry",
            (Sentence(f"restart {name}"),),
        )


def _unavailable(error: LocalregError) -> Finding:
    # What is known of the engine's own message says more than a hint to look at it.
    known = [explanation.cures[0].step for explanation in explain("\n".join([error.message, *error.details]))[:1]]
    return Finding(
        error.message,
        "no command can start or use the registry",
        tuple(dict.fromkeys(filter(None, [*known, error.hint]))),
        details=error.details,
    )
