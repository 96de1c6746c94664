"""A command's result in terminals of several widths: with an engine in memory, and a registry that answers."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
from cli.conftest import PodmanProgram
from support.engines.fake import FakeEngine
from support.registries.fake import FakeRegistry
from support.terminals.terminal import Terminal

from localreg.cli.app import main

WIDTHS = (40, 80, 200)

BLOCKS = (
    "up --port {port}",
    "up --port {port} --recreate",
    "tag app:1",
    "status",
    "podman-fix --scope user",
    "podman-fix --scope user",
    "podman-fix --scope user --remove",
    "podman-fix --scope user --remove",
    "rm app:1",
    "down",
    "down --volumes",
    "down",
)
"""Sentences and facts: the same words, wherever they are folded."""
TABLES = (
    "ls",
    "ls team/*",
    "inspect team/api:1.4.2",
    "du",
    "du --tags --bytes",
    "status --all",
    "config",
    "tunnel ls",
)
"""What is left out, or stands below, where there is no room."""


def shown(line: str, width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", str(width))
    capsys.readouterr()
    code = main([*line.split(), "--format", "table"])
    out, err = capsys.readouterr()
    assert code == 0, err
    return out


def is_whole(line: str) -> bool:
    """Whether its last column is one word, or what stands in backticks: folded, it could not be copied."""
    return " " not in re.sub("`[^`]*`", "", re.split(" {2,}", line.strip())[-1])


@pytest.fixture
def port(location: str) -> str:
    return location.rpartition(":")[2]


def test_what_a_command_says_is_folded_between_words(
    *,
    engine: FakeEngine,
    registry: FakeRegistry,
    port: str,
    podman: PodmanProgram,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    podman.allows(f"localhost:{port}", f"127.0.0.1:{port}")
    said = {}
    for width in WIDTHS:
        texts = [shown(line.format(port=port), width, capsys, monkeypatch) for line in BLOCKS[:-4]]
        with monkeypatch.context() as gone:
            gone.delitem(registry.answers, "/v2/app/manifests/1")
            texts += [shown(line.format(port=port), width, capsys, monkeypatch) for line in BLOCKS[-4:]]
        assert engine.list_containers() == []
        assert [line for line in "".join(texts).splitlines() if len(line) > width and not is_whole(line)] == []
        # How long it took is another each time.
        said[width] = [re.sub(r"\(\d+\.\d\s+s\)", "(SECONDS)", text).split() for text in texts]
    assert said[40] == said[80] == said[200]


@pytest.mark.parametrize("width", WIDTHS)
def test_a_table_is_no_wider_than_the_terminal(
    up: FakeEngine,
    registry: FakeRegistry,
    width: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert up.find_container("registry")
    registry.put_image("team/api:1.4.2")
    for line in TABLES:
        text = shown(line, width, capsys, monkeypatch)
        assert text
        assert [line for line in text.splitlines() if len(line) > width and not is_whole(line)] == []


def test_a_table_in_a_pager_is_as_wide_as_the_terminal_beyond(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "COLUMNS"} | {"HOME": "/none"}
    for width in (40, 120):
        command = f"{sys.executable} -m localreg config --format table | cat"
        terminal = Terminal(["sh", "-c", command], columns=width, env=environment, cwd=tmp_path)
        assert terminal.wait() == 0
        lines = [line.plain for line in terminal.screen().lines]
        assert [line for line in lines if len(line) > width and not is_whole(line)] == []
        # One line for each setting, where there is room.
        assert any(line.startswith("quiet") and line.endswith("default") for line in lines) is (width == 120)
