"""The command that installs a library which most people do not need."""

from __future__ import annotations

import sys
from pathlib import Path


def install_command(extra: str, library: str) -> str:
    """The command, for the way in which localreg itself was installed.

    Args:
        extra: The extra of localreg's package that has the library.
        library: Its name on the package index.
    """
    # Each of these installers keeps this file in the environment that it makes, which plain pip does not reach.
    if (Path(sys.prefix) / "pipx_metadata.json").exists():
        return f"pipx inject localreg-cli {library}"
    if (Path(sys.prefix) / "uv-receipt.toml").exists():
        return f"uv tool install 'localreg-cli[{extra}]'"
    return f"pip install 'localreg-cli[{extra}]'"
