"""The address of a machine behind `ssh://`, and what the user's `ssh_config` says of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote, urlsplit

from localreg.system.programs import output_of

_SECONDS = 5.0
_PLACE = re.compile(r"(?:\[(?P<address>[^]]+)\]|(?P<name>[^]:[]+))(?::(?P<port>[0-9]*))?")


@dataclass(frozen=True, slots=True)
class SshAddress:
    """An `ssh://` URL in the parts that `ssh` takes. `ssh_config` decides everything that the URL leaves out."""

    host: str
    """A name or an alias from `ssh_config`, case as given, or an IP address without brackets."""
    user: str | None = None
    port: str | None = None
    path: str = ""
    """The path of a socket there; empty if the URL has none."""

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read `ssh://[USER@]HOST[:PORT][/PATH]`.

        Raises:
            ValueError: the URL is invalid, or has a password.
        """
        parts = urlsplit(url)
        user, _, place = parts.netloc.rpartition("@")
        found = _PLACE.fullmatch(place)
        if ":" in user:
            raise ValueError("the URL has a password, which `ssh` does not accept")
        if found is None:
            raise ValueError("not a valid `ssh://` URL")
        host = unquote(found["address"] or found["name"])
        return cls(host, unquote(user) or None, found["port"] or None, parts.path.rstrip("/"))

    @property
    def arguments(self) -> list[str]:
        """The last options of `ssh`, and its host."""
        user = ["-l", self.user] if self.user else []
        port = ["-p", self.port] if self.port else []
        return [*user, *port, "--", self.host]


def destination(host: str) -> list[str]:
    """The last arguments of `ssh` for a host as a user types it: `[USER@]HOST` or `ssh://[USER@]HOST[:PORT]`.

    `ssh` reads such a URL itself, but allows no IPv6 address in it, up to OpenSSH 10.6 at least.

    Raises:
        ValueError: the URL is invalid, or has a password.
    """
    return SshAddress.parse(host).arguments if host.startswith("ssh://") else ["--", host]


def read_configuration(*arguments: str) -> Mapping[str, str] | None:
    """The configuration that `ssh` uses for a host, with names in lower case; None if `ssh -G` fails.

    Args:
        arguments: Options and the host, as for `ssh`.
    """
    printed = output_of("ssh", "-G", *arguments, seconds=_SECONDS)
    return None if printed is None else dict(line.partition(" ")[::2] for line in printed.splitlines())
