"""The command line of `ssh`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from localreg.system.programs import ProgramError, run
from localreg.system.ssh import destination
from localreg.tunnels.spec import TunnelSpec

_VERSION_SECONDS = 15.0
_FORKS_SINCE = (8, 7)
"""The first OpenSSH with the option `ForkAfterAuthentication`."""

OURS = {
    # A connection for the tunnel only: not shared, and without forwardings from the user's configuration.
    "ControlMaster": "yes",
    "ControlPersist": "no",
    "ClearAllForwardings": "yes",
    # Never ask a question, because the tunnel also reconnects while you are away.
    "BatchMode": "yes",
    "StrictHostKeyChecking": "yes",
    # LocalCommand is for interactive sessions.
    "PermitLocalCommand": "no",
    "ExitOnForwardFailure": "yes",
    "StreamLocalBindUnlink": "yes",
    "StreamLocalBindMask": "0177",
}
"""Options that the user cannot change."""
_DEFAULTS = {
    "ConnectTimeout": "10",
    # Notice a lost machine after half a minute, but survive a change of the wireless network.
    "ServerAliveInterval": "10",
    "ServerAliveCountMax": "3",
}


def arguments(spec: TunnelSpec, master: Path) -> list[str]:
    """The command line of the `ssh` that keeps a tunnel.

    Args:
        spec: The tunnel.
        master: The path for the control socket of `ssh`.
    """
    options = {**OURS, **_in_foreground(), "ControlPath": str(master)}
    identity = ["-i", spec.identity.replace("%", "%%"), "-o", "IdentitiesOnly=yes"] if spec.identity else []
    return [
        *("ssh", "-v", "-N", "-T"),
        # For `ssh`, the first value of an option counts.
        *_as_options(options),
        *(word for option in spec.ssh_options for word in ("-o", option)),
        *_as_options(_DEFAULTS),
        *identity,
        *destination(spec.host),
    ]


@cache
def _in_foreground() -> Mapping[str, str]:
    """The option that keeps `ssh` in the foreground, if this OpenSSH has it."""
    try:
        version = run("ssh", "-V", seconds=_VERSION_SECONDS).err
    except ProgramError:
        return {}
    found = re.match(r"OpenSSH_(\d+)\.(\d+)", version)
    return {"ForkAfterAuthentication": "no"} if found and (int(found[1]), int(found[2])) >= _FORKS_SINCE else {}


def _as_options(options: Mapping[str, str]) -> list[str]:
    return [word for name, value in options.items() for word in ("-o", f"{name}={value}")]


FORWARDING = _as_options({name: OURS[name] for name in ("StreamLocalBindUnlink", "StreamLocalBindMask")})
"""Options that each request for a forwarding must repeat."""
