"""Which pushes a registry's log tells of."""

from __future__ import annotations

import pytest

from localreg.engines.values import Endpoint
from localreg.tunnels.keep import pushes
from localreg.tunnels.keep.pushes import PushLog, last_push
from localreg.tunnels.spec import LogSource, Push

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


def test_a_log_is_read_only_when_something_was_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[LogSource] = []

    def read(source: LogSource, *, since: float) -> None:
        assert since > 0
        reads.append(source)

    monkeypatch.setattr(pushes, "find_last_push", read)
    log = PushLog(LogSource("docker", Endpoint("unix:///x"), "registry"))
    for connections, is_busy, read_so_far in (
        (0, False, 0),
        (1, True, 1),
        (1, True, 2),
        (1, False, 3),
        (1, False, 3),
        # A link that does not count connections.
        (None, False, 4),
        (None, False, 5),
    ):
        assert log.find(connections, is_busy=is_busy) is None
        assert len(reads) == read_so_far
