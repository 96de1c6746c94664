"""Which of several places a setting comes from, and what is said of a place that makes no sense."""

from __future__ import annotations

import re
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


def numbers_beside(path: Path, error: ConfigError) -> list[str]:
    """The numbers in a message, such as the line; not those in the file's path."""
    before, shown, after = error.message.partition(f"`{path}`")
    assert shown
    return re.findall(r"\d+", before + after)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_a_project_sets_only_what_cannot_hurt(project: Path, user: Path, setting: object) -> None:
    name = getattr(setting, "name", "")
    values = {"name": "'team'", "port": "5001", "format": "'json'", "tls": "true"}
    (project / "localreg.toml").write_text(f"# a comment\n\n{name} = {values.get(name, 'true')}\n")
    if name in values:
        assert settings(project, user)[name].source == str(project / "localreg.toml")
        return
    with pytest.raises(ConfigError, match=f"`{name}`") as caught:
        settings(project, user)
    assert numbers_beside(project / "localreg.toml", caught.value) == ["3"]
    assert getattr(setting, "variable", "") in str(caught.value.hint)


@pytest.mark.parametrize(
    ("text", "line", "facts"),
    [
        ("port = 1\nprot = 5", 2, ["`prot`"]),
        ("port = 0", 1, ["`port`", "`0`", "1", "65535"]),
        ("port = true", 1, ["`port`", "65535"]),
        ("port = 5000.5", 1, ["`port`", "`5000.5`", "65535"]),
        ("wait = 'nan'", 1, ["`wait`", "`nan`"]),
        ("quiet = 'maybe'", 1, ["`quiet`", "`maybe`", "true", "false"]),
        ("engine = 'lxc'", 1, ["`engine`", "`lxc`", "auto", "docker", "podman"]),
        ("pull = 'sometimes'", 1, ["`pull`", "`sometimes`", "missing", "always", "never"]),
        ("name = 3", 1, ["`name`", "`3`"]),
        ("name = '../x'", 1, ["`name`", "`../x`"]),
        ("host = 'example.com'", 1, ["`host`", "`example.com`"]),
        ("image = 'UPPER'", 1, ["`image`", "`UPPER`"]),
        ("volume = '/no/such'", 1, ["`volume`", "`/no/such`"]),
        ("[port]\nx = 1", None, ["`port`"]),
        ("port = ", None, ["TOML"]),
        ("port = 1\nport = 2", None, ["TOML"]),
    ],
)
def test_what_makes_no_sense_in_a_file_is_said_with_its_place(
    project: Path, user: Path, text: str, line: int | None, facts: list[str]
) -> None:
    user.write_text(text)
    with pytest.raises(ConfigError) as caught:
        settings(project, user)
    assert all(fact in caught.value.message for fact in facts)
    numbers = numbers_beside(user, caught.value)
    assert line is None or str(line) in numbers


def test_files_that_cannot_be_read_are_named(project: Path, user: Path) -> None:
    user.write_bytes(b"port = 5001 # \xff")
    with pytest.raises(ConfigError, match="UTF-8"):
        settings(project, user)
    user.write_text("")
    (project / "pyproject.toml").write_text("[tool]\nlocalreg = 3")
    with pytest.raises(ConfigError, match=r"`tool\.localreg`"):
        settings(project, user)
    (project / "pyproject.toml").write_text("[tool")
    with pytest.raises(ConfigError, match=r"\bTOML\b") as caught:
        settings(project, user)
    assert f"`{project / 'pyproject.toml'}`" in caught.value.message


def test_the_line_is_that_of_the_right_table(project: Path, user: Path) -> None:
    (project / "pyproject.toml").write_text(
        "[project]\nport = 3\n\n[ tool . localreg ] # ours\nname = 'team'\nport = 'x'\n"
    )
    with pytest.raises(ConfigError, match="`port`") as caught:
        settings(project, user)
    assert "`x`" in caught.value.message
    assert "6" in numbers_beside(project / "pyproject.toml", caught.value)


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
    with pytest.raises(UsageError, match="LOCALREG_PORT") as caught:
        settings(project, user, environ={"LOCALREG_PORT": "x"})
    assert "`x`" in caught.value.message
    assert caught.value.hint == "unset LOCALREG_PORT"
    with pytest.raises(UsageError, match="LOCALREG_IMAGE") as caught:
        settings(project, user, environ={"LOCALREG_IMAGE": "UPPER"})
    assert "`UPPER`" in caught.value.message
    assert isinstance(caught.value.__cause__, InvalidReferenceError)


@pytest.mark.parametrize("name", ["force", "volumes", "recreate", "podman-fix", "keep-local", "remove", "all"])
def test_what_forces_deletes_or_replaces_has_to_be_typed(project: Path, user: Path, name: str) -> None:
    assert name not in settings(project, user, environ={f"LOCALREG_{name.upper().replace('-', '_')}": "1"})
    user.write_text(f"{name} = true")
    with pytest.raises(ConfigError, match=f"`{name}`"):
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
    with pytest.raises(ConfigError, match="`image-archive`") as caught:
        settings(project, user)
    assert "`~nobody-of-that-name/registry.tar`" in caught.value.message
