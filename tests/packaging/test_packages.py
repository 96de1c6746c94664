"""Wheel and sdist are built, and installed as users install them; needs the package index, so it runs in no sandbox."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from support.interpreters import find_interpreters

from localreg import __version__

ROOT = Path(__file__).parent.parent.parent
CACHE = ROOT / ".cache"
UV = Path(sys.executable).with_name("uv")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
WHEEL = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
EXTRAS = ",".join(PROJECT["project"]["optional-dependencies"])
"""Every module can be imported only with them."""
SHARED: dict[str, str] = WHEEL["shared-data"]
"""What is installed beside the package: the file, and its place below the prefix."""
INTERPRETERS = find_interpreters()
IMPORT_ALL = """
import importlib, pkgutil, localreg
for module in pkgutil.walk_packages(localreg.__path__, "localreg."):
    importlib.import_module(module.name)
"""


def run(*command: str | Path, env: Mapping[str, str] | None = None) -> str:
    """Run a program, which has to succeed and to say nothing on stderr; returns stdout."""
    # Nothing of the developer's own settings, caches or interpreters decides.
    own = {
        "UV_CACHE_DIR": str(CACHE / "uv"),
        "UV_NO_CONFIG": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_SYSTEM_CERTS": "1",
    }
    result = subprocess.run(
        command, env={**os.environ, **own, **(env or {})}, cwd="/", capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr) == (0, ""), f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout


@pytest.fixture(scope="session")
def dist() -> Path:
    """A folder with the sdist and the wheel that is built from it."""
    folder = CACHE / "packaging" / "dist"
    shutil.rmtree(folder, ignore_errors=True)
    run(UV, "build", "--quiet", "--python", sys.executable, "--out-dir", folder, ROOT)
    return folder


@pytest.fixture(scope="session")
def wheel(dist: Path) -> Path:
    (found,) = dist.glob("*.whl")
    return found


@pytest.fixture(scope="session")
def sdist(dist: Path) -> Path:
    (found,) = dist.glob("*.tar.gz")
    return found


def source_files(folder: str) -> set[str]:
    """The project's own files, new ones included."""
    listing = ("ls-files", "--cached", "--others", "--exclude-standard", folder)
    names = run("git", "-c", "safe.directory=*", "-C", ROOT, *listing).splitlines()
    return {name for name in names if (ROOT / name).exists()}


def check_installed(prefix: Path) -> None:
    """Localreg is installed there, whole, and works as far as it does without an engine."""
    assert run(prefix / "bin" / "localreg", "--version") == f"localreg {__version__}\n"
    assert "Usage: localreg" in run(prefix / "bin" / "localreg", "--help")
    run(prefix / "bin" / "python", "-c", IMPORT_ALL)
    run(UV, "pip", "check", "--quiet", "--python", prefix)
    for source, place in SHARED.items():
        assert (prefix / place).read_bytes() == (ROOT / source).read_bytes()


def test_there_is_an_interpreter() -> None:
    assert INTERPRETERS


@pytest.mark.parametrize("python", INTERPRETERS.values(), ids=INTERPRETERS)
def test_the_wheel_is_installed(wheel: Path, tmp_path: Path, python: Path) -> None:
    run(UV, "venv", "--quiet", "--python", python, tmp_path / "venv")
    run(UV, "pip", "install", "--quiet", "--python", tmp_path / "venv", f"{wheel}[{EXTRAS}]")
    check_installed(tmp_path / "venv")


def test_the_sdist_is_installed(sdist: Path, tmp_path: Path) -> None:
    run(UV, "venv", "--quiet", "--python", next(iter(INTERPRETERS.values())), tmp_path / "venv")
    run(UV, "pip", "install", "--quiet", "--python", tmp_path / "venv", f"{sdist}[{EXTRAS}]")
    check_installed(tmp_path / "venv")


def test_pipx_installs_it(wheel: Path, tmp_path: Path) -> None:
    home = {name: str(tmp_path / name) for name in ("PIPX_HOME", "PIPX_BIN_DIR", "PIPX_MAN_DIR", "PIPX_SHARED_LIBS")}
    run(UV, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv")
    run(UV, "pip", "install", "--quiet", "--python", tmp_path / "venv", "pipx")
    result = subprocess.run(
        [tmp_path / "venv/bin/pipx", "install", wheel],
        env={**os.environ, **home, "NO_COLOR": "1"},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert run(tmp_path / "PIPX_BIN_DIR/localreg", "--version") == f"localreg {__version__}\n"
    assert (tmp_path / "PIPX_MAN_DIR/man1/localreg.1").exists()


def test_the_wheel_has_the_package_and_what_is_shared_and_no_more(wheel: Path) -> None:
    tracked = source_files("localreg")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    data = f"localreg_cli-{__version__}.data/data/"
    assert names == tracked | {f"{data}{place}" for place in SHARED.values()}


def test_the_sdist_has_all_that_is_needed_to_test_it(sdist: Path) -> None:
    tracked = source_files(".")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert tracked - names == {".ci/run", ".shellcheckrc"}
    assert names - tracked == {"PKG-INFO"}
