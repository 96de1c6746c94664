"""What a registry's labels say, and whether that is what was asked for."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest
import typer
from support.engines.fake import FakeEngine

from localreg.cli import up
from localreg.engines.common.ports import published_port
from localreg.engines.values import AnonymousMount, Container, ContainerSpec, Endpoint, PublishedPort
from localreg.errors import ConflictError, UsageError
from localreg.images.tag import plan_tag
from localreg.oci.reference import parse_reference
from localreg.registry.container import Registry, host_of
from localreg.registry.options import RegistryOptions, read_options
from localreg.system.address import Address

OPTIONS = RegistryOptions(port=5000, host="127.0.0.1", image="registry:2.8.3", volume="localreg-registry")


@pytest.mark.parametrize(
    ("asked", "differing"),
    [
        (RegistryOptions(), ()),
        (OPTIONS, ()),
        (RegistryOptions(port=5001, host="127.0.0.1"), ("port",)),
        (RegistryOptions(ephemeral=True, volume="x"), ("volume", "ephemeral")),
        (RegistryOptions(image="docker.io/library/registry:2.8.3"), ()),
        (RegistryOptions(image="registry"), ("image",)),
        (RegistryOptions(image="localhost/registry:2.8.3"), ("image",)),
        (RegistryOptions(image="sha256:" + "0" * 64), ("image",)),
    ],
)
def test_only_what_was_asked_for_can_differ(asked: RegistryOptions, differing: tuple[str, ...]) -> None:
    assert asked.differing(OPTIONS) == differing


def test_labels_keep_the_options() -> None:
    assert RegistryOptions.from_json(OPTIONS.to_json()) == OPTIONS
    assert RegistryOptions.from_json('{"port": 1, "of a later release": 2}') == RegistryOptions(port=1)
    for garbage in (None, "", "no JSON", "[]"):
        assert RegistryOptions.from_json(garbage) == RegistryOptions()


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--port", "5001", "--tls", "--auth"),
        ("--host", "192.0.2.1", "--san", "r.lan"),
        ("--image", "registry:2.8.3", "--volume", "v", "--no-tls"),
        ("--ephemeral", "--no-auth"),
    ],
)
def test_the_options_are_words_again(words: tuple[str, ...]) -> None:
    known = typer.main.get_command(up.app)
    given = known.make_context("up", [*words]).params
    options = read_options(
        port=given["port"],
        host=given["host"],
        image=given["image"],
        volume=given["volume"],
        ephemeral=given["ephemeral"],
        tls=given["tls"],
        san=given["san"] or (),
        auth=given["auth"],
    )
    assert options.words == words


def container_with(engine: FakeEngine, *ports: PublishedPort) -> Container:
    engine.add_image("localhost/app:1")
    spec = ContainerSpec("registry", "localhost/app:1", 5000, Address("127.0.0.1", 5000), AnonymousMount("/data"))
    return replace(engine.create_container(spec), ports=ports)


def test_a_container_that_publishes_nothing_gives_no_image_a_name() -> None:
    engine = FakeEngine()
    registry = Registry(container_with(engine))
    with pytest.raises(ConflictError, match="`registry`") as caught:
        plan_tag(engine, registry, "localhost/app:1")
    assert caught.value.hint == "localreg --name OTHER up"
    assert not registry.is_named_by("localhost:5000")


LOCAL = Endpoint("unix:///run/engine.sock")
FAR = Endpoint("tcp://Build.example:2375")


@pytest.mark.parametrize(
    ("host", "endpoint", "names", "others"),
    [
        (
            "127.0.0.1",
            LOCAL,
            ["localhost:5000", "127.0.0.1:5000", "LOCALHOST:5000"],
            ["localhost:5001", "127.0.0.2:5000", "[::1]:5000", "localhost", "ghcr.io", "docker.io", "example.com:5000"],
        ),
        ("::1", LOCAL, ["localhost:5000", "[::1]:5000"], ["127.0.0.1:5000"]),
        ("127.0.0.2", LOCAL, ["127.0.0.2:5000"], ["localhost:5000", "127.0.0.1:5000"]),
        ("192.0.2.7", LOCAL, ["192.0.2.7:5000"], ["localhost:5000", "192.0.2.8:5000"]),
        (
            "",
            LOCAL,
            ["localhost:5000", "127.0.0.1:5000", "[::1]:5000", "127.0.0.9:5000", f"{socket.gethostname()}:5000"],
            ["localhost:5001", "192.0.2.1:5001", "203.0.113.1:5000", "[2001:db8::1]:5000", "example.com:5000"],
        ),
        ("0.0.0.0", FAR, ["localhost:5000", "build.example:5000"], ["127.0.0.9:5000", f"{socket.gethostname()}:5000"]),
        ("127.0.0.1", FAR, ["localhost:5000"], ["build.example:5000"]),
    ],
)
def test_a_reference_names_a_registry_by_each_of_its_own_addresses(
    host: str, endpoint: Endpoint, names: list[str], others: list[str]
) -> None:
    registry = Registry(container_with(FakeEngine(), published_port(5000, host, 5000, endpoint)))
    assert [name for name in (*names, *others) if registry.is_named_by(name)] == names


def test_each_port_that_the_registry_is_published_on_names_it() -> None:
    ports = [published_port(5000, "127.0.0.1", 5007, LOCAL), published_port(5000, "::1", 5008, LOCAL)]
    debug = published_port(5001, "127.0.0.1", 5009, LOCAL)
    registry = Registry(container_with(FakeEngine(), *ports, debug))
    numbers = [number for number in range(5000, 5010) if registry.is_named_by(f"localhost:{number}")]
    assert numbers == [5007, 5008]


@pytest.mark.parametrize(
    ("bound", "image", "complete"),
    [
        ("127.0.0.1", "app:1", "localhost:5000/app:1"),
        ("127.0.0.1", "127.0.0.1:5000/app", "127.0.0.1:5000/app:latest"),
        ("127.0.0.1", "[::1]:5000/app:1", "localhost:5000/app:1"),
        ("", "[::1]:5000/app:1", "[::1]:5000/app:1"),
        ("", f"{socket.gethostname()}:5000/app:1", "localhost:5000/app:1"),
        ("127.0.0.2", "localhost:5000/app:1", "127.0.0.2:5000/app:1"),
        ("127.0.0.1", "localhost:5001/app:1", "localhost:5000/app:1"),
        ("127.0.0.1", "ghcr.io/app:1", "localhost:5000/app:1"),
    ],
)
def test_an_image_keeps_a_loopback_address_of_this_registry(bound: str, image: str, complete: str) -> None:
    registry = Registry(container_with(FakeEngine(), published_port(5000, bound, 5000, LOCAL)))
    assert str(registry.reference_of(parse_reference(image))) == complete


def test_a_reference_keeps_the_address_that_it_names_this_registry_by() -> None:
    registry = Registry(container_with(FakeEngine(), published_port(5000, "127.0.0.1", 5000, LOCAL)))
    assert host_of(registry, parse_reference("app:1")) == "localhost:5000"
    assert host_of(registry, parse_reference("127.0.0.1:5000/app:1")) == "127.0.0.1:5000"
    for other in ("localhost:5001/app:1", "ghcr.io/app", "localhost/app"):
        with pytest.raises(UsageError, match="`localhost:5000`"):
            host_of(registry, parse_reference(other))
