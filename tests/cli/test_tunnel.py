"""`tunnel close` without a tunnel."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

import pytest
from support import schemas

from localreg.cli.app import main


@pytest.fixture(autouse=True)
def runtime_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # The paths of sockets must be short.
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield


def test_a_host_without_a_tunnel_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tunnel", "close", "nohost", "--json"]) == 4
    out, err = capsys.readouterr()
    error = schemas.check("stderr", err)["error"]
    assert out == ""
    assert (error["code"], error["message"]) == ("not-found", "no tunnel to `nohost` is open")
    assert error["hint"] == "localreg tunnel ls"


@pytest.mark.parametrize("all_", [[], ["--all"]])
def test_it_is_no_error_that_none_is_open(capsys: pytest.CaptureFixture[str], all_: list[str]) -> None:
    assert main(["tunnel", "close", *all_, "--format", "table"]) == 0
    assert capsys.readouterr().out == "No tunnel was open\n"
