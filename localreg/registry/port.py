"""The port of a new registry: the requested one, else 5000 or the next free one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from localreg.engines.discovery.probe import Answer, SeenContainer
from localreg.errors import PortTakenError
from localreg.registry.container import NAME_LABEL, OPTIONS_LABEL, is_ours
from localreg.registry.defaults import DEFAULT_HOST, DEFAULT_PORT
from localreg.registry.options import RegistryOptions
from localreg.system import ports
from localreg.system.address import LAST_PORT, Address
from localreg.system.command_line import CommandLine
from localreg.system.waiting import wait_until

_UP = CommandLine("up")
_CLOSING = "closed connections in TIME_WAIT, which go within a minute"
_FORWARDER_SECONDS = 1.0
"""How long an engine's port forwarder may live after its container stopped."""


@dataclass(frozen=True, slots=True)
class Claim:
    """An address that a container has, or that a stopped registry of localreg's will have again."""

    address: Address
    who: str
    """The owner, as an error names it."""


@dataclass(frozen=True, slots=True)
class PortClaims:
    """The ports that engines use: those of running containers, and of localreg's registries even if stopped."""

    claims: tuple[Claim, ...] = ()
    taken: frozenset[int] = frozenset()
    """Ports that an engine could not publish, although no owner is visible here."""
    remote: bool = False
    """The ports are on another machine; listeners on this one do not matter."""

    @classmethod
    def of(cls, answers: Iterable[Answer], *, name: str, remote: bool = False) -> PortClaims:
        """Collect the claims on the ports of one machine, without those of the registry `name`."""
        claims = [
            claim
            for answer in answers
            for container in answer.containers
            if answer.endpoint.is_remote is remote and name not in (*container.names, container.labels.get(NAME_LABEL))
            for claim in _claims_of(container, answer.engine.capitalize())
        ]
        return cls(tuple(claims), remote=remote)

    def with_taken(self, port: int) -> PortClaims:
        """These claims, and a port that an engine could not publish."""
        return replace(self, taken=self.taken | {port})

    def find_holder(self, address: Address) -> str | None:
        """The owner of an address, as an error names it; None if it is free."""
        if claim := next((claim for claim in self.claims if claim.address.overlaps(address)), None):
            return claim.who
        holder = None if self.remote else ports.find_holder(address)
        if holder is None and address.port in self.taken:
            is_closing = not self.remote and ports.has_closed_connections(address)
            return _CLOSING if is_closing else "another program"
        return None if holder is None else str(holder)

    def await_forwarder(self, address: Address) -> None:
        """Wait a moment for the port forwarder of a container that has just stopped."""

        def may_go() -> bool:
            holder = ports.find_holder(address)
            return holder is not None and holder.may_be_a_forwarder

        if not self.remote and not any(claim.address.overlaps(address) for claim in self.claims):
            wait_until(lambda: not may_go(), seconds=_FORWARDER_SECONDS)

    def find_namesake(self, address: Address) -> ports.Holder | None:
        """The process on the other loopback address, where `localhost` may lead a client."""
        return None if self.remote else ports.find_namesake(address)

    def holder_of(self, address: Address) -> str:
        """The owner of a port that is in use."""
        return self.find_holder(address) or "another program"

    def next_free(self, address: Address) -> Address:
        """The next address whose port is free on both IPv4 and IPv6.

        Raises:
            PortTakenError: no port is free.
        """
        for port in range(address.port + 1, LAST_PORT + 1):
            candidate = replace(address, port=port)
            if self.find_holder(candidate) is None and self.find_namesake(candidate) is None:
                return candidate
        raise PortTakenError(f"no port above {address.port} is free", hint=CommandLine("up", "--port", "PORT"))


def _claims_of(container: SeenContainer, engine: str) -> Iterator[Claim]:
    who = f"container `{next(iter(container.names), container.id[:12])}` ({engine})"
    if is_ours(container.labels):
        who = f"registry `{container.labels.get(NAME_LABEL)}` ({engine})"
        options = RegistryOptions.from_json(container.labels.get(OPTIONS_LABEL))
        if options.port:
            yield Claim(Address(options.host or DEFAULT_HOST, options.port), who)
    for address in container.published:
        yield Claim(address, who)


@dataclass(frozen=True, slots=True)
class PortChoice:
    """An address to publish on."""

    address: Address
    note: str | None = None
    """A note for the user."""


def choose_port(asked: RegistryOptions, claims: PortClaims, *, command: CommandLine = _UP) -> PortChoice:
    """Choose the address of a new registry.

    A server on the other loopback address also counts, because `localhost` may lead a client to it.

    Args:
        asked: The options that the user gave.
        claims: The ports in use.
        command: The typed command, for the hint.

    Raises:
        PortTakenError: the requested port is in use.
    """
    address = Address(asked.host or DEFAULT_HOST, asked.port or DEFAULT_PORT)
    claims.await_forwarder(address)
    holder = claims.find_holder(address)
    namesake = claims.find_namesake(address)
    if asked.port is not None:
        if holder is not None:
            raise port_taken(address, holder, claims, command=command)
        return PortChoice(address, None if namesake is None else _warning(address, namesake))
    if holder is None and namesake is None:
        return PortChoice(address)
    free = claims.next_free(address)
    who = holder or f"{namesake} on {namesake.address.host if namesake else ''}"
    return PortChoice(free, f"port {address.port} is taken by {who}; using {free.port}")


def port_taken(address: Address, holder: str, claims: PortClaims, *, command: CommandLine) -> PortTakenError:
    """The error for a requested port that is in use; the hint has a free one."""
    return PortTakenError(
        f"port {address.port} on {address.host} is taken by {holder}",
        hint=CommandLine(*command.words, "--port", str(claims.next_free(address).port)),
    )


def _warning(address: Address, namesake: ports.Holder) -> str:
    return (
        f"{namesake} listens on {namesake.address}: `localhost:{address.port}` may lead there; "
        f"use {address} for the registry"
    )
