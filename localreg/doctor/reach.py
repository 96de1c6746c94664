"""Who can reach the registry: on loopback, it must be this machine alone."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

from localreg.doctor.check import NotNeededError
from localreg.doctor.finding import Finding, Severity
from localreg.doctor.scene import Scene
from localreg.oci.ping import Reply, ask
from localreg.registry.container import Registry, url_of
from localreg.registry.defaults import DEFAULT_HOST
from localreg.registry.exposure import exposure_of
from localreg.system.address import Address
from localreg.system.at_once import do_at_once
from localreg.system.command_line import CommandLine, Sentence

_ELSEWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
"""Addresses of documentation: the way to each begins like the way to any other machine."""
_EFFECT = "anyone on the network can push to it and pull from it"


def check_reach(scene: Scene) -> Iterator[Finding]:
    """Compare where the registry was asked to listen with where it answers."""
    registry = scene.running
    scene.url  # noqa: B018 -- raises if this machine does not reach the registry
    published = registry.published
    if published is None:
        raise NotNeededError("the registry publishes no port")
    if published.bound.is_loopback:
        yield from _beyond(registry, published.bound)
    elif registry.is_ours and registry.options.host in (None, DEFAULT_HOST):
        yield Finding(
            f"the registry listens on {published.bound}, and was asked to listen on {DEFAULT_HOST} alone",
            _EFFECT,
            (CommandLine("up", "--recreate", "--host", DEFAULT_HOST),),
        )
    elif registry.is_ours and (exposure := exposure_of(registry)):
        yield Finding(
            exposure,
            "it was opened with --insecure-exposure",
            (
                CommandLine("up", "--recreate", "--tls", "--auth"),
                CommandLine("up", "--recreate", "--host", DEFAULT_HOST),
            ),
            severity=Severity.WARNING,
        )
    elif not registry.is_ours and scene.reply is not Reply.WANTS_LOGIN:
        yield Finding(
            f"container `{registry.container.name}` publishes the registry on {published.bound}, without a login",
            _EFFECT,
            (Sentence("create it again with `-p 127.0.0.1:PORT:5000`"),),
            severity=Severity.WARNING,
        )


def _beyond(registry: Registry, bound: Address) -> Iterator[Finding]:
    """Some virtual machines forward a port of their loopback to all addresses of this machine."""
    addresses = [Address(host, bound.port) for host in own_addresses()]
    urls = [url_of(address, tls=not registry.speaks_plain_http) for address in addresses]
    replies = do_at_once(ask, urls, workers=max(len(urls), 1))
    open_ = [str(address) for address, reply in zip(addresses, replies, strict=True) if reply is not Reply.NONE]
    if open_:
        yield Finding(
            f"the registry is published on {bound} alone, and also answers at {' and '.join(open_)}",
            _EFFECT,
            (Sentence("have the virtual machine of the engine forward ports to 127.0.0.1 only"),),
        )


def own_addresses() -> list[str]:
    """The addresses from which this machine speaks to others; nothing is sent to find them."""
    found = []
    for family, other in _ELSEWHERE:
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as asked:
            asked.connect((other, 9))
            found.append(str(asked.getsockname()[0]))
    return [host for host in found if not Address(host, 0).is_loopback]
