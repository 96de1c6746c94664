"""Whether ssh gets to a machine: the SDKs wait for minutes when it does not, and keep what it says to themselves."""

from __future__ import annotations

import importlib.util
import shlex
import sys
from pathlib import Path
from urllib.parse import urlsplit

from localreg.errors import EngineError
from localreg.system.programs import ProgramError, run

SSH_SECONDS = 60.0
"""How long it may take, with a person who types a password."""
_CONNECT_SECONDS = 10


def check_ssh(url: str) -> None:
    """Log in and out again.

    Args:
        url: `ssh://user@host:port`; a path is passed over.

    Raises:
        EngineError: with what ssh says.
    """
    place = f"ssh://{urlsplit(url).netloc}"
    try:
        ended = run("ssh", "-o", f"ConnectTimeout={_CONNECT_SECONDS}", place, "true", seconds=SSH_SECONDS)
    except ProgramError as exc:
        raise EngineError(f"cannot run `ssh`: {exc}") from exc
    if ended.code != 0:
        lines = ended.err.splitlines()
        raise EngineError(lines[-1].strip() if lines else f"ssh ended with exit code {ended.code}")


def check_library() -> None:
    """See that Docker's SDK will go through ssh: it starts `ssh`, but only where paramiko is installed, too.

    Raises:
        EngineError: paramiko is not there.
    """
    if importlib.util.find_spec("paramiko") is not None:
        return
    is_pipx = (Path(sys.prefix) / "pipx_metadata.json").exists()
    pip = f"{shlex.quote(sys.executable)} -m pip install paramiko"
    raise EngineError(
        "Docker behind ssh needs `paramiko`, which comes with the extra `localreg-cli[ssh]`",
        hint="pipx inject localreg-cli paramiko" if is_pipx else pip,
    )
