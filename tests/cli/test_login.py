"""A registry that requires a login, on an engine in memory: `up --auth`, `auth`, `login`, and what each says."""

from __future__ import annotations

import base64
import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import schemas
from support.engines.fake import FakeEngine
from support.registries.fake import FakeRegistry

from localreg.cli.app import main
from localreg.oci.access import Credentials
from localreg.registry import create
from localreg.registry.htpasswd import Htpasswd
from localreg.registry.passwords import list_logins
from localreg.registry.users import set_password

PATH = "/var/lib/registry/localreg/htpasswd"
SECRET = "of-a-person"

Pipe = Callable[[str], None]


@pytest.fixture
def data(tmp_path: Path, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The registry's folder, in which its container runs real programs."""
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.delenv("REGISTRY_AUTH_FILE", raising=False)
    engine.files = {"/var/lib/registry": tmp_path / "data"}
    return tmp_path / "data"


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Pipe:
    """Give the next command a line on stdin."""
    return lambda text: monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(f"{text}\n".encode())))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[str, str]]:
    def ran(*arguments: str, code: int = 0) -> tuple[str, str]:
        capsys.readouterr()
        assert main(list(arguments)) == code
        return capsys.readouterr()

    return ran


Run = Callable[..., tuple[str, str]]


@pytest.fixture
def secured(data: Path, engine: FakeEngine, registry: FakeRegistry, location: str, run: Run) -> Htpasswd:
    """A registry that `up --auth` started; returns its users."""
    run("up", "--auth", "--port", location.rpartition(":")[2])
    (login,) = list_logins()
    registry.needs_login, registry.login = True, f"{login.user}:{login.secret}"
    engine.logins[location] = login
    return users_in(data)


def users_in(data: Path) -> Htpasswd:
    return Htpasswd.parse((data / "localreg/htpasswd").read_bytes())


def refused(run: Run, *arguments: str, code: int) -> dict[str, Any]:
    _, err = run(*arguments, "--json", code=code)
    (line,) = [line for line in err.splitlines() if '"error"' in line]
    found: dict[str, Any] = schemas.check("stderr", line)["error"]
    return found


def test_up_makes_a_user_and_stores_the_password_for_itself_alone(
    secured: Htpasswd, data: Path, engine: FakeEngine, location: str, tmp_path: Path
) -> None:
    (login,) = list_logins()
    assert secured.users == ("localreg",)
    assert secured.accepts("localreg", login.secret)
    assert len(login.secret) > 40
    assert ((data / "localreg/htpasswd").stat().st_mode & 0o777) == 0o600
    store = json.loads((tmp_path / ".local/share/localreg/auth.json").read_text())
    assert list(store["auths"]) == [location]
    container = engine.find_container("registry")
    assert container is not None
    assert container.environment["REGISTRY_AUTH_HTPASSWD_PATH"] == PATH
    encoded = base64.b64encode(login.secret.encode()).decode()
    assert not any(text in repr((container.environment, container.labels)) for text in (login.secret, encoded))


@pytest.mark.usefixtures("secured")
def test_a_registry_that_no_longer_requires_a_login_says_so_once(
    run: Run, registry: FakeRegistry, location: str
) -> None:
    registry.needs_login = False
    up, note = ("up", "--port", location.rpartition(":")[2]), "the volume has users (localreg)"
    run("down")
    _, err = run(*up)
    assert note in err
    assert "`localreg up --recreate --auth`" in err
    for again in (("up",), ("up", "--recreate")):
        assert note not in run(*again)[1]
    run("down")
    assert note not in run(*up, "--no-auth")[1]


class Killed(BaseException):
    """The process ends."""


def kill(*_: object, **__: object) -> None:
    raise Killed


@pytest.fixture
def killed(data: Path, engine: FakeEngine, registry: FakeRegistry, location: str) -> Iterator[Htpasswd]:
    """A registry whose `up --auth` was killed when it had just started; returns its users."""
    with pytest.MonkeyPatch.context() as now:
        now.setattr(create, "await_registry", kill)
        # The dead do not clear up.
        now.setattr(engine, "remove_container", lambda _: None)
        with pytest.raises(Killed):
            main(["up", "--auth", "--port", location.rpartition(":")[2]])
    (login,) = list_logins()
    registry.needs_login, registry.login = True, f"{login.user}:{login.secret}"
    engine.logins[location] = login
    yield users_in(data)
    assert list_logins() == [login]


@pytest.mark.parametrize("cure", ["up", "login"])
def test_the_password_of_an_up_that_was_killed_is_not_lost(killed: Htpasswd, run: Run, cure: str) -> None:
    assert killed.users == ("localreg",)
    run(cure)
    run("ls")


@pytest.mark.usefixtures("secured")
def test_all_commands_use_it(run: Run, registry: FakeRegistry) -> None:
    registry.put_image("team/app:1")
    out, _ = run("push", "app:1", "--json")
    assert schemas.check("push", out)["results"][0]["digest"]
    run("pull", "app:1")
    assert "team/app" in run("ls")[0]
    found = schemas.check("status", run("status", "--json")[0])
    assert (found["requires_login"], found["login_user"], found["repositories"]) == (True, "localreg", 1)
    up = schemas.check("up", run("up", "--json")[0])
    assert (up["action"], up["login_user"]) == ("already up", "localreg")
    assert "localreg logs in as `localreg`" in " ".join(run("status", "--format", "table")[0].split())


@pytest.mark.usefixtures("secured")
def test_a_password_that_is_not_accepted_is_one_error(
    run: Run, registry: FakeRegistry, engine: FakeEngine, location: str
) -> None:
    registry.login = "localreg:another"
    engine.logins[location] = Credentials("localreg", "another")
    for command in ("ls", "push app:1", "pull app:1", "rm app:1"):
        error = refused(run, *command.split(), code=6)
        assert "does not accept the stored login" in error["message"]
        assert error["hint"] == "localreg login"
    assert refused(run, "login", code=6)["hint"] == "localreg auth add localreg"


@pytest.mark.usefixtures("secured")
def test_without_a_stored_password_the_cure_is_login(run: Run, tmp_path: Path) -> None:
    (tmp_path / ".local/share/localreg/auth.json").unlink()
    for command in ("ls", "push app:1", "pull app:1"):
        error = refused(run, *command.split(), code=6)
        assert "requires a login" in error["message"]
        assert error["hint"] == "localreg login"
    assert refused(run, "login", code=2)["hint"] == "localreg login --username localreg --password-stdin"


@pytest.mark.usefixtures("secured")
def test_users_are_added_changed_and_removed(run: Run, pipe: Pipe, data: Path) -> None:
    pipe(SECRET)
    found = schemas.check("auth-add", run("auth", "add", "ci", "--password-stdin", "--json")[0])
    assert (found["action"], found["used_by_localreg"]) == ("added", False)
    pipe(f"{SECRET}2")
    assert "has a new password" in run("auth", "add", "ci", "--password-stdin", "--format", "table")[0]
    assert users_in(data).accepts("ci", f"{SECRET}2")
    users = schemas.check("auth-ls", run("auth", "ls", "--json")[0])["users"]
    assert users == [{"user": "localreg", "used_by_localreg": True}, {"user": "ci", "used_by_localreg": False}]
    schemas.check("auth-rm", run("auth", "rm", "ci", "--json")[0])
    assert run("auth", "ls")[0] == "localreg\n"
    assert refused(run, "auth", "rm", "ci", code=4)["hint"] == "localreg auth ls"
    assert "only user" in refused(run, "auth", "rm", "localreg", code=5)["message"]


@pytest.mark.usefixtures("secured")
def test_two_changes_in_one_moment_have_two_times(data: Path, engine: FakeEngine) -> None:
    from localreg.registry.container import get_registry  # noqa: PLC0415

    registry, times = get_registry(engine, "registry"), set()
    for password in ("one", "two", "three"):
        set_password(engine, registry, "ci", password)
        times.add((data / "localreg/htpasswd").stat().st_mtime_ns)
    assert len(times) == 3
    assert not any(time % 1_000_000_000 == 0 for time in times)
    assert [path.name for path in (data / "localreg").iterdir()] == ["htpasswd"]


@pytest.mark.usefixtures("secured")
def test_localreg_follows_a_new_password_of_its_own_user(run: Run, pipe: Pipe) -> None:
    pipe(SECRET)
    assert "which localreg also uses" in run("auth", "add", "localreg", "--password-stdin", "--format", "table")[0]
    assert list_logins() == [Credentials("localreg", SECRET)]
    pipe("x")
    run("auth", "add", "ci", "--password-stdin")
    assert "localreg used the login" in run("auth", "rm", "localreg")[1]
    assert list_logins() == []


@pytest.mark.parametrize("again", ["up --recreate", "down|up --auth"])
def test_users_stay_and_no_new_password_is_made(
    secured: Htpasswd, data: Path, run: Run, location: str, again: str
) -> None:
    known = list_logins()
    for command in again.split("|"):
        arguments = ["--port", location.rpartition(":")[2]] if command.endswith("--auth") else []
        assert "password" not in run(*command.split(), *arguments)[1]
    assert users_in(data) == secured
    assert list_logins() == known


def test_a_password_that_localreg_lost_is_replaced_and_said(
    secured: Htpasswd, data: Path, run: Run, location: str, tmp_path: Path
) -> None:
    run("down")
    (tmp_path / ".local/share/localreg/auth.json").unlink()
    assert "did not know the password of `localreg`" in run("up", "--auth", "--port", location.rpartition(":")[2])[1]
    assert users_in(data) != secured
    (login,) = list_logins()
    assert users_in(data).accepts("localreg", login.secret)


def test_a_given_user_and_password(data: Path, run: Run, pipe: Pipe, location: str) -> None:
    pipe(SECRET)
    run("up", "--auth", "--auth-user", "me", "--password-stdin", "--port", location.rpartition(":")[2])
    assert users_in(data).users == ("me",)
    assert list_logins() == [Credentials("me", SECRET)]
    run("down")
    # Another user beside that one, who keeps the password.
    err = run("up", "--auth", "--auth-user", "you", "--port", location.rpartition(":")[2])[1]
    assert "users that were there keep their passwords: me" in err
    assert users_in(data).accepts("me", SECRET)


@pytest.mark.parametrize("command", ["up --auth-user me", "up --password-stdin", "up --no-auth --auth-user me"])
def test_options_of_the_login_need_it(run: Run, command: str) -> None:
    error = refused(run, *command.split(), code=2)
    assert "needs --auth" in error["message"]
    assert error["hint"].startswith("localreg up --auth --")


def test_a_registry_without_a_login_is_replaced_by_one_with_it_and_back(run: Run, up: FakeEngine, data: Path) -> None:
    error = refused(run, "up", "--auth", code=5)
    assert error["hint"] == "localreg up --recreate --auth"
    assert refused(run, "auth", "ls", code=5)["hint"] == "localreg up --recreate --auth"
    assert refused(run, "login", code=5)["hint"] == "localreg up --recreate --auth"
    run("up", "--recreate", "--auth")
    assert users_in(data).users == ("localreg",)
    assert refused(run, "up", "--no-auth", code=5)["hint"] == "localreg up --recreate --no-auth"
    run("up", "--recreate", "--no-auth")
    container = up.find_container("registry")
    assert container is not None
    assert not any("HTPASSWD" in name for name in container.environment)


@pytest.mark.usefixtures("secured")
def test_down_with_volumes_forgets_also_after_down(run: Run, location: str) -> None:
    run("down")
    assert len(list_logins()) == 1
    run("down", "--volumes")
    assert list_logins() == []
    run("up", "--auth", "--ephemeral", "--port", location.rpartition(":")[2])
    assert len(list_logins()) == 1
    run("down")
    assert list_logins() == []


@pytest.mark.usefixtures("secured")
def test_a_start_never_lacks_users(run: Run, engine: FakeEngine, data: Path) -> None:
    engine.stop_container("registry")
    (data / "localreg/htpasswd").unlink()
    run("up")
    assert users_in(data).users == ("localreg",)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `docker` that writes what it was run with, and what it read."""
    path = tmp_path / "docker"
    path.write_text(
        '#!/bin/sh\necho "$@" >>$0.asked\n[ $3 = logout ] || cat >>$0.read\n'
        "echo 'WARNING! Your password will be stored unencrypted in config.json' >&2\n"
    )
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return path


@pytest.mark.usefixtures("secured")
def test_login_gives_the_engines_program_the_stored_password_on_stdin(run: Run, program: Path, location: str) -> None:
    out, _ = run("login", "--json")
    assert schemas.check("login", out) == {
        "schema_version": 1,
        "program": "docker",
        "location": location,
        "user": "localreg",
    }
    (login,) = list_logins()
    asked = Path(f"{program}.asked").read_text()
    assert asked == f"--context default login --username localreg --password-stdin {location}\n"
    assert Path(f"{program}.read").read_text() == login.secret
    assert "stores the password unencrypted" in run("login")[1]
    schemas.check("logout", run("logout", "--json")[0])
    assert Path(f"{program}.asked").read_text().endswith(f"logout {location}\n")


@pytest.mark.usefixtures("secured", "program")
def test_login_with_a_given_password_is_checked_and_remembered(run: Run, pipe: Pipe, registry: FakeRegistry) -> None:
    pipe("wrong")
    error = refused(run, "login", "-u", "me", "--password-stdin", code=6)
    assert error["hint"] == "localreg auth add me"
    registry.login = f"me:{SECRET}"
    pipe(SECRET)
    run("login", "-u", "me", "--password-stdin")
    assert list_logins() == [Credentials("me", SECRET)]


@pytest.mark.parametrize("password", ["", "x" * 73])
@pytest.mark.usefixtures("secured")
def test_a_password_that_cannot_be_is_not_shown(run: Run, pipe: Pipe, password: str) -> None:
    pipe(password)
    out, err = run("auth", "add", "ci", "--password-stdin", "--debug", code=2)
    assert not password or password not in out + err


@pytest.mark.usefixtures("secured")
def test_without_a_terminal_there_is_no_question(run: Run, pipe: Pipe) -> None:
    pipe("")
    assert refused(run, "auth", "add", "ci", code=2)["hint"] == "localreg auth add ci --password-stdin"


@pytest.mark.usefixtures("secured")
def test_the_command_after_down_keeps_the_login(run: Run) -> None:
    out, _ = run("down", "--format", "table")
    assert "  again    localreg up --port" in out
    assert " --auth\n" in out


EVERYWHERE = ["up", "--host", "0.0.0.0"]


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1"])
@pytest.mark.parametrize(
    ("options", "missing", "hint"),
    [
        ([], "no TLS and no password", "--tls --auth"),
        (["--auth"], "no TLS", "--auth --tls"),
        (["--tls"], "no password", "--tls --auth"),
        (["--port", "5001", "--san", "r.lan"], "no password", "--port 5001 --san r.lan --auth"),
    ],
)
@pytest.mark.usefixtures("engine")
def test_beyond_loopback_a_registry_needs_tls_and_a_login(
    run: Run, host: str, options: list[str], missing: str, hint: str
) -> None:
    error = refused(run, "up", "--host", host, *options, code=2)
    assert error["message"].endswith(f"it has {missing}")
    assert error["hint"] == f"localreg up --host {host} {hint}"
    kept = hint.removesuffix(" --auth") if "--tls" in options or "--san" in options else " ".join(options)
    (opens,) = error["details"]
    assert opens.startswith(f"`localreg up --host {host} {kept}".rstrip() + " --insecure-exposure`")


def test_what_was_opened_on_purpose_runs_on_and_is_warned_of(
    run: Run, engine: FakeEngine, location: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = location.rpartition(":")[2]
    # No setting opens it.
    monkeypatch.setenv("LOCALREG_INSECURE_EXPOSURE", "true")
    run(*EVERYWHERE, "--port", port, code=2)
    run(*EVERYWHERE, "--port", port, "--insecure-exposure")
    for command in ("up", "status"):
        assert "anyone who can reach this machine can pull, push and delete images" in run(command)[1]
    engine.stop_container("registry")
    run("up")
    # A new container is a new decision.
    assert refused(run, "up", "--recreate", code=2)["hint"] == "localreg up --recreate --host 0.0.0.0 --tls --auth"


@pytest.mark.usefixtures("secured")
def test_a_build_is_lent_the_login_and_without_one_a_failed_one_names_the_command(
    run: Run, location: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Dockerfile").touch()
    program, seen = tmp_path / "docker", tmp_path / "seen"
    program.write_text(
        '#!/bin/sh\ncase "$*" in --version | *version) echo Docker version 28.0.0;; '
        f'*) cat "$DOCKER_CONFIG/config.json" >{seen}; exit 1;; esac\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    stored = tmp_path / ".docker/config.json"
    stored.parent.mkdir()
    monkeypatch.setenv("DOCKER_CONFIG", str(stored.parent))
    build = ("build", str(tmp_path), "-t", "app:2")
    assert refused(run, *build, code=1)["hint"] is None
    assert location in json.loads(seen.read_text())["auths"]
    assert not stored.exists()

    # The user's own login counts.
    stored.write_text(json.dumps({"auths": {location: {"auth": "bWU6eA=="}}}))
    refused(run, *build, code=1)
    assert seen.read_text() == stored.read_text()

    stored.unlink()
    (tmp_path / ".local/share/localreg/auth.json").unlink()
    assert "localreg login" in refused(run, *build, code=1)["hint"]


@pytest.mark.usefixtures("secured", "program")
def test_a_registry_can_be_named_as_for_docker_login(run: Run, location: str) -> None:
    run("login", location)
    run("logout", location)
    assert refused(run, "login", "ghcr.io:443", code=2)["hint"] == "localreg status --all"


@pytest.mark.usefixtures("secured")
def test_what_does_not_apply_to_a_registry_that_runs_is_said(run: Run, pipe: Pipe) -> None:
    pipe(SECRET)
    err = run("up", "--auth", "--auth-user", "me", "--password-stdin")[1]
    assert "--auth-user does not apply" in err
    assert "--password-stdin does not apply" in err
    assert SECRET not in err


@pytest.mark.usefixtures("engine")
def test_without_bcrypt_nothing_is_begun(run: Run, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bcrypt", None)
    assert refused(run, "up", "--auth", code=1)["hint"] == "pip install 'localreg-cli[auth]'"
    assert engine.list_containers() == []
    assert engine.list_volumes() == []


@pytest.mark.usefixtures("secured")
def test_a_tunnel_to_a_registry_with_a_login_lets_others_try(run: Run) -> None:
    message = refused(run, "tunnel", "open", "ci@build", "--bind", "0.0.0.0", code=2)["message"]
    assert message.endswith("could try passwords")
