"""Every `console` block of README and docs is run, and says what the page says that it does."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.engines.real import Bed

ROOT = Path(__file__).parent.parent.parent
EVERY_PAGE = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
PAGES = [page for page in EVERY_PAGE if "```console" in page.read_text()]

_VARYING = [
    (r"sha256:[0-9a-f]{64}", "sha256:DIGEST"),
    (r"\b[0-9a-f]{12}\b", "DIGEST"),
    (r"\(\d+\.\d s\)", "(SECONDS)"),
    (r"(Docker|Podman) \d+\.\d+\.\d+\S*?(?=[,\s]|$)", r"\1 RELEASE"),
    (r"\d+(\.\d+)? [kMG]?B\b", "SIZE"),
    (r"(a few seconds|\d+ \w+) ago", "THEN"),
    (r" +", " "),
]


@dataclass(frozen=True)
class Command:
    line: str
    output: tuple[str, ...]
    """As the page shows it; none where it shows nothing."""


def commands_of(page: Path, *, podman: bool) -> list[Command]:
    """The commands of a page's blocks: those that have to do with the podman program, or the others."""
    found = []
    for block in re.findall(r"^```console\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
        if ("podman" in block) is podman:
            for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
                line, *output = part.rstrip("\n").split("\n")
                found.append(Command(line, tuple(output)))
    return found


def steady(text: str) -> str:
    """Without what is different each time."""
    for pattern, word in _VARYING:
        text = re.sub(pattern, word, text)
    return text.strip()


def run_all(bed: Bed, folder: Path, commands: list[Command]) -> None:
    environment = {"LOCALREG_ENGINE": bed.engine, "LOCALREG_FORMAT": "table", "COLUMNS": "100"}
    for command in commands:
        if command.line.endswith(" -f"):
            # It goes on until it is interrupted; that it begins is what can be shown.
            with bed.started("timeout", "--signal", "INT", "5", "bash", "-c", command.line) as process:
                assert process.stdout is not None
                assert process.stdout.readline()
            continue
        result = bed.run("bash", "-c", f"cd {folder}; {{ {command.line}; }} 2>&1", env=environment)
        assert result.returncode == 0, f"$ {command.line}\n{result.stdout}"
        if command.output:
            assert steady(result.stdout) == steady("\n".join(command.output)), f"$ {command.line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_on_docker(docker: Bed, folder: Path, page: Path) -> None:
    docker.add_image("ansible-playbook:latest", folder)
    run_all(docker, folder, commands_of(page, podman=False))


@pytest.mark.parametrize("page", [page for page in PAGES if commands_of(page, podman=True)], ids=lambda page: page.name)
def test_on_podman(podman: Bed, folder: Path, page: Path) -> None:
    podman.add_image("alpine:latest", folder)
    run_all(podman, folder, commands_of(page, podman=True))
