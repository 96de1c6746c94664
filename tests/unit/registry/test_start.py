"""When a registry that was started counts as one that answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.engines.fake import FakeEngine
from support.registries.fake import FakeRegistry

from localreg.engines.common.ports import published_port
from localreg.engines.values import AnonymousMount, ContainerSpec, Endpoint, LogChunk
from localreg.errors import RegistryNotReadyError
from localreg.registry import start
from localreg.registry.container import Registry
from localreg.registry.start import await_registry, await_start
from localreg.system.address import Address

IMAGE = "registry:2.8.3"
NOW = datetime(2026, 11, 26, 14, 0, tzinfo=UTC)
MOMENT = timedelta(milliseconds=5)
DAY = timedelta(days=1)


class WritingEngine(FakeEngine):
    """Its registry wrote that it listens, at one moment."""

    def __init__(self, written: datetime) -> None:
        super().__init__()
        self.add_image(IMAGE)
        self._written = written

    def read_logs(self, container_id: str, *, since: datetime | None = None, **_options: Any) -> Iterator[LogChunk]:
        del container_id
        if since is None or since <= self._written:
            yield LogChunk("stderr", b'msg="listening on [::]:5000"\n')


def is_believed(*, written: datetime, finished: datetime | None) -> bool:
    """Whether a registry that was started now, and that this machine cannot ask, counts as ready."""
    engine = WritingEngine(written)
    address = Address("127.0.0.1", 5000)
    created = engine.create_container(ContainerSpec("registry", IMAGE, 5000, address, AnonymousMount("/data")))
    engine.start_container(created.id)
    there = published_port(5000, "127.0.0.1", 5000, Endpoint("ssh://there"))
    try:
        await_registry(
            engine, Registry(replace(created, ports=(there,), started_at=NOW, finished_at=finished)), seconds=0
        )
    except RegistryNotReadyError:
        return False
    return True


@pytest.mark.parametrize("finished", [None, NOW - DAY, NOW - 2 * MOMENT])
@pytest.mark.parametrize("written", [NOW - MOMENT, NOW + MOMENT])
def test_one_out_of_reach_is_believed_its_log(written: datetime, finished: datetime | None) -> None:
    """Also what it wrote a moment before its engine put down that it was started."""
    assert is_believed(written=written, finished=finished)


@pytest.mark.parametrize(
    ("written", "finished"),
    [
        (NOW - 2 * MOMENT, NOW - MOMENT),
        # It ended with the machine, and nobody put down when.
        (NOW - DAY, None),
        (NOW - DAY, NOW - 2 * DAY),
    ],
)
def test_what_it_wrote_when_it_ran_before_does_not_count(written: datetime, finished: datetime | None) -> None:
    assert not is_believed(written=written, finished=finished)


def started(fake: FakeRegistry, *, ago: timedelta) -> Registry:
    """A registry at this address that was started so long ago."""
    engine = FakeEngine()
    engine.add_image(IMAGE)
    address = Address("127.0.0.1", int(fake.base_url.rpartition(":")[2]))
    created = engine.create_container(ContainerSpec("registry", IMAGE, 5000, address, AnonymousMount("/data")))
    return Registry(replace(created, started_at=datetime.now(UTC) - ago))


def test_one_that_was_just_started_is_waited_for(registry: FakeRegistry) -> None:
    registry.faults["/v2/"] = "busy"
    await_start(started(registry, ago=MOMENT))
    assert registry.requests["/v2/"] == 2


def test_one_that_speaks_tls_has_started(registry: FakeRegistry) -> None:
    registry.faults["/v2/"] = "tls"
    await_start(started(registry, ago=MOMENT))
    assert registry.requests["/v2/"] == 1


def test_one_that_had_time_to_start_is_not_asked(registry: FakeRegistry) -> None:
    await_start(started(registry, ago=timedelta(minutes=1)))
    assert registry.requests["/v2/"] == 0


def test_one_that_does_not_start_is_not_waited_for_long(
    registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start, "_START_SECONDS", 0.2)
    registry.faults["/v2/"] = "absent"
    await_start(started(registry, ago=timedelta()))
    assert registry.requests["/v2/"] >= 1


@pytest.mark.parametrize(
    ("image", "log", "hint"),
    [
        ("alpine:3.20", b"said and done\n", "localreg up --image registry:2.8.3"),
        ("example.com/registry:1", b"said and done\n", "localreg up --wait 60"),
        ("mine:1", b'msg="redis not configured" go.version=go1.20.8 instance.id=1234\n', "localreg up --wait 60"),
    ],
)
def test_waiting_longer_is_the_hint_for_a_registry_only(
    registry: FakeRegistry, image: str, log: bytes, hint: str
) -> None:
    registry.faults["/v2/"] = "500"

    class Engine(FakeEngine):
        def read_logs(self, container_id: str, **_options: Any) -> Iterator[LogChunk]:
            del container_id
            yield LogChunk("stderr", log)

    engine = Engine()
    engine.add_image(image)
    address = Address("127.0.0.1", int(registry.base_url.rpartition(":")[2]))
    made = engine.create_container(ContainerSpec("registry", image, 5000, address, AnonymousMount("/data")))
    engine.start_container(made.id)
    now = engine.find_container(made.id)
    assert now is not None
    with pytest.raises(RegistryNotReadyError) as caught:
        await_registry(engine, Registry(now), seconds=0.05)
    assert caught.value.hint == hint
    assert (image in caught.value.message) == ("--image" in hint)
    assert caught.value.details == (log.decode().rstrip(),)
