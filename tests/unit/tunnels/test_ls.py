from __future__ import annotations

import os

import pytest

from localreg.system.waiting import wait_until
from localreg.tunnels.files import files_of
from localreg.tunnels.keep import control
from localreg.tunnels.keep.control import ControlServer
from localreg.tunnels.ls import fits, list_tunnels
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
