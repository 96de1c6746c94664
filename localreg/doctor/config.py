"""Whether localreg's settings are valid."""

from __future__ import annotations

from collections.abc import Iterator

from localreg.doctor.finding import Finding
from localreg.doctor.scene import Scene
from localreg.system.command_line import CommandLine


def check_config(scene: Scene) -> Iterator[Finding]:
    """Tell what is wrong in the environment and the settings files."""
    for problem in scene.settings_problems:
        yield Finding(
            problem.message,
            "every other command of localreg ends with this error",
            (problem.hint or CommandLine("config"),),
            details=problem.details,
        )
