"""Tunnels that cannot be opened, on a real sshd; the engine plays no part."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.engines.real import Bed
from support.faults.table import Fault, fault
from support.tunnels.far_host import ADDRESS, FarHost
from support.tunnels.opened import PATIENCE, Tunnels, ssh_config, tunnels_to

from localreg.system.waiting import wait_until

pytestmark = pytest.mark.together

HOST = f"root@{ADDRESS}"
OPEN = f"tunnel open {HOST} --identity {{key}}"
EXPOSED = f"{OPEN} --bind {{address}} --expose"


@pytest.fixture
def tunnels(docker_with_registry: Bed, far: FarHost) -> Iterator[Tunnels]:
    with tunnels_to(docker_with_registry, far) as found:
        yield found


def shown_by(tunnels: Tunnels, shown: Fault, *, address: str = "", command: str = "", fingerprint: str = "") -> None:
    shown.by(tunnels.bed, key=tunnels.key, address=address, command=command, fingerprint=fingerprint)
    assert tunnels.told() == []


@fault("host-key-unknown", OPEN, code="host-key", facts=[HOST, "{fingerprint}", f"hint: ssh {HOST}\n"])
def test_an_unknown_machine_is_not_trusted(tunnels: Tunnels, shown: Fault) -> None:
    tunnels.far.forget()
    shown_by(tunnels, shown, fingerprint=tunnels.far.fingerprint())


@fault(
    "host-key-not-kept",
    OPEN,
    code="host-key",
    facts=[HOST, "StrictHostKeyChecking=ask", "--ssh-option UserKnownHostsFile=~/.ssh/known_hosts"],
)
def test_a_machine_whose_key_is_not_kept(tunnels: Tunnels, shown: Fault, folder: Path) -> None:
    tunnels.far.forget()
    with ssh_config("StrictHostKeyChecking yes\nUserKnownHostsFile /dev/null\n"):
        shown.by(tunnels.bed, key=tunnels.key)
        # What it says works: as a person who says yes.
        error = tunnels.bed.refused(1, *tunnels.arguments)
        command = error.splitlines()[-1].removeprefix("hint: ").replace("~", str(folder))
        says_yes = folder / "yes"
        says_yes.write_text("#!/bin/sh\necho yes\n")
        says_yes.chmod(0o755)
        asking = {"SSH_ASKPASS": str(says_yes), "SSH_ASKPASS_REQUIRE": "force"}
        (folder / ".ssh").mkdir()
        tunnels.bed.run("sh", "-c", command, env=asking)
        (option,) = re.findall("--ssh-option (\\S+?):", error)
        tunnels.open("--ssh-option", option.replace("~", str(folder)))
        assert tunnels.status()["state"] == "open"


@fault("host-key-changed", OPEN, code="host-key", facts=[HOST, "{fingerprint}", "known_hosts:", "ssh-keygen -R"])
def test_a_machine_with_another_key_is_not_trusted(tunnels: Tunnels, shown: Fault) -> None:
    tunnels.far.kill_sshd()
    tunnels.far.change_host_key()
    tunnels.far.start_sshd()
    shown_by(tunnels, shown, fingerprint=tunnels.far.fingerprint())


@fault("login-refused", OPEN, code="tunnel-failed", facts=[HOST, "publickey", "hint: ssh-add", "--identity FILE"])
def test_a_login_that_is_refused(tunnels: Tunnels, shown: Fault) -> None:
    tunnels.far.let_nobody_in()
    shown_by(tunnels, shown)


@fault("sshd-not-running", OPEN, code="tunnel-failed", facts=[HOST, "connection refused", f"hint: ssh {HOST}\n"])
def test_no_sshd(tunnels: Tunnels, shown: Fault) -> None:
    tunnels.far.kill_sshd()
    shown_by(tunnels, shown)


@fault(
    "host-name-unknown",
    "tunnel open nosuch.invalid",
    code="tunnel-failed",
    facts=["could not resolve hostname nosuch.invalid"],
)
def test_an_unknown_host_name(tunnels: Tunnels, shown: Fault) -> None:
    shown_by(tunnels, shown)


FORBIDDEN = [HOST, "5000", "sshd_config", "`AllowTcpForwarding yes`", "`PermitListen`"]


@fault("forwarding-not-allowed", OPEN, code="tunnel-failed", facts=FORBIDDEN)
@fault("forwarding-disabled", OPEN, code="tunnel-failed", facts=FORBIDDEN)
@fault("port-not-permitted", OPEN, code="tunnel-failed", facts=FORBIDDEN)
def test_forwarding_that_the_other_machine_forbids(tunnels: Tunnels, faults: tuple[Fault, ...]) -> None:
    lines = ("AllowTcpForwarding no", "DisableForwarding yes", "PermitListen 5099")
    for line, shown in zip(lines, faults, strict=True):
        tunnels.far.restart_sshd(line)
        shown_by(tunnels, shown)
        assert tunnels.far.listens() == []


@fault(
    "gateway-ports-yes",
    OPEN,
    code="tunnel-failed",
    facts=[HOST, "`GatewayPorts yes`", "`GatewayPorts clientspecified`", "--bind 0.0.0.0 --expose"],
)
def test_a_machine_that_exposes_each_forwarded_port(tunnels: Tunnels, shown: Fault) -> None:
    tunnels.far.restart_sshd("GatewayPorts yes")
    shown_by(tunnels, shown)
    assert tunnels.far.listens() == []


LOOPBACK_ONLY = [HOST, "`GatewayPorts no`", "`GatewayPorts clientspecified`", "--bind"]


@fault("gateway-ports-no", EXPOSED, code="tunnel-failed", facts=LOOPBACK_ONLY)
@fault("gateway-ports-no-one-address", EXPOSED, code="tunnel-failed", facts=LOOPBACK_ONLY)
def test_a_machine_that_listens_on_loopback_only(tunnels: Tunnels, faults: tuple[Fault, ...]) -> None:
    for address, shown in zip(("0.0.0.0", ADDRESS), faults, strict=True):
        shown_by(tunnels, shown, address=address)
        assert tunnels.far.listens() == []


@fault("bind-without-expose", f"{OPEN} --bind 0.0.0.0", code="usage", facts=["--bind 0.0.0.0", HOST, "--expose"])
def test_an_exposed_address_without_expose(tunnels: Tunnels, shown: Fault) -> None:
    shown_by(tunnels, shown)


@fault("remote-port-used", OPEN, code="port-taken", facts=["5000", "127.0.0.1", HOST, "--remote-port 5001"])
def test_a_port_that_is_used_on_the_other_machine(tunnels: Tunnels, shown: Fault) -> None:
    listener = tunnels.far.command(["python3", "-m", "http.server", "5000", "--bind", "127.0.0.1"])
    with subprocess.Popen(listener, stderr=subprocess.DEVNULL) as process:
        assert wait_until(lambda: tunnels.far.listens() != [], seconds=PATIENCE)
        shown_by(tunnels, shown)
        process.kill()


@fault(
    "tunnel-with-other-options",
    f"{OPEN} --ssh-option Compression=yes",
    code="conflict",
    facts=["5000", HOST, f"tunnel close {HOST}"],
)
def test_another_tunnel_is_open(tunnels: Tunnels, shown: Fault) -> None:
    tunnels.open()
    shown.by(tunnels.bed, key=tunnels.key)


@fault("identity-missing", f"tunnel open {HOST} --identity nosuch", code="usage", facts=["`nosuch`", "--identity"])
@fault(
    "ssh-option-unknown", f"{OPEN} --ssh-option Foo=1", code="usage", facts=["`ssh`", "Bad configuration option: foo"]
)
@fault("ssh-option-reserved", f"{OPEN} --ssh-option BatchMode=no", code="usage", facts=["`BatchMode`"])
def test_invalid_options(tunnels: Tunnels, faults: tuple[Fault, ...]) -> None:
    for shown in faults:
        shown_by(tunnels, shown)


BY_PROGRAM = "tunnel open --command '{command}' --probe-url http://127.0.0.1:5600 --background"


@fault("tunnel-program-missing", BY_PROGRAM, code="tunnel-failed", facts=["`nosuch`", "no such file or directory"])
@fault("tunnel-program-exits", BY_PROGRAM, code="tunnel-failed", facts=["`sh`", "exit code 3", "no account"])
def test_a_program_that_opens_no_tunnel(tunnels: Tunnels, faults: tuple[Fault, ...]) -> None:
    commands = ("nosuch {port}", 'sh -c "echo no account; exit 3"')
    for command, shown in zip(commands, faults, strict=True):
        shown_by(tunnels, shown, command=command)
