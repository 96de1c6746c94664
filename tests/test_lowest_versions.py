"""The lower bounds of the dependencies hold: localreg works with exactly these versions."""

from __future__ import annotations

import fcntl
import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from support.engines.real import Bed, require_testbed

ROOT = Path(__file__).parent.parent
CACHE = ROOT / ".cache"
ASK = "import importlib.metadata as m, json, sys; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"


@pytest.fixture
def lowest() -> Path:
    """The programs of an environment with the lowest versions, which tests/testbed/packaging makes."""
    require_testbed()
    made_beside = CACHE / "lowest.lock"
    if made_beside.exists():
        with made_beside.open() as lock:
            # Held for as long as it is made.
            fcntl.flock(lock, fcntl.LOCK_SH)
    programs = CACHE / "lowest" / "bin"
    assert programs.exists(), "run tests/testbed/packaging"
    return programs


def test_the_versions_are_the_lowest(lowest: Path) -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    bounds = dict(re.findall(r"^([\w-]+)>=([\d.]+)", "\n".join(wanted), re.MULTILINE))
    assert len(bounds) == len(wanted)
    asked = subprocess.run([lowest / "python", "-c", ASK, *bounds], capture_output=True, text=True, check=True)
    found = json.loads(asked.stdout)
    # A release may have one number more than the bound.
    assert {name: version for name, version in found.items() if not f"{version}.".startswith(f"{bounds[name]}.")} == {}


def test_the_main_job_is_done(bed: Bed, folder: Path, lowest: Path) -> None:
    data = bed.home / "images"
    bed.run("mkdir", "-p", str(data))
    bed.add_image("localhost/app:1", folder)

    def localreg(*arguments: str) -> str:
        result = bed.run(str(lowest / "localreg"), "--engine", bed.engine, *arguments)
        assert result.returncode == 0, result.stderr
        return result.stdout

    localreg("up")
    # A folder of the machine: podman-py has taken it for a volume's name.
    localreg("up", "--recreate", "--volume", str(data), "--podman-fix")
    pushed = localreg("push", "localhost/app:1")
    bed.engine_ok("rmi", "-f", "localhost:5000/app:1", "localhost/app:1")
    assert localreg("pull", "app:1") == pushed
    assert localreg("ls", "-q") == "localhost:5000/app:1\n"
    assert localreg("status", "-q") == "healthy\n"
    assert "GET /v2/app/manifests/1" in localreg("logs")
    assert localreg("rm", "app:1").splitlines()[0] == "registry localhost:5000/app:1"
    localreg("podman-fix", "--remove")
    localreg("down", "--volumes")
    bed.run("rm", "-rf", str(data))
