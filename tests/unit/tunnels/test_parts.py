"""The parts of a tunnel: what is asked for, where its files are, what `ssh` says, what a log tells."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from localreg.engines.common.ports import published_port
from localreg.engines.values import Container, ContainerState, Endpoint, TlsFiles
from localreg.errors import HostKeyError, TunnelError, UsageError
from localreg.registry.container import Registry
from localreg.system.waiting import wait_until
from localreg.tunnels import files
from localreg.tunnels import ls as listing
from localreg.tunnels.files import MARK, files_of, iter_tunnel_files, wait_for_end
from localreg.tunnels.keep import control, program
from localreg.tunnels.keep import process as keeper
from localreg.tunnels.keep.control import ControlServer
from localreg.tunnels.keep.pushes import last_push
from localreg.tunnels.open import check_request, plan_program, plan_ssh
from localreg.tunnels.spec import LogSource, Push, TunnelSpec, TunnelStatus
from localreg.tunnels.ssh.messages import explain, far_address, spoken

SPEC = TunnelSpec("ci@far", 5000, "registry", "localhost:5000", "http://127.0.0.1:5000")


@pytest.fixture(autouse=True)
def _runtime_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # The paths of sockets have to be short.
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield


@pytest.mark.parametrize(
    "spec",
    [
        SPEC,
        replace(SPEC, ssh_options=("Port=22",), command=("a", "b"), resumes=True, identity="/k"),
        replace(SPEC, log=LogSource("podman", Endpoint("unix:///x", private=True), "c0ffee")),
        replace(SPEC, log=LogSource("docker", Endpoint("tcp://x:1", tls=TlsFiles(Path("/ca"), None, None)), "c0ffee")),
    ],
)
def test_a_spec_is_read_as_it_was_written(spec: TunnelSpec) -> None:
    assert TunnelSpec.from_json(spec.to_json()) == spec


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"log": 1}', '{"host": "x", "log": null}'])
def test_what_is_no_spec_is_none(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- which one does not matter
        TunnelSpec.from_json(text)
    with pytest.raises(ValueError):  # noqa: PT011
        TunnelStatus.from_json(SPEC, text)


def test_a_status_is_read_as_it_was_written() -> None:
    status = TunnelStatus(SPEC, 42, "waiting", "refused", reconnects=3, last_push=Push("app:1", "2026-01-31T12:00:00Z"))
    assert TunnelStatus.from_json(SPEC, status.to_json()) == status


def test_one_process_at_a_time_keeps_a_tunnel() -> None:
    here = files_of(SPEC)
    lock = here.claim()
    assert lock is not None
    assert here.claim() is None
    assert stat.S_IMODE(here.spec.stat().st_mode) == 0o600
    os.close(lock)
    assert here.claim() is not None
    assert files_of(replace(SPEC, remote_port=5001)) != here


def test_a_lock_on_a_file_that_was_removed_counts_for_nothing() -> None:
    here = files_of(SPEC)
    first = here.claim()
    assert first is not None
    here.remove()
    second = here.claim()
    assert second is not None
    assert os.fstat(second).st_ino == here.spec.stat().st_ino


def test_what_a_killed_process_left_is_ended_and_removed() -> None:
    here = files_of(SPEC)
    here.spec.write_text(SPEC.to_json())
    for path in (here.control, here.master, here.back):
        path.touch()
    marked = {**os.environ, MARK: str(here.spec)}
    foreign = {**os.environ, MARK: str(files_of(replace(SPEC, host="ci@other")).spec)}
    command = [sys.executable, "-c", "import signal; signal.pause()"]
    with (
        subprocess.Popen(command, env=marked) as orphan,
        subprocess.Popen(command, env=foreign) as bystander,
    ):
        try:
            assert list(iter_tunnel_files()) == []
            # Whoever waited first has its exit code.
            orphan.wait(5)
            assert bystander.poll() is None
        finally:
            orphan.kill()
            bystander.kill()
    assert list(here.spec.parent.glob("tunnel-*")) == []


def test_a_process_that_will_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_END_SECONDS", 0.2)
    here = files_of(SPEC)
    code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); signal.pause()"
    with subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, MARK: str(here.spec)}, stdout=subprocess.PIPE
    ) as orphan:
        assert orphan.stdout is not None
        orphan.stdout.readline()
        try:
            here.end_processes()
            orphan.wait(5)
        finally:
            orphan.kill()


def test_a_tunnel_that_does_not_end_is_not_waited_for_in_vain() -> None:
    here = files_of(SPEC)
    lock = here.claim()
    assert lock is not None
    assert not wait_for_end(here, seconds=0.1)
    os.close(lock)
    assert wait_for_end(here, seconds=0.1)


def test_a_word_is_answered_and_nobody_is_no_answer(tmp_path: Path) -> None:
    path = tmp_path / "x.sock"
    assert control.ask(path, "status") is None
    server = ControlServer(path, lambda word: f"you said {word}")
    assert control.ask(path, "status") == "you said status\n"
    server.close()
    assert control.ask(path, "status") is None
    assert not path.exists()


def test_a_process_that_says_nothing_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "_ASK_SECONDS", 0.1)
    here = files_of(SPEC)
    lock = here.claim()
    assert lock is not None
    os.write(lock, SPEC.to_json().encode())
    server = ControlServer(here.control, lambda _word: str(wait_until(lambda: False, seconds=1)))
    ((_, found),) = listing.list_tunnels()
    assert (found.spec.host, found.state, found.pid) == ("ci@far", "unknown", None)
    server.close()


def test_a_host_is_known_with_and_without_who_logs_in() -> None:
    status = TunnelStatus(SPEC, 1, "open")
    assert listing.fits(status, "ci@far")
    assert listing.fits(status, "far")
    assert not listing.fits(status, "ci")


ACCESS = (
    b'10.0.2.100 - - [25/Nov/2026:03:40:52 +0000] "PUT /v2/team/app/manifests/1.2 HTTP/1.1" 201 0 "" "skopeo"\n'
    b'10.0.2.100 - - [25/Nov/2026:03:40:53 +0000] "PUT /v2/app/manifests/2 HTTP/1.1" 400 0 "" "skopeo"\n'
    b'10.0.2.100 - - [25/Nov/2026:03:40:53 +0000] "GET /v2/app/manifests/2 HTTP/1.1" 200 0 "" "skopeo"\n'
)


def test_a_push_is_a_manifest_that_was_taken_in() -> None:
    assert last_push([ACCESS[:50], ACCESS[50:]]) == Push("team/app:1.2", "2026-11-25T03:40:52+00:00")
    assert last_push([]) is None
    by_digest = ACCESS.replace(b"1.2", b"sha256:" + b"a" * 64)
    assert last_push([by_digest]) == Push(f"team/app@sha256:{'a' * 64}", "2026-11-25T03:40:52+00:00")


@pytest.mark.parametrize(
    ("lines", "kind", "fact", "cure"),
    [
        (
            ["debug1: Server host key: ssh-ed25519 SHA256:abc", "Host key verification failed."],
            HostKeyError,
            "far",
            "ssh far",
        ),
        (
            ["@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @", "Host key verification failed."],
            HostKeyError,
            "far",
            "`ssh-keygen -R`",
        ),
        (
            ["root@far: Permission denied (publickey,password)."],
            TunnelError,
            "publickey,password",
            "--identity",
        ),
        (
            ["command-line: line 0: Bad configuration option: foo"],
            UsageError,
            "command-line: line 0: Bad configuration option: foo",
            "man ssh_config",
        ),
        (
            ["ssh: connect to host far port 22: Connection refused"],
            TunnelError,
            "Connection refused",
            "ssh far",
        ),
        (
            ["ssh: Could not resolve hostname far: Name or service not known"],
            TunnelError,
            "Could not resolve hostname far: Name or service not known",
            "ssh far",
        ),
        (["debug1: nothing else"], TunnelError, "far", "ssh far"),
    ],
)
def test_what_ssh_says_is_explained(lines: list[str], kind: type[Exception], fact: str, cure: str) -> None:
    error = explain(["OpenSSH_9.2p1 Debian", "debug1: Reading configuration data", *lines], "far")
    assert type(error) is kind
    assert fact in error.message
    assert kind is UsageError or re.search(r"\bfar\b", error.message)
    assert cure in str(error.hint)
    # The debug lines of `ssh -v` are not for the user.
    assert "debug1" not in error.message
    assert "port 22" not in error.message


def test_what_ssh_would_not_say_without_being_asked_is_left_out() -> None:
    assert spoken("Timeout, server far not responding.")
    assert not any(map(spoken, ["debug1: x", "", "OpenSSH_9.2p1", "Authenticated to far ([1.2.3.4]:22) using x."]))


@pytest.mark.parametrize(
    ("line", "address"),
    [
        ('Authenticated to far ([192.0.2.7]:22) using "publickey".', "192.0.2.7"),
        ('Authenticated to far ([2001:db8::7]:22) using "publickey".', "2001:db8::7"),
        ('debug1: Authenticated to far (via proxy) using "publickey".', "far"),
        ("debug1: something", None),
    ],
)
def test_where_ssh_got_to_is_in_what_it_says(line: str, address: str | None) -> None:
    assert far_address(["debug1: x", line]) == address


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
        ("", None, None, "``", "localreg tunnel open USER@HOST"),
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


def test_a_log_that_has_grown_too_long_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "_LONGEST_LOG", 100)
    log = tmp_path / "x.log"
    for number in range(20):
        keeper.write_log(log, f"line {number}")
    assert len(log.read_text()) < 150
    assert log.read_text().endswith("line 19\n")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_a_spec_of_another_release_is_read() -> None:
    assert TunnelSpec.from_json(json.dumps({**json.loads(SPEC.to_json()), "more": 1})) == SPEC


def test_a_tunnel_whose_spec_says_nothing_can_be_closed() -> None:
    here = files_of(SPEC)
    lock = here.claim()
    assert lock is not None
    assert listing.list_tunnels() == []
    os.write(lock, b"{half a")
    ((found, status),) = listing.list_tunnels()
    assert (found, status.state, status.spec.host) == (here, "unknown", here.spec.stem)
    os.close(lock)


def test_what_looks_like_a_push_in_a_log_does_no_harm() -> None:
    line = b'10.0.0.1 - - [25/Nov/2026:09:38:09 +0000] "PUT /v2/app/manifests/1 HTTP/1.1" 201 0\n'
    for forged in (
        b'10.0.0.1 - [x] "PUT /v2/a/manifests/b HTTP/1.1" 201  [25/Nov/2026:09:38:10 +0000] "GET /v2/ HTTP/1.1" 200\n',
        line.replace(b"25/Nov", b"99/Nov"),
        line.replace(b"app", b"a\xffpp"),
        line.replace(b"app", b"a\x1b[31m"),
        line.replace(b" - - ", b" - me "),
    ):
        found = last_push([line, forged])
        assert found is not None
        assert found.reference == "app:1"


def test_a_banner_is_not_a_word_of_ssh() -> None:
    shaken = ["debug1: Server host key: ssh-ed25519 SHA256:x", "debug1: SSH2_MSG_NEWKEYS sent"]
    refusal = ["Host key verification failed.", "ci@far: Permission denied (publickey)."]
    assert isinstance(explain([*shaken, *refusal], "far"), TunnelError)
    # A jump host has come so far, and what is behind it has not.
    behind = explain([*shaken, shaken[0].replace("SHA256:x", "SHA256:y"), refusal[0]], "far")
    assert isinstance(behind, HostKeyError)
    assert "SHA256:y" in behind.details[0]


@pytest.mark.parametrize(
    "url", ["http://x:99999", "http://[::1", "http://me:s3cret@x", "http://x/?token=1", "ftp://x", "x"]
)
def test_what_is_no_url_to_look_at_is_refused(registry: Registry, url: str) -> None:
    with pytest.raises(UsageError) as caught:
        plan_program(registry, None, command="x", probe_url=url)
    assert "s3cret" not in f"{caught.value.message} {caught.value.hint}"


def test_an_answer_that_drips_in_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "_LOOK_SECONDS", 0.3)
    given_up = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
                wait_until(lambda: given_up.is_set() or connection.send(b"x") == 0, seconds=30)

        threading.Thread(target=drip, daemon=True).start()
        spec = replace(SPEC, command=("x",), probe_url=f"http://127.0.0.1:{listener.getsockname()[1]}")
        link = program.ProgramLink(spec, files_of(spec), news=lambda: None, log=lambda _: None)
        began = time.monotonic()
        # The second does not wait for the first.
        assert [link.look(), link.look()] == ["silent", "silent"]
        # Far less than the answer takes, and enough for a busy machine.
        assert time.monotonic() - began < 15
        given_up.set()


SIGNALLED_ELSEWHERE = """
import os, signal, sys, threading
from localreg.cli.tunnel.keep import _stops

stops = _stops()
main = threading.get_ident()
never = threading.Lock()
never.acquire()

def listen():
    print(next(stops), flush=True)
    os._exit(0)

def send():
    # Its last line: it waits, and has no more to do before that.
    while sys._current_frames()[main].f_lineno != int(sys.argv[1]):
        pass
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
    never.acquire()

for work in (listen, send):
    threading.Thread(target=work, daemon=True).start()
never.acquire(timeout=60)
"""


def test_a_signal_is_heard_though_the_main_thread_waits_and_is_not_woken() -> None:
    last_line = str(len(SIGNALLED_ELSEWHERE.splitlines()))
    command = [sys.executable, "-c", SIGNALLED_ELSEWHERE, last_line]
    heard = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert heard.stdout == f"{signal.SIGTERM.value}\n"
