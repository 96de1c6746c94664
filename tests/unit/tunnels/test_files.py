"""Where a tunnel's files are, and the lock on them."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from dataclasses import replace

import pytest

from localreg.tunnels import files
from localreg.tunnels.files import MARK, files_of, iter_tunnel_files, wait_for_end
from localreg.tunnels.spec import TunnelSpec

pytestmark = pytest.mark.usefixtures("runtime_folder")


def test_one_process_at_a_time_keeps_a_tunnel(spec: TunnelSpec) -> None:
    here = files_of(spec)
    lock = here.claim()
    assert lock is not None
    assert here.claim() is None
    assert stat.S_IMODE(here.spec.stat().st_mode) == 0o600
    os.close(lock)
    assert here.claim() is not None
    assert files_of(replace(spec, remote_port=5001)) != here


def test_a_lock_on_a_file_that_was_removed_counts_for_nothing(spec: TunnelSpec) -> None:
    here = files_of(spec)
    first = here.claim()
    assert first is not None
    here.remove()
    second = here.claim()
    assert second is not None
    assert os.fstat(second).st_ino == here.spec.stat().st_ino


def test_what_a_killed_process_left_is_ended_and_removed(spec: TunnelSpec) -> None:
    here = files_of(spec)
    here.spec.write_text(spec.to_json())
    for path in (here.control, here.master, here.back):
        path.touch()
    marked = {**os.environ, MARK: str(here.spec)}
    foreign = {**os.environ, MARK: str(files_of(replace(spec, host="ci@other")).spec)}
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


def test_a_process_that_will_not_end_is_killed(spec: TunnelSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_END_SECONDS", 0.2)
    here = files_of(spec)
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


def test_a_tunnel_that_does_not_end_is_not_waited_for_in_vain(spec: TunnelSpec) -> None:
    here = files_of(spec)
    lock = here.claim()
    assert lock is not None
    assert not wait_for_end(here, seconds=0.1)
    os.close(lock)
    assert wait_for_end(here, seconds=0.1)
