"""How the user makes another machine's host key known, whatever `ssh_config` says about such keys."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from localreg.system.ssh import destination, read_configuration
from localreg.tunnels.spec import TunnelSpec

_USUAL_FILE = "UserKnownHostsFile=~/.ssh/known_hosts"
_KEEPS_NONE = ("", "none", "/dev/null")


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The steps to do once."""

    command: str
    """Shows the key and asks whether to keep it."""
    option: str | None = None
    """For `--ssh-option`, so that the kept key is used; None if it is used anyway."""


def login_command(host: str, *, ssh_options: Sequence[str] = ()) -> str:
    """The command with which a person logs in.

    Args:
        host: As given to `tunnel open`.
        ssh_options: Each `KEY=VALUE`.
    """
    # OpenSSH allows no IPv6 address in a URL.
    place = destination(host) if "[" in host else [host]
    return shlex.join(["ssh", *(word for option in ssh_options for word in _as_typed(option)), *place])


def _as_typed(option: str) -> tuple[str, str]:
    """An option as people type it."""
    key, _, value = option.partition("=")
    return ("-p", value) if key.lower() == "port" and value else ("-o", option)


def how_to_accept(spec: TunnelSpec) -> Acceptance:
    """The command that makes a machine's key known, with the options of the tunnel.

    Alone, `ssh HOST` does not ask if `StrictHostKeyChecking` is set, and keeps nothing if `UserKnownHostsFile` is
    `/dev/null`.
    """
    options = [word for option in spec.ssh_options for word in ("-o", option)]
    found = read_configuration(*options, *destination(spec.host)) or {}
    file = found.get("userknownhostsfile", _USUAL_FILE).partition(" ")[0]
    keeps = file not in _KEEPS_NONE
    asks = found.get("stricthostkeychecking", "ask") == "ask"
    # For `ssh`, the first value of an option counts.
    more = [*([] if keeps else [_USUAL_FILE]), *([] if keeps and asks else ["StrictHostKeyChecking=ask"])]
    return Acceptance(login_command(spec.host, ssh_options=[*more, *spec.ssh_options]), None if keeps else _USUAL_FILE)
