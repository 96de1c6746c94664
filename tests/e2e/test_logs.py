"""The log: byte for byte, across restarts, into pipes that close."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import select
import signal
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest
from support.engines.real import Bed, docker_alone

from localreg.system.waiting import wait_until

PATIENCE = 30.0


def read_until(process: subprocess.Popen[bytes], wanted: bytes, *, stream: str = "stdout") -> bytes:
    """What a stream says until it says this; fails when it does not in time."""
    pipe = getattr(process, stream)
    seen = b""
    deadline = time.monotonic() + PATIENCE
    while wanted not in seen:
        ready, _, _ = select.select([pipe], [], [], max(deadline - time.monotonic(), 0))
        assert ready, f"{wanted!r} did not come within {PATIENCE} seconds, but {seen!r}"
        data = os.read(pipe.fileno(), 65536)
        assert data, f"the stream ended without {wanted!r}: {seen!r}"
        seen += data
    return seen


def ask(path: str) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:5000{path}") as answer:
        answer.read()


def ask_until_logged(process: subprocess.Popen[bytes], path: str) -> bytes:
    """Ask the registry for a path, numbered, until the log that is being followed shows it; what was shown by then."""
    assert process.stdout is not None
    seen = b""
    deadline = time.monotonic() + PATIENCE
    numbers = itertools.count()
    while path.encode() not in seen:
        assert time.monotonic() < deadline, f"{path} did not come within {PATIENCE} seconds, but {seen!r}"
        with contextlib.suppress(OSError):
            ask(f"{path}{next(numbers)}")
        if select.select([process.stdout], [], [], 0.2)[0]:
            seen += os.read(process.stdout.fileno(), 65536)
    return seen


def both(bed: Bed, *arguments: str) -> str:
    """Both streams of `logs`."""
    result = bed.localreg("logs", *arguments)
    assert result.returncode == 0, result.stderr
    return result.stdout + result.stderr


@pytest.fixture
def speaking(bed: Bed, folder: Path) -> Bed:
    """A container named `registry` that writes to both streams, and bytes that are no text."""
    bed.add_image("localhost/speaker:1", folder)
    options = ["--log-driver", "local"] if bed.program == "docker" else ["--log-driver", "k8s-file"]
    bed.engine_ok("run", "-d", *options, "--name", "registry", "localhost/speaker:1")
    return bed


def test_both_streams_come_apart_and_every_byte_as_it_was(speaking: Bed) -> None:
    with speaking.started("localreg", "--engine", speaking.engine, "logs", "-f") as process:
        out = read_until(process, b"byte\n")
        assert read_until(process, b"stderr\n", stream="stderr") == b"to stderr\n"
    assert out == b"to stdout\nraw \xff byte\n"


def test_tail_since_and_timestamps(bed: Bed) -> None:
    bed.up()
    ask("/v2/")
    assert both(bed, "--tail", "1").count("\n") == 1
    assert both(bed, "--tail", "0") == ""
    assert "GET /v2/" in both(bed, "--since", "10m")
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S* ", both(bed, "-t", "--tail", "1"))
    assert "`yesterday`" in bed.refused(2, "logs", "--since", "yesterday")


def test_following_shows_what_comes_and_goes_on_after_a_restart(bed: Bed) -> None:
    bed.up()
    with bed.started("localreg", "--engine", bed.engine, "logs", "-f", "--tail", "0") as process:
        before = ask_until_logged(process, "/v2/_catalog?first-")
        bed.engine_ok("stop", "-t", "1", "registry")
        bed.up()
        after = ask_until_logged(process, "/v2/_catalog?second-")
        assert not set(before.splitlines()) & set(after.splitlines())
        bed.ok("down")
        assert process.wait(timeout=PATIENCE) == 0
        assert process.stderr is not None
        # The last line says that the container was removed.
        assert b"`registry`" in process.stderr.read().splitlines()[-1]


def test_following_shows_every_run_of_one_that_is_started_again_and_again(bed: Bed, folder: Path) -> None:
    # When it is: each line is another.
    tell = "/bin/busybox cat /proc/uptime"
    bed.add_image("localhost/broken:1", folder, command=f"{tell}; /bin/busybox sleep 1; {tell}; exit 3")
    bed.engine_ok("run", "-d", "--restart", "always", "--name", "registry", "localhost/broken:1")

    def written() -> list[str]:
        return bed.engine_ok("logs", "registry").splitlines()

    with bed.started("localreg", "--engine", bed.engine, "logs", "-f") as process:
        assert wait_until(lambda: len(written()) > 6, seconds=PATIENCE)
        expected = written()
        shown = read_until(process, expected[-1].encode())
    lines = shown.decode().splitlines()
    assert lines[: len(expected)] == expected


def test_ctrl_c_ends_following_with_130(bed: Bed) -> None:
    bed.up()
    ask("/v2/")
    with bed.started("localreg", "--engine", bed.engine, "logs", "-f") as process:
        read_until(process, b"GET /v2/")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=PATIENCE) == 130
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()


@docker_alone
@pytest.mark.parametrize("reader", ["head -n 1", "grep -m1 listening"])
def test_a_reader_that_has_enough_ends_it_without_a_word(bed: Bed, reader: str) -> None:
    bed.up()
    # Far more than a pipe and a reader's buffer hold: what is left is written to a pipe that nobody reads.
    for _ in range(100):
        ask(f"/v2/?{'x' * 8000}")
    assert len(both(bed)) > 500_000
    script = f"localreg --engine {bed.engine} logs 2>&1 | {reader}; echo ${{PIPESTATUS[0]}} >&2"
    result = bed.run("bash", "-c", script)
    assert result.stdout.count("\n") == 1
    assert result.stderr == "0\n"


@docker_alone
def test_the_log_of_a_stopped_registry_can_be_read(bed: Bed) -> None:
    bed.up()
    bed.engine_ok("stop", "registry")
    assert "listening on" in both(bed)


def test_without_a_registry_there_is_no_log(bed: Bed) -> None:
    assert f"hint: localreg --engine {bed.engine} up" in bed.refused(4, "logs")
    error = json.loads(bed.refused(4, "logs", "--json"))["error"]
    assert (error["code"], error["exit_code"]) == ("container-not-found", 4)
