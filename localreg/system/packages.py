"""Install commands of the system's package manager, for hints that work as typed."""

from __future__ import annotations

import shutil

from localreg.system.programs import output_of

_ASK_SECONDS = 30.0


def install_command(*packages: str) -> str | None:
    """The command that installs the first of these packages that apt knows; None without apt or such a package.

    Args:
        packages: Alternative names of one package, the best first.
    """
    program = shutil.which("apt-cache")
    if program is None:
        return None
    known = (package for package in packages if output_of(program, "show", package, seconds=_ASK_SECONDS) is not None)
    return next((f"sudo apt-get install {package}" for package in known), None)
