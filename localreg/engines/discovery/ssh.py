"""A check that ssh can log in: the SDKs would wait for minutes, and hide the messages of ssh."""

from __future__ import annotations

import importlib.util
import shlex
import sys
from pathlib import Path
from urllib.parse import urlsplit

from localreg.engines.values import Endpoint
from localreg.errors import EngineError
from localreg.system.programs import ProgramError, run

SSH_SECONDS = 60.0
"""Timeout of a login, long enough to type a password."""
_CONNECT_SECONDS = 10


def check_ssh(endpoint: Endpoint) -> None:
    """Log in and out.

    Args:
        endpoint: An `ssh://user@host:port`; a path is ignored.

    Raises:
        EngineError: with the message of ssh.
    """
    place = f"ssh://{urlsplit(endpoint.url).netloc}"
    identity = ("-i", str(endpoint.identity)) if endpoint.identity else ()
    try:
        ended = run("ssh", *identity, "-o", f"ConnectTimeout={_CONNECT_SECONDS}", place, "true", seconds=SSH_SECONDS)
    except ProgramError as exc:
        raise EngineError(f"cannot run `ssh`: {exc}") from exc
    if ended.code != 0:
        lines = ended.err.splitlines()
        raise EngineError(lines[-1].strip() if lines else f"`ssh` failed with exit code {ended.code}")


def check_library() -> None:
    """Check that Docker's SDK can use ssh: it runs `ssh`, but only if paramiko is installed.

    Raises:
        EngineError: paramiko is not installed.
    """
    if importlib.util.find_spec("paramiko") is not None:
        return
    is_pipx = (Path(sys.prefix) / "pipx_metadata.json").exists()
    pip = f"{shlex.quote(sys.executable)} -m pip install paramiko"
    raise EngineError(
        "Docker over ssh needs the package `paramiko`, which `localreg-cli[ssh]` installs",
        hint="pipx inject localreg-cli paramiko" if is_pipx else pip,
    )
