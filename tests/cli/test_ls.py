"""`ls` with its options, of a registry whose volume a shell reads."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from support import schemas
from support.engines.fake import FakeEngine
from support.registries.fake import FakeRegistry
from support.registries.tree import Tree

from localreg.cli import ls as command
from localreg.cli.app import main
from localreg.registry.container import DATA_FOLDER


@pytest.fixture
def overwritten(registry: FakeRegistry) -> str:
    """The digest of an image that was `web:1`."""
    digest = registry.put_image("web:1")
    registry.put_image("web:1", layers=[b"new"], platform="linux/arm64")
    registry.put_image("team/api:2", layers=[b"x" * 5000])
    return digest


@pytest.fixture
def readable(up: FakeEngine, overwritten: str, registry: FakeRegistry, tmp_path: Path) -> FakeEngine:
    """A registry whose container has a shell, and the registry's data."""
    assert overwritten in registry.manifests
    tree = Tree(tmp_path / "data")
    tree.take_over(registry)
    up.files[DATA_FOLDER] = tree.folder
    return up


def shown(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> tuple[str, str]:
    assert main(["ls", *arguments]) == code
    out, err = capsys.readouterr()
    return out, err


@pytest.mark.usefixtures("readable")
def test_manifests_without_a_tag_are_shown_as_engines_show_them(
    location: str, overwritten: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = shown(capsys, "--untagged", "web", "--format", "table")
    assert ("<none>" in out, overwritten[7:19] in out, "linux/amd64" in out, err) == (True, True, True, "")
    out, _ = shown(capsys, "--untagged", "web", "-q")
    assert f"{location}/web@{overwritten}\n" in out
    out, _ = shown(capsys, "--untagged", "web", "--format", "plain")
    assert f"web\t\t{overwritten}\tlinux/amd64\t" in out
    images = schemas.check("ls", shown(capsys, "--untagged", "web", "--json")[0])["images"]
    (image,) = (image for image in images if image["digest"] == overwritten)
    assert (image["tag"], image["reference"]) == (None, f"{location}/web@{overwritten}")


@pytest.mark.usefixtures("readable")
def test_filters_choose_rows_and_names(location: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, "--filter", "platform=linux/arm64", "-q") == (f"{location}/web:1\n", "")
    assert shown(capsys, "-f", "kind=image", "-f", "until=2026-11-02", "web:*", "-q") == (f"{location}/web:1\n", "")
    out, _ = shown(capsys, "--filter", "kind=signature", "--format", "table")
    assert out == f"Nothing in the registry at {location} matches\n"
    for digest in (f"sha256:{'a' * 64}", "sha256:abcdef"):
        err = shown(capsys, f"web@{digest}", code=2)[1]
        assert err.endswith(f"is of repositories and tags\nhint: localreg inspect web@{digest}\n")
    assert "`label` is not a filter" in shown(capsys, "--filter", "label=x", code=2)[1]


@pytest.mark.usefixtures("up", "overwritten")
def test_what_only_the_volume_knows_is_missed_aloud(location: str, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = shown(capsys, "--sort", "pushed", "--format", "plain")
    assert [line.split("\t")[0] for line in out.splitlines()] == ["team/api", "web"]
    assert "sorted by name" in err
    assert shown(capsys, "--sort", "pushed", "-q") == (f"{location}/team/api:2\n{location}/web:1\n", "")
    for arguments in (["--untagged"], ["--filter", "since=1d"]):
        _, err = shown(capsys, *arguments, code=1)
        assert ("volume" in err, "hint:" in err) == (True, True)


@pytest.mark.usefixtures("readable")
def test_a_known_order_needs_no_note(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, "--sort", "pushed", "--format", "plain")[1] == ""


def test_a_command_that_hangs_in_the_container_is_not_waited_for(
    readable: FakeEngine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()

    def hang(_container: str, _command: Sequence[str]) -> Iterator[bytes]:
        released.wait()
        yield os.urandom(0)

    monkeypatch.setattr(readable, "run_in_container", hang)
    monkeypatch.setattr(command, "READING_SECONDS", 0.1)
    out, _ = shown(capsys, "--format", "plain")
    assert [line.split("\t")[0] for line in out.splitlines()] == ["team/api", "web"]
    assert "wrote nothing for" in shown(capsys, "--untagged", code=1)[1]
    released.set()
