"""`gc` as it is typed, with an engine in memory whose volume is a folder."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from support import schemas
from support.engines.fake import FakeEngine
from support.registries.tree import Tree

from localreg.cli.app import main
from localreg.registry.container import DATA_FOLDER


@pytest.fixture
def tree(up: FakeEngine, tmp_path: Path) -> Tree:
    """The volume of the registry: a tag that was overwritten, and a layer that nothing names."""
    tree = Tree(tmp_path / "data")
    up.files[DATA_FOLDER] = tree.folder
    tree.image("app", layers=[b"old"])
    tree.tag("app", "1", tree.image("app", layers=[b"new"]))
    tree.blob(b"nothing names it")
    before = time.time() - 3600
    for path in tree.folder.rglob("*"):
        os.utime(path, (before, before))
    return tree


def blobs(tree: Tree) -> int:
    return len(list(tree.root.glob("blobs/sha256/*/*/data")))


def test_a_dry_run_tells_what_would_go(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    before = blobs(tree)
    assert main(["gc", "--dry-run", "--json"]) == 0
    found = schemas.check("gc", capsys.readouterr().out)
    assert (len(found["manifests"]), len(found["blobs"]), found["dry_run"]) == (1, 3, True)
    assert blobs(tree) == before
    assert not (tree.folder / "localreg").exists()


def test_manifests_go_only_with_consent(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    before = blobs(tree)
    assert main(["gc"]) == 2
    assert "gc --yes" in capsys.readouterr().err
    assert blobs(tree) == before
    assert main(["gc", "--keep-untagged"]) == 0
    assert blobs(tree) == before - 1


def test_it_is_moved_put_back_and_deleted(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    before = blobs(tree)
    assert main(["gc", "--yes", "--json"]) == 0
    found = schemas.check("gc", capsys.readouterr().out)
    assert (blobs(tree), found["quarantine"]["size"], found["freed"]) == (before - 3, found["size"], 0)
    assert main(["gc", "--undo", "--json"]) == 0
    assert schemas.check("gc", capsys.readouterr().out)["undone"] == found["size"]
    assert blobs(tree) == before
    assert main(["gc", "--yes", "--grace", "0", "--format", "table"]) == 0
    assert "freed" in capsys.readouterr().out
    assert blobs(tree) == before - 3
    assert main(["gc", "--undo", "--format", "table"]) == 0
    assert "empty" in capsys.readouterr().out


@pytest.mark.parametrize("options", [["--grace", "soon"], ["--undo", "--dry-run"], ["--undo", "--keep-untagged"]])
def test_wrong_options_are_refused(tree: Tree, capsys: pytest.CaptureFixture[str], options: list[str]) -> None:
    assert main(["gc", *options, "--json"]) == 2
    assert json.loads(capsys.readouterr().err)["error"]["code"] == "usage"
    assert blobs(tree)
