"""The Python interpreters of this machine that localreg supports."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

_OLDEST = (3, 11)
_NEWEST = (3, 14)
_ASK = "import sys; print('%d.%d' % sys.version_info[:2], sys.prefix == sys.base_prefix)"


def find_interpreters() -> dict[str, Path]:
    """One of each version, by its version: on PATH, or one of pyenv's."""
    names = ["python3", *(f"python{_OLDEST[0]}.{minor}" for minor in range(_OLDEST[1], _NEWEST[1] + 1))]
    on_path = [Path(path) for path in map(shutil.which, names) if path]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    base = Path(sys.base_prefix) / "bin" / "python3"
    found: dict[str, Path] = {}
    for candidate in [base, *on_path, *sorted(pyenv.glob("*/bin/python3"))]:
        version = _version_of(candidate)
        if version:
            found.setdefault(version, candidate)
    return dict(sorted(found.items()))


def _version_of(python: Path) -> str | None:
    """Its version; None where it is too old, is a venv's, or is none."""
    try:
        asked = subprocess.run([python, "-c", _ASK], capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return None
    version, is_base = asked.stdout.split()
    supported = tuple(map(int, version.split("."))) >= _OLDEST
    return version if supported and is_base == "True" else None
