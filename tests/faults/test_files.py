"""Settings and configuration files that are invalid or cannot be read or written."""

from __future__ import annotations

from pathlib import Path

from support.engines.connections import at
from support.engines.real import BEDS, Bed, docker_alone
from support.faults.table import Fault, fault

TESTER = BEDS["podman-rootless"]


@fault("localreg-toml-invalid", "status", code="config", facts=["`{file}`", "line 2"])
@fault("pyproject-toml-invalid", "status", code="config", facts=["`{file}`", "line 2"])
@fault("config-toml-invalid", "status", code="config", facts=["`{file}`", "line 2"])
def test_settings_that_are_not_toml(bed: Bed, folder: Path, faults: tuple[Fault, ...]) -> None:
    for shown, name in zip(faults, ["localreg.toml", "pyproject.toml", "localreg/config.toml"], strict=True):
        file = folder / Path(name).name / name
        file.parent.mkdir(parents=True)
        file.write_text("port = 5000\nport = \n")
        home = file.parent.parent if name == "localreg/config.toml" else folder / "empty"
        cwd = Path("/") if name == "localreg/config.toml" else file.parent
        shown.by(bed, env={"XDG_CONFIG_HOME": str(home)}, cwd=cwd, file=file)


@fault("unknown-setting", "status", code="config", facts=["`{file}`", "line 1", "`prot`", "`port`"])
def test_an_unknown_setting(bed: Bed, folder: Path, shown: Fault) -> None:
    (folder / "localreg.toml").write_text("prot = 5001\n")
    shown.by(bed, cwd=folder, file=folder / "localreg.toml")


@fault(
    "config-toml-not-readable",
    "status",
    code="config",
    facts=["`{file}`", "permission denied"],
    kept="podman-rootless",
)
def test_settings_that_cannot_be_read(folder: Path, shown: Fault) -> None:
    file = folder / "localreg/config.toml"
    file.parent.mkdir()
    file.touch(mode=0o600)
    shown.by(TESTER, env={"XDG_CONFIG_HOME": str(folder)}, file=file)


@fault("settings-folder-not-readable", "config", facts=["default"])
@fault("current-folder-not-readable", "config", facts=["default"])
def test_folders_that_cannot_be_read(folder: Path, faults: tuple[Fault, ...]) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    settings, project = faults
    settings.by(TESTER, env={"XDG_CONFIG_HOME": str(closed)})
    project.by(TESTER, cwd=closed)
    TESTER.ok("config", "--format", "table", env={"XDG_CONFIG_HOME": str(closed)})


@fault("home-read-only-up", "up", facts=["localhost:5000"])
@fault("home-read-only", "podman-fix --scope user", code="config", facts=["`{file}`", "read-only file system"])
def test_a_read_only_home(bed: Bed, read_only: Path, faults: tuple[Fault, ...]) -> None:
    file = read_only / ".config/containers/registries.conf.d/50-localreg.conf"
    # Rootless Podman itself needs a home to write to: its service has one.
    named = at(bed, f"unix://{bed.api.socket}")
    for shown in faults:
        shown.by(bed, env={"HOME": str(read_only), **named}, file=file)


@docker_alone
@fault("home-unset-up", "up", facts=["localhost:5000"])
@fault("home-unset", "podman-fix --scope user", code="config", facts=["Podman", "HOME"])
def test_an_unset_home(bed: Bed, faults: tuple[Fault, ...]) -> None:
    for shown in faults:
        shown.by(bed, env={"HOME": None})
