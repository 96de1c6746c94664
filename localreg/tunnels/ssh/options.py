"""The options that `ssh` is started with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from localreg.system.programs import ProgramError, run
from localreg.tunnels.spec import TunnelSpec

_VERSION_SECONDS = 15.0
_FORKS_SINCE = (8, 7)
"""The OpenSSH that can be told so in its configuration."""

OURS = {
    # Ours alone, without a shell that would wait for the user, and nothing forwarded that somebody else asked for.
    "ControlMaster": "yes",
    "ControlPersist": "no",
    "ClearAllForwardings": "yes",
    # Nobody is there to answer when it comes back at night.
    "BatchMode": "yes",
    "StrictHostKeyChecking": "yes",
    # Nothing for a person who works there.
    "PermitLocalCommand": "no",
    "ExitOnForwardFailure": "yes",
    "StreamLocalBindUnlink": "yes",
    "StreamLocalBindMask": "0177",
}
"""What is not the user's to set."""
_DEFAULTS = {
    "ConnectTimeout": "10",
    # A far side that is gone is noticed after half a minute, which a change of the wireless network survives.
    "ServerAliveInterval": "10",
    "ServerAliveCountMax": "3",
}


def arguments(spec: TunnelSpec, master: Path) -> list[str]:
    """The command line of the `ssh` that keeps a tunnel.

    Args:
        spec: The tunnel.
        master: The control socket that `ssh` is to listen on.
    """
    options = {**OURS, **_unforked(), "ControlPath": str(master)}
    identity = ["-i", spec.identity.replace("%", "%%"), "-o", "IdentitiesOnly=yes"] if spec.identity else []
    return [
        *("ssh", "-v", "-N", "-T"),
        # The first that `ssh` is told counts.
        *_as_options(options),
        *(word for option in spec.ssh_options for word in ("-o", option)),
        *_as_options(_DEFAULTS),
        *identity,
        *("--", spec.host),
    ]


@cache
def _unforked() -> Mapping[str, str]:
    """What keeps `ssh` from going into the background by itself, where it knows that."""
    try:
        said = run("ssh", "-V", seconds=_VERSION_SECONDS).err
    except ProgramError:
        return {}
    found = re.match(r"OpenSSH_(\d+)\.(\d+)", said)
    return {"ForkAfterAuthentication": "no"} if found and (int(found[1]), int(found[2])) >= _FORKS_SINCE else {}


def _as_options(options: Mapping[str, str]) -> list[str]:
    return [word for name, value in options.items() for word in ("-o", f"{name}={value}")]


FORWARDING = _as_options({name: OURS[name] for name in ("StreamLocalBindUnlink", "StreamLocalBindMask")})
"""What the running `ssh` has to be told again with each forwarding."""
