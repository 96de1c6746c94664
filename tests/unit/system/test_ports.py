from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator

import psutil
import pytest

from localreg.system.address import Address
from localreg.system.ports import Holder, find_holder, find_namesake, has_closed_connections


@pytest.fixture
def listening() -> Iterator[Address]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield Address("127.0.0.1", server.getsockname()[1])


def test_a_listening_process_is_named_with_its_pid(listening: Address) -> None:
    holder = find_holder(listening)
    assert holder == Holder(listening, psutil.Process().name(), os.getpid())
    assert str(os.getpid()) in str(holder)


def test_a_free_port_has_no_holder() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = Address("127.0.0.1", unused.getsockname()[1])
    assert find_holder(address) is None


def leave_connection() -> Address:
    """Leave a connection in TIME_WAIT at an address: the server closes it first."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = Address("127.0.0.1", server.getsockname()[1])
        with socket.create_connection((address.host, address.port)) as client:
            server.accept()[0].close()
            assert client.recv(1) == b""
    return address


def test_a_port_with_nothing_but_closed_connections_is_free_for_most(listening: Address) -> None:
    address = leave_connection()
    assert find_holder(address) is None
    assert has_closed_connections(address)
    assert not has_closed_connections(listening)


def test_a_listener_on_one_address_is_in_the_way_of_all_addresses(listening: Address) -> None:
    assert find_holder(Address("0.0.0.0", listening.port)) is not None


def test_a_listener_on_another_address_is_not_in_the_way(listening: Address) -> None:
    assert find_holder(Address("127.0.0.2", listening.port)) is None


def test_a_server_on_the_other_loopback_is_a_namesake() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        port = server.getsockname()[1]
        assert find_holder(Address("127.0.0.1", port)) is None
        namesake = find_namesake(Address("127.0.0.1", port))
    assert namesake is not None
    assert namesake.address == Address("::1", port)
    assert namesake.pid == os.getpid()


def test_an_address_of_another_machine_is_the_engines_business() -> None:
    assert find_holder(Address("192.0.2.1", 5000)) is None


def test_a_process_that_cannot_be_seen_is_somebody_elses() -> None:
    said = str(Holder(Address("127.0.0.1", 5000)))
    assert said
    assert not re.search(r"None|`|\d", said)


def test_airplay_and_debians_service_are_explained() -> None:
    assert "AirPlay" in str(Holder(Address("127.0.0.1", 5000), "ControlCenter", 7))
    assert "systemctl stop docker-registry" in str(Holder(Address("127.0.0.1", 5000), "docker-registry", 7))
