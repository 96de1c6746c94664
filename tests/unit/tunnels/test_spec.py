from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from localreg.engines.values import Endpoint, TlsFiles
from localreg.tunnels.spec import LogSource, Push, TunnelSpec, TunnelStatus

SPEC = TunnelSpec("ci@far", 5000, "registry", "localhost:5000", "http://127.0.0.1:5000")


@pytest.mark.parametrize(
    "spec",
    [
        SPEC,
        replace(SPEC, ssh_options=("Port=22",), command=("a", "b"), resumes=True, identity="/k"),
        replace(SPEC, log=LogSource("podman", Endpoint("unix:///x", private=True), "c0ffee")),
        replace(SPEC, log=LogSource("docker", Endpoint("tcp://x:1", tls=TlsFiles(Path("/ca"), None, None)), "c0ffee")),
    ],
)
def test_a_spec_is_read_as_it_was_written(spec: TunnelSpec) -> None:
    assert TunnelSpec.from_json(spec.to_json()) == spec


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"log": 1}', '{"host": "x", "log": null}'])
def test_what_is_no_spec_is_none(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- which one does not matter
        TunnelSpec.from_json(text)
    with pytest.raises(ValueError):  # noqa: PT011
        TunnelStatus.from_json(SPEC, text)


def test_a_spec_of_another_release_is_read() -> None:
    assert TunnelSpec.from_json(json.dumps({**json.loads(SPEC.to_json()), "more": 1})) == SPEC


def test_a_status_is_read_as_it_was_written() -> None:
    status = TunnelStatus(SPEC, 42, "waiting", "refused", reconnects=3, last_push=Push("app:1", "2026-01-31T12:00:00Z"))
    assert TunnelStatus.from_json(SPEC, status.to_json()) == status
