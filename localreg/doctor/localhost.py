"""Whether `localhost`, which references begin with, leads to the registry."""

from __future__ import annotations

import socket
from collections.abc import Iterator

from localreg.doctor.check import NotNeededError
from localreg.doctor.finding import Finding, Severity
from localreg.doctor.scene import Scene
from localreg.oci.ping import ask
from localreg.registry.container import url_of
from localreg.system import ports
from localreg.system.address import Address
from localreg.system.command_line import Sentence

_NAME = "localhost"


def check_localhost(scene: Scene) -> Iterator[Finding]:
    """Look up `localhost`, for IPv4 and IPv6, and look for another program at the same port."""
    scene.url  # noqa: B018 -- raises if this machine does not reach the registry
    location = scene.location
    host, _, port = location.rpartition(":")
    if host != _NAME:
        raise NotNeededError(f"references to the registry begin with {location}")
    published = scene.running.published
    found = resolve(_NAME)
    wanted = {"127.0.0.1", "::1"} if published and published.bound.is_wildcard else {"127.0.0.1"}
    if not found & wanted:
        yield Finding(
            f"`{_NAME}` leads to {' and '.join(sorted(found)) or 'no address'}; the registry is at 127.0.0.1:{port}",
            f"clients do not find the registry as {location}",
            (Sentence("put the line `127.0.0.1 localhost` into /etc/hosts"),),
        )
    namesake = ports.find_namesake(Address("127.0.0.1", int(port)))
    # Some virtual machines forward both addresses.
    if namesake is not None and not ask(url_of(namesake.address, tls=not scene.running.speaks_plain_http)).is_ready:
        yield Finding(
            f"{namesake} listens on {namesake.address}",
            f"clients that prefer IPv6 reach that program as {location}",
            (Sentence(f"stop that program, or use 127.0.0.1:{port} in references"),),
            severity=Severity.WARNING,
        )


def resolve(name: str) -> set[str]:
    """The addresses of a host name, as this machine's programs look them up."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except OSError:
        return set()
    return {str(address[0]) for *_, address in found}
