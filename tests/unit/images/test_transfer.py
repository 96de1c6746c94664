"""A push that stands still is made once more, and only once."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from datetime import datetime

import pytest
from support.engines.fake import FakeEngine
from support.registries.fake import FakeRegistry

from localreg.engines.values import (
    AnonymousMount,
    ContainerSpec,
    EngineInfo,
    Image,
    LogChunk,
    Progress,
    Stream,
    TransferState,
)
from localreg.errors import EngineError
from localreg.images import watchdog
from localreg.images.transfer import push_steps
from localreg.oci.access import Credentials
from localreg.oci.reference import parse_reference
from localreg.registry.container import Registry
from localreg.system.address import Address

ASKED = b'10.88.0.1 - - [26/Nov/2026:04:57:29 +0000] "HEAD /v2/app/blobs/sha256:aa HTTP/1.1" 404 0 "" "x"\n'
BEGUN = b'10.88.0.1 - - [26/Nov/2026:04:57:29 +0000] "POST /v2/app/blobs/uploads/ HTTP/1.1" 202 0 "" "x"\n'


LAYER = "0123456789ab"


class LoggedEngine(FakeEngine):
    """An engine in which every container has the same log."""

    def __init__(self, info: EngineInfo | None = None, *, log: bytes) -> None:
        super().__init__(info)
        self._log = log

    def read_logs(
        self,
        container_id: str,
        *,
        follow: bool = False,
        tail: int | None = None,
        since: datetime | None = None,
        timestamps: bool = False,
        only: Stream | None = None,
    ) -> Iterator[LogChunk]:
        del container_id, follow, tail, since, timestamps, only
        yield LogChunk("stdout", self._log)


class StandingEngine(LoggedEngine):
    """An engine that goes no further with its first pushes than to ask the registry for a blob."""

    def __init__(self, *, times: int, log: bytes, pushes_may_stick: bool = True) -> None:
        super().__init__(EngineInfo("podman", "0.0.0", "fake:", pushes_may_stick=pushes_may_stick), log=log)
        self._left = times
        self._looks = threading.Semaphore(0)
        self.pushes = 0
        self.hides_images: list[EngineError | None] = []
        """What is said instead of an image."""
        self.may_go_on = threading.Event()

    def close(self) -> None:
        self.may_go_on.set()

    def await_looks(self, times: int) -> None:
        """Wait until it was asked so often whether it still answers."""
        for _ in range(times):
            assert self._looks.acquire(timeout=20)

    def find_image(self, reference: str) -> Image | None:
        for answer in self.hides_images:
            if answer is not None:
                raise answer
            return None
        return super().find_image(reference)

    def is_answering(self) -> bool:
        self._looks.release()
        return super().is_answering()

    def push_image(self, reference: str, *, plain_http: bool, login: Credentials | None = None) -> Iterator[Progress]:
        self.pushes += 1
        if self._left:
            self._left -= 1
            yield Progress(LAYER)
            self.may_go_on.wait()
        yield from super().push_image(reference, plain_http=plain_http, login=login)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(watchdog, "PATIENCE_SECONDS", 0.1)


def steps_of(
    engine: FakeEngine, fake: FakeRegistry, *, notify: Callable[[str], None] = lambda _: None
) -> Iterator[Progress]:
    """The steps of a push of `app:1` to a registry that answers."""
    address = Address("127.0.0.1", int(fake.base_url.rpartition(":")[2]))
    engine.add_image("registry:2.8.3")
    container = engine.create_container(
        ContainerSpec("registry", "registry:2.8.3", 5000, address, AnonymousMount("/data"))
    )
    registry = Registry(container)
    reference = registry.reference_of(parse_reference("app:1"))
    engine.add_image(str(reference))
    engine.registries[registry.get_location()] = {}
    return push_steps(engine, registry, reference, notify=notify)


def test_one_that_stands_still_is_made_once_more(registry: FakeRegistry) -> None:
    with contextlib.closing(StandingEngine(times=1, log=ASKED)) as engine:
        steps = list(steps_of(engine, registry))
    assert engine.pushes == 2
    assert [(step.layer, step.state) for step in steps[:2]] == [
        (LAYER, TransferState.RUNNING),
        (LAYER, TransferState.RETRYING),
    ]
    assert steps[-1].digest


def test_the_second_is_waited_for(registry: FakeRegistry) -> None:
    with contextlib.closing(StandingEngine(times=2, log=ASKED)) as engine:
        steps = steps_of(engine, registry)
        for state in (TransferState.RUNNING, TransferState.RETRYING, TransferState.RUNNING):
            assert next(steps) == Progress(LAYER, state)
        waiter = threading.Thread(target=lambda: ended.extend(steps))
        ended: list[Progress] = []
        waiter.start()
        engine.await_looks(50)
        assert (waiter.is_alive(), engine.pushes) == (True, 2)
        engine.may_go_on.set()
        waiter.join()
    assert ended[-1].digest


@pytest.mark.parametrize(
    ("log", "pushes_may_stick"),
    [(ASKED + BEGUN, True), (b"", True), (ASKED, False)],
    ids=["on its way", "no log", "an engine that does not do that"],
)
def test_one_of_which_that_is_not_certain_is_waited_for(
    registry: FakeRegistry, log: bytes, *, pushes_may_stick: bool
) -> None:
    with contextlib.closing(StandingEngine(times=1, log=log, pushes_may_stick=pushes_may_stick)) as engine:
        steps = steps_of(engine, registry)
        assert next(steps) == Progress(LAYER)
        waiter = threading.Thread(target=lambda: ended.extend(steps))
        ended: list[Progress] = []
        waiter.start()
        engine.await_looks(50)
        assert (waiter.is_alive(), engine.pushes) == (True, 1)
        engine.may_go_on.set()
        waiter.join()
    assert ended[-1].digest


@pytest.mark.parametrize("answer", [None, EngineError("no answer")], ids=["gone", "no answer"])
def test_one_of_an_image_whose_size_is_not_told_is_waited_for(
    registry: FakeRegistry, answer: EngineError | None
) -> None:
    with contextlib.closing(StandingEngine(times=1, log=ASKED)) as engine:
        steps = steps_of(engine, registry)
        next(steps)
        engine.hides_images = [answer]
        waiter = threading.Thread(target=lambda: ended.extend(steps))
        ended: list[Progress] = []
        waiter.start()
        engine.await_looks(50)
        assert (waiter.is_alive(), engine.pushes) == (True, 1)
        engine.hides_images = []
        engine.may_go_on.set()
        waiter.join()
    assert ended[-1].digest


HALF_WRITTEN = b'level=error err.code=unknown err.detail="invalid checksum digest format" err.message="unknown error"\n'


class MeetingEngine(LoggedEngine):
    """An engine whose first pushes fail with what the registry told the engine, or wrote into its log."""

    def __init__(self, said: str, log: bytes = b"", *, times: int = 1) -> None:
        super().__init__(log=log)
        self._said = [said] * times
        self.pushes = 0

    def push_image(self, reference: str, *, plain_http: bool, login: Credentials | None = None) -> Iterator[Progress]:
        self.pushes += 1
        yield Progress(LAYER)
        if self._said:
            raise EngineError("the push failed", details=["errors:", self._said.pop()])
        yield from super().push_image(reference, plain_http=plain_http, login=login)


@pytest.mark.parametrize(
    ("said", "log"),
    [
        ("digest invalid", b""),
        ("manifest blob unknown: blob unknown to registry", b""),
        ("500 Internal Server Error", HALF_WRITTEN),
    ],
)
def test_a_push_that_met_another_one_is_tried_once_more(registry: FakeRegistry, said: str, log: bytes) -> None:
    engine = MeetingEngine(said, log)
    steps = list(steps_of(engine, registry))
    assert engine.pushes == 2
    assert Progress(LAYER, TransferState.RETRYING) in steps
    assert steps[-1].digest


REFUSED = "manifest blob unknown: blob unknown to registry"


def test_a_push_that_met_a_collection_is_tried_three_times_and_that_is_said(registry: FakeRegistry) -> None:
    engine, notes = MeetingEngine(REFUSED, times=2), list[str]()
    steps = list(steps_of(engine, registry, notify=notes.append))
    assert (engine.pushes, len(notes)) == (3, 2)
    assert notes[0].endswith("/app:1`: blob unknown to registry; pushing it again")
    assert steps[-1].digest


def test_a_push_that_is_refused_each_time_fails_as_the_last_one(registry: FakeRegistry) -> None:
    engine, notes = MeetingEngine(REFUSED, times=4), list[str]()
    with pytest.raises(EngineError) as failed:
        list(steps_of(engine, registry, notify=notes.append))
    assert (engine.pushes, len(notes), failed.value.details) == (3, 2, ("errors:", REFUSED))


def test_a_push_that_failed_otherwise_is_not_tried_again(registry: FakeRegistry) -> None:
    engine = MeetingEngine("denied")
    with pytest.raises(EngineError):
        list(steps_of(engine, registry))
    assert engine.pushes == 1
