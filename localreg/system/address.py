"""A host and a port."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

LAST_PORT = 65535
_PASSWORD = re.compile(r"(?<=//)([^:/@]*):[^/]*@|^([^:/@]+):[^/]*@")


def without_password(url: str) -> str:
    """A URL as it can be shown, whether it is valid or not."""
    return _PASSWORD.sub(lambda found: f"{found[1] or found[2] or ''}@", url)


def is_loopback(location: str) -> bool:
    """Whether only this machine can reach a `HOST:PORT`, as far as the text tells."""
    host, _, _ = location.rpartition(":")
    return Address(host.strip("[]"), 0).is_loopback


@dataclass(frozen=True, slots=True)
class Address:
    """A numeric IP address or a host name, and a TCP port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Only the machine itself can reach it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def is_wildcard(self) -> bool:
        """Every interface: `0.0.0.0`, `::` or no host."""
        return self.host in ("", "0.0.0.0", "::")  # noqa: S104 -- compared with, not bound to

    def overlaps(self, other: Address) -> bool:
        """Two programs cannot listen on both at the same time."""
        return self.port == other.port and (self.host == other.host or self.is_wildcard or other.is_wildcard)
