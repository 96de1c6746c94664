"""What a tunnel is planned from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from localreg.engines.common.ports import published_port
from localreg.engines.values import Container, ContainerState, Endpoint
from localreg.errors import UsageError
from localreg.registry.container import Registry
from localreg.tunnels.open import check_request, plan_program, plan_ssh
from localreg.tunnels.spec import TunnelSpec


@pytest.fixture
def registry() -> Registry:
    ports = (published_port(5000, "0.0.0.0", 5001, Endpoint("unix:///x")),)
    return Registry(
        Container("c0ffee", "registry", "registry:2.8.3", ContainerState.RUNNING, {}, ports, (), None, None, None)
    )


def planned(registry: Registry, **options: Any) -> TunnelSpec:
    usual: dict[str, Any] = {
        "host": "ci@far",
        "remote_port": 5000,
        "bind": "loopback",
        "expose": False,
        "identity": None,
        "ssh_options": (),
    }
    return plan_ssh(registry, None, **{**usual, **options})


def test_the_far_side_listens_on_loopback(registry: Registry) -> None:
    found = planned(registry)
    assert (found.bind, found.target, found.location) == ("127.0.0.1", "127.0.0.1:5001", "localhost:5001")
    assert planned(registry, bind="localhost") == found
    assert planned(registry, bind="::1").remote == "[::1]:5000"
    assert planned(registry, bind="0.0.0.0", expose=True).exposed


@pytest.mark.parametrize(
    ("options", "facts", "cure"),
    [
        ({"bind": "0.0.0.0"}, ["--bind 0.0.0.0", "--expose", "ci@far"], "tunnel open ci@far"),
        ({"bind": "192.0.2.7"}, ["--bind 192.0.2.7", "--expose", "ci@far"], "tunnel open ci@far"),
        ({"bind": "far", "expose": True}, ["`far`"], "--bind loopback"),
        ({"expose": True}, ["--expose", "--bind"], "--bind 0.0.0.0 --expose"),
        ({"identity": Path("/no/key")}, ["`/no/key`"], "--identity "),
        ({"ssh_options": ("Port",)}, ["`Port`", "KEY=VALUE"], "--ssh-option Port=2222"),
        ({"ssh_options": ("Port 22=1",)}, ["`Port 22=1`", "KEY=VALUE"], "--ssh-option Port=2222"),
        ({"ssh_options": ("batchmode=no",)}, ["`batchmode`"], "localreg tunnel open --help"),
        ({"ssh_options": ("ControlPath=/x",)}, ["`ControlPath`"], "localreg tunnel open --help"),
        ({"ssh_options": ("RemoteForward=1 x:1",)}, ["`RemoteForward`"], "localreg tunnel open --help"),
    ],
)
def test_what_makes_no_sense_is_refused(
    registry: Registry, options: dict[str, Any], facts: list[str], cure: str
) -> None:
    with pytest.raises(UsageError) as caught:
        planned(registry, **options)
    assert all(fact in caught.value.message for fact in facts)
    assert cure in str(caught.value.hint)


@pytest.mark.parametrize(
    ("host", "command", "probe_url", "fact", "hint"),
    [
        (None, None, None, "", "localreg tunnel open USER@HOST"),
        ("far", "ngrok", "https://x", "--command", "localreg tunnel open --help"),
        ("-oProxyCommand=x", None, None, "`-oProxyCommand=x`", "localreg tunnel open USER@HOST"),
        ("far away", None, None, "`far away`", "localreg tunnel open USER@HOST"),
        ("", None, None, "an empty value", "localreg tunnel open USER@HOST"),
        ("ssh://me:secret@far", None, None, "password", "localreg tunnel open USER@HOST"),
        ("ssh://::1", None, None, "URL", "localreg tunnel open USER@HOST"),
        (None, "ngrok", None, "--probe-url", "--probe-url"),
        ("far", None, "https://x", "--command", "--probe-url"),
    ],
)
def test_a_tunnel_needs_a_host_or_a_program(
    host: str | None, command: str | None, probe_url: str | None, fact: str, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        check_request(host, command, probe_url)
    assert fact in caught.value.message
    assert hint in str(caught.value.hint)


def test_a_program_is_told_the_port(registry: Registry) -> None:
    found = plan_program(registry, None, command="ngrok http '{port}'", probe_url="https://me.example/")
    assert (found.command, found.host, found.remote) == (("ngrok", "http", "5001"), "ngrok", "https://me.example/")


@pytest.mark.parametrize(
    ("command", "probe_url", "fact"),
    [
        ("", "https://x", "--command"),
        ("a 'b", "https://x", "`a 'b`"),
        ("a", "me.example", "`me.example`"),
        ("a", "ftp://x", "`ftp://x`"),
    ],
)
def test_a_program_that_is_none_is_refused(registry: Registry, command: str, probe_url: str, fact: str) -> None:
    with pytest.raises(UsageError, match=fact):
        plan_program(registry, None, command=command, probe_url=probe_url)


@pytest.mark.parametrize(
    "url",
    [
        "http://x:99999",
        "http://[::1",
        "http://me:s3cret@x",
        "http://me:s3cret@x/?a=1",
        "http://me:s3cret@x:99999",
        "http://x/?token=1",
        "ftp://x",
        "x",
    ],
)
def test_what_is_no_url_to_look_at_is_refused(registry: Registry, url: str) -> None:
    with pytest.raises(UsageError) as caught:
        plan_program(registry, None, command="x", probe_url=url)
    assert "s3cret" not in f"{caught.value.message} {caught.value.hint}"
