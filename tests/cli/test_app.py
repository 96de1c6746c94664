"""The program around the commands: options, errors, exit codes; with an engine in memory."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from support.engines.fake import FakeEngine

from localreg.cli import complete, session
from localreg.cli.app import app, main
from localreg.engines.discovery import select
from localreg.engines.discovery.probe import Answer, SeenContainer
from localreg.engines.discovery.select import Selection, Survey
from localreg.engines.values import ContainerSpec, Endpoint, VolumeMount
from localreg.output.streams import Format, Streams
from localreg.registry.container import labels_of, volume_labels
from localreg.registry.defaults import default_volume
from localreg.registry.options import RegistryOptions
from localreg.settings import SETTINGS
from localreg.system.address import Address

IMAGE = "docker.io/library/registry:2.8.3"


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever runs the tests may have settings of their own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for setting in SETTINGS:
        monkeypatch.delenv(setting.variable, raising=False)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """The engine that every command gets."""
    found = FakeEngine()
    found.add_image(IMAGE)
    monkeypatch.setattr(
        select, "select_engine", lambda *_args, **_kwargs: Selection(found, Survey((), ()), holds_registry=True)
    )
    return found


def add_registry(engine: FakeEngine, name: str = "registry", *, ours: bool = True) -> None:
    options = RegistryOptions(port=5000, host="127.0.0.1", volume=default_volume(name))
    engine.create_volume(default_volume(name), volume_labels(name))
    engine.create_container(
        ContainerSpec(
            name=name,
            image=IMAGE,
            container_port=5000,
            publish=Address("127.0.0.1", 5000),
            mount=VolumeMount(default_volume(name), "/var/lib/registry"),
            labels=labels_of(name, asked=RegistryOptions(), options=options) if ours else {},
        )
    )


Run = tuple[int, str, str]


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> Run:
    code = main(arguments)
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize(
    ("arguments", "fact", "hint"),
    [
        (["upp"], "`upp`", "localreg up"),
        (["psuh", "app:1"], "`psuh`", "localreg push app:1"),
        (["untrust", "pod"], "`pod`", "localreg untrust podman"),
        (["tls"], "`tls`", "localreg up --tls"),
        (["doctor", "explian"], "`explian`", "localreg doctor explain"),
        (["frobnicate"], "`frobnicate`", "localreg --help"),
        (["up", "--prot", "1"], "`--prot`", "localreg up --help"),
        (["up", "--prot", "1"], "`--port`", "localreg up --help"),
        (["up", "-x"], "`-x`", "localreg up --help"),
        (["ps"], "`ps`", "localreg status --all"),
        (["start"], "`start`", "localreg up"),
        (["stop", "team"], "`stop`", "localreg down team"),
        (["images"], "`images`", "localreg ls"),
        (["remove", "app:1"], "`remove`", "localreg rm app:1"),
        (["version"], "`version`", "localreg --version"),
        (["restart", "team"], "`restart`", "localreg up --recreate team"),
        (["tunnel", "start", "ci@far"], "`tunnel start`", "localreg tunnel open ci@far"),
        (["tunnel", "rm", "far"], "`tunnel rm`", "localreg tunnel close far"),
        (["tunnel", "frobnicate"], "`tunnel frobnicate`", "localreg tunnel --help"),
        (["up", "--version"], "`--version`", "localreg --version"),
        (["ls", "-V"], "`-V`", "localreg --version"),
        (["help", "frobnicate"], "`frobnicate`", None),
        (["push", "app:1", "--as"], "--as", "localreg push --help"),
        (["up", "--port"], "--port", "localreg up --help"),
        (["ls", "--engine"], "--engine", "localreg ls --help"),
        (["up", "some", "words"], "`words`", "localreg up --help"),
        (["down", "a b"], "`a b`", None),
        (["down", "team", "--name", "other"], "`team` or `--name other`", None),
        (["up", "--port", "x"], "`--port`", "localreg up --help"),
        (["up", "--port", "70000"], "`--port`", "localreg up --help"),
        (["up", "--port", "70000"], "`70000` is not between 1 and 65535", "localreg up --help"),
        (["logs", "--tail", "-1"], "`-1` is less than 0", "localreg logs --help"),
        (["up", "--wait", "x"], "`x` is not a number", "localreg up --help"),
        (["ci"], "bitbucket, github, gitlab, shell", "localreg ci --help"),
        (["up", "--host", "example.com"], "`example.com`", "localreg up --host 127.0.0.1"),
        (["up", "--host", "[::1]"], "IPv6", "localreg up --host 127.0.0.1"),
        (["up", "--image", "a", "--image-archive", "b"], "--image-archive", None),
        (["podman-fix", "--location", "*.foo:1"], "`*.foo:1`", None),
        (["podman-fix", "--location", "a b:1"], "`a b:1`", None),
        (["podman-fix", "--location", "host:70000"], "`host:70000`", None),
        (["up", "--ephemeral", "--volume", "x"], "--ephemeral", None),
        (["up", "--volume", "-x"], "`-x`", None),
        (["up", "--volume", "/no/such/folder"], "`/no/such/folder`", "mkdir -p /no/such/folder"),
        (["up", "--image", "UPPER"], "`UPPER`", None),
        (["push"], "IMAGE", "localreg push --help"),
        (["push", "a", "b", "--as", "c"], "--as", None),
        (["push", "a:b:c"], "`a:b:c`", None),
        (["pull", "team/App"], "`team/App`", None),
        (["logs", "--since", "yesterday"], "`yesterday`", None),
        (["podman-fix", "--remove", "--location", "x:1"], "--location", None),
        (["podman-fix", "--location", "x"], "`x`", None),
        (["--name", "", "up"], "an empty value", "localreg --name team up"),
        (["rm", ""], "the image name is empty", None),
        (["rm", "-r", "ap*"], "`ap*`", "localreg rm 'ap*' --dry-run"),
        (["up", "--port", ""], "an empty value is not a whole number", "localreg up --help"),
        (["--name", "a b", "status"], "`a b`", None),
        (["ls", "--name", "../x"], "`../x`", None),
        (["up", "--wait", "0"], "", "localreg up --wait 30"),
        (["up", "--wait", "nan"], "", "localreg up --wait 30"),
        (["up", "--volume", "~nosuchuser/x"], "~nosuchuser", None),
        (["--engine", "lxc", "ls"], "`--engine`", "localreg --help"),
        (["pull", "many*"], "`many*`", "localreg ls 'many*' -q | xargs -r localreg pull"),
        (["tag", "app:1", "a", "--as", "b"], "--as", "localreg tag app:1 --as b"),
        (["export", "app:1"], "`export`", "localreg save app:1"),
        (["import", "-i", "a.tar"], "`import`", "localreg load -i a.tar"),
        (["load", "my app.tar", "--check"], "`my app.tar`", "localreg load -i 'my app.tar' --check"),
        (["load", "a.tar", "b.tar"], "`a.tar b.tar`", "localreg load --help"),
        (["load", "--input=a.tar", "b.tar"], "`b.tar`", "localreg load --help"),
        (["copy", "./app.tar", "x"], "`./app.tar` is a path", "localreg push ./app.tar"),
        (["copy", "app:1", "../app.tar"], "`../app.tar` is a path", "localreg save -o ../app.tar app:1"),
        (["copy", "app.tar", "x"], "`app.tar` is a path", "localreg push app.tar"),
        (["copy", "/team/", "x/", "--all"], "begins with `/`", "use team/"),
        (["copy", "app:*", "x"], "`app:*` is a pattern", "localreg copy / x/ 'app:*'"),
        (["copy", "ghcr.io/me/a*", "x/"], "is a pattern", "localreg copy ghcr.io/ x/ 'me/a*'"),
    ],
)
def test_what_makes_no_sense_is_refused_with_exit_code_2(
    engine: FakeEngine, capsys: pytest.CaptureFixture[str], arguments: list[str], fact: str, hint: str | None
) -> None:
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert re.match(rf"error: .*{re.escape(fact)}", err)
    assert hint is None or f"hint: {hint}\n" in err
    assert engine.list_containers() == []


@pytest.mark.parametrize("words", [[], ["push"], ["tunnel"], ["tunnel", "open"]])
def test_help_is_also_a_word(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert run(capsys, "help", *words) == run(capsys, *words, "--help")
    assert run(capsys, "--engine", "docker", "help", *words) == run(capsys, *words, "--help")
    assert run(capsys, "help", "help") == run(capsys, "help")
    assert run(capsys, "-V") == run(capsys, "--version")


def test_the_name_may_be_an_argument(engine: FakeEngine, capsys: pytest.CaptureFixture[str]) -> None:
    add_registry(engine)
    add_registry(engine, "team")
    code, _, err = run(capsys, "status", "other")
    assert (code, err) == (4, "")
    assert run(capsys, "down", "team", "--name", "team")[0] == 0
    assert [container.name for container in engine.list_containers()] == ["registry"]
    assert "hint: localreg --name team up\n" in run(capsys, "url", "team")[2]


def test_an_image_that_has_another_tag_is_not_pulled_from_elsewhere(
    engine: FakeEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("my-app:1.0", "localhost/my-app:2.0", "ghcr.io/team/my-app:3.0", "team/my-app:4.0"):
        engine.add_image(name)
    add_registry(engine)
    engine.start_container(engine.list_containers()[0].id)
    assert run(capsys, "push", "my-app")[2].endswith("hint: Docker has my-app:1.0, my-app:2.0\n")
    assert run(capsys, "push", "ghcr.io/team/my-app")[2].endswith("hint: localreg push ghcr.io/team/my-app:3.0\n")
    assert run(capsys, "push", "team/my-app", "--as", "x:1")[2].endswith(
        "hint: localreg push team/my-app:4.0 --as x:1\n"
    )
    assert run(capsys, "tag", "team/my-app", "x:1")[2].endswith("hint: localreg tag team/my-app:4.0 x:1\n")
    assert run(capsys, "push", "my-app2")[2].endswith("hint: docker pull my-app2\n")


def test_two_formats_are_a_conflict(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "config", "--json", "--format", "table")
    assert (code, out) == (2, "")
    assert "--format table" in json.loads(err)["error"]["message"]
    assert run(capsys, "--format", "plain", "config", "--json")[0] == 2
    assert run(capsys, "--json", "config", "--format", "table")[0] == 2
    assert run(capsys, "config", "--json", "--format", "json")[0] == 0


def test_an_error_is_one_object_for_scripts(engine: FakeEngine, capsys: pytest.CaptureFixture[str]) -> None:
    assert engine.list_containers() == []
    code, out, err = run(capsys, "ls", "--json")
    assert (code, out) == (4, "")
    said = json.loads(err)
    assert said["error"].pop("message")
    assert said == {
        "error": {"code": "container-not-found", "hint": "localreg up", "details": [], "exit_code": 4},
    }


@pytest.mark.parametrize("json_option", [["--json"], ["--format", "json"], ["--format=json"]])
def test_a_command_line_that_makes_no_sense_is_an_object_for_scripts_too(
    engine: FakeEngine, capsys: pytest.CaptureFixture[str], json_option: list[str]
) -> None:
    code, out, err = run(capsys, "up", "--port", "x", *json_option)
    assert (code, out) == (2, "")
    assert json.loads(err)["error"]["code"] == "usage"
    assert engine.list_containers() == []


def test_each_failure_is_reported_when_nothing_succeeded(
    engine: FakeEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    add_registry(engine)
    engine.start_container(engine.list_containers()[0].id)
    code, out, err = run(capsys, "push", "one:1", "two:1", "--json")
    assert (code, out) == (4, "")
    assert ["`one:1`" in err.splitlines()[0], "`two:1`" in err.splitlines()[1]] == [True, True]
    assert all(json.loads(line)["error"]["code"] == "image-not-found" for line in err.splitlines())


def test_a_hint_names_the_engine_and_the_registry_that_were_named(
    engine: FakeEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert engine.list_containers() == []
    _, _, err = run(capsys, "--engine", "docker", "ls", "--name", "other")
    assert err.endswith("hint: localreg --engine docker --name other up\n")
    _, _, err = run(capsys, "--engine", "docker", "down", "--volume")
    assert err.endswith("hint: localreg down --help\n")


def test_what_a_script_reads_on_stderr_is_json_throughout(
    engine: FakeEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    add_registry(engine, ours=False)
    engine.start_container(engine.list_containers()[0].id)
    Streams(format=Format.JSON, quiet=False).warn("`x` is open")
    Streams(format=Format.JSON, quiet=False).note("on the way")
    code, out, err = run(capsys, "down", "--json")
    assert (code, out) == (5, "")
    warning, error = map(json.loads, err.splitlines())
    assert warning == {"warning": "`x` is open"}
    assert error["error"]["code"] == "not-ours"


def test_nothing_that_is_said_aside_moves_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """The name of a folder, and what an engine or ssh says, is somebody else's."""
    streams = Streams(format=Format.PLAIN, quiet=False)
    for say in (streams.note, streams.hint, streams.warn):
        say("a\x1b[2Jb\nc")
    assert capsys.readouterr().err == "a\\x1b[2Jb\\nc\nhint: a\\x1b[2Jb\\nc\nwarning: a\\x1b[2Jb\\nc\n"


def test_shared_options_stand_on_either_side(engine: FakeEngine, capsys: pytest.CaptureFixture[str]) -> None:
    add_registry(engine, "other")
    before = run(capsys, "--name", "other", "--json", "status")
    after = run(capsys, "status", "--name", "other", "--json")
    assert before == after
    assert before[0] == 6
    assert json.loads(before[1])["health"] == "stopped"


def test_down_says_what_it_removed(engine: FakeEngine, capsys: pytest.CaptureFixture[str]) -> None:
    add_registry(engine)
    assert run(capsys, "down") == (0, "container registry\n", "")
    assert engine.find_volume("localreg-registry") is not None
    code, out, _ = run(capsys, "down", "--volumes", "--json")
    assert code == 0
    assert json.loads(out) == {
        "schema_version": 1,
        "removed": {"container": None, "volumes": ["localreg-registry"]},
        "kept": [],
    }
    assert run(capsys, "down") == (0, "", "")


def test_down_names_the_registry_that_is_not_there(engine: FakeEngine, capsys: pytest.CaptureFixture[str]) -> None:
    del engine
    assert run(capsys, "down", "--format", "table")[1] == "No registry to stop\n"
    assert run(capsys, "down", "regsitry", "--format", "table")[1] == "No registry `regsitry` to stop\n"


def test_down_leaves_what_is_not_ours(engine: FakeEngine, capsys: pytest.CaptureFixture[str]) -> None:
    add_registry(engine, ours=False)
    code, out, err = run(capsys, "down", "--volumes")
    assert (code, out) == (5, "")
    assert "hint: localreg down --force" in err
    assert engine.find_container("registry") is not None


def test_a_volume_without_our_label_is_never_removed(engine: FakeEngine, capsys: pytest.CaptureFixture[str]) -> None:
    engine.create_volume("localreg-registry", {"somebody": "else"})
    assert run(capsys, "down", "--volumes") == (0, "", "")
    assert engine.find_volume("localreg-registry") is not None


def test_a_bug_is_one_line_and_exit_code_70(
    engine: FakeEngine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(engine, "find_container", fail)
    code, out, err = run(capsys, "status")
    assert (code, out) == (70, "")
    message, hint = err.splitlines()
    assert message.startswith("error: ")
    assert message.endswith(" ZeroDivisionError: oops")
    assert hint.startswith("hint: ")
    assert "--debug" in hint
    assert "Traceback" in run(capsys, "status", "--debug")[2]
    error = json.loads(run(capsys, "status", "--json")[2])["error"]
    assert (error["code"], error["exit_code"]) == ("internal-error", 70)


def test_ctrl_c_is_130(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, "find_container", interrupt)
    assert main(["status"]) == 130


def test_an_engine_that_is_lost_is_exit_code_1(engine: FakeEngine, capsys: pytest.CaptureFixture[str]) -> None:
    engine.lost.set()
    code, _, err = run(capsys, "status")
    assert code == 1
    assert err.startswith("error: the engine was lost")


def test_nothing_asked_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys)
    assert (code, err) == (0, "")
    assert out == run(capsys, "--help")[1]


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_every_commands_help_ends_with_examples(capsys: pytest.CaptureFixture[str], flag: str) -> None:
    for path in Path(session.__file__).parent.glob("*.py"):
        if path.stem in ("up", "down", "status", "logs", "push", "pull", "tag", "ls", "podman_fix"):
            command = path.stem.replace("_", "-")
            _, out, _ = run(capsys, command, flag)
            assert re.search(rf"^  localreg {command}\b", out.rstrip().rpartition("\n\n")[2], re.MULTILINE)


def test_what_is_set_reaches_the_command_and_config_says_where(
    engine: FakeEngine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    add_registry(engine, "team")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "localreg.toml").write_text("name = 'team'\nformat = 'json'\n")
    assert json.loads(run(capsys, "status")[1])["name"] == "team"
    found = json.loads(run(capsys, "--engine", "docker", "config")[1])
    assert found["settings"]["name"] == {"value": "team", "source": str(tmp_path / "localreg.toml")}
    assert found["settings"]["engine"] == {"value": "docker", "source": "flag"}
    assert found["project_file"] == str(tmp_path / "localreg.toml")
    assert "name\tteam\t" in run(capsys, "config", "--format", "plain")[1]
    monkeypatch.setenv("COLUMNS", "300")
    _, out, _ = run(capsys, "--engine", "docker", "config", "--format", "table")
    assert out.splitlines()[0].split() == ["engine", "docker", "option"]


def test_a_broken_file_stops_every_command_but_no_help(
    engine: FakeEngine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert engine.list_containers() == []
    monkeypatch.chdir(tmp_path)
    (tmp_path / "localreg.toml").write_text("port = \n")
    code, out, err = run(capsys, "status", "--json")
    assert (code, out) == (7, "")
    message = json.loads(err)["error"]["message"]
    assert f"`{tmp_path / 'localreg.toml'}`" in message
    assert "TOML" in message
    for arguments in (["--help"], ["up", "--help"], ["--version"], []):
        assert run(capsys, *arguments)[0] == 0


def test_a_broken_file_stops_no_completion(
    engine: FakeEngine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    script = run(capsys, "completion", "bash")
    (tmp_path / "localreg.toml").write_text("port = \n")
    assert run(capsys, "completion", "bash") == script
    assert (script[0], script[2]) == (0, "")
    assert engine.list_containers() == []
    seen = SeenContainer("1", ("team",), labels_of("team", asked=RegistryOptions(), options=RegistryOptions()), ())
    answer = Answer("docker", Endpoint("unix:///run/docker.sock"), (seen,), has_volume=False)
    monkeypatch.setattr(complete, "quick_look", lambda *_args, **_kwargs: answer)
    assert complete.complete(app, ["status", "t"]) == "team\t"


@pytest.mark.parametrize("broken", ["port = \n", "port = 0\nname = 'team'\n"])
def test_config_shows_what_is_in_force_beside_what_is_wrong(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, broken: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOCALREG_WAIT", "long")
    (tmp_path / "localreg.toml").write_text(broken)
    code, out, err = run(capsys, "config")
    assert code == 2
    assert re.findall(r"^port\t.*", out, re.MULTILINE) == ["port\t5000 or the next free port\tdefault"]
    assert ("name\tteam\t" in out) is ("team" in broken)
    assert [line[:7] for line in err.splitlines() if line.startswith("error: ")] == ["error: "] * 2
    assert str(tmp_path / "localreg.toml") in err
    found = json.loads(run(capsys, "config", "--json")[1])
    assert [error["exit_code"] for error in found["errors"]] == [2, 7]


def test_config_runs_where_a_pyproject_is_broken(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text("[tool")
    code, out, err = run(capsys, "config")
    assert (code, err.count("error: ")) == (7, 1)
    assert "port\t" in out


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("LOCALREG_FORMT", "LOCALREG_FORMAT"),
        ("LOCALREG_ENGIN", "LOCALREG_ENGINE"),
        ("LOCALREG_IMAGE_ARCHIV", "LOCALREG_IMAGE_ARCHIVE"),
        ("LOCALREG_TAG", None),
        ("LOCALREG_TUNNEL", None),
        ("LOCALREG_VERSION", None),
        ("OTHER_FORMT", None),
    ],
)
def test_a_variable_that_is_almost_a_setting_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, variable: str, meant: str | None
) -> None:
    monkeypatch.setenv(variable, "json")
    code, _, err = run(capsys, "config")
    assert code == 0
    assert err == (f"warning: {variable} is not a setting; did you mean {meant}?\n" if meant else "")


def test_an_option_of_up_can_be_set(
    engine: FakeEngine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    add_registry(engine)
    monkeypatch.setenv("LOCALREG_PORT", "5011")
    for arguments, port in ((["up"], 5011), (["up", "--port", "5012"], 5012)):
        code, _, err = run(capsys, *arguments)
        assert code == 5
        (differing,) = (line for line in err.splitlines() if line.startswith("  --port "))
        assert f"`{port}`" in differing
        assert "`5000`" in differing
