"""Which of several places a setting comes from, and what is said of a place that makes no sense."""

from __future__ import annotations

from pathlib import Path

import pytest

from localreg.errors import ConfigError, InvalidReferenceError, UsageError
from localreg.registry.options import PullPolicy
from localreg.settings import SETTINGS, Value, find_project_file, resolve


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder below which commands are run."""
    (tmp_path / "project/deep/down").mkdir(parents=True)
    return tmp_path / "project"


@pytest.fixture
def user(tmp_path: Path) -> Path:
    """The user's own file, empty."""
    path = tmp_path / "config/localreg/config.toml"
    path.parent.mkdir(parents=True)
    path.write_text("")
    return path


def settings(project: Path, user: Path, *, environ: dict[str, str] | None = None, **given: object) -> dict[str, Value]:
    typed = {name.replace("_", "-"): value for name, value in given.items()}
    everything = {"XDG_CONFIG_HOME": str(user.parent.parent), **(environ or {})}
    return resolve(typed, environ=everything, folder=project / "deep/down")


def test_each_place_hides_those_below_it(project: Path, user: Path) -> None:
    assert settings(project, user)["port"] == Value(5000, "default")
    user.write_text("port = 5001")
    assert settings(project, user)["port"] == Value(5001, str(user))
    (project / "localreg.toml").write_text("port = 5002")
    assert settings(project, user)["port"] == Value(5002, str(project / "localreg.toml"))
    environ = {"LOCALREG_PORT": "5003"}
    assert settings(project, user, environ=environ)["port"] == Value(5003, "LOCALREG_PORT")
    assert settings(project, user, environ=environ, port=5004)["port"] == Value(5004, "flag")


def test_the_nearest_project_counts_and_its_own_file_before_pyproject(project: Path) -> None:
    below = project / "deep/down"
    assert find_project_file(below) is None
    (project / "pyproject.toml").write_text("[tool.localreg]\nname = 'far'")
    (project / "deep/pyproject.toml").write_text("[tool.other]\nx = 1")
    assert find_project_file(below) == project / "pyproject.toml"
    (project / "localreg.toml").write_text("")
    assert find_project_file(below) == project / "localreg.toml"
    (project / "deep/pyproject.toml").write_text("[tool.localreg]")
    assert find_project_file(below) == project / "deep/pyproject.toml"


def test_a_folder_that_was_removed_has_no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert find_project_file() is None


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_a_project_sets_only_what_cannot_hurt(project: Path, user: Path, setting: object) -> None:
    name = getattr(setting, "name", "")
    values = {"name": "'team'", "port": "5001", "format": "'json'"}
    (project / "localreg.toml").write_text(f"# a comment\n\n{name} = {values.get(name, 'true')}\n")
    if name in values:
        assert settings(project, user)[name].source == str(project / "localreg.toml")
        return
    with pytest.raises(ConfigError, match=rf"localreg.toml`, line 3: `{name}` is not for a project to set"):
        settings(project, user)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("port = 1\nprot = 5", ", line 2: `prot` is no setting"),
        ("port = 0", ", line 1: `port` is `0`: it has to be a number from 1 to 65535"),
        ("port = true", "`port` is `True`: it has to be a number"),
        ("port = 5000.5", "it has to be a number"),
        ("wait = 'nan'", "it has to be a number of seconds above 0"),
        ("quiet = 'maybe'", "it has to be true or false"),
        ("engine = 'lxc'", "it has to be one of auto, docker, podman"),
        ("pull = 'sometimes'", "it has to be one of missing, always, never"),
        ("name = 3", "it has to be text"),
        ("name = '../x'", "`../x` is no container's name"),
        ("host = 'example.com'", "`example.com` is no IP address"),
        ("image = 'UPPER'", "has upper-case letters"),
        ("volume = '/no/such'", "there is no folder `/no/such`"),
        ("[port]\nx = 1", "`port`"),
        ("port = ", "is no TOML"),
        ("port = 1\nport = 2", "is no TOML"),
    ],
)
def test_what_makes_no_sense_in_a_file_is_said_with_its_place(
    project: Path, user: Path, text: str, message: str
) -> None:
    user.write_text(text)
    with pytest.raises(ConfigError) as caught:
        settings(project, user)
    assert message in caught.value.message
    assert str(user) in caught.value.message


def test_files_that_cannot_be_read_are_named(project: Path, user: Path) -> None:
    user.write_bytes(b"port = 5001 # \xff")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        settings(project, user)
    user.write_text("")
    (project / "pyproject.toml").write_text("[tool]\nlocalreg = 3")
    with pytest.raises(ConfigError, match="is no table"):
        settings(project, user)
    (project / "pyproject.toml").write_text("[tool")
    with pytest.raises(ConfigError, match=r"pyproject.toml` is no TOML"):
        settings(project, user)


def test_the_line_is_that_of_the_right_table(project: Path, user: Path) -> None:
    (project / "pyproject.toml").write_text(
        "[project]\nport = 3\n\n[ tool . localreg ] # ours\nname = 'team'\nport = 'x'\n"
    )
    with pytest.raises(ConfigError, match=r"pyproject.toml`, line 6: `port` is `x`"):
        settings(project, user)


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("LOCALREG_ENGINE", "podman", "podman"),
        ("LOCALREG_EPHEMERAL", "1", True),
        ("LOCALREG_QUIET", "no", False),
        ("LOCALREG_PULL", "never", PullPolicy.NEVER),
        ("LOCALREG_IMAGE_ARCHIVE", "x.tar", Path("x.tar")),
        ("LOCALREG_WAIT", "2.5", 2.5),
        ("LOCALREG_HOST", "localhost", "127.0.0.1"),
        ("LOCALREG_JSON", "true", True),
    ],
)
def test_a_variable_is_equal_to_the_flag(project: Path, user: Path, variable: str, text: str, value: object) -> None:
    name = variable.removeprefix("LOCALREG_").lower().replace("_", "-")
    assert settings(project, user, environ={variable: text})[name] == Value(value, variable)
    assert settings(project, user, environ={variable: ""})[name].source == "default"


def test_a_variable_that_makes_no_sense_is_a_usage_error(project: Path, user: Path) -> None:
    with pytest.raises(UsageError, match="LOCALREG_PORT is `x`: it has to be a number") as caught:
        settings(project, user, environ={"LOCALREG_PORT": "x"})
    assert caught.value.hint == "unset LOCALREG_PORT"
    with pytest.raises(UsageError, match="LOCALREG_IMAGE is `UPPER`") as caught:
        settings(project, user, environ={"LOCALREG_IMAGE": "UPPER"})
    assert isinstance(caught.value.__cause__, InvalidReferenceError)


@pytest.mark.parametrize("name", ["force", "volumes", "recreate", "podman-fix", "keep-local", "remove", "all"])
def test_what_forces_deletes_or_replaces_has_to_be_typed(project: Path, user: Path, name: str) -> None:
    assert name not in settings(project, user, environ={f"LOCALREG_{name.upper().replace('-', '_')}": "1"})
    user.write_text(f"{name} = true")
    with pytest.raises(ConfigError, match="is no setting"):
        settings(project, user)


def test_of_two_that_exclude_each_other_the_nearer_counts(project: Path, user: Path) -> None:
    user.write_text("ephemeral = true\nformat = 'table'")
    found = settings(project, user, environ={"LOCALREG_JSON": "1"}, volume="mine")
    assert (found["volume"].value, found["ephemeral"].value) == ("mine", False)
    assert (found["json"].value, found["format"].value) == (True, None)


def test_a_file_in_the_home_is_found_without_a_shell(
    project: Path, user: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    user.write_text('image-archive = "~/registry.tar"')
    assert settings(project, user)["image-archive"].value == tmp_path / "registry.tar"
    user.write_text('image-archive = "~nobody-of-that-name/registry.tar"')
    with pytest.raises(ConfigError, match="of a user that there is"):
        settings(project, user)
