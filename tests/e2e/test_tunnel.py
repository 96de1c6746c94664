"""Another machine pushes to its own loopback, through a real sshd: what arrives, and what becomes of a tunnel."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from e2e.test_logs import read_until
from support import schemas
from support.engines.real import Bed, docker_alone, rootless_podman_alone
from support.tunnels.far_host import ADDRESS, FarHost
from support.tunnels.opened import (
    NOTICING_SOON,
    PATIENCE,
    Tunnels,
    far_docker,
    far_podman,
    image_archive,
    opened_tunnels,
    skopeo_push,
    ssh_config,
)

from localreg.system.waiting import wait_until


@pytest.fixture
def tunnels(bed: Bed, far: FarHost) -> Iterator[Tunnels]:
    with opened_tunnels(bed, far) as found:
        yield found


@pytest.fixture
def on_docker(docker: Bed, far: FarHost) -> Iterator[Tunnels]:
    """Where the engine has no part in it."""
    with opened_tunnels(docker, far) as found:
        yield found


@rootless_podman_alone
def test_what_is_pushed_on_the_far_side_arrives_here(bed: Bed, far: FarHost, folder: Path) -> None:
    archive = image_archive(folder)
    with opened_tunnels(bed, far) as tunnels:
        assert tunnels.open() == f"{far.host}\t127.0.0.1:5000\n"
        assert far.listens() == ["127.0.0.1"]
        assert far.answers()
        before = tunnels.status()
        assert (before["state"], before["reconnects"], before["last_push"]) == ("open", 0, None)
        tunnels.push_with_skopeo(archive)
        found = tunnels.status()
        assert found["last_push"]["reference"] == "app:1"
        assert bed.ok("ls", "-q") == "localhost:5000/app:1\n"
        bed.ok("pull", "app:1", "--as", "localhost/pulled:1")
        assert bed.engine_ok("run", "--rm", "localhost/pulled:1") == "pulled\n"
        assert re.search(r"\bapp:1\b", Path(found["log"]).read_text())
        assert bed.ok("tunnel", "close", ADDRESS) == f"{far.host}\t127.0.0.1:5000\n"
        assert far.listens() == []
        assert tunnels.told() == []
        assert not Path(found["log"]).exists()
        assert f"no tunnel to `{ADDRESS}` is open" in bed.refused(4, "tunnel", "close", ADDRESS)


def test_what_scripts_read_fits_the_schemas(on_docker: Tunnels) -> None:
    opened, again = (schemas.check("tunnel-open", on_docker.open("--json")) for _ in range(2))
    assert (opened["action"], again["action"]) == ("opened", "already open")
    assert schemas.check("tunnel-ls", on_docker.bed.ok("tunnel", "ls", "--json"))["tunnels"] == [again["tunnel"]]
    closed = schemas.check("tunnel-close", on_docker.bed.ok("tunnel", "close", "--all", "--json"))
    assert closed["closed"] == [{"host": on_docker.far.host, "remote": "127.0.0.1:5000"}]


@docker_alone
def test_docker_and_podman_push_from_the_far_side(tunnels: Tunnels, folder: Path) -> None:
    archive = image_archive(folder)
    tunnels.open()
    podman = far_podman(tunnels.far)
    for command in (("load", "-qi", str(archive)), ("tag", "localhost/app:1", "localhost:5000/by-podman:1")):
        subprocess.run([*podman, *command], check=True, capture_output=True)
    subprocess.run([*podman, "push", "-q", "--tls-verify=false", "localhost:5000/by-podman:1"], check=True)
    with far_docker(tunnels.far) as docker:
        for command in (
            ("load", "-qi", str(archive)),
            ("tag", "localhost/app:1", "localhost:5000/by-docker:1"),
            ("push", "-q", "localhost:5000/by-docker:1"),
        ):
            subprocess.run([*docker, *command], check=True, capture_output=True)
    assert tunnels.bed.ok("ls", "-q").split() == ["localhost:5000/by-docker:1", "localhost:5000/by-podman:1"]
    assert tunnels.status()["last_push"]["reference"] == "by-docker:1"


@docker_alone
def test_a_registry_with_tls_is_reached_with_and_without_its_authority(tunnels: Tunnels, folder: Path) -> None:
    archive = image_archive(folder)
    tunnels.bed.ok("up", "--recreate", "--tls")
    tunnels.open()
    assert tunnels.status()["state"] == "open"
    tunnels.push_with_skopeo(archive)
    ca = json.loads(tunnels.bed.ok("status", "--json"))["registry"]["tls"]["ca"]
    (folder / "ca.crt").write_text(ca)
    folder.chmod(0o755)
    asked = ["skopeo", "list-tags", "docker://localhost:5000/app"]
    assert "unknown authority" in tunnels.far.run(*asked).stderr
    assert json.loads(tunnels.far.ok(*asked, f"--cert-dir={folder}"))["Tags"] == ["1"]
    with far_docker(tunnels.far) as docker:
        for command in (("load", "-qi", str(archive)), ("tag", "localhost/app:1", "localhost:5000/by-docker:1")):
            subprocess.run([*docker, *command], check=True, capture_output=True)
        subprocess.run([*docker, "push", "-q", "localhost:5000/by-docker:1"], check=True, capture_output=True)
    assert tunnels.status()["last_push"]["reference"] == "by-docker:1"


@docker_alone
def test_a_tunnel_comes_back_when_sshd_does(tunnels: Tunnels, folder: Path) -> None:
    archive = image_archive(folder)
    tunnels.open()
    tunnels.far.kill_sshd()
    found = tunnels.becomes("waiting")
    # The connection ends in one of several ways, and the daemon may still be going down at the next attempt.
    assert any(word in found["reason"].lower() for word in ("closed", "reset", "refused", "broke")), found["reason"]
    tunnels.far.start_sshd()
    found = tunnels.becomes("open")
    assert found["reconnects"] == 1
    tunnels.push_with_skopeo(archive)
    assert tunnels.bed.ok("ls", "-q") == "localhost:5000/app:1\n"


def test_a_tunnel_comes_back_when_the_link_does(on_docker: Tunnels) -> None:
    on_docker.open(*NOTICING_SOON)
    on_docker.far.cut()
    on_docker.becomes("waiting")
    on_docker.far.mend()
    on_docker.becomes("open")
    assert on_docker.far.answers()


def test_the_port_that_a_dead_session_holds_is_waited_for(on_docker: Tunnels) -> None:
    far = on_docker.far
    on_docker.open(*NOTICING_SOON)
    with on_docker.dead_session():
        pass
    assert wait_until(far.answers, seconds=PATIENCE)
    assert on_docker.becomes("open")["reconnects"] == 1


def test_two_tunnels_do_not_disturb_each_other(on_docker: Tunnels, folder: Path) -> None:
    bed, far = on_docker.bed, on_docker.far
    bed.ok("--name", "other", "up", "--port", "5700")
    on_docker.open()
    bed.ok("--name", "other", *on_docker.arguments, "--remote-port", "5001", "--background")
    archive = image_archive(folder)
    on_docker.push_with_skopeo(archive, "one:1")
    on_docker.push_with_skopeo(archive, "two:1", port=5001)
    assert bed.ok("ls", "-q") == "localhost:5000/one:1\n"
    assert bed.ok("--name", "other", "ls", "-q") == "localhost:5700/two:1\n"
    pushed = [(found["registry"], found["last_push"]["reference"]) for found in on_docker.told()]
    assert pushed == [("localhost:5000", "one:1"), ("localhost:5700", "two:1")]
    assert re.match(r"error: .*\b2\b", bed.refused(2, "tunnel", "close"))
    bed.ok("tunnel", "close", "--all")
    assert far.listens() == far.listens(5001) == []


def test_opened_again_it_is_the_same_tunnel(on_docker: Tunnels) -> None:
    on_docker.open()
    before = on_docker.status()
    on_docker.open()
    assert on_docker.status()["pid"] == before["pid"]


@pytest.mark.parametrize("next_command", [("tunnel", "ls"), ("tunnel", "close", "--all"), ()])
def test_a_killed_process_leaves_no_orphan(on_docker: Tunnels, next_command: tuple[str, ...]) -> None:
    on_docker.open()
    (ssh,) = on_docker.ssh_processes()
    os.kill(on_docker.status()["pid"], signal.SIGKILL)
    assert ssh.is_running()
    if next_command:
        on_docker.bed.ok(*next_command)
        assert on_docker.told() == []
        assert wait_until(lambda: on_docker.far.listens() == [], seconds=5)
    else:
        on_docker.open()
        assert on_docker.far.answers()
    assert not ssh.is_running()


@pytest.mark.waits
def test_a_process_that_does_not_hear_is_ended(on_docker: Tunnels) -> None:
    on_docker.open()
    process = psutil.Process(on_docker.status()["pid"])
    process.suspend()
    on_docker.bed.ok("tunnel", "close")
    assert not process.is_running()


def test_what_a_dead_machine_left_is_not_believed(on_docker: Tunnels) -> None:
    on_docker.open()
    found = on_docker.status()
    files = sorted(Path(found["log"]).parent.glob("tunnel-*"))
    content = {file: file.read_bytes() for file in files if file.is_file()}
    on_docker.bed.ok("tunnel", "close")
    for file, data in content.items():
        file.write_bytes(data)
    (files[0].parent / "tunnel-00000000.json").write_text("{half a")
    assert on_docker.seen() == []
    assert not list(files[0].parent.glob("tunnel-*.json"))


def test_in_the_foreground_it_ends_with_its_terminal(on_docker: Tunnels) -> None:
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)):
        with on_docker.bed.started("localreg", *on_docker.arguments) as process:
            assert read_until(process, b"\n") == f"{on_docker.far.host}\t127.0.0.1:5000\n".encode()
            process.send_signal(number)
            assert process.wait(10) == code
        assert on_docker.ssh_processes() == []
        assert on_docker.far.listens() == []


def test_in_the_foreground_it_tells_what_happens(on_docker: Tunnels) -> None:
    with on_docker.bed.started("localreg", *on_docker.arguments) as process:
        read_until(process, b"\n")
        on_docker.far.kill_sshd()
        read_until(process, b"waiting", stream="stderr")
        on_docker.far.start_sshd()
        read_until(process, b" open", stream="stderr")
        on_docker.bed.ok("tunnel", "close", on_docker.far.host)
        assert process.wait(10) == 0


def test_in_the_background_it_survives_its_terminal(on_docker: Tunnels) -> None:
    bed = on_docker.bed
    # A session of its own, whose leader ends: the kernel hangs up on what is in it.
    line = " ".join([*bed.command(["localreg", *on_docker.arguments, "--background"])])
    subprocess.run(["script", "-qec", line, "/dev/null"], env=bed.environment, check=True, stdin=subprocess.DEVNULL)
    assert on_docker.status()["state"] == "open"
    assert on_docker.far.answers()


def test_whatever_ends_it_nothing_is_left(on_docker: Tunnels) -> None:
    # At the worst moment: `ssh` has just been started, and nobody has put down that it was.
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        with on_docker.bed.started("localreg", *on_docker.arguments) as process:
            assert wait_until(lambda: on_docker.ssh_processes() != [], seconds=PATIENCE)
            process.send_signal(number)
            process.wait(10)
        assert on_docker.ssh_processes() == []
        assert list(Path("/run/localreg").glob("tunnel-*")) == []


def test_under_nohup_it_survives_its_terminal(on_docker: Tunnels) -> None:
    with on_docker.bed.started("nohup", "localreg", *on_docker.arguments) as process:
        read_until(process, b"\n")
        process.send_signal(signal.SIGHUP)
        assert on_docker.status()["state"] == "open"
        on_docker.bed.ok("tunnel", "close")
        assert process.wait(10) == 0


def test_with_no_stream_open_it_is_kept(on_docker: Tunnels) -> None:
    bed = on_docker.bed
    line = " ".join(["localreg", *on_docker.arguments, "--background"])
    bed.run("bash", "-c", f"{line} <&- >&- 2>&-")
    assert on_docker.status()["state"] == "open"
    bed.ok("tunnel", "close")
    bed.run("bash", "-c", f"{line} | true")
    assert on_docker.becomes("open")["reconnects"] == 0


@pytest.mark.waits
def test_one_that_is_being_opened_is_not_open_already(on_docker: Tunnels, folder: Path) -> None:
    bed = on_docker.bed
    ssh = folder / "ssh"
    ssh.write_text("#!/bin/sh\n[ $# -eq 1 ] || sleep 1000\n")
    ssh.chmod(0o755)
    hanging = f"PATH={folder}:{bed.environment['PATH']}"
    with bed.started("env", hanging, "localreg", *on_docker.arguments, "--background", "--json") as first:
        assert wait_until(lambda: [one["state"] for one in on_docker.seen()] == ["connecting"], seconds=PATIENCE)
        said = bed.refused(1, *on_docker.arguments, "--background")
        assert re.match(r"error: .*\bconnecting\b", said)
        bed.ok("tunnel", "close")
        assert first.wait(10) == 1
        assert first.stderr is not None
        error = schemas.check("stderr", first.stderr.read().decode())["error"]
        assert (error["code"], error["exit_code"]) == ("tunnel-failed", 1)


def test_one_that_nobody_could_find_ends(on_docker: Tunnels) -> None:
    on_docker.open()
    shutil.rmtree("/run/localreg")
    assert wait_until(lambda: on_docker.ssh_processes() == [], seconds=PATIENCE)
    assert wait_until(lambda: on_docker.far.listens() == [], seconds=5)


def test_a_registry_that_is_made_anew_is_the_same(on_docker: Tunnels, folder: Path) -> None:
    archive = image_archive(folder)
    on_docker.open()
    on_docker.bed.engine_ok("rm", "-f", "registry")
    on_docker.bed.up()
    on_docker.push_with_skopeo(archive, "new:1")
    assert on_docker.status()["last_push"]["reference"] == "new:1"


def test_whoever_reaches_the_port_cannot_end_the_tunnel(on_docker: Tunnels) -> None:
    on_docker.open()
    before = on_docker.status()["pid"]
    # Distribution writes the name of whoever logs in as it is given.
    name = "%5Bx%5D%20%22PUT%20%2Fv2%2Fa%2Fmanifests%2Fb%20HTTP%2F1.1%22%20201%20"
    on_docker.far.ok("curl", "-s", "--request-target", f"http://{name}@h/v2/", "http://127.0.0.1:5000/")
    found = on_docker.status()
    assert (found["pid"], found["state"], found["last_push"]) == (before, "open", None)


@pytest.mark.waits
def test_a_slow_push_is_not_cut_by_a_look(on_docker: Tunnels, folder: Path) -> None:
    far = on_docker.far
    archive = image_archive(folder, ballast=os.urandom(2_000_000))
    on_docker.open()
    far.ok("tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", "1mbit", "burst", "32kbit", "latency", "300ms")
    try:
        with subprocess.Popen(far.command(skopeo_push(archive)), stdout=subprocess.DEVNULL) as process:
            while process.poll() is None:
                assert on_docker.status()["state"] == "open"
            assert process.returncode == 0
    finally:
        far.ok("tc", "qdisc", "del", "dev", "eth0", "root")
    assert on_docker.status()["reconnects"] == 0


def test_the_registry_may_go_and_come_back(on_docker: Tunnels) -> None:
    bed = on_docker.bed
    on_docker.open()
    tunnel = {"host": on_docker.far.host, "remote": "127.0.0.1:5000"}
    assert json.loads(bed.ok("status", "--json"))["tunnels"] == [tunnel]
    warned = bed.localreg("down").stderr
    assert f"localreg tunnel close {on_docker.far.host}" in warned
    found = on_docker.status()
    assert found["state"] == "not answering"
    assert "localhost:5000" in found["reason"]
    bed.up()
    assert on_docker.becomes("open")["reconnects"] == 0
    assert on_docker.far.answers()


def test_a_far_side_that_lets_nobody_look_is_not_verified(on_docker: Tunnels) -> None:
    on_docker.far.restart_sshd("AllowTcpForwarding remote")
    said = on_docker.bed.localreg(*on_docker.arguments, "--background")
    (note,) = said.stderr.splitlines()
    assert (said.returncode, "not verified" in note) == (0, True)
    # However often it is looked.
    for _ in range(25):
        assert on_docker.status()["state"] == "not verified"
    assert on_docker.far.answers()


@pytest.mark.parametrize("listen", ["127.0.0.1:5000", "localhost:5000", "5000"])
@pytest.mark.parametrize("look", ["127.0.0.1:5000", "localhost:5000"])
def test_a_key_may_be_restricted_to_the_port_in_each_spelling(on_docker: Tunnels, listen: str, look: str) -> None:
    """The rights are compared as text."""
    restrict(on_docker, f'permitlisten="{listen}",permitopen="{look}"')
    on_docker.open()
    assert on_docker.status()["state"] == "open"
    assert "127.0.0.1" in on_docker.far.listens()
    assert on_docker.far.answers()


def test_a_name_does_not_lead_past_a_port_that_is_used(on_docker: Tunnels) -> None:
    """For sshd it would be enough to listen on the other address of the name."""
    restrict(on_docker, 'permitlisten="localhost:5000",permitopen="localhost:5000"')
    listener = on_docker.far.command(["python3", "-m", "http.server", "5000", "--bind", "127.0.0.1"])
    with subprocess.Popen(listener, stderr=subprocess.DEVNULL) as process:
        assert wait_until(lambda: on_docker.far.listens() != [], seconds=PATIENCE)
        assert "port 5000" in on_docker.bed.refused(5, *on_docker.arguments, "--background")
        process.kill()


def restrict(tunnels: Tunnels, rights: str) -> None:
    """Let the key do no more."""
    public = tunnels.key.with_suffix(".pub").read_text()
    line = f'command="/bin/false",restrict,port-forwarding,{rights} {public}'
    (tunnels.far.folder / "authorized_keys").write_text(line)


@pytest.mark.parametrize("address", ["0.0.0.0", ADDRESS])
def test_an_exposed_port_is_reached_from_outside(on_docker: Tunnels, address: str) -> None:
    on_docker.far.restart_sshd("GatewayPorts clientspecified")
    said = on_docker.bed.localreg(*on_docker.arguments, "--background", "--bind", address, "--expose")
    assert said.returncode == 0
    assert re.match(rf"warning: .*\b{re.escape(address)}\b", said.stderr)
    assert on_docker.far.host in said.stderr
    assert on_docker.far.listens() == [address]
    assert on_docker.status()["state"] == "open"


def test_another_machine_in_its_place_ends_a_tunnel(on_docker: Tunnels) -> None:
    on_docker.open()
    on_docker.far.kill_sshd()
    on_docker.far.change_host_key()
    log = Path(on_docker.status()["log"])
    on_docker.far.start_sshd()
    # Nobody goes on by himself here, also not in the background: a person has to look.
    assert wait_until(lambda: on_docker.seen() == [], seconds=PATIENCE)
    assert "`ssh-keygen -R`" in log.read_text()


def test_a_machine_is_reached_at_another_port(on_docker: Tunnels) -> None:
    known = Path("/etc/ssh/ssh_known_hosts")
    known.write_text(f"{known.read_text()}[{ADDRESS}]:2222 {on_docker.far.host_key.with_suffix('.pub').read_text()}")
    on_docker.far.restart_sshd("Port 22", "Port 2222")
    on_docker.open("-p", "2222")
    assert on_docker.far.answers()
    assert on_docker.bed.ok("tunnel", "close") != ""
    url = f"ssh://root@{ADDRESS}:2222"
    on_docker.bed.ok("tunnel", "open", url, "--identity", str(on_docker.key), "--background")
    assert on_docker.far.answers()


def test_the_users_ssh_configuration_counts(on_docker: Tunnels) -> None:
    far, bed = on_docker.far, on_docker.bed
    config = (
        f"Host near\n  HostName {ADDRESS}\n  User root\n  IdentityFile {on_docker.key}\n"
        f"Host build\n  HostName localhost\n  HostKeyAlias {ADDRESS}\n  ProxyJump near\n  User root\n"
        f"  IdentityFile {on_docker.key}\n"
        # What is not for a tunnel is left out, and does not keep it from being opened.
        "  LocalForward 22 localhost:1\n  RemoteCommand date\n  ControlMaster auto\n  ControlPersist yes\n"
    )
    with ssh_config(config):
        bed.ok("tunnel", "open", "build", "--background")
        assert far.answers()
        bed.ok("tunnel", "close", "build")
        assert far.listens() == []
        assert on_docker.ssh_processes() == []


@pytest.mark.waits
def test_a_push_that_was_cut_is_whole_the_second_time(on_docker: Tunnels, folder: Path) -> None:
    bed, far = on_docker.bed, on_docker.far
    archive = image_archive(folder, ballast=os.urandom(500_000_000))
    on_docker.open(*NOTICING_SOON)
    with subprocess.Popen(
        far.command(skopeo_push(archive)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        assert wait_until(lambda: far.sent() > 100_000_000, seconds=60)
        assert process.poll() is None
        far.cut()
        on_docker.becomes("waiting")
        far.mend()
        on_docker.becomes("open")
        assert process.wait(60) != 0
    assert bed.ok("ls", "-q") == ""
    on_docker.push_with_skopeo(archive)
    bed.ok("pull", "app:1", "--as", "localhost/pulled:1")
    assert bed.engine_ok("run", "--rm", "localhost/pulled:1") == "pulled\n"


def test_a_program_makes_the_tunnel(on_docker: Tunnels, folder: Path) -> None:
    bed, far = on_docker.bed, on_docker.far
    archive = image_archive(folder)
    command = f"ssh -N -i {on_docker.key} -R 127.0.0.1:5000:127.0.0.1:{{port}} -L 5600:127.0.0.1:5000 {far.host}"
    opened = bed.localreg(
        "tunnel", "open", "--command", command, "--probe-url", "http://127.0.0.1:5600", "--background"
    )
    assert opened.returncode == 0
    assert re.match("warning: .*`ssh`", opened.stderr)
    on_docker.push_with_skopeo(archive)
    found = on_docker.status()
    assert (found["host"], found["state"], found["last_push"]["reference"]) == ("ssh", "open", "app:1")
    far.kill_sshd()
    on_docker.becomes("waiting")
    far.start_sshd()
    assert on_docker.becomes("open")["reconnects"] == 1
    bed.ok("tunnel", "close", "ssh")
    assert wait_until(lambda: far.listens() == [], seconds=5)


def test_what_a_program_started_ends_with_the_tunnel(on_docker: Tunnels, folder: Path) -> None:
    bed, far = on_docker.bed, on_docker.far
    ssh = f"ssh -N -i {on_docker.key} -R 127.0.0.1:5000:127.0.0.1:$1 -L 5600:127.0.0.1:5000 {far.host}"
    program = folder / "program"
    program.write_text(f"#!/bin/sh\ntrap '' TERM INT\nsetsid sleep 4321 &\n{ssh} &\nwhile :; do sleep 1; done\n")
    program.chmod(0o755)
    command = ("tunnel", "open", "--command", f"{program} {{port}}", "--probe-url", "http://127.0.0.1:5600")

    def is_left() -> bool:
        return any("4321" in one.info["cmdline"] for one in psutil.process_iter(["cmdline"]) if one.info["cmdline"])

    with bed.started("localreg", *command) as process:
        read_until(process, b"\n")
        assert is_left()
        # Twice: who waits for a program that will not end tries again.
        for _ in range(2):
            process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    assert not is_left()
    assert wait_until(lambda: far.listens() == [], seconds=5)


def test_there_is_no_tunnel_without_a_registry(docker: Bed, far: FarHost) -> None:
    key = far.let_in(docker)
    arguments = ("tunnel", "open", far.host, "--identity", str(key), "--background")
    assert "hint: localreg --engine docker up\n" in docker.refused(4, *arguments)
    docker.up()
    docker.engine_ok("stop", "-t", "0", "registry")
    assert "is stopped" in docker.refused(6, *arguments)
    assert list(Path("/run/localreg").glob("tunnel-*.json")) == []
