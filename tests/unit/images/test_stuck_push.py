"""When a push counts as standing still."""

from __future__ import annotations

import pytest

from localreg.images.stuck_push import StuckPushDetector

BEGIN = ("HEAD /v2/team/app/blobs/sha256:aa 404",)


def log(*requests: str) -> bytes:
    """What a registry writes of requests, each with its status."""
    lines = ['time="2026-11-26T04:57:29Z" level=info msg="response completed" http.request.method=POST']
    for request in requests:
        method, path, status = request.split()
        lines.append(
            f'10.88.0.1 - - [26/Nov/2026:04:57:29 +0000] "{method} {path} HTTP/1.1" {status} 325 "" "containers/5.23.1"'
        )
    return "".join(f"{line}\n" for line in lines).encode()


def is_stuck(*logs: bytes | None, size: int | None = 0, seconds: float = 10.0) -> list[bool]:
    """What is found when each of these is the log in turn."""
    written = iter(logs)
    detector = StuckPushDetector("team/app", find_size=lambda: size, read_log=lambda: next(written))
    return [detector.is_stuck(seconds) for _ in logs]


def test_a_push_that_leaves_no_more_traces_stands_still() -> None:
    asked = log(*BEGIN)
    assert is_stuck(asked, asked, asked) == [False, True, True]


def test_a_push_that_goes_on_does_not() -> None:
    later = log(*BEGIN, "HEAD /v2/team/app/blobs/sha256:bb 404")
    assert is_stuck(log(*BEGIN), later, later) == [False, False, True]


UPLOAD = "/v2/team/app/blobs/uploads/"
MOUNT = f"{UPLOAD}?from=other&mount=sha256:aa"


@pytest.mark.parametrize(
    "requests",
    [
        [f"POST {UPLOAD} 202"],
        [f"POST {UPLOAD} 202", f"PATCH {UPLOAD}u?_state=x 202"],
        [f"POST {UPLOAD} 202", f"POST {UPLOAD} 202", f"PUT {UPLOAD}u?digest=sha256:aa 201"],
        [f"POST {MOUNT} 202"],
        # Somebody else's that had begun before.
        [f"PUT {UPLOAD}v?digest=sha256:bb 201", f"POST {UPLOAD} 202"],
    ],
)
def test_a_blob_on_its_way_may_take_long(requests: list[str]) -> None:
    written = log(*BEGIN, *requests)
    assert is_stuck(written, written) == [False, False]


@pytest.mark.parametrize(
    "requests",
    [
        [f"POST {UPLOAD} 202", f"PUT {UPLOAD}u?digest=sha256:aa 201"],
        # Mounted from another repository, or not, and then given up.
        [f"POST {MOUNT} 201"],
        [f"POST {MOUNT} 202", f"DELETE {UPLOAD}u?_state=x 204"],
    ],
)
def test_a_push_whose_blobs_have_arrived_may_stand_still(requests: list[str]) -> None:
    written = log(*BEGIN, *requests)
    assert is_stuck(written, written) == [False, True]


@pytest.mark.parametrize(
    "written",
    [
        b"",
        log(),
        log("GET /v2/ 200", "HEAD /v2/team/app/manifests/1 404"),
        log("HEAD /v2/team/application/blobs/x 404"),
    ],
)
def test_a_log_without_the_push_says_nothing(written: bytes) -> None:
    assert is_stuck(written, written, written) == [False] * 3


def test_what_is_asked_about_others_is_no_trace_of_it() -> None:
    asked = log(*BEGIN)
    polled = log(*BEGIN, "GET /v2/team/app/manifests/1 200", "GET /v2/ 200", "HEAD /v2/app/blobs/sha256:bb 404")
    assert is_stuck(asked, polled) == [False, True]


def test_nothing_is_concluded_from_a_log_that_lost_its_beginning() -> None:
    whole, rest = log("HEAD /v2/team/app/blobs/sha256:aa 404", f"POST {UPLOAD} 202"), log(*BEGIN)
    assert is_stuck(whole, rest, rest, rest) == [False] * 4
    assert is_stuck(rest, b"", rest, rest) == [False] * 4


def test_a_log_that_cannot_be_read_now_is_read_again() -> None:
    asked = log(*BEGIN)
    assert is_stuck(asked, None, asked, None, asked) == [False, False, True, False, True]


def test_an_image_whose_size_nobody_knows_may_take_as_long_as_it_wants() -> None:
    asked = log(*BEGIN)
    assert is_stuck(asked, asked, size=None, seconds=1e9) == [False, False]


def test_the_log_is_not_read_before_it_may_tell_something() -> None:
    detector = StuckPushDetector("app", find_size=lambda: 1_000_000_000, read_log=lambda: pytest.fail("read"))
    assert not detector.is_stuck(99.0)


def test_a_large_layer_may_take_long_before_it_is_sent() -> None:
    asked = log(*BEGIN)
    assert is_stuck(asked, asked, size=1_000_000_000, seconds=101.0) == [False, True]
