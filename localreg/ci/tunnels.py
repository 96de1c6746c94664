"""The tunnels that are open, as a pipeline has to know them: by a login that another machine understands, too."""

from __future__ import annotations

from dataclasses import dataclass

from localreg.system.address import Address
from localreg.system.programs import output_of
from localreg.tunnels.ls import list_tunnels
from localreg.tunnels.spec import LOOPBACK, TunnelSpec

_SSH_PORT = "22"
_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class OpenTunnel:
    """Where a tunnel makes the registry answer."""

    host: str
    """As `tunnel open` was given it: perhaps a name of this user's `ssh_config`."""
    login: str
    """What any machine's `ssh` can be given."""
    remote: Address
    """Where the registry answers there."""

    def is_at(self, host: str) -> bool:
        """Whether a user calls it this, with or without the name to log in with."""
        return host in (self.host, self.login, self.host.rpartition("@")[2])


def list_open_tunnels() -> list[OpenTunnel]:
    """Those of the tunnels that `ssh` makes."""
    specs = [status.spec for _, status in list_tunnels()]
    return [OpenTunnel(spec.host, login_of(spec), _remote_of(spec)) for spec in specs if not spec.command]


def login_of(spec: TunnelSpec) -> str:
    """The user, the host and the port that `ssh` finds for a tunnel; as it was given where `ssh` does not say.

    Args:
        spec: Of a tunnel that `ssh` makes.
    """
    options = [word for option in spec.ssh_options for word in ("-o", option)]
    said = output_of("ssh", *options, "-G", spec.host, seconds=_SECONDS)
    if said is None:
        return spec.host
    found = dict(line.partition(" ")[::2] for line in said.splitlines())
    try:
        user, name, port = found["user"], found["hostname"], found["port"]
    except KeyError:
        return spec.host
    if port == _SSH_PORT:
        return f"{user}@{name}"
    return f"ssh://{user}@{Address(name, int(port))}"


def _remote_of(spec: TunnelSpec) -> Address:
    bound = Address(spec.bind, spec.remote_port)
    return Address(LOOPBACK, bound.port) if bound.is_wildcard else bound
