"""What a person sees of each command, in terminals of several widths: the same as the screens that are kept."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from beds import Bed
from screens import FOLDER, PICTURED, VIEWS, check, check_picture, seen, steady
from terminal import Screen, Terminal

EVERY_COMMAND = {
    "help": "",
    "help-up": "up --help",
    "up": "up",
    "up-again": "up",
    "push": "push ansible-playbook:latest team/api:1.4.2",
    "push-again": "push team/api:1.4.2",
    "ls": "ls",
    "ls-quiet": "ls -q",
    "ls-json": "ls ansible-playbook --json",
    "status": "status",
    "status-all": "status --all",
    "pull": "pull ansible-playbook:latest",
    "tag": "tag ansible-playbook:latest playbooks/site:1",
    "push-as": "push team/api:1.4.2 --as team/api:dev",
    "ls-pattern": "ls 'team/*'",
    "rm": "rm team/api:dev",
    "config": "config",
    "down": "down",
    "down-again": "down",
    "down-volumes": "down --volumes",
    "down-nothing": "down",
    "mistyped": "lsx",
    "wrong-option": "up --prot 5001",
    "status-nothing": "status",
}
OF_PODMAN = {
    "up": "up",
    "push": "push ansible-playbook:latest",
    "status": "status",
    "podman-fix-dry-run": "podman-fix --dry-run",
    "podman-fix": "podman-fix",
    "podman-fix-again": "podman-fix",
    "status-fixed": "status",
    "podman-fix-remove": "podman-fix --remove",
    "podman-fix-nothing": "podman-fix --remove",
    "up-fixed": "up --recreate --podman-fix",
    "podman-fix-undone": "podman-fix --remove",
    "down": "down --volumes",
}

FAILING = {"mistyped": 2, "wrong-option": 2, "status-nothing": 4}
UNDER_WAY = {"push": "push-under-way"}
"""What is looked at also in the middle, and what that screen is called."""

_MOVING = (
    (r"[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]", "⠹"),
    (r"(?<=⠹ )[━╸╺ ]{2,}(?= \d)", "━━━━━━━━━━━╸      "),
    (r"[\d.]+( [kMG]?B)?/(?=[\d.]+ MB)", "24.6/"),
    (r"[\d.]+ [kMG]?B/s", "61.0 MB/s"),
)


def add_images(bed: Bed, folder: Path) -> None:
    """Images that look the same whenever they are made."""
    for name, size, age in (
        ("ansible-playbook:latest", 38_600_000, timedelta(hours=2, minutes=30)),
        ("team/api:1.4.2", 7_300_000, timedelta(days=3, hours=5)),
    ):
        created = (datetime.now(UTC) - age).strftime("%Y-%m-%dT%H:%M:%SZ")
        ballast = random.Random(name).randbytes(size)
        bed.add_image(name, folder, ballast=ballast, can_run=False, created=created)


def walk(bed: Bed, commands: Mapping[str, str]) -> dict[str, Screen]:
    """Run commands one after the other in each terminal, and check their screens; returns those for pictures."""
    seen_by = {}
    for view in VIEWS:
        # Podman counts no bytes.
        counted = "[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]" if bed.program == "podman" else "MB/s" if view.columns >= 80 else r"[\d.]+/[\d.]+ MB"
        for name, command in commands.items():
            terminal = view.open(bed, f"localreg --engine {bed.engine} {command}")
            if name in UNDER_WAY:
                seen_by[UNDER_WAY[name], view] = steady(under_way(terminal, counted), bed, _MOVING)
            seen_by[name, view] = steady(seen(terminal, code=FAILING.get(name, 0)), bed)
    commands = {**commands, **{UNDER_WAY[name]: commands[name] for name in UNDER_WAY}}
    for name, command in commands.items():
        check(f"{bed.program}/{name}", f"localreg {command}".rstrip(), {view: seen_by[name, view] for view in VIEWS})
    assert {path.stem for path in (FOLDER / bed.program).iterdir()} == {*commands}
    return {name: seen_by[name, PICTURED] for name in commands}


def under_way(terminal: Terminal, counted: str) -> Screen:
    """The first screen on which bytes are counted, with the speed where there is room, or else something turns."""
    for screen in terminal.frames():
        shown = "\n".join(line.plain for line in screen.lines)
        if re.search(counted, shown):
            return screen
    pytest.fail("nothing moved")


def picture(name: str, commands: Mapping[str, str], screens: Mapping[str, Screen], of: Sequence[str]) -> None:
    check_picture(name, [(f"localreg {commands[one]}".rstrip(), screens[one]) for one in of])


def test_docker(docker: Bed, folder: Path) -> None:
    add_images(docker, folder)
    screens = walk(docker, EVERY_COMMAND)
    picture("session", EVERY_COMMAND, screens, ["up", "push", "ls", "status", "down"])
    picture("rm", EVERY_COMMAND, screens, ["push-as", "ls-pattern", "rm"])
    picture("config", EVERY_COMMAND, screens, ["config"])


def test_podman(rootless: Bed, folder: Path) -> None:
    add_images(rootless, folder)
    screens = walk(rootless, OF_PODMAN)
    picture("podman-fix", OF_PODMAN, screens, ["up", "podman-fix", "status-fixed"])
