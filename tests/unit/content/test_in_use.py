"""What a registry's access log tells of pushes that have not ended."""

from __future__ import annotations

import pytest

from localreg.content.in_use import InUse, in_use_by
from localreg.registry.distribution_log import iter_requests

A, B = (f"sha256:{letter * 64}" for letter in "ab")


def in_use(*requests: str) -> InUse:
    lines = []
    for request in requests:
        method, path, status = request.split()
        lines.append(
            f'10.0.2.100 - - [29/Nov/2026:10:00:00 +0000] "{method} /v2/{path} HTTP/1.1" {status} 0 "" "x/1"\n'
        )
    return in_use_by(iter_requests("".join(lines).encode()))


@pytest.mark.parametrize(
    "request_line",
    [
        f"HEAD team/app/blobs/{A} 200",
        f"HEAD team/app/blobs/{A} 404",
        f"PUT team/app/blobs/uploads/1-2?_state=x&digest={A.replace(':', '%3A')} 201",
        f"POST team/app/blobs/uploads/?mount={A}&from=other 201",
        f"PUT team/app/manifests/{A} 201",
    ],
)
def test_what_a_push_asked_for_or_sent_is_in_use(request_line: str) -> None:
    assert in_use(request_line) == InUse(frozenset({A}), frozenset({"team/app"}))


def test_a_push_ends_with_the_manifest_that_has_its_tag() -> None:
    assert in_use(f"HEAD app/blobs/{A} 200", f"HEAD web/blobs/{B} 200", "PUT app/manifests/1 201") == InUse(
        frozenset({B}), frozenset({"web"})
    )


def test_what_was_asked_for_after_that_is_another_push() -> None:
    found = in_use(f"HEAD app/blobs/{A} 200", "PUT app/manifests/1 201", f"HEAD app/blobs/{B} 200")
    assert found.digests == {B}


def test_a_manifest_that_the_registry_refused_does_not_end_it() -> None:
    assert in_use(f"HEAD app/blobs/{A} 200", "PUT app/manifests/1 400").digests == {A}


@pytest.mark.parametrize(
    "request_line", [f"GET app/blobs/{A} 200", f"DELETE app/manifests/{A} 202", "GET _catalog 200", "HEAD app/x/1 404"]
)
def test_what_is_no_push_uses_nothing(request_line: str) -> None:
    assert in_use(request_line) == InUse()
