"""How a tunnel is kept: what is waited out, what is not, and what is said of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from support.registries.fake import FakeRegistry

from localreg.errors import HostKeyError, LocalregError, PortTakenError, TunnelError
from localreg.system.waiting import wait_until
from localreg.tunnels.files import TunnelFiles
from localreg.tunnels.keep import control, supervisor
from localreg.tunnels.keep.link import Pause, Sight
from localreg.tunnels.keep.supervisor import Supervisor, seconds_until_next
from localreg.tunnels.spec import TunnelSpec, TunnelStatus

PATIENCE = 10


@dataclass
class FakeLink:
    """A way to the far side that breaks when it is told to."""

    failures: list[LocalregError] = field(default_factory=list)
    """What the next attempts end with."""
    sight: Sight = "answers"
    attempts: int = 0
    closes: int = 0
    aborts: int = 0
    notices_its_end: bool = False
    busy: bool = False
    news: Callable[[], None] = lambda: None
    broken: threading.Event = field(default_factory=threading.Event)

    def establish(self, pause: Pause) -> None:
        pause(0)
        self.attempts += 1
        if self.failures:
            raise self.failures.pop(0)
        self.broken.clear()

    def look(self) -> Sight:
        return self.sight

    def has_ended(self) -> bool:
        return self.broken.is_set()

    def ended_because(self) -> str:
        return "the far side hung up"

    def connections(self) -> int:
        return 0

    def is_busy(self) -> bool:
        return self.busy

    def abort(self) -> None:
        self.aborts += 1

    def close(self) -> None:
        self.closes += 1

    def breaks(self, *failures: LocalregError) -> None:
        self.failures += failures
        self.broken.set()
        self.news()


@pytest.fixture
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_FIRST_WAIT", "_PORT_WAIT", "_MOMENT", "_AGAIN", "_LEFT_PORT_SECONDS"):
        monkeypatch.setattr(supervisor, name, getattr(supervisor, name) / 50)


@pytest.fixture
def spec(impatience: None, registry: FakeRegistry) -> TunnelSpec:  # noqa: ARG001 -- for what it does
    return TunnelSpec("ci@far", 5000, "registry", "localhost:5000", registry.base_url)


@dataclass
class Kept:
    link: FakeLink
    files: TunnelFiles
    states: list[TunnelStatus] = field(default_factory=list)
    error: LocalregError | None = None
    thread: threading.Thread | None = None

    def is_in(self, state: str, *, reconnects: int = 0) -> bool:
        return wait_until(
            lambda: bool(self.states) and (self.states[-1].state, self.states[-1].reconnects) == (state, reconnects),
            seconds=PATIENCE,
        )

    def ended(self) -> bool:
        assert self.thread is not None
        self.thread.join(PATIENCE)
        return not self.thread.is_alive()


@contextmanager
def kept(
    spec: TunnelSpec, folder: Path, link: FakeLink, *, is_lost: Callable[[], bool] = lambda: False
) -> Iterator[Kept]:
    found = Kept(link, TunnelFiles(folder / "tunnel-1.json"))

    def make(news: Callable[[], None], _log: Callable[[str], None]) -> FakeLink:
        link.news = news
        return link

    tunnel = Supervisor(spec, found.files, make, changed=found.states.append, log=lambda _: None, is_lost=is_lost)

    def run() -> None:
        try:
            tunnel.run()
        except LocalregError as exc:
            found.error = exc

    found.thread = threading.Thread(target=run)
    found.thread.start()
    try:
        yield found
    finally:
        tunnel.close()
        found.thread.join()


def test_it_opens_and_closes(spec: TunnelSpec, tmp_path: Path) -> None:
    with kept(spec, tmp_path, FakeLink()) as found:
        assert found.is_in("open")
        assert control.ask(found.files.control, control.CLOSE)
        assert found.ended()
    assert found.error is None
    assert found.link.closes == 1
    assert not found.files.control.exists()


def test_what_is_wrong_at_first_is_said(spec: TunnelSpec, tmp_path: Path) -> None:
    for error in (TunnelError("no"), PortTakenError("taken"), HostKeyError("unknown")):
        with kept(spec, tmp_path, FakeLink([error])) as found:
            assert found.ended()
        assert found.error is error
        assert found.link.attempts == 1


def test_after_that_it_is_waited_out(spec: TunnelSpec, tmp_path: Path) -> None:
    with kept(spec, tmp_path, FakeLink()) as found:
        assert found.is_in("open")
        found.link.breaks(TunnelError("refused"), PortTakenError("taken"), TunnelError("refused"))
        assert found.is_in("open", reconnects=1)
    reasons = [status.reason for status in found.states if status.state == "waiting"]
    assert reasons == ["the far side hung up", "refused", "taken", "refused"]
    opened = {status.opened for status in found.states}
    assert len(opened) == 1


def test_another_machine_in_its_place_is_for_a_person(spec: TunnelSpec, tmp_path: Path) -> None:
    with kept(spec, tmp_path, FakeLink()) as found:
        assert found.is_in("open")
        found.link.breaks(HostKeyError("changed"))
        assert found.ended()
    assert isinstance(found.error, HostKeyError)


def test_a_port_is_waited_for_that_a_killed_process_of_ours_may_hold(spec: TunnelSpec, tmp_path: Path) -> None:
    with kept(replace(spec, resumes=True), tmp_path, FakeLink([PortTakenError("taken")] * 3)) as found:
        assert found.is_in("open")
    assert found.link.closes == 1


def test_but_not_for_ever(spec: TunnelSpec, tmp_path: Path) -> None:
    with kept(replace(spec, resumes=True), tmp_path, FakeLink([PortTakenError("taken")] * 1000)) as found:
        assert found.ended()
    assert isinstance(found.error, PortTakenError)
    assert 1 < found.link.attempts < 1000


def test_it_is_not_verified_where_nobody_may_look(spec: TunnelSpec, tmp_path: Path) -> None:
    with kept(spec, tmp_path, FakeLink(sight="prohibited")) as found:
        assert found.is_in("not verified")


def test_nothing_comes_back_at_first(spec: TunnelSpec, tmp_path: Path) -> None:
    with kept(spec, tmp_path, FakeLink(sight="silent")) as found:
        assert found.ended()
    assert isinstance(found.error, TunnelError)
    assert "ci@far" in found.error.message
    assert found.error.hint is not None
    assert "curl http://127.0.0.1:5000/v2/" in found.error.hint


def test_a_way_that_has_fallen_silent_is_made_anew(spec: TunnelSpec, tmp_path: Path) -> None:
    with kept(spec, tmp_path, FakeLink()) as found:
        assert found.is_in("open")
        found.link.sight = "silent"
        control.ask(found.files.control, control.STATUS)
        assert found.is_in("waiting")
        found.link.sight = "answers"
        assert found.is_in("open", reconnects=1)


def test_who_asks_gets_what_is_true_now(spec: TunnelSpec, tmp_path: Path, registry: FakeRegistry) -> None:
    with kept(spec, tmp_path, FakeLink()) as found:
        assert found.is_in("open")
        registry.faults["/v2/"] = "gone"
        told = TunnelStatus.from_json(spec, control.ask(found.files.control, control.STATUS) or "")
        assert told.state == "not answering"
        assert "localhost:5000" in str(told.reason)
        del registry.faults["/v2/"]
        assert found.is_in("open")
    assert found.link.closes == 1


def test_a_machine_that_slept_looks_at_once(spec: TunnelSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jump = 0.0
    monkeypatch.setattr(supervisor, "_clock_difference", lambda: jump)
    monkeypatch.setattr(supervisor, "_NAP", 0.05)
    with kept(spec, tmp_path, FakeLink()) as found:
        assert found.is_in("open")
        found.link.sight = "prohibited"
        assert not wait_until(lambda: found.states[-1].state != "open", seconds=0.3)
        jump = 3600
        assert found.is_in("not verified")


def test_the_wait_grows_with_the_outage() -> None:
    refused, taken = TunnelError("refused"), PortTakenError("taken")
    assert [seconds_until_next(refused, outage) for outage in (0, 2, 15, 10_000)] == [1, 2, 15, 30]
    assert seconds_until_next(taken, 10_000) == 2


@pytest.mark.parametrize(("busy", "state"), [(True, "open"), (False, "not answering")])
def test_a_busy_line_is_not_cut(spec: TunnelSpec, tmp_path: Path, *, busy: bool, state: str) -> None:
    with kept(spec, tmp_path, FakeLink(notices_its_end=True, busy=busy)) as found:
        assert found.is_in("open")
        found.link.sight = "silent"
        told = TunnelStatus.from_json(spec, control.ask(found.files.control, control.STATUS) or "")
        assert told.state == state
        found.link.sight = "answers"
        assert found.is_in("open")
    assert found.link.closes == 1


def test_a_tunnel_that_nobody_could_find_ends(
    spec: TunnelSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_NAP", 0.05)
    with kept(spec, tmp_path, FakeLink(), is_lost=lambda: True) as found:
        assert found.ended()
        # What stands at its paths by now is another's.
        assert (found.link.closes, found.link.aborts) == (0, 1)
    assert found.error is not None
    assert str(tmp_path) in found.error.message
    assert found.error.hint == "localreg tunnel open ci@far"
    assert found.files.control.exists()
