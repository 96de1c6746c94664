"""Whether the `podman` program uses plain HTTP: what localreg reads in its files, held against what it says itself."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from support.engines.real import BEDS, Bed, require_testbed

from localreg.clients.podman.check import ask_podman, podman_release
from localreg.clients.podman.registries_conf import find_permission
from localreg.clients.podman.search import ETC, USR
from localreg.errors import ConfigError

LOCATION = "localhost:5000"
YES, NO = (f'[[registry]]\nlocation = "{LOCATION}"\ninsecure = {answer}\n' for answer in ("true", "false"))

E, U, H, X = str(ETC), str(USR), "HOME/.config/containers", "HOME/xdg/containers"
"""The folders for the system, the distribution and the user, and the user's other one."""
D = "registries.conf.d"
UNPRIVILEGED = "registries.rootless.conf.d"
OF_HOME = (".config", "xdg", "dot", "[no].conf")
"""Patterns for all that an arrangement has in the user's home."""
XDG = {"XDG_CONFIG_HOME": "HOME/xdg"}


@dataclass(frozen=True)
class Arrangement:
    """Files of Podman's configuration. HOME stands for the user's home, UID for the number."""

    files: Mapping[str, str]
    env: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    is_beyond_us: bool = False
    """Newer releases of Podman read it, and localreg cannot: then only Podman's answer counts."""


ARRANGEMENTS = {
    "nothing": Arrangement({}),
    "a drop-in of the user": Arrangement({f"{H}/{D}/50-a.conf": YES}),
    "a drop-in of the system": Arrangement({f"{E}/{D}/50-a.conf": YES}),
    "a drop-in of the distribution": Arrangement({f"{U}/{D}/50-a.conf": YES}),
    "the user forbids in a later name": Arrangement({f"{E}/{D}/50-a.conf": YES, f"{H}/{D}/60-b.conf": NO}),
    "the system forbids in a later name": Arrangement({f"{H}/{D}/50-a.conf": YES, f"{E}/{D}/90-b.conf": NO}),
    "the user forbids in an earlier name": Arrangement({f"{H}/{D}/10-a.conf": NO, f"{E}/{D}/50-b.conf": YES}),
    "the user forbids under the same name": Arrangement({f"{E}/{D}/50-a.conf": YES, f"{H}/{D}/50-a.conf": NO}),
    "an empty file of the same name": Arrangement({f"{E}/{D}/50-a.conf": YES, f"{H}/{D}/50-a.conf": ""}),
    "an empty main file of the user": Arrangement({f"{H}/registries.conf": "", f"{E}/{D}/50-a.conf": YES}),
    "two main files": Arrangement({f"{H}/registries.conf": YES, f"{E}/registries.conf": NO}),
    "the system's main file": Arrangement({f"{E}/registries.conf": YES}),
    "the distribution's main file": Arrangement({f"{U}/registries.conf": YES}),
    "the distribution's main file forbids": Arrangement({f"{E}/registries.conf": YES, f"{U}/registries.conf": NO}),
    "a drop-in against the main file": Arrangement({f"{E}/registries.conf": NO, f"{H}/{D}/50-a.conf": YES}),
    "XDG_CONFIG_HOME": Arrangement({f"{X}/{D}/50-a.conf": YES}, XDG),
    "XDG_CONFIG_HOME leads elsewhere": Arrangement({f"{H}/{D}/50-a.conf": YES}, XDG),
    "a main file in XDG_CONFIG_HOME": Arrangement({f"{X}/registries.conf": YES}, XDG),
    "a named file, and a drop-in that forbids": Arrangement(
        {"HOME/n.conf": YES, f"{H}/{D}/50-a.conf": NO}, {"CONTAINERS_REGISTRIES_CONF": "HOME/n.conf"}
    ),
    "an empty named file, and a drop-in": Arrangement(
        {"HOME/n.conf": "", f"{H}/{D}/50-a.conf": YES}, {"CONTAINERS_REGISTRIES_CONF": "HOME/n.conf"}
    ),
    "the variable's old name": Arrangement({"HOME/n.conf": YES}, {"REGISTRIES_CONFIG_PATH": "HOME/n.conf"}),
    "an override": Arrangement({"HOME/n.conf": YES}, {"CONTAINERS_REGISTRIES_CONF_OVERRIDE": "HOME/n.conf"}),
    "an override that forbids": Arrangement(
        {"HOME/n.conf": NO, f"{H}/{D}/50-a.conf": YES}, {"CONTAINERS_REGISTRIES_CONF_OVERRIDE": "HOME/n.conf"}
    ),
    "a named file and an override": Arrangement(
        {"HOME/n.conf": NO, "HOME/o.conf": YES},
        {"CONTAINERS_REGISTRIES_CONF": "HOME/n.conf", "CONTAINERS_REGISTRIES_CONF_OVERRIDE": "HOME/o.conf"},
    ),
    "a drop-in for all users": Arrangement({f"{E}/{UNPRIVILEGED}/50-a.conf": YES}),
    "a drop-in for one user": Arrangement({f"{E}/{UNPRIVILEGED}/UID/50-a.conf": YES}),
    "a drop-in for root": Arrangement({f"{E}/registries.rootful.conf.d/50-a.conf": YES}),
    "a drop-in for users in the user's folder": Arrangement({f"{H}/{UNPRIVILEGED}/50-a.conf": YES}),
    "forbidden for users": Arrangement({f"{E}/{D}/50-a.conf": YES, f"{E}/{UNPRIVILEGED}/50-a.conf": NO}),
    "forbidden for root": Arrangement({f"{E}/{D}/50-a.conf": YES, f"{E}/registries.rootful.conf.d/50-a.conf": NO}),
    "forbidden for one user": Arrangement(
        {f"{E}/{UNPRIVILEGED}/50-a.conf": YES, f"{E}/{UNPRIVILEGED}/UID/50-a.conf": NO}
    ),
    "a hidden file": Arrangement({f"{H}/{D}/.50-a.conf": YES}),
    "a broken link": Arrangement({f"{H}/{D}/50-a.conf": YES}, links={f"{H}/{D}/60-x.conf": "/nowhere"}),
    "a folder that is a link": Arrangement({"HOME/dot/50-a.conf": YES}, links={f"{H}/{D}": "HOME/dot"}),
    "a file that is a link": Arrangement(
        {"HOME/dot/50-a.conf": YES}, links={f"{H}/{D}/50-a.conf": "HOME/dot/50-a.conf"}
    ),
    "a file of the same name that is a device": Arrangement(
        {f"{E}/{D}/50-a.conf": YES}, links={f"{H}/{D}/50-a.conf": "/dev/null"}
    ),
    "version 1 of the format": Arrangement(
        {f"{E}/registries.conf": f'[registries.insecure]\nregistries = ["{LOCATION}"]\n'}
    ),
    "a byte order mark": Arrangement({f"{H}/{D}/50-a.conf": f"\ufeff{YES}"}),
    "Windows line endings": Arrangement({f"{H}/{D}/50-a.conf": YES.replace("\n", "\r\n")}),
    "keys in capitals": Arrangement(
        {f"{H}/{D}/50-a.conf": f'[[registry]]\nLocation = "{LOCATION}"\nINSECURE = true\n'}
    ),
    "the host without its port": Arrangement(
        {f"{H}/{D}/50-a.conf": '[[registry]]\nlocation = "localhost"\ninsecure = true\n'}
    ),
    "a wildcard": Arrangement({f"{H}/{D}/50-a.conf": f'[[registry]]\nprefix = "*.{LOCATION}"\ninsecure = true\n'}),
    "blocked": Arrangement({f"{H}/{D}/50-a.conf": f"{YES}blocked = true\n"}),
    "a contradiction": Arrangement({f"{H}/{D}/50-a.conf": YES + NO}),
    "an empty list": Arrangement({f"{H}/{D}/50-a.conf": "registry = []\n"}),
    "an inline table on several lines": Arrangement(
        {f"{H}/{D}/50-a.conf": f'registry = [{{\n location = "{LOCATION}",\n insecure = true,\n}}]\n'},
        is_beyond_us=True,
    ),
}


@pytest.fixture(params=["podman-rootful", "podman-rootless"])
def user(request: pytest.FixtureRequest, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bed]:
    """A user of the `podman` program, who this process is taken for; all configuration of registries is removed."""
    require_testbed()
    bed = BEDS[request.param]
    program = folder / "podman"
    program.write_text(f'#!/bin/sh\nexec {" ".join(bed.command([str(shutil.which("podman"))]))} "$@"\n')
    program.chmod(0o755)
    environment = {**bed.environment, "PATH": f"{folder}:{os.environ['PATH']}"}
    for name in {*os.environ} - {*environment}:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(os, "geteuid", lambda: bed.uid)
    remove_all(bed)
    yield bed
    remove_all(bed)


def remove_all(user: Bed) -> None:
    """Remove everything that an arrangement may have."""
    for base in (ETC, USR):
        (base / "registries.conf").unlink(missing_ok=True)
        for path in base.glob("registries*.conf.d"):
            shutil.rmtree(path)
    (ETC / D).mkdir()
    for path in (path for name in OF_HOME for path in user.home.glob(name)):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.parametrize("arrangement", ARRANGEMENTS.values(), ids=ARRANGEMENTS)
def test_localreg_reads_what_podman_does(user: Bed, arrangement: Arrangement, monkeypatch: pytest.MonkeyPatch) -> None:
    def filled(text: str) -> str:
        return text.replace("HOME/", f"{user.home}/").replace("UID", str(user.uid))

    for name, text in arrangement.files.items():
        path = Path(filled(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    for name, target in arrangement.links.items():
        path = Path(filled(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(filled(target))
    for owned in (path for name in OF_HOME for top in user.home.glob(name) for path in (top, *top.rglob("*"))):
        os.chown(owned, user.uid, user.uid, follow_symlinks=False)
    for name, value in arrangement.env.items():
        monkeypatch.setenv(name, filled(value))
    assert read_by_localreg() in {said_by_podman(), "refused" if arrangement.is_beyond_us else None}


def read_by_localreg() -> bool | str:
    try:
        return find_permission(LOCATION, release=podman_release()) is not None
    except ConfigError:
        return "refused"


def said_by_podman() -> bool | str:
    try:
        said = ask_podman([LOCATION])
    except ConfigError:
        return "refused"
    assert said is not None
    return said.allows[LOCATION]
