from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from localreg.system.waiting import wait_until
from localreg.tunnels.files import files_of
from localreg.tunnels.keep import control
from localreg.tunnels.keep.control import ControlServer
from localreg.tunnels.ls import ask_tunnels_to, fits, list_tunnels, list_tunnels_to
from localreg.tunnels.spec import TunnelSpec, TunnelStatus

pytestmark = pytest.mark.usefixtures("runtime_folder")


def test_a_process_that_says_nothing_is_unknown(spec: TunnelSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "_ASK_SECONDS", 0.1)
    here = files_of(spec)
    lock = here.claim()
    assert lock is not None
    os.write(lock, spec.to_json().encode())
    server = ControlServer(here.control, lambda _word: str(wait_until(lambda: False, seconds=1)))
    ((_, found),) = list_tunnels()
    assert (found.spec.host, found.state, found.pid) == ("ci@far", "unknown", None)
    server.close()


def test_a_host_is_known_with_and_without_who_logs_in(spec: TunnelSpec) -> None:
    status = TunnelStatus(spec, 1, "open")
    assert fits(status, "ci@far")
    assert fits(status, "far")
    assert not fits(status, "ci")


def test_a_tunnel_whose_spec_says_nothing_can_be_closed(spec: TunnelSpec) -> None:
    here = files_of(spec)
    lock = here.claim()
    assert lock is not None
    assert list_tunnels() == []
    os.write(lock, b"{half a")
    ((found, status),) = list_tunnels()
    assert (found, status.state, status.spec.host) == (here, "unknown", here.spec.stem)
    os.close(lock)


def test_only_the_tunnels_to_a_registry_are_asked(spec: TunnelSpec) -> None:
    other = replace(spec, host="ci@near", registry="other")
    asked = []

    def answer(one: TunnelSpec, word: str) -> str:
        asked.append((one.host, word))
        return TunnelStatus(one, 1, "open").to_json()

    servers = []
    for one in (spec, other):
        lock = files_of(one).claim()
        assert lock is not None
        os.write(lock, one.to_json().encode())
        servers.append(ControlServer(files_of(one).control, lambda word, one=one: answer(one, word)))  # type: ignore[misc]
    assert list_tunnels_to("other") == [other]
    assert asked == []
    assert [(status.spec, status.state) for status in ask_tunnels_to(spec.registry)] == [(spec, "open")]
    assert asked == [(spec.host, control.STATUS)]
    for server in servers:
        server.close()


def test_asking_for_a_registrys_tunnels_makes_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localreg.tunnels.ls.possible_folders", lambda: iter([tmp_path / "localreg"]))
    assert (ask_tunnels_to("registry"), list_tunnels_to("registry")) == ([], [])
    assert list(tmp_path.iterdir()) == []
