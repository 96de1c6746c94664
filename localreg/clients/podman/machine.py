"""localreg's files in the Podman machine."""

from __future__ import annotations

from pathlib import Path

from localreg.clients.podman.search import ETC, drop_in
from localreg.errors import ConfigError
from localreg.system.programs import ProgramError, run

_PROGRAM_SECONDS = 30.0


def fix_machine(text: str, path: Path | None = None) -> None:
    """Write a file into the Podman machine, where its service reads it.

    Args:
        text: The text of the file; empty removes it.
        path: Its path there; by default the drop-in's.

    Raises:
        ConfigError: the file cannot be written.
    """
    # An empty folder of a registry would hide others.
    rest = "" if path is None else f"; rmdir {path.parent} 2>&- || true"
    path = drop_in(ETC, is_system=True) if path is None else path
    data = text.encode()
    # If the connection breaks, the new file is too short and does not replace the old one.
    write = f'cat >{path}.new && [ "$(wc -c <{path}.new)" -eq {len(data)} ] && mv {path}.new {path}'
    script = f"mkdir -p {path.parent} && {write}" if text else f"rm -f {path}{rest}"
    said = ""
    try:
        # The argument after `ssh` is a fixed command; a HOST:PORT in a path needs no quotes.
        ended = run("podman", "machine", "ssh", f"sudo sh -c '{script}'", seconds=_PROGRAM_SECONDS, data=data)
        said = "" if ended.code == 0 else ended.err or f"exit code {ended.code}"
    except ProgramError as exc:
        said = str(exc)
    if said:
        raise ConfigError(
            f"cannot write `{path}` in the Podman machine", hint="podman machine start", details=said.splitlines()
        )
