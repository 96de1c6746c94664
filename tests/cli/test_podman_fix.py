"""What Podman says decides: `podman-fix`, `up` and `status` with an engine in memory and a stand-in for `podman`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from cli.conftest import PodmanProgram
from support import schemas
from support.engines.fake import FakeEngine

from localreg.cli.app import main
from localreg.engines.values import PublishedPort
from localreg.system.address import Address

LOCATION = "localhost:5099"


def fix(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> tuple[str, str]:
    assert main(["podman-fix", "--scope", "user", "--location", LOCATION, *arguments, "--json"]) == code
    found = capsys.readouterr()
    return found.out, found.err


@pytest.fixture
def drop_in(tmp_path: Path) -> Path:
    return tmp_path / ".config/containers/registries.conf.d/50-localreg.conf"


@pytest.fixture(autouse=True)
def _home(engine: FakeEngine) -> None:
    """A home of the test's own."""
    assert engine.list_containers() == []


@pytest.mark.parametrize("arguments", [[], ["--dry-run"]])
def test_it_says_what_was_done(podman: PodmanProgram, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    podman.allows(LOCATION)
    found = schemas.check("podman-fix", fix(capsys, *arguments)[0])
    assert (found["added"], found["in_force"]) == ([LOCATION], None if arguments else {LOCATION: True})


def test_success_is_not_said_while_podman_refuses(
    podman: PodmanProgram, drop_in: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    podman.allows("localhost:5000")
    out, err = fix(capsys, code=7)
    error = schemas.check("stderr", err)["error"]
    assert (out, error["code"], error["details"]) == ("", "config", [f"wrote {drop_in}"])
    assert f"refuses plain HTTP for {LOCATION}" in error["message"]


def test_the_file_that_forbids_it_is_named(
    podman: PodmanProgram, drop_in: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    later = drop_in.with_name("60-company.conf")
    later.parent.mkdir(parents=True)
    later.write_text(f'[[registry]]\nlocation = "{LOCATION}"\ninsecure = false\n')
    podman.allows()
    err = fix(capsys, code=7)[1].splitlines()[-1]
    assert str(later) in schemas.check("stderr", err)["error"]["hint"]


@pytest.mark.parametrize("arguments", [[], ["--dry-run"]])
def test_a_block_that_is_lifted_is_told(
    podman: PodmanProgram, drop_in: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    company = drop_in.with_name("40-company.conf")
    company.parent.mkdir(parents=True)
    company.write_text(f'[[registry]]\nlocation = "{LOCATION}"\nblocked = true\n')
    podman.allows(LOCATION)
    warning = json.loads(fix(capsys, *arguments)[1])["warning"]
    assert warning == f"`{company}` blocks {LOCATION}; localreg's entry lifts that"


def test_podmans_own_line_is_told_if_it_cannot_read_a_file(
    podman: PodmanProgram, drop_in: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = 'Error: loading registries configuration "/etc/containers/registries.conf.d/x.conf": toml: line 1'
    podman.says(f"echo '{line}' >&2; exit 125")
    error = schemas.check("stderr", fix(capsys, code=7)[1])["error"]
    assert (error["code"], error["details"]) == ("config", [line, f"wrote {drop_in}"])


def test_a_file_that_only_localreg_cannot_read_is_no_obstacle(
    podman: PodmanProgram, drop_in: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drop_in.parent.mkdir(parents=True)
    # TOML 1.1, which Podman reads since 5, and Python does not.
    drop_in.with_name("10-theirs.conf").write_text('registry = [{\n  location = "a.example.com",\n}]\n')
    podman.allows(LOCATION)
    out, err = fix(capsys)
    assert schemas.check("podman-fix", out)["in_force"] == {LOCATION: True}
    assert "10-theirs.conf" in json.loads(err)["warning"]
    podman.says("exit 125")
    assert "10-theirs.conf" in schemas.check("stderr", fix(capsys, code=7)[1])["error"]["message"]


@pytest.mark.parametrize(("place", "hint"), [("[::1]:5000", "--location localhost:5000"), ("[fd00::1]:5000", "")])
def test_an_address_that_podman_takes_for_no_name_is_refused(
    podman: PodmanProgram, drop_in: Path, capsys: pytest.CaptureFixture[str], place: str, hint: str
) -> None:
    podman.allows(place)
    assert main(["podman-fix", "--scope", "user", "--location", place]) == 2
    error = capsys.readouterr().err
    assert f"`{place}`" in error
    assert ("hint: " in error, hint in error) == (bool(hint), True)
    assert not drop_in.exists()


def test_nothing_is_written_for_nobody(
    podman: PodmanProgram,
    drop_in: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    error = schemas.check("stderr", fix(capsys, code=3)[1])["error"]
    assert error["code"] == "engine-unavailable"
    assert not drop_in.exists()
    podman.allows(LOCATION)
    fix(capsys)
    assert drop_in.exists()


def test_an_entry_that_is_left_is_named_when_the_volumes_go(
    podman: PodmanProgram, drop_in: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    podman.allows(LOCATION)
    fix(capsys)
    assert main(["down", "other", "--volumes"]) == 0
    assert "podman-fix" not in capsys.readouterr().err
    monkeypatch.setattr(sys, "stderr", sys.stdout)
    assert main(["down", "--volumes", "--format", "table"]) == 0
    here = f"~/{drop_in.relative_to(Path.home())}"
    assert (
        f"No registry to stop\nhint: `localreg podman-fix --remove` removes its entry from {here}\n"
        == capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("arguments", "near", "hint"),
    [
        ("podman-fix", None, "run `localreg podman-fix` on that machine"),
        ("podman-fix --dry-run", None, "run `localreg podman-fix` on that machine"),
        ("up --podman-fix", None, "run `localreg podman-fix` on that machine"),
        ("podman-fix", Address("build-1", 5003), "localreg podman-fix --location build-1:5003"),
    ],
)
def test_nothing_is_written_for_localhost_of_another_machine(
    up: FakeEngine,
    podman: PodmanProgram,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    *,
    arguments: str,
    near: Address | None,
    hint: str,
) -> None:
    podman.allows("localhost:5003")
    bound = Address("0.0.0.0" if near else "127.0.0.1", 5003)
    up.change("registry", ports=(PublishedPort(5000, bound, from_host=near),))
    assert main([*arguments.split(), "--json"]) == 5
    error = schemas.check("stderr", capsys.readouterr().err.splitlines()[-1])["error"]
    assert "localhost:5003 of another machine" in error["message"]
    assert error["hint"] == hint
    assert not [*tmp_path.glob(".config/containers/**/*")]
    # What an earlier run wrote can be removed.
    assert main(["podman-fix", "--remove"]) == 0


def test_nothing_is_written_for_a_registry_that_would_be_on_another_machine(
    engine: FakeEngine, podman: PodmanProgram, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    podman.allows("localhost:5000")
    assert engine.info().remote
    assert main(["podman-fix"]) == 5
    err = capsys.readouterr().err
    assert "would be localhost:5000 of another machine" in err
    assert "run `localreg podman-fix` on that machine" in err
    assert not [*tmp_path.glob(".config/containers/**/*")]
