"""The open tunnels, with a login that also works on another machine."""

from __future__ import annotations

from dataclasses import dataclass

from localreg.system.address import Address
from localreg.system.ssh import destination, read_configuration
from localreg.tunnels.ls import list_tunnels
from localreg.tunnels.spec import LOOPBACK, TunnelSpec

_SSH_PORT = "22"


@dataclass(frozen=True, slots=True)
class OpenTunnel:
    """An open tunnel, as a pipeline needs it."""

    host: str
    """As given to `tunnel open`; can be a name from this user's `ssh_config`."""
    login: str
    """The host as `ssh` on any machine accepts it."""
    remote: Address
    """The registry's address on that host."""
    requires_login: bool = False
    """The registry does."""
    tls: bool = False
    """The registry speaks TLS."""

    def is_at(self, host: str) -> bool:
        """Whether `host` means this tunnel, with or without the user name."""
        return host in (self.host, self.login, self.host.rpartition("@")[2])


def list_open_tunnels() -> list[OpenTunnel]:
    """List the open tunnels through `ssh`."""
    specs = [status.spec for _, status in list_tunnels()]
    return [
        OpenTunnel(
            spec.host,
            login_of(spec),
            _remote_of(spec),
            requires_login=spec.requires_login,
            tls=spec.speaks_tls,
        )
        for spec in specs
        if not spec.command
    ]


def login_of(spec: TunnelSpec) -> str:
    """The user, host and port that `ssh` uses for a tunnel; the host as given if `ssh -G` fails.

    Args:
        spec: The spec of a tunnel through `ssh`.
    """
    options = [word for option in spec.ssh_options for word in ("-o", option)]
    found = read_configuration(*options, *destination(spec.host))
    if found is None:
        return spec.host
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
