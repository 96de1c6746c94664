"""Which process has the registry's port."""

from __future__ import annotations

from collections.abc import Iterator

from localreg.doctor.check import NotNeededError, NotPossibleError
from localreg.doctor.finding import Finding
from localreg.doctor.scene import Scene
from localreg.registry.container import Registry
from localreg.registry.defaults import DEFAULT_HOST, DEFAULT_PORT
from localreg.registry.port import PortClaims
from localreg.system import ports
from localreg.system.address import Address
from localreg.system.command_line import CommandLine, Sentence


def check_port(scene: Scene) -> Iterator[Finding]:
    """Find the process that listens at the registry's address, if that is not the registry."""
    if scene.engine.info().remote:
        raise NotNeededError("the port is on another machine")
    registry = scene.registry
    address = _address_of(registry)
    if address is None:
        raise NotPossibleError("the registry publishes no port")
    if not registry.container.is_running:
        yield from _taken(scene, registry, address)
    elif not scene.reply.is_ready:
        yield from _instead(registry, address)


def _address_of(registry: Registry) -> Address | None:
    if registry.published is not None:
        return registry.published.bound
    options = registry.options
    return Address(options.host or DEFAULT_HOST, options.port or DEFAULT_PORT) if registry.is_ours else None


def _taken(scene: Scene, registry: Registry, address: Address) -> Iterator[Finding]:
    """Another program has the port of a stopped registry."""
    answers = scene.survey.answers if scene.survey else ()
    claims = PortClaims.of(answers, name=scene.name)
    holder = claims.find_holder(address)
    if holder is None:
        return
    free = claims.next_free(address).port
    recreation = CommandLine("up", "--recreate", "--port", str(free))
    yield Finding(
        f"port {address.port} of the registry is taken by {holder}",
        "the registry cannot start",
        (Sentence("stop that program, or give the registry another port:"), recreation)
        if registry.is_ours
        else (Sentence("stop that program"),),
    )


def _instead(registry: Registry, address: Address) -> Iterator[Finding]:
    """Something else answers, or nothing, at the port of a running registry."""
    holder = ports.find_holder(address)
    if holder is None:
        yield Finding(
            f"nothing listens on {address}, which the engine says that it publishes",
            "no client on this machine reaches the registry",
            (CommandLine("up", "--recreate"),) if registry.is_ours else (),
        )
    elif not holder.may_be_a_forwarder:
        yield Finding(
            f"{holder} listens on {address}, and not the registry",
            "clients on this machine reach that program instead",
            (
                Sentence("stop that program, then have the port published again:"),
                CommandLine("up", "--recreate"),
            ),
        )
