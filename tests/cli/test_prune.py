"""`prune` as it is typed, with an engine in memory whose volume is a folder."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from support import schemas
from support.engines.fake import FakeEngine
from support.registries.fake import FakeRegistry
from support.registries.tree import Tree

from localreg.cli.app import main
from localreg.registry.container import DATA_FOLDER


@pytest.fixture
def tree(up: FakeEngine, registry: FakeRegistry, tmp_path: Path) -> Tree:
    """The volume of the registry, which answers the same: three images, and one that lost its tag a month ago."""
    del registry.answers["/v2/app/manifests/1"]
    tree = Tree(tmp_path / "data")
    up.files[DATA_FOLDER] = tree.folder
    for number, tag in enumerate(("latest", "2", "1")):
        registry.put_image(f"app:{tag}", layers=[tag.encode() * 1000])
        digest = str((registry.tags["app"] or {})[tag])
        tree.revision("app", tree.blob(registry.manifests[digest][1]))
        tree.layer("app", tag.encode() * 1000)
        tree.tag("app", tag, digest, pushed=datetime.now(UTC) - timedelta(days=number * 10))
    return tree


def test_a_dry_run_shows_each_rule_and_the_command_for_exactly_that_plan(
    tree: Tree, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tree.root.exists()
    monkeypatch.setenv("COLUMNS", "80")
    options = ["prune", "--keep", "1", "--older-than", "14d"]
    assert main([*options, "--dry-run", "--format", "table"]) == 0
    shown = capsys.readouterr().out.splitlines()
    size = shown[3].split()[-2:]
    assert [line.split() for line in shown[:5]] == [
        ["TAG", "PUSHED", "DECISION", "RULE", "FREES"],
        ["app:latest", "a", "few", "seconds", "ago", "keep", "protected"],
        ["app:2", "1", "week", "ago", "keep", "the", "newest"],
        [
            *["app:1", "2", "weeks", "ago", "remove", "older", "than", "14d,", "not", "the", "newest"],
            *shown[3].split()[-2:],
        ],
        ["sum", *size],
    ]
    assert "Would remove 1 tag (" in shown[6]
    assert main([*options, "--dry-run", "--json"]) == 0
    found = schemas.check("prune", capsys.readouterr().out)
    short = found["plan"][: len("sha256:") + 12]
    # On one line, to be copied.
    assert f"  apply      `localreg prune --keep 1 --older-than 14d --apply {short}`" in shown
    assert [part["decision"] for part in found["decisions"]] == ["keep", "keep", "remove"]
    assert found["size"] == sum(part["freed"] for part in found["decisions"]) > 1000
    assert main([*options, "--dry-run"]) == 0
    plain = capsys.readouterr().out.splitlines()
    assert (plain[2].split("\t")[:2], plain[3]) == (["remove", "app:1"], f"plan\t{found['plan']}")
    # The registry in memory deletes nothing: the plan is accepted, and its refusal is told.
    assert main([*options, "--apply", short]) == 6
    tree.tag("app", "3", tree.image("app", layers=[b"3"]))
    assert main([*options, "--apply", short, "--json"]) == 5
    message = json.loads(capsys.readouterr().err.splitlines()[-1])["error"]["message"]
    assert "the plan is now" in message
    assert "more is old enough by now" in message


def test_ages_count_by_the_clock_of_the_registrys_machine(
    tree: Tree, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without that, one that is behind makes new images old: Podman's machine loses hours when a laptop sleeps."""
    assert tree.root.exists()
    options = ["prune", "--older-than", "14d", "--dry-run", "-q"]
    for days, going in ((0, 1), (8, 0), (-8, 2)):
        then = datetime.now(UTC) - timedelta(days=days)
        monkeypatch.setattr(BaseHTTPRequestHandler, "date_time_string", lambda *_, then=then: format_datetime(then))
        assert main(options) == 0
        assert len(capsys.readouterr().out.splitlines()) == going
    monkeypatch.setattr(BaseHTTPRequestHandler, "date_time_string", lambda *_: "soon")
    assert main(options) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_it_asks_before_anything_goes(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    assert tree.root.exists()
    assert main(["prune", "--keep", "1", "--match", "app:*"]) == 2
    assert "localreg prune --keep 1 --match 'app:*' --yes" in capsys.readouterr().err
    assert main(["prune", "--keep", "9", "--format", "table"]) == 0
    assert "Nothing to remove" in capsys.readouterr().out


@pytest.mark.parametrize("option", ["--dry-run", "--yes", ""])
def test_nothing_is_promised_of_a_registry_that_deletes_nothing(
    tree: Tree, up: FakeEngine, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    assert tree.root.exists()
    up.change("registry", labels={})
    assert main(["prune", "--keep", "1", *option.split(), "--json"]) == 6
    shown = capsys.readouterr()
    assert shown.out == ""
    assert json.loads(shown.err.splitlines()[-1])["error"]["code"] == "delete-disabled"
    assert main(["prune", "--keep", "9", *option.split()]) == 0


def test_protect_adds_to_latest_and_a_pattern_that_protects_nothing_is_named(
    tree: Tree, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tree.root.exists()

    def going(*protect: str) -> list[str]:
        options = [word for pattern in protect for word in ("--protect", pattern)]
        assert main(["prune", "--older-than", "0", "--dry-run", "-q", *options]) == 0
        return [line.rpartition(":")[2] for line in capsys.readouterr().out.splitlines()]

    assert going() == ["2", "1"]
    # Without a colon it fits tags and repositories.
    assert (going("2"), going("app"), going("", "2")) == (["1"], [], ["latest", "1"])
    assert main(["prune", "--older-than", "0", "--dry-run", "-q", "--protect", "v*", "--protect", "app:9"]) == 0
    warned = capsys.readouterr().err
    assert ("`v*` protects nothing" in warned, "`app:9` protects nothing" in warned) == (True, True)


def test_a_pattern_to_match_that_fits_nothing_fails_but_the_others_are_pruned(
    tree: Tree, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tree.root.exists()
    options = ["prune", "--keep", "1", "--match", "app:1", "--match", "ap", "--match", "x*", "--dry-run"]
    assert main([*options, "--json"]) == 4
    found = schemas.check("prune", capsys.readouterr().out)
    assert [error["source"] for error in found["errors"]] == ["ap"]
    assert main([*options, "--format", "table"]) == 4
    assert "does not have `ap`" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--match", "app"],
        ["--keep", "0"],
        ["--older-than", "soon"],
        ["--keep", "1", "--apply", "yes"],
        ["--apply", "sha256:000000000000"],
        ["--keep", "1", "--dry-run", "--apply", "sha256:000000000000"],
        ["--keep", "1", "--match", "APP"],
    ],
)
def test_wrong_options_are_refused(tree: Tree, capsys: pytest.CaptureFixture[str], options: list[str]) -> None:
    assert tree.root.exists()
    assert main(["prune", *options, "--json"]) == 2
    assert json.loads(capsys.readouterr().err)["error"]["exit_code"] == 2


@pytest.mark.parametrize("serves", [True, False])
def test_a_registry_that_stores_elsewhere_is_refused(
    tree: Tree, registry: FakeRegistry, capsys: pytest.CaptureFixture[str], *, serves: bool
) -> None:
    assert tree.root.exists()
    registry.tags.clear()
    for tag in ("latest", "1", "2") if serves else ():
        registry.put_image(f"app:{tag}", layers=[b"elsewhere"])
    assert main(["prune", "--keep", "1", "--yes", "--json"]) == 1
    assert "push times are known only from" in json.loads(capsys.readouterr().err)["error"]["message"]


@pytest.mark.usefixtures("tree")
def test_an_image_without_a_shell_is_refused(up: FakeEngine, capsys: pytest.CaptureFixture[str]) -> None:
    container = up.find_container("registry")
    assert container is not None
    up.shell_less.add(container.image)
    assert main(["prune", "--keep", "1", "--dry-run", "--json"]) == 1
    error = json.loads(capsys.readouterr().err)["error"]
    assert "push times are known only from" in error["message"]
    assert (len(error["details"]), "an image with a shell" in error["hint"]) == (1, True)
