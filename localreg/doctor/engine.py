"""Whether a container engine answers."""

from __future__ import annotations

from collections.abc import Iterator

from localreg.doctor.finding import Finding
from localreg.doctor.scene import Scene
from localreg.errors import LocalregError


def check_engine(scene: Scene) -> Iterator[Finding]:
    """Find out why no engine can be used."""
    if scene.no_engine is not None:
        yield _unavailable(scene.no_engine)
    elif not scene.engine.is_answering():
        info = scene.engine.info()
        yield Finding(
            f"{info.name.capitalize()} stopped responding at {info.shown_endpoint}", "no command can use the registry"
        )


def _unavailable(error: LocalregError) -> Finding:
    return Finding(
        error.message,
        "no command can start or use the registry",
        tuple(filter(None, [error.hint])),
        details=error.details,
    )
