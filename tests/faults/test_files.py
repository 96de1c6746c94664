"""Settings and configuration files that make no sense or cannot be used."""

from __future__ import annotations

from pathlib import Path

from beds import BEDS, Bed
from benches import at, engine_socket
from fault_table import Fault, fault

TESTER = BEDS["podman-rootless"]


@fault("the project's `localreg.toml` is no TOML", "status", code=7, says="`{file}` is no TOML: ")
@fault("the project's `pyproject.toml` is no TOML", "status", code=7, says="`{file}` is no TOML: ")
@fault("the user's `config.toml` is no TOML", "status", code=7, says="`{file}` is no TOML: ")
def test_settings_that_are_no_toml(either: Bed, folder: Path, faults: tuple[Fault, ...]) -> None:
    for shown, name in zip(faults, ["localreg.toml", "pyproject.toml", "localreg/config.toml"], strict=True):
        file = folder / shown.case.split("`")[1] / name
        file.parent.mkdir(parents=True)
        file.write_text("port = 5000\nport = \n")
        home = file.parent.parent if name == "localreg/config.toml" else folder / "empty"
        cwd = Path("/") if name == "localreg/config.toml" else file.parent
        assert "line 2" in shown.by(either, env={"XDG_CONFIG_HOME": str(home)}, cwd=cwd, file=file)


@fault("a setting that is none", "status", code=7, says="`{file}`, line 1: `prot` is no setting")
def test_a_setting_that_is_none(either: Bed, folder: Path, shown: Fault) -> None:
    (folder / "localreg.toml").write_text("prot = 5001\n")
    shown.by(either, cwd=folder, file=folder / "localreg.toml")


@fault(
    "the user's own `config.toml` may not be read",
    "status",
    code=7,
    says="cannot read `{file}`: permission denied",
    kept="podman-rootless",
)
def test_settings_that_may_not_be_read(folder: Path, shown: Fault) -> None:
    file = folder / "localreg/config.toml"
    file.parent.mkdir()
    file.touch(mode=0o600)
    shown.by(TESTER, env={"XDG_CONFIG_HOME": str(folder)}, file=file)


@fault("the folder of the user's settings may not be entered", "config", code=0, says="default")
@fault("the current folder may not be entered", "config", code=0, says="default")
def test_folders_that_may_not_be_entered(folder: Path, faults: tuple[Fault, ...]) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    settings, project = faults
    settings.by(TESTER, env={"XDG_CONFIG_HOME": str(closed)})
    project.by(TESTER, cwd=closed)
    TESTER.ok("config", "--format", "table", env={"XDG_CONFIG_HOME": str(closed)})


@fault("the home is read-only", "up", code=0, says="localhost:5000")
@fault(
    "the same, to be written to", "podman-fix --scope user", code=7, says="cannot write `{file}`: read-only file system"
)
def test_a_home_that_is_read_only(either: Bed, read_only: Path, faults: tuple[Fault, ...]) -> None:
    file = read_only / ".config/containers/registries.conf.d/50-localreg.conf"
    # Rootless Podman itself needs a home to write to: its service has one.
    with engine_socket(either) as path:
        for shown in faults:
            shown.by(either, env={"HOME": str(read_only), **at(either, f"unix://{path}")}, file=file)


@fault("there is no home", "up", code=0, says="localhost:5000")
@fault("the same, to be written to", "podman-fix --scope user", code=7, says="there is no home folder")
def test_no_home(either: Bed, faults: tuple[Fault, ...]) -> None:
    for shown in faults:
        shown.by(either, env={"HOME": None})
