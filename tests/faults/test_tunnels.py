"""What keeps a tunnel from being opened, on a real sshd; the engine has no part in it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
from beds import Bed
from far_host import ADDRESS, FarHost
from fault_table import Fault, fault
from tunnels import PATIENCE, Tunnels, opened_tunnels

from localreg.system.waiting import wait_until

OPEN = f"tunnel open root@{ADDRESS} --identity {{key}}"
EXPOSED = f"{OPEN} --bind {{address}} --expose"


@pytest.fixture
def tunnels(docker: Bed, far: FarHost) -> Iterator[Tunnels]:
    with opened_tunnels(docker, far) as found:
        yield found


def shown_by(tunnels: Tunnels, shown: Fault, *, address: str = "", command: str = "") -> str:
    said = shown.by(tunnels.bed, key=tunnels.key, address=address, command=command)
    assert tunnels.told() == []
    return said


@fault("the other machine is not known", OPEN, code=1, says="is not known yet, and localreg does not accept one")
def test_a_machine_that_is_not_known_is_not_trusted(tunnels: Tunnels, shown: Fault) -> None:
    tunnels.far.forget()
    said = shown_by(tunnels, shown)
    assert tunnels.far.fingerprint() in said
    assert f"hint: ssh {tunnels.far.host}\n" in said


@fault("the other machine shows another key than before", OPEN, code=1, says="another machine may answer in its place")
def test_another_machine_in_its_place_is_not_trusted(tunnels: Tunnels, shown: Fault) -> None:
    tunnels.far.kill_sshd()
    tunnels.far.change_host_key()
    tunnels.far.start_sshd()
    shown_by(tunnels, shown)


@fault("the other machine does not take the key", OPEN, code=1, says="does not let this user in: it takes publickey")
def test_a_key_that_is_not_taken(tunnels: Tunnels, shown: Fault) -> None:
    tunnels.far.let_nobody_in()
    assert "hint: ssh-add" in shown_by(tunnels, shown)


@fault("sshd does not run there", OPEN, code=1, says="`ssh` does not get to root@10.77.0.2: Connection refused")
def test_no_sshd(tunnels: Tunnels, shown: Fault) -> None:
    tunnels.far.kill_sshd()
    shown_by(tunnels, shown)


@fault(
    "there is no machine of that name",
    "tunnel open nosuch.invalid",
    code=1,
    says="Could not resolve hostname nosuch.invalid",
)
def test_no_such_machine(tunnels: Tunnels, shown: Fault) -> None:
    shown_by(tunnels, shown)


FORBIDDEN = "does not let this user forward port 5000"


@fault("forwarding is forbidden there (`AllowTcpForwarding no`)", OPEN, code=1, says=FORBIDDEN)
@fault("the same (`DisableForwarding yes`)", OPEN, code=1, says=FORBIDDEN)
@fault("the port is not allowed there (`PermitListen 5099`)", OPEN, code=1, says=FORBIDDEN)
def test_what_is_forbidden_there(tunnels: Tunnels, faults: tuple[Fault, ...]) -> None:
    lines = ("AllowTcpForwarding no", "DisableForwarding yes", "PermitListen 5099")
    for line, shown in zip(lines, faults, strict=True):
        tunnels.far.restart_sshd(line)
        shown_by(tunnels, shown)
        assert tunnels.far.listens() == []


@fault(
    "the other machine would listen on every address (`GatewayPorts yes`)",
    OPEN,
    code=1,
    says="would let everybody who reaches it push: its sshd has `GatewayPorts yes`",
)
def test_a_machine_that_exposes_what_is_forwarded(tunnels: Tunnels, shown: Fault) -> None:
    tunnels.far.restart_sshd("GatewayPorts yes")
    shown_by(tunnels, shown)
    assert tunnels.far.listens() == []


ON_LOOPBACK = "lets nobody but itself reach the port: its sshd has `GatewayPorts no`"


@fault("it listens on loopback only, not on every address (`GatewayPorts no`)", EXPOSED, code=1, says=ON_LOOPBACK)
@fault("the same, where one address was asked for", EXPOSED, code=1, says=ON_LOOPBACK)
def test_a_machine_that_does_not_expose_what_shall_be(tunnels: Tunnels, faults: tuple[Fault, ...]) -> None:
    for address, shown in zip(("0.0.0.0", ADDRESS), faults, strict=True):
        shown_by(tunnels, shown, address=address)
        assert tunnels.far.listens() == []


@fault(
    "an address that others reach, without --expose",
    f"{OPEN} --bind 0.0.0.0",
    code=2,
    says="--bind 0.0.0.0 lets everybody who reaches root@10.77.0.2 push",
)
def test_an_address_that_others_reach(tunnels: Tunnels, shown: Fault) -> None:
    shown_by(tunnels, shown)


@fault("somebody else has the port there", OPEN, code=5, says="port 5000 on 127.0.0.1 of root@10.77.0.2 is taken")
def test_a_port_that_is_taken_there(tunnels: Tunnels, shown: Fault) -> None:
    listener = tunnels.far.command(["python3", "-m", "http.server", "5000", "--bind", "127.0.0.1"])
    with subprocess.Popen(listener, stderr=subprocess.DEVNULL) as process:
        assert wait_until(lambda: tunnels.far.listens() != [], seconds=PATIENCE)
        assert "--remote-port 5001" in shown_by(tunnels, shown)
        process.kill()


@fault(
    "a tunnel to that port is open, with other options",
    f"{OPEN} --ssh-option Compression=yes",
    code=5,
    says="a tunnel to port 5000 of root@10.77.0.2 is open already, with other options",
)
def test_another_tunnel_is_open(tunnels: Tunnels, shown: Fault) -> None:
    tunnels.open()
    said = shown.by(tunnels.bed, key=tunnels.key)
    assert f"tunnel close {tunnels.far.host}" in said


@fault("the key is not there", f"tunnel open root@{ADDRESS} --identity nosuch", code=2, says="the key `nosuch` is not")
@fault("`ssh` knows no such option", f"{OPEN} --ssh-option Foo=1", code=2, says="`ssh` does not take an option")
@fault(
    "the option is not the user's to set", f"{OPEN} --ssh-option BatchMode=no", code=2, says="sets `BatchMode` itself"
)
def test_options_that_are_none(tunnels: Tunnels, faults: tuple[Fault, ...]) -> None:
    for shown in faults:
        shown_by(tunnels, shown)


BY_PROGRAM = "tunnel open --command '{command}' --probe-url http://127.0.0.1:5600 --background"


@fault("there is no such program", BY_PROGRAM, code=1, says="cannot run `nosuch`: no such file or directory")
@fault("the program ends", BY_PROGRAM, code=1, says="`sh` ended with exit code 3")
def test_a_program_that_makes_no_tunnel(tunnels: Tunnels, faults: tuple[Fault, ...]) -> None:
    commands = ("nosuch {port}", 'sh -c "echo no account; exit 3"')
    for command, shown in zip(commands, faults, strict=True):
        shown_by(tunnels, shown, command=command)
