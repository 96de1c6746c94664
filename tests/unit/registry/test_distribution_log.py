"""What is read from Distribution's log."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from localreg.registry.distribution_log import Request, find_last_cause, is_listening, iter_requests

LOG = b"""\
time="2026-11-25T03:40:50Z" level=info msg="listening on [::]:5000" service=registry version=2.8.3
time="2026-11-25T03:40:51Z" level=error msg="response completed with error" err.code=unknown err.detail="mkdir: \\"x\\""
time="2026-11-25T03:40:51Z" level=error msg="response completed with error" err.code="blob unknown" err.detail="absent"
10.88.0.1 - - [25/Nov/2026:03:40:52 +0000] "PUT /v2/app/manifests/1 HTTP/1.1" 201 0 "" "docker"
10.88.0.1 - - [yesterday] "GET /v2/\xff HTTP/1.1" 404 0 "" "docker"
"""


def test_requests_are_read_in_their_order() -> None:
    put, get = iter_requests(LOG)
    assert put == Request("PUT", "app/manifests/1", 201, "25/Nov/2026:03:40:52 +0000")
    assert put.at == datetime(2026, 11, 25, 3, 40, 52, tzinfo=UTC)
    assert (get.path, get.status) == ("\\xff", 404)
    with pytest.raises(ValueError, match="yesterday"):
        _ = get.at


def test_a_cause_is_that_of_an_unknown_error() -> None:
    assert find_last_cause(LOG) == r"mkdir: \"x\""
    assert find_last_cause(b"") is None


@pytest.mark.parametrize("effect", ["invalid checksum digest format", "client disconnected"])
def test_the_effect_of_a_failure_is_only_its_cause_if_there_is_no_other(effect: str) -> None:
    line = f'time="2026-11-25T03:40:52Z" level=error err.code=unknown err.detail="{effect}"\n'.encode()
    assert find_last_cause(line) == effect
    assert find_last_cause(LOG + line) == find_last_cause(LOG)


def test_a_registry_says_that_it_listens() -> None:
    assert is_listening(LOG)
    assert not is_listening(LOG.partition(b"\n")[2])
