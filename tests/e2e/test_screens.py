"""What a person sees of each command, in a terminal of 80 columns: the same as the screens that are kept.

Those of a handful are seen in terminals of several widths. How others are folded: tests/cli/test_widths.py, and
tests/test_kept_errors.py.
"""

from __future__ import annotations

import contextlib
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.engines.connections import CuttingProxy, at, listen
from support.engines.real import Bed
from support.terminals.kept_screens import FOLDER, PICTURED, VIEWS, View, check, check_picture, seen, steady
from support.terminals.terminal import Screen, Terminal
from support.tunnels.far_host import ADDRESS, FarHost
from support.tunnels.opened import opened_tunnels, ssh_config

pytestmark = pytest.mark.long


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
    "inspect": "inspect team/api:1.4.2",
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

OF_TUNNELS = {
    "open": f"tunnel open root@{ADDRESS}",
    "open-background": f"tunnel open root@{ADDRESS} --background",
    "open-again": f"tunnel open root@{ADDRESS} --background",
    "ls": "tunnel ls",
    "ls-json": "tunnel ls --json",
    "close": f"tunnel close {ADDRESS}",
    "close-nothing": "tunnel close --all",
    "ls-nothing": "tunnel ls",
    "ci": f"ci shell --host root@{ADDRESS} --image team/api",
}

IN_EVERY_VIEW = {
    "docker": ("help", "help-up", "ls", "status", "config", "mistyped", "wrong-option", "status-nothing"),
    "podman": (),
    "tunnels": ("ls", "open-again"),
}
"""What changes nothing, and is seen in terminals of every width."""

FAILING = {"mistyped": 2, "wrong-option": 2, "status-nothing": 4, "open": 130}
INTERRUPTED = {"open"}
UNDER_WAY = {"push": "push-under-way", "open": "open-under-way"}
"""What is looked at also in the middle, and what that screen is called."""

_MOVING = (
    (r"[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]", "⠹"),
    (r"(?<=⠹ )[━╸╺ ]{2,}(?= \d)", "━━━━━━━━━━━╸      "),
    (r"[\d.]+( [kMG]?B)?/(?=[\d.]+ MB)", "24.6/"),
    (r"[\d.]+ [kMG]?B/s", "61.0 MB/s"),
)


WITH_A_PART_OF_THE_BAR = r"━.*\d/\d.* MB .*MB/s"


def add_images(bed: Bed, folder: Path) -> None:
    """Images that look the same whenever they are made."""
    for name, size, age in (
        ("ansible-playbook:latest", 38_600_000, timedelta(hours=2, minutes=30)),
        ("team/api:1.4.2", 7_300_000, timedelta(days=3, hours=5)),
    ):
        created = (datetime.now(UTC) - age).strftime("%Y-%m-%dT%H:%M:%SZ")
        ballast = random.Random(name).randbytes(size)
        bed.add_image(name, folder, ballast=ballast, can_run=False, created=created)


Seen = Mapping[View, Screen]


def walk(
    place: str,
    bed: Bed,
    commands: Mapping[str, str],
    moving: str,
    *,
    elsewhere: Mapping[str, Seen] | None = None,
    known: dict[str, str] | None = None,
    slowly: Mapping[str, str] | None = None,
) -> dict[str, Screen]:
    """Run commands one after the other, and check their screens; returns those for pictures.

    Args:
        place: The folder of `tests/screens` that they are kept in.
        bed: Whose user types, and on which engine.
        commands: What is typed after `localreg`, by the names of the files.
        moving: What stands on a screen that is looked at in the middle.
        elsewhere: What was seen in other terminals.
        known: What stands for the digits that were seen there.
        slowly: The environment of what is looked at in the middle.
    """
    known = {} if known is None else known
    seen_by: dict[str, Seen] = {}
    typed = {}
    for name, command in commands.items():
        terminal = opened(PICTURED, bed, command, slowly if name in UNDER_WAY else None)
        if middle := UNDER_WAY.get(name):
            typed[middle] = command
            seen_by[middle] = {PICTURED: in_the_middle(terminal, moving, bed, known)}
        typed[name] = command
        views = VIEWS if name in IN_EVERY_VIEW[place] else ()
        seen_by[name] = {PICTURED: ended(terminal, bed, name, known)} | {
            view: ended(opened(view, bed, command), bed, name, known) for view in views if view != PICTURED
        }
    for name, seen_here in seen_by.items():
        everywhere = {**(elsewhere or {}).get(name, {}), **seen_here}
        screens = {view: everywhere[view] for view in VIEWS if view in everywhere}
        check(f"{place}/{name}", f"localreg {typed[name]}".rstrip(), screens)
    assert {path.stem for path in (FOLDER / place).iterdir()} == {*seen_by}
    return {name: screens[PICTURED] for name, screens in seen_by.items()}


def opened(view: View, bed: Bed, command: str, env: Mapping[str, str] | None = None) -> Terminal:
    return view.open(bed, f"localreg --engine {bed.engine} {command}", env=env)


@contextlib.contextmanager
def slow(bed: Bed, folder: Path) -> Iterator[Mapping[str, str]]:
    """An environment in which the progress of a push comes slowly: it may all be done in a quarter of a second."""
    path = folder / "slow.sock"
    with CuttingProxy(listen(path, bed.uid), bed.api.socket, slow_at=b'"Pushing"'):
        yield at(bed, f"unix://{path}")


def ended(terminal: Terminal, bed: Bed, name: str, known: dict[str, str]) -> Screen:
    """What a command left on its terminal."""
    if name in INTERRUPTED:
        terminal.interrupt()
    return steady(seen(terminal, code=FAILING.get(name, 0)), bed, known=known)


def in_the_middle(terminal: Terminal, moving: str, bed: Bed, known: dict[str, str]) -> Screen:
    """The first screen on which something moves."""
    for screen in terminal.frames():
        shown = "\n".join(line.plain for line in screen.lines)
        if re.search(moving, shown):
            return steady(screen, bed, _MOVING, known)
    pytest.fail("nothing moved")


def picture(name: str, commands: Mapping[str, str], screens: Mapping[str, Screen], of: Sequence[str]) -> None:
    check_picture(name, [(f"localreg {commands[one]}".rstrip(), screens[one]) for one in of])


def pushes(docker: Bed, known: dict[str, str], slowly: Mapping[str, str]) -> dict[str, Seen]:
    """A push to an empty registry, in each of the other terminals."""
    under_way, left = {}, {}
    for view in VIEWS:
        if view == PICTURED:
            continue
        docker.ok("up")
        terminal = opened(view, docker, EVERY_COMMAND["push"], slowly)
        # The speed is there where there is room.
        moving = WITH_A_PART_OF_THE_BAR if view.columns >= PICTURED.columns else r"[\d.]+/[\d.]+ MB"
        under_way[view] = in_the_middle(terminal, moving, docker, known)
        left[view] = ended(terminal, docker, "push", known)
        docker.ok("down", "--volumes")
    return {"push": left, UNDER_WAY["push"]: under_way}


def test_docker(docker: Bed, folder: Path) -> None:
    add_images(docker, folder)
    known: dict[str, str] = {}
    with slow(docker, folder) as slowly:
        elsewhere = pushes(docker, known, slowly)
        screens = walk(
            "docker", docker, EVERY_COMMAND, WITH_A_PART_OF_THE_BAR, elsewhere=elsewhere, known=known, slowly=slowly
        )
    picture("session", EVERY_COMMAND, screens, ["up", "push", "ls", "status", "down"])
    picture("rm", EVERY_COMMAND, screens, ["push-as", "ls-pattern", "rm"])
    picture("config", EVERY_COMMAND, screens, ["config"])


def test_podman(rootless: Bed, folder: Path) -> None:
    add_images(rootless, folder)
    # Podman counts no bytes.
    screens = walk("podman", rootless, OF_PODMAN, "[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]")
    picture("podman-fix", OF_PODMAN, screens, ["up", "podman-fix", "status-fixed"])


def test_tunnels(docker: Bed, far: FarHost) -> None:
    with opened_tunnels(docker, far) as tunnels, ssh_config(f"IdentityFile {tunnels.key}\n"):
        walk("tunnels", docker, OF_TUNNELS, r"\bopen .*\d\d:\d\d")
