"""What the system's package manager can install: for hints that work as typed."""

from __future__ import annotations

import shutil
import subprocess

_ASK_SECONDS = 30


def install_command(*packages: str) -> str | None:
    """The command that installs the first of these packages that apt knows; None where it knows none, or is not there.

    Args:
        packages: Several names of the same thing, the best first.
    """
    program = shutil.which("apt-cache")
    if program is None:
        return None
    known = (package for package in packages if _knows(program, package))
    return next((f"sudo apt-get install {package}" for package in known), None)


def _knows(program: str, package: str) -> bool:
    try:
        asked = subprocess.run(  # noqa: S603 -- apt's own program, with names of ours
            [program, "show", package],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            timeout=_ASK_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0
