"""Our drop-in within the Podman machine."""

from __future__ import annotations

from localreg.clients.podman import registries_conf as conf
from localreg.errors import ConfigError
from localreg.system.programs import ProgramError, run

_PROGRAM_SECONDS = 30.0


def fix_machine(text: str) -> None:
    """Put the drop-in into the Podman machine too: there the service looks for it, not here.

    Args:
        text: What the file is to say; empty removes it.

    Raises:
        ConfigError: the machine does not take it.
    """
    path = conf.drop_in(conf.ETC)
    data = text.encode()
    # A connection that breaks in the middle leaves a file that is too short, which is not put in place.
    write = f'cat >{path}.new && [ "$(wc -c <{path}.new)" -eq {len(data)} ] && mv {path}.new {path}'
    script = f"mkdir -p {path.parent} && {write}" if text else f"rm -f {path}"
    said = ""
    try:
        # What follows `ssh` is a fixed command.
        ended = run("podman", "machine", "ssh", f"sudo sh -c '{script}'", seconds=_PROGRAM_SECONDS, data=data)
        said = "" if ended.code == 0 else ended.err or f"exit code {ended.code}"
    except ProgramError as exc:
        said = str(exc)
    if said:
        raise ConfigError(
            f"cannot write `{path}` in the Podman machine", hint="podman machine start", details=said.splitlines()
        )
