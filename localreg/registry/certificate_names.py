"""The names and addresses in a certificate, and those that a certificate authority permits."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from localreg.errors import UsageError
from localreg.system.command_line import CommandLine

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_MOST_CHARACTERS = 253
_DNS = re.compile(r"(?:[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Names:
    """DNS names, and networks of IP addresses."""

    dns: frozenset[str] = frozenset()
    """Lower case."""
    networks: frozenset[Network] = frozenset()
    """An address alone is a network of one."""

    @classmethod
    def of(cls, texts: Iterable[str]) -> Self:
        """Read names, addresses and networks such as `127.0.0.0/8`; what can be in no certificate is left out."""
        dns, networks = set(), set()
        for text in texts:
            if (network := _network(text)) is not None:
                networks.add(network)
            elif is_dns_name(text.lower()):
                dns.add(text.lower())
        return cls(frozenset(dns), frozenset(networks))

    def __or__(self, other: Names) -> Names:
        return Names(self.dns | other.dns, self.networks | other.networks)

    def __sub__(self, permitted: Names) -> Names:
        """The ones that are not permitted."""
        return Names(
            frozenset(name for name in self.dns if not permitted.permits_name(name)),
            frozenset(each for each in self.networks if not any(_is_within(each, wide) for wide in permitted.networks)),
        )

    def __bool__(self) -> bool:
        return bool(self.dns or self.networks)

    def __str__(self) -> str:
        return ", ".join(f"`{name}`" for name in self.texts)

    @property
    def texts(self) -> tuple[str, ...]:
        """The names, then the addresses and networks, as people write them."""
        addresses = (str(each.network_address) if each.num_addresses == 1 else str(each) for each in self.networks)
        return (*sorted(self.dns), *sorted(addresses))

    def permits_name(self, name: str) -> bool:
        """The constraints of a certificate authority with these names permit a DNS name: one of them, or one below."""
        return name in self.dns or any(name.endswith(f".{above}") for above in self.dns)


NO_NAMES = Names()


def _network(text: str) -> Network | None:
    try:
        return ipaddress.ip_network(text.strip("[]"))
    except ValueError:
        return None


def _is_within(one: Network, wide: Network) -> bool:
    return one.version == wide.version and wide.supernet_of(one)  # type: ignore[arg-type]  # both have one version


def is_dns_name(text: str) -> bool:
    """A certificate can have this name; in lower case."""
    return len(text) <= _MOST_CHARACTERS and _DNS.fullmatch(text) is not None


def could_be_domain(name: str) -> bool:
    """A name could be a top-level domain of the Internet: who may sign for `dev` may sign for all names below it."""
    return name.isalpha() or name.startswith("xn--")


def read_san(text: str) -> str:
    """A name or an address for a registry's certificate, as the option `--san` has it.

    Raises:
        UsageError: it is neither.
    """
    name = text.strip().strip("[]").lower()
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        # A name of digits and dots would be an address that is wrong.
        if is_dns_name(name) and not re.fullmatch(r"[0-9.]+", name):
            return name
    raise UsageError(
        f"`{text}` is not a name or an IP address for a certificate", hint=CommandLine("up", "--tls", "--san", "NAME")
    )
