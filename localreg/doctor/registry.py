"""Whether the registry runs, answers and is set up as it should be."""

from __future__ import annotations

from collections.abc import Iterator

from localreg.doctor.finding import Finding
from localreg.doctor.scene import Scene
from localreg.system.command_line import CommandLine


def check_registry(scene: Scene) -> Iterator[Finding]:
    """Look at the registry's container, ask the registry, and compare its settings with those that localreg needs."""
    if scene.found_registry is None:
        yield Finding("no registry is running", "every push and pull fails", (CommandLine("up"),))
