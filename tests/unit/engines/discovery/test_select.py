"""The error of a machine on which no engine answers."""

from __future__ import annotations

import pytest

from localreg.engines.discovery.select import NOT_INSTALLED, EngineChoice, Survey, none_answered
from localreg.errors import Unavailable

ABSENT = {engine: Unavailable(engine, "", NOT_INSTALLED) for engine in ("docker", "podman")}


@pytest.mark.parametrize(
    ("choice", "absent", "pages"),
    [
        ("auto", ["docker", "podman"], ["docker.com", "podman.io"]),
        ("docker", ["docker"], ["docker.com"]),
        ("podman", ["podman"], ["podman.io"]),
    ],
)
def test_without_any_engine_it_says_what_to_install(choice: EngineChoice, absent: list[str], pages: list[str]) -> None:
    error = none_answered(choice, Survey((), tuple(ABSENT[engine] for engine in absent)))
    assert [page for page in ("docker.com", "podman.io") if page in str(error.hint)] == pages


def test_an_engine_that_is_there_is_cured_and_not_installed() -> None:
    silent = Unavailable("docker", "/var/run/docker.sock", "no socket", "sudo systemctl start docker")
    assert none_answered("auto", Survey((), (silent, ABSENT["podman"]))).hint == silent.cure
