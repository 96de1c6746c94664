"""`doctor` as it is typed, with an engine in memory, and a registry that answers."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from cli.conftest import PodmanProgram
from support import schemas
from support.engines.fake import FakeEngine
from support.registries.fake import FakeRegistry
from support.registries.tree import Tree

from localreg.cli import doctor as command
from localreg.cli.app import main
from localreg.doctor.check import Check
from localreg.doctor.checks import CHECKS
from localreg.doctor.finding import Finding
from localreg.doctor.scene import Scene
from localreg.registry.container import DATA_FOLDER
from localreg.system.programs import Ended

WIDTHS = (40, 60, 80, 120, 200)


@pytest.fixture
def healthy(
    up: FakeEngine, registry: FakeRegistry, podman: PodmanProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> FakeEngine:
    """A registry in order, and no client that would have to be told of it."""
    monkeypatch.setattr("localreg.doctor.reach.own_addresses", list)
    monkeypatch.setattr("localreg.doctor.trust.list_clients", lambda _machine: [])
    for variable in ("XDG_RUNTIME_DIR", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "DOCKER_CONFIG"):
        monkeypatch.setenv(variable, str(tmp_path))
    podman.says("exit 1")
    tree = Tree(tmp_path / "volume")
    up.files[DATA_FOLDER] = tree.folder
    registry.stores_in = tree.root / "repositories"
    return up


def run(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(["doctor", *arguments]) == code
    return capsys.readouterr().out


def test_one_line_says_that_everything_works(
    healthy: FakeEngine, location: str, capsys: pytest.CaptureFixture[str]
) -> None:
    del healthy
    out = run(capsys, "--format", "table")
    assert out == f"Everything works: registry 2.8.3 at {location}, Docker 28.0.0\n"
    assert run(capsys, "clock", "config", "--format", "table") == "Everything works: checked config, clock\n"
    assert run(capsys, "-q") == ""


def test_each_check_is_a_record(healthy: FakeEngine, capsys: pytest.CaptureFixture[str]) -> None:
    records = [line.split("\t") for line in run(capsys).splitlines()]
    assert [record[0] for record in records] == [check.name for check in CHECKS]
    assert {record[1] for record in records} == {"works", "not needed"}
    healthy.stop_container("registry")
    records = [line.split("\t") for line in run(capsys, "registry", "disk", code=8).splitlines()]
    assert records == [
        ["registry", "problem", "registry `registry` is stopped", "localreg up"],
        ["disk", "not possible", "the registry is stopped", ""],
    ]
    assert run(capsys, "-q", code=8).split() == ["registry"]


def test_the_result_for_scripts(healthy: FakeEngine, capsys: pytest.CaptureFixture[str]) -> None:
    assert schemas.check("doctor", run(capsys, "--json"))["works"] is True
    healthy.stop_container("registry")
    found = schemas.check("doctor", run(capsys, "--json", code=8))
    assert found["works"] is False
    (finding,) = next(check["findings"] for check in found["checks"] if check["name"] == "registry")
    assert (finding["safe"], finding["cures"]) == (True, [{"text": "localreg up", "is_command": True}])
    assert {check["name"] for check in schemas.check("doctor-list", run(capsys, "--list", "--json"))["checks"]} == {
        check.name for check in CHECKS
    }
    assert "```" in schemas.check("doctor-report", run(capsys, "--report", "--json", code=8))["report"]


@pytest.mark.parametrize("width", WIDTHS)
def test_a_finding_fits_a_terminal(
    healthy: FakeEngine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    healthy.stop_container("registry")
    monkeypatch.setenv("COLUMNS", str(width))
    out = run(capsys, "registry", "disk", "tags", "--format", "table", code=8)
    rows = out.splitlines()
    assert "  cure   localreg up" in rows
    assert all(len(row) <= width or "`" in row for row in rows)
    together = " ".join(out.split())
    assert together == (
        "problem: registry `registry` is stopped why every push and pull fails cure localreg up check registry "
        "1 problem fix `localreg doctor --fix` cures it left out disk, tags: the registry is stopped"
    )


def test_a_command_is_never_folded_and_names_the_registry(
    healthy: FakeEngine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    del healthy
    monkeypatch.setenv("COLUMNS", "40")
    out = run(capsys, "registry", "--name", "a-registry-of-another-name", "--format", "table", code=8)
    assert "  cure   localreg --name a-registry-of-another-name up\n" in out


def test_nothing_works_of_which_nothing_is_known(healthy: FakeEngine, capsys: pytest.CaptureFixture[str]) -> None:
    healthy.remove_container("registry")
    out = run(capsys, "writable", "tags", "--format", "table", code=8)
    assert out == "No check could be made\n  left out  writable, tags: the registry does not exist\n"
    assert schemas.check("doctor", run(capsys, "writable", "--json", code=8))["works"] is False
    assert run(capsys, "engine", "tags", "--format", "table").startswith("Everything works: checked engine\n")


def test_names_of_checks_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert re.search(r"^port +the registry has its port", run(capsys, "--list", "--format", "table"), re.MULTILINE)
    assert main(["doctor", "prot"]) == 2
    assert "hint: localreg doctor port" in capsys.readouterr().err


def test_on_a_terminal_each_finding_comes_at_once_and_once(
    healthy: FakeEngine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    healthy.change("registry", restarts=False)
    whole = run(capsys, "registry", "clock", "--format", "table")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert run(capsys, "registry", "clock") == whole


def test_fix_runs_what_is_safe_once_and_checks_again(
    healthy: FakeEngine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[tuple[str, ...]] = []

    def cured(*words: str, seconds: float) -> Ended:
        del seconds
        ran.append(words)
        healthy.start_container("registry")
        return Ended(0, "", "")

    monkeypatch.setattr(command, "run", cured)
    healthy.stop_container("registry")
    out = run(capsys, "registry", "leftovers", "--fix", "--format", "table")
    assert ran == [(sys.executable, "-P", "-m", "localreg", "up")]
    assert out == "Everything works: checked registry, leftovers\n  ran  localreg up\n"
    run(capsys, "registry", "--fix")
    assert len(ran) == 1, "nothing is wrong any longer"


def test_fix_tells_which_cure_failed(
    healthy: FakeEngine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    failure = Ended(5, "", "error: port 5000 is taken\nhint: x\n")
    monkeypatch.setattr(command, "run", lambda *_words, **_options: failure)
    healthy.stop_container("registry")
    out = run(capsys, "registry", "--fix", "--format", "table", code=8)
    assert "  ran  localreg up (failed with exit code 5: port 5000 is taken)" in out
    found = schemas.check("doctor", run(capsys, "registry", "--fix", "--json", code=8))
    assert found["fixed"] == [{"command": "localreg up", "exit_code": 5}]


def test_fix_leaves_what_is_not_safe(
    healthy: FakeEngine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "run", lambda *_words, **_options: pytest.fail("it ran something"))
    healthy.remove_container("registry")
    assert "cure   localreg up" in run(capsys, "registry", "--fix", "--format", "table", code=8)


def test_settings_that_are_not_valid_are_a_finding(
    healthy: FakeEngine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    del healthy
    monkeypatch.setenv("LOCALREG_PORT", "many")
    out = run(capsys, "config", "--format", "table", code=8)
    assert "problem: LOCALREG_PORT is `many`" in out
    assert "  cure   unset LOCALREG_PORT\n" in out


def test_a_crash_is_a_finding_and_not_a_traceback(
    healthy: FakeEngine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    del healthy

    def crashes(_scene: Scene) -> list[Finding]:
        raise KeyError("of the test")

    monkeypatch.setattr(command, "choose_checks", lambda _names: [Check("bad", "", crashes)])
    assert "problem: the check `bad` failed: KeyError" in run(capsys, "--format", "table", code=8)


def test_a_report_is_text_to_paste(healthy: FakeEngine, capsys: pytest.CaptureFixture[str]) -> None:
    del healthy
    out = run(capsys, "--report")
    assert out.startswith("```text\nlocalreg ")
    assert "\nwritable    works\n" in out
    assert json.dumps(out)


def test_warnings_alone_are_no_failure(healthy: FakeEngine, capsys: pytest.CaptureFixture[str]) -> None:
    healthy.change("registry", restarts=False)
    out = run(capsys, "registry", "--format", "table")
    assert out.startswith("warning: container `registry` has no restart policy\n")
    assert out.endswith("\n1 warning\n")
