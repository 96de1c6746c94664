"""Which port a new registry gets, by what the engines say of theirs."""

from __future__ import annotations

import contextlib
import socket

import pytest

from localreg.engines.discovery.probe import Answer, SeenContainer
from localreg.engines.values import Endpoint
from localreg.errors import PortTakenError
from localreg.registry.container import labels_of
from localreg.registry.options import RegistryOptions
from localreg.registry.port import PortClaims, choose_port
from localreg.system import ports
from localreg.system.address import Address

LOCAL = Endpoint("unix:///var/run/docker.sock")
REMOTE = Endpoint("tcp://192.0.2.7:2375")


@pytest.fixture
def port() -> int:
    """A port of this machine that nobody listens on, nor on the next."""
    while True:
        with socket.socket() as held, socket.socket() as following:
            held.bind(("127.0.0.1", 0))
            number = int(held.getsockname()[1])
            with contextlib.suppress(OSError, OverflowError):
                following.bind(("127.0.0.1", number + 1))
                return number


def answer(endpoint: Endpoint, *containers: SeenContainer) -> Answer:
    return Answer("docker", endpoint, containers, has_volume=False)


def running(name: str, port: int) -> SeenContainer:
    return SeenContainer("0" * 64, (name,), {}, (Address("127.0.0.1", port),))


def stopped_registry(name: str, port: int) -> SeenContainer:
    labels = labels_of(name, asked=RegistryOptions(), options=RegistryOptions(port=port))
    return SeenContainer("1" * 64, (name,), labels, ())


def test_a_port_that_a_container_holds_is_not_given_away(port: int) -> None:
    claims = PortClaims.of([answer(LOCAL, running("web", port))], name="registry")
    with pytest.raises(PortTakenError, match="`web`") as caught:
        choose_port(RegistryOptions(port=port), claims)
    assert "Docker" in caught.value.message
    assert caught.value.hint == f"localreg up --port {port + 1}"


def test_nor_the_port_of_a_registry_of_ours_that_is_stopped(port: int) -> None:
    claims = PortClaims.of([answer(LOCAL, stopped_registry("other", port))], name="registry")
    with pytest.raises(PortTakenError, match="`other`"):
        choose_port(RegistryOptions(port=port), claims)


def test_but_the_registrys_own_port_is_its_own(port: int) -> None:
    claims = PortClaims.of([answer(LOCAL, stopped_registry("registry", port))], name="registry")
    assert choose_port(RegistryOptions(port=port), claims).address.port == port


@pytest.mark.parametrize("remote", [False, True])
def test_the_ports_of_another_machine_are_no_ports_of_this_one(port: int, remote: bool) -> None:  # noqa: FBT001
    answers = [answer(LOCAL if remote else REMOTE, running("web", port))]
    claims = PortClaims.of(answers, name="registry", remote=remote)
    assert choose_port(RegistryOptions(port=port), claims).address.port == port


def test_what_listens_here_holds_no_port_of_a_remote_engine() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        asked = RegistryOptions(port=server.getsockname()[1])
        assert choose_port(asked, PortClaims(remote=True)).address.port == asked.port
        with pytest.raises(PortTakenError):
            choose_port(asked, PortClaims())


def test_a_port_that_an_engine_cannot_publish_is_named_for_what_it_has(port: int) -> None:
    claims = PortClaims().with_taken(port)
    assert claims.find_holder(Address("127.0.0.1", port)) == "another program"
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = Address("127.0.0.1", server.getsockname()[1])
        with socket.create_connection((address.host, address.port)) as client:
            server.accept()[0].close()
            assert client.recv(1) == b""
    assert "TIME_WAIT" in str(PortClaims().with_taken(address.port).find_holder(address))


def test_a_forwarder_that_is_about_to_go_is_waited_for(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    address = Address("127.0.0.1", port)
    seen = iter([ports.Holder(address, "rootlessport", 1), ports.Holder(address, "rootlessport", 1)])
    monkeypatch.setattr(ports, "find_holder", lambda asked: next(seen, None) if asked == address else None)
    assert choose_port(RegistryOptions(port=port), PortClaims()).address == address


def test_one_that_stays_holds_the_port_and_no_other_is_waited_for(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    free = port + 20
    asked_for: list[int] = []

    def find_holder(address: Address) -> ports.Holder | None:
        asked_for.append(address.port)
        return ports.Holder(address, "rootlessport", 1) if port <= address.port < free else None

    monkeypatch.setattr(ports, "find_holder", find_holder)
    with pytest.raises(PortTakenError) as caught:
        choose_port(RegistryOptions(port=port), PortClaims())
    assert caught.value.hint == f"localreg up --port {free}"
    # Each of the others is looked at once, on this loopback and on the other.
    assert asked_for.count(port) > 2
    assert asked_for.count(port + 1) <= 2


def test_nobody_is_waited_for_whose_container_is_known(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    asked_for: list[Address] = []

    def find_holder(address: Address) -> ports.Holder | None:
        asked_for.append(address)
        return ports.Holder(address, "docker-proxy", 1) if address.port == port else None

    monkeypatch.setattr(ports, "find_holder", find_holder)
    claims = PortClaims.of([answer(LOCAL, running("web", port))], name="registry")
    with pytest.raises(PortTakenError, match="`web`"):
        choose_port(RegistryOptions(port=port), claims)
    assert Address("127.0.0.1", port) not in asked_for
