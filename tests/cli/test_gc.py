"""`gc` as it is typed, with an engine in memory whose volume is a folder."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from support import schemas
from support.engines.fake import FakeEngine
from support.registries.fake import FakeRegistry
from support.registries.tree import Tree

from localreg.cli.app import main
from localreg.content.quarantine import Batch, Quarantine
from localreg.engines.values import ContainerSpec
from localreg.errors import EngineLostError
from localreg.oci.manifest import OCI_MANIFEST
from localreg.registry.container import DATA_FOLDER, HELPER_LABEL
from localreg.registry.volume_folder import FolderVolume
from localreg.system.waiting import wait_until

pytestmark = pytest.mark.usefixtures("nothing_is_young")


@pytest.fixture
def tree(up: FakeEngine, registry: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """The volume of the registry: a tag that was overwritten, and a layer that nothing names."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    tree = Tree(tmp_path / "data")
    up.files[DATA_FOLDER] = tree.folder
    tree.image("app", layers=[b"old"])
    digest = tree.image("app", layers=[b"new"])
    tree.tag("app", "1", digest)
    registry.tags["app"] = {"1": digest}
    registry.manifests[digest] = (OCI_MANIFEST, b"{}")
    del registry.answers["/v2/app/manifests/1"]
    tree.blob(b"nothing names it")
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
    err = capsys.readouterr().err
    assert "move 1 manifest without a tag and 3 blobs" in err
    assert "gc --yes" in err
    assert main(["gc", "--grace", "0"]) == 2
    assert "delete 1 manifest without a tag and 3 blobs" in capsys.readouterr().err
    assert blobs(tree) == before
    assert main(["gc", "--keep-untagged"]) == 0
    assert blobs(tree) == before - 1


@pytest.mark.parametrize(
    ("options", "is_ours", "hint"),
    [
        (["--grace", "0"], True, "gc --grace 0 --yes"),
        (["--dry-run"], False, "gc --dry-run --force"),
        (["--undo"], False, "gc --undo --force"),
        (["--force", "--grace", "2d"], False, "gc --force --grace 2d --yes"),
    ],
)
def test_a_hint_keeps_the_options_of_the_command(
    *, tree: Tree, up: FakeEngine, capsys: pytest.CaptureFixture[str], options: list[str], is_ours: bool, hint: str
) -> None:
    container = up.find_container("registry")
    assert container is not None
    if not is_ours:
        up.change(container.id, labels={})
    before = blobs(tree)
    assert main(["gc", *options]) != 0
    assert f"hint: localreg {hint}\n" in capsys.readouterr().err
    assert blobs(tree) == before


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


def test_a_manifest_whose_bytes_another_repository_needs_is_moved_and_put_back(
    tree: Tree, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["gc", "--grace", "0", "--yes"]) == 0
    tagged = (tree.root / "repositories/app/_manifests/tags/1/current/link").read_text()
    tree.revision("copy", tagged)
    tree.layer("copy", b"new")
    capsys.readouterr()
    assert main(["gc", "--yes", "--format", "table"]) == 0
    assert capsys.readouterr().out.startswith(
        "Collected 1 manifest without a tag\n  untagged    1 manifest\n  emptied     copy\n"
    )
    assert main(["gc", "--undo", "--format", "table"]) == 0
    assert capsys.readouterr().out == "Put back 2 files (0 B)\n"
    assert (tree.root / f"repositories/copy/_manifests/revisions/{tagged.replace(':', '/')}/link").exists()


@pytest.mark.usefixtures("tree")
def test_a_grace_period_beyond_the_calendar_is_a_long_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gc", "--grace", "1000000d", "--yes", "--json"]) == 0
    assert schemas.check("gc", capsys.readouterr().out)["quarantine"]["size"] > 0


def test_after_ctrl_c_the_next_command_is_named(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_args: object) -> None:
        raise KeyboardInterrupt

    before = blobs(tree)
    with monkeypatch.context() as patched:
        patched.setattr(Quarantine, "take_blobs", interrupt)
        assert main(["gc", "--yes", "--format", "table"]) == 130
    assert "`localreg gc --undo` puts back" in capsys.readouterr().err
    assert main(["gc", "--grace", "0", "--yes", "--format", "table"]) == 0
    assert blobs(tree) == before - 3


def test_the_next_commands_are_those_that_work_and_collect_no_more(
    tree: Tree, up: FakeEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    container = up.find_container("registry")
    assert container is not None
    up.change(container.id, labels={})
    before = blobs(tree)
    assert main(["gc", "--force", "--keep-untagged", "--format", "table"]) == 0
    named = dict(line.strip().split("  ", 1) for line in capsys.readouterr().out.splitlines()[1:])
    assert named["delete now"] == "localreg gc --force --keep-untagged --grace 0"
    assert blobs(tree) < before
    assert main(named["undo"].split()[1:]) == 0
    assert blobs(tree) == before


@pytest.fixture
def cached(tree: Tree, up: FakeEngine) -> Tree:
    """The same volume, of a registry with a cache."""
    container = up.find_container("registry")
    assert container is not None
    up.change(container.id, environment={**container.environment, "REGISTRY_STORAGE_CACHE_BLOBDESCRIPTOR": "inmemory"})
    return tree


def test_a_registry_with_a_cache_is_stopped_meanwhile(
    cached: Tree, up: FakeEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    before = blobs(cached)
    assert main(["gc", "--dry-run", "--json"]) == 0
    assert schemas.check("gc", capsys.readouterr().out)["stops"] is True
    assert main(["gc", "--yes", "--json"]) == 0
    found = schemas.check("gc", capsys.readouterr().out)
    assert (blobs(cached), found["stops"], found["outage"] > 0) == (before - 3, True, True)
    assert main(["gc", "--grace", "0", "--format", "table"]) == 0
    shown = capsys.readouterr()
    assert "stopping registry `registry` meanwhile" in shown.err
    assert " s: the registry was stopped meanwhile" in shown.out
    assert main(["gc", "--format", "table"]) == 0
    assert capsys.readouterr() == ("Nothing to collect\n", "")
    assert [(each.name, each.is_running) for each in up.list_containers()] == [("registry", True)]


def test_one_that_something_starts_meanwhile_is_left_as_it_was(
    cached: Tree, up: FakeEngine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before, move = blobs(cached), Quarantine.take_blobs

    def restarted(quarantine: Quarantine, batch: Batch, sizes: Mapping[str, int]) -> None:
        move(quarantine, batch, sizes)
        assert blobs(cached) < before
        up.start_container("registry")

    monkeypatch.setattr(Quarantine, "take_blobs", restarted)
    assert main(["gc", "--yes", "--grace", "0"]) == 5
    assert "something started registry `registry`" in capsys.readouterr().err
    assert blobs(cached) == before
    assert [(each.name, each.is_running) for each in up.list_containers()] == [("registry", True)]


def test_one_that_was_killed_while_it_was_stopped_is_told_and_started(
    cached: Tree, up: FakeEngine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = blobs(cached)
    with monkeypatch.context() as patched:
        # As if it were killed: nothing is started or removed after the move.
        patched.setattr(up, "start_container", lost := Lost(up.start_container))
        patched.setattr(up, "remove_container", lambda *_args, **_kwargs: lost.lose())
        assert main(["gc", "--yes"]) != 0
    assert main(["status", "--json"]) == 6
    assert schemas.check("status", capsys.readouterr().out)["stopped_by_gc"] is True
    assert main(["status", "--format", "table"]) == 6
    assert "stopped by `localreg gc`" in capsys.readouterr().out
    assert main(["ls"]) == 6
    shown = capsys.readouterr().err
    assert "is stopped for garbage collection" in shown
    assert "localreg up" in shown
    assert main(["up"]) == 0
    assert [(each.name, each.is_running) for each in up.list_containers()] == [("registry", True)]
    assert main(["gc", "--undo"]) == 0
    assert blobs(cached) == before


AT_WORK = """
import sys
from types import SimpleNamespace
from localreg.registry.collection_lock import collecting
with collecting(SimpleNamespace(container=SimpleNamespace(id=sys.argv[1], name="registry"))):
    print("at work", flush=True)
    sys.stdin.read()
"""


@pytest.mark.usefixtures("cached")
def test_one_that_is_at_work_is_not_disturbed(up: FakeEngine, capsys: pytest.CaptureFixture[str]) -> None:
    container = up.find_container("registry")
    assert container is not None
    with subprocess.Popen(
        [sys.executable, "-c", AT_WORK, container.id], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"at work\n"
        for options in (["--yes"], ["--dry-run"], ["--undo"]):
            assert main(["gc", *options]) == 5
            assert "another `localreg gc` is at work on registry `registry`" in capsys.readouterr().err
        helper = ContainerSpec("registry.gc", container.image_id, labels={HELPER_LABEL: "registry"})
        up.create_container(helper)
        assert main(["up"]) == 0
        up.stop_container(container.id)
        assert main(["up", "--wait", "1"]) == 5
        assert "waiting until it is started" in capsys.readouterr().err
        assert up.find_container("registry.gc") is not None
        other.communicate(b"")
    assert main(["up"]) == 0
    assert [(each.name, each.is_running) for each in up.list_containers()] == [("registry", True)]
    assert main(["gc", "--yes"]) == 0


class Lost:
    """The helper can be started, and nothing after that."""

    def __init__(self, start: Callable[[str], None]) -> None:
        self._start = start
        self._left = 1

    def __call__(self, container_id: str) -> None:
        if not self._left:
            self.lose()
        self._left -= 1
        self._start(container_id)

    def lose(self) -> None:
        raise EngineLostError("the engine was lost")


@pytest.mark.parametrize("command", [["ls", "-q"], ["push", "app:1"], ["rm", "app:2"]])
def test_the_next_command_finishes_a_collection_that_was_killed(tree: Tree, command: list[str]) -> None:
    def needed() -> bool:
        return len(list(tree.root.glob("blobs/sha256/*/*/data"))) == before

    before = blobs(tree)
    quarantine = Quarantine(FolderVolume(tree.folder))
    batch = quarantine.begin()
    # The tag needs this one: the collection was killed between the move and the second look.
    digest = tree.digest(b"new")
    quarantine.take_blobs(batch, {digest: 3})
    assert blobs(tree) == before - 1
    # A look by a shell may take longer than the command: nothing waits for it, and the one after that finds it.
    assert wait_until(lambda: main([*command, "-q"]) >= 0 and wait_until(needed, seconds=1), seconds=20)
    assert quarantine.list()[0].is_open
    assert not quarantine.list()[0].blobs
