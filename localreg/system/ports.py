"""TCP ports of this machine: is one free, and if not, which process holds it?"""

from __future__ import annotations

import errno
import ipaddress
import socket
import sys
from dataclasses import dataclass

from localreg.system.address import Address

_KNOWN = {
    "ControlCe": "macOS AirPlay Receiver; System Settings, General, AirDrop & Handoff turns it off",
    "ControlCenter": "macOS AirPlay Receiver; System Settings, General, AirDrop & Handoff turns it off",
    "docker-registry": "Debian's docker-registry.service; sudo systemctl stop docker-registry stops it",
}


_IPV6 = 6

_FORWARDERS = frozenset({"docker-proxy", "rootlessport", "rootlessport-child", "exe", "pasta", "conmon", "podman"})
"""Programs that engines start to forward a port. Podman names its own after the link it is started through."""


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that listens on a port."""

    address: Address
    process: str | None = None
    """The program's name; None if it belongs to another user, because the system does not tell."""
    pid: int | None = None

    @property
    def may_be_a_forwarder(self) -> bool:
        """It may be a helper of an engine that forwards the port."""
        return self.process is None or self.process in _FORWARDERS

    def __str__(self) -> str:
        if self.process is None:
            return "another user's process"
        note = _KNOWN.get(self.process)
        return f"`{self.process}` (pid {self.pid}{'; ' + note if note else ''})"


def find_holder(address: Address) -> Holder | None:
    """The process that occupies an address; None if it is free."""
    return (_listener(address) or Holder(address)) if _is_taken(address) else None


def find_namesake(address: Address) -> Holder | None:
    """The process on the other loopback address, where `localhost` may lead instead; None if there is none."""
    if not (address.is_loopback or address.is_wildcard):
        return None
    other = Address("127.0.0.1" if ":" in address.host else "::1", address.port)
    return find_holder(other)


def is_own_address(host: str) -> bool:
    """This machine has that IP address or host name; no name is resolved."""
    try:
        family = socket.AF_INET6 if ipaddress.ip_address(host).version == _IPV6 else socket.AF_INET
    except ValueError:
        return host.lower() == socket.gethostname().lower()
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as candidate:
            candidate.bind((host, 0))
    except OSError:
        return False
    return True


def has_closed_connections(address: Address) -> bool:
    """Nothing listens there, but connections of a program that ended are in TIME_WAIT, up to a minute.

    Only a program that binds without SO_REUSEADDR has to wait for them, such as rootful Podman since 6.
    """
    return not _is_taken(address) and _is_taken(address, with_closed=True)


def _is_taken(address: Address, *, with_closed: bool = False) -> bool:
    """Binding fails because the address is in use; the engine reports any other failure.

    Args:
        address: The address.
        with_closed: Closed connections count.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as candidate:
            if sys.platform == "linux" and not with_closed:
                # Elsewhere this option would hide a listener on every interface.
                candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                candidate.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            candidate.bind((address.host, address.port))
    except OSError as exc:
        return exc.errno == errno.EADDRINUSE
    return False


def _listener(address: Address) -> Holder | None:
    """The process that listens there, if the system tells this user."""
    import psutil  # noqa: PLC0415 -- for a port that is taken only

    try:
        connections = psutil.net_connections("tcp")
    except (psutil.Error, OSError):
        return None
    for connection in connections:
        if connection.status != psutil.CONN_LISTEN or not connection.laddr or connection.pid is None:
            continue
        bound = Address(connection.laddr.ip, connection.laddr.port)
        if bound.port != address.port:
            continue
        if bound.is_wildcard or address.is_wildcard or bound.host == address.host:
            try:
                return Holder(address, psutil.Process(connection.pid).name(), connection.pid)
            except psutil.Error:
                return Holder(address)
    return None
