"""The log of a registry that is followed while its engine starts it again and again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from support.engines.fake import FakeEngine

from localreg.engines.values import AnonymousMount, Container, ContainerSpec, ContainerState, LogChunk
from localreg.errors import EngineError
from localreg.registry.followed_log import FollowedLog
from localreg.registry.logs import iter_log
from localreg.system.address import Address

IMAGE = "registry:2.8.3"
NOW = datetime(2026, 11, 26, 14, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MOMENT = timedelta(milliseconds=5)


class CrashingEngine(FakeEngine):
    """Whenever it is asked for the container, that has run once more; in the end it is removed."""

    def __init__(self, runs: Sequence[Container]) -> None:
        super().__init__()
        self._left = iter(runs)
        self._lines: list[tuple[datetime, bytes]] = []

    def find_container(self, name: str) -> Container | None:
        del name
        now = next(self._left, None)
        if now is not None and now.started_at is not None:
            number = len(self._lines) // 3
            # A moment before the engine counts it as started, and a moment after it counts it as ended.
            for after, word in ((-MOMENT, b"begins"), (SECOND / 2, b"works"), (SECOND + MOMENT, b"ends")):
                self._lines.append((now.started_at + after, b"%s %d\n" % (word, number)))
        return now

    def read_logs(
        self, container_id: str, *, since: datetime | None = None, timestamps: bool = False, **_options: Any
    ) -> Iterator[LogChunk]:
        del container_id
        for at, text in self._lines:
            if since is None or at >= since:
                yield LogChunk("stderr", (f"{at.isoformat()} ".encode() if timestamps else b"") + text)


def a_run(started: datetime, ended: datetime | None, state: ContainerState) -> Container:
    """What the engine says of the container at one time."""
    return Container("c" * 64, "registry", IMAGE, state, {}, (), (), started, ended, None)


def followed(runs: Sequence[Container]) -> list[bytes]:
    """The lines of `logs -f`."""
    options: dict[str, Any] = {"follow": True, "tail": None, "since": None, "timestamps": False}
    chunks = iter_log(CrashingEngine(runs), "registry", notify=lambda _text: None, **options)
    return [chunk.data for chunk in chunks]


@pytest.mark.parametrize("gap", [timedelta(milliseconds=90), SECOND, 3600 * SECOND])
def test_each_line_is_shown_once(gap: timedelta) -> None:
    begins = [NOW + number * (SECOND + gap) for number in range(3)]
    ends = [None, *(begin + SECOND for begin in begins[:-1])]
    runs = [a_run(begin, end, ContainerState.RUNNING) for begin, end in zip(begins, ends, strict=True)]
    assert followed(runs) == [b"%s %d\n" % (word, run) for run in range(3) for word in (b"begins", b"works", b"ends")]


def test_what_a_run_said_is_shown_also_where_it_has_ended_already() -> None:
    begins = [NOW + number * 2 * SECOND for number in range(3)]
    lines = followed([a_run(begin, begin + SECOND, ContainerState.RESTARTING) for begin in begins])
    assert lines == [b"%s %d\n" % (word, run) for run in range(3) for word in (b"begins", b"works", b"ends")]


def stamped(*lines: tuple[int, str], stream: Literal["stdout", "stderr"] = "stderr") -> list[LogChunk]:
    """Lines with a number of nanoseconds each, cut anywhere."""
    text = "".join(f"2026-11-26T14:00:00.{at:09}Z {line}\n" for at, line in lines).encode()
    return [LogChunk(stream, text[start : start + 7]) for start in range(0, len(text), 7)]


def read(log: FollowedLog, chunks: Iterable[LogChunk]) -> str:
    return b"".join(chunk.data for chunk in log.read(chunks)).decode()


def test_what_an_earlier_log_had_is_left_out() -> None:
    log = FollowedLog(timestamps=False)
    assert read(log, stamped((1, "a"), (2, "b"), (2, "c"))) == "a\nb\nc\n"
    assert read(log, stamped((1, "a"), (2, "b"), (2, "c"), (2, "d"), (3, "e"))) == "d\ne\n"
    assert read(log, stamped((3, "e"), (4, "f"))) == "f\n"
    assert log.until == datetime(2026, 11, 26, 14, 0, tzinfo=UTC)


def test_a_log_that_begins_again_is_not_repeated() -> None:
    log = FollowedLog(timestamps=False)
    lines = [(1_000, "a"), (2_000, "b"), (2_000, "b"), (3_000, "c")]
    assert read(log, stamped(*lines, *lines, (4_000, "d"))) == "a\nb\nb\nc\nd\n"


def test_a_clock_that_was_set_back_hides_nothing() -> None:
    log = FollowedLog(timestamps=False)
    assert read(log, stamped((9_000, "a"), (1_000, "b"))) == "a\nb\n"
    assert read(log, stamped((9_000, "a"), (1_000, "b"), (2_000, "c"))) == "c\n"


def test_the_streams_have_times_of_their_own() -> None:
    log = FollowedLog(timestamps=False)
    assert read(log, stamped((5, "late"))) == "late\n"
    assert read(log, stamped((4, "early"), stream="stdout")) == "early\n"


class UnreadableEngine(FakeEngine):
    """An engine that cannot read the log of any container."""

    def __init__(self, said: str) -> None:
        super().__init__()
        self._said = said
        self.add_image(IMAGE)
        address = Address("127.0.0.1", 5000)
        self.create_container(ContainerSpec("registry", IMAGE, 5000, address, AnonymousMount("/data")))

    def read_logs(self, container_id: str, **_options: Any) -> Iterator[LogChunk]:
        raise EngineError(f"cannot read the log of {container_id}", details=[self._said])
        yield


@pytest.mark.parametrize("follow", [False, True])
@pytest.mark.parametrize(
    "said",
    [
        '{"message":"configured logging driver does not support reading"}',
        "this container is using the 'none' log driver, cannot read logs: this container is not logging output",
    ],
)
def test_a_log_driver_that_only_writes_is_blamed(said: str, *, follow: bool) -> None:
    options: dict[str, Any] = {"follow": follow, "tail": None, "since": None, "timestamps": False}
    with pytest.raises(EngineError, match="log driver") as caught:
        list(iter_log(UnreadableEngine(said), "registry", notify=lambda _text: None, **options))
    assert "`registry`" in caught.value.message
    assert "--log-driver" in (caught.value.hint or "")


def test_another_failure_to_read_a_log_stays_as_it_is() -> None:
    options: dict[str, Any] = {"follow": False, "tail": None, "since": None, "timestamps": False}
    with pytest.raises(EngineError, match="cannot read the log"):
        list(iter_log(UnreadableEngine("no such file"), "registry", notify=lambda _text: None, **options))


def test_the_time_stays_if_it_was_asked_for() -> None:
    log = FollowedLog(timestamps=True)
    (line,) = [*log.read([LogChunk("stdout", b"2026-11-26T14:00:00+01:00 a\n")])]
    assert line.data == b"2026-11-26T14:00:00+01:00 a\n"
    assert read(log, [LogChunk("stdout", b"no time\n"), LogChunk("stdout", b"no end")]) == "no time\nno end"
