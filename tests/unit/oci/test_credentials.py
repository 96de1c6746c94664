"""The stores of Docker and Podman."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from localreg.oci.credentials import CredentialStores, login_command
from localreg.oci.trust import folders_of

HOST = "registry.example.com"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "bin").mkdir()
    return {
        "HOME": str(tmp_path),
        "PATH": f"{tmp_path / 'bin'}:/bin:/usr/bin",
        "XDG_RUNTIME_DIR": str(tmp_path / "run"),
    }


def login(user: str, password: str, **more: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode(), **more}


def write(path: Path, **content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def helper(environ: dict[str, str], name: str, lines: str) -> None:
    path = Path(environ["HOME"], "bin", f"docker-credential-{name}")
    path.write_text(f"#!/bin/sh\nread -r server\n{lines}\n")
    path.chmod(0o755)


def found(environ: dict[str, str], host: str = HOST, repository: str = "") -> tuple[str, str] | None:
    user = CredentialStores(environ).find(host, repository)
    return None if user is None else (user.user, user.secret)


def test_no_store_has_none(environ: dict[str, str]) -> None:
    stores = CredentialStores(environ)
    assert stores.find(HOST) is None
    assert not stores.problems


@pytest.mark.parametrize(
    ("variable", "place"),
    [
        (None, ".docker/config.json"),
        (None, "run/containers/auth.json"),
        (None, ".config/containers/auth.json"),
        ("REGISTRY_AUTH_FILE", "own.json"),
        ("DOCKER_CONFIG", "own/config.json"),
        ("XDG_CONFIG_HOME", "own/containers/auth.json"),
    ],
)
def test_each_file_is_read(environ: dict[str, str], tmp_path: Path, variable: str | None, place: str) -> None:
    if variable is not None:
        environ[variable] = str(tmp_path / ("own.json" if place == "own.json" else "own"))
    write(tmp_path / place, auths={HOST: login("dev", "p:w")})
    assert found(environ) == ("dev", "p:w")


def test_the_first_file_that_knows_the_registry_wins(environ: dict[str, str], tmp_path: Path) -> None:
    write(tmp_path / ".docker/config.json", auths={HOST: login("docker", "1")})
    write(tmp_path / "run/containers/auth.json", auths={"other.example.com": login("podman", "2")})
    assert found(environ) == ("docker", "1")
    write(tmp_path / "run/containers/auth.json", auths={HOST: login("podman", "2")})
    assert found(environ) == ("podman", "2")


def test_the_longest_key_wins(environ: dict[str, str], tmp_path: Path) -> None:
    keys = {HOST: login("host", "1"), f"{HOST}/team": login("team", "2"), f"{HOST}/team/app": login("app", "3")}
    write(tmp_path / "run/containers/auth.json", auths=keys)
    users = [found(environ, HOST, name) for name in ("", "other", "teamwork/app", "team/web", "team/app", "team/app/x")]
    assert [user and user[0] for user in users] == ["host", "host", "host", "team", "app", "app"]


@pytest.mark.parametrize("key", ["https://index.docker.io/v1/", "docker.io", "index.docker.io"])
def test_docker_hub_has_several_names(environ: dict[str, str], tmp_path: Path, key: str) -> None:
    write(tmp_path / ".docker/config.json", auths={key: login("dev", "1")})
    assert found(environ, "docker.io", "library/alpine") == ("dev", "1")


@pytest.mark.parametrize("key", [f"https://{HOST}", f"https://{HOST}/v2/", f"http://{HOST}/"])
def test_keys_may_be_urls(environ: dict[str, str], tmp_path: Path, key: str) -> None:
    write(tmp_path / ".docker/config.json", auths={key: login("dev", "1")})
    assert found(environ) == ("dev", "1")


def test_an_identity_token_is_told_from_a_password(environ: dict[str, str], tmp_path: Path) -> None:
    write(tmp_path / ".docker/config.json", auths={HOST: login("dev", "", identitytoken="refresh")})
    user = CredentialStores(environ).find(HOST)
    assert user is not None
    assert (user.secret, user.is_token) == ("refresh", True)


def test_a_helper_is_asked_with_the_registry_on_its_stdin(environ: dict[str, str], tmp_path: Path) -> None:
    helper(environ, "test", """echo "{\\"Username\\": \\"$server\\", \\"Secret\\": \\"$1 $#\\"}" """)
    write(tmp_path / ".docker/config.json", credsStore="test", auths={HOST: {}})
    assert found(environ) == (HOST, "get 1")
    assert found(environ, "docker.io") == ("https://index.docker.io/v1/", "get 1")


def test_a_helper_of_one_registry_goes_before_the_others(environ: dict[str, str], tmp_path: Path) -> None:
    helper(environ, "one", """echo '{"Username": "<token>", "Secret": "refresh"}'""")
    write(tmp_path / ".docker/config.json", credHelpers={HOST: "one"}, auths={HOST: login("dev", "1")})
    user = CredentialStores(environ).find(HOST)
    assert user is not None
    assert user.is_token


def test_a_helper_is_asked_once(environ: dict[str, str], tmp_path: Path) -> None:
    helper(environ, "test", f"""echo x >> {tmp_path}/asked; echo '{{"Username": "dev", "Secret": "1"}}'""")
    write(tmp_path / ".docker/config.json", credsStore="test")
    stores = CredentialStores(environ)
    assert stores.find(HOST, "a") == stores.find(HOST, "b") is not None
    assert (tmp_path / "asked").read_text() == "x\n"


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("echo 'credentials not found in native keychain'; exit 1", None),
        ("echo 'the secret is hunter2'; exit 1", "exit code 1"),
        ("echo 'hunter2'", "did not print JSON"),
        ("exec sleep 60", "within"),
        (None, "is not installed"),
    ],
)
def test_a_helper_that_fails_is_a_problem_that_tells_no_secret(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: str | None, problem: str | None
) -> None:
    monkeypatch.setattr("localreg.oci.credentials._HELPER_SECONDS", 0.5)
    if lines is not None:
        helper(environ, "test", lines)
    write(tmp_path / ".docker/config.json", credsStore="test")
    stores = CredentialStores(environ)
    assert stores.find(HOST) is None
    assert problem in stores.problems[0] if problem else not stores.problems
    assert "hunter2" not in "".join(stores.problems)


@pytest.mark.parametrize("name", ["../x", "a/b", "", "-x", "a b", "a;b"])
def test_a_helper_has_the_name_of_a_program(environ: dict[str, str], tmp_path: Path, name: str) -> None:
    write(tmp_path / ".docker/config.json", credHelpers={HOST: name})
    stores = CredentialStores(environ)
    assert stores.find(HOST) is None
    assert "valid name" in stores.problems[0]


@pytest.mark.parametrize(
    "text", ["", "[]", "7", "{", '{"auths": 7}', '{"auths": {"registry.example.com": 7}}', "[" * 9999]
)
def test_a_damaged_file_is_no_login(environ: dict[str, str], tmp_path: Path, text: str) -> None:
    write(tmp_path / ".docker/config.json")
    (tmp_path / ".docker/config.json").write_text(text)
    assert found(environ) is None


@pytest.mark.parametrize("auth", ["", "!", "ZGV2", base64.b64encode(b"\xff:x").decode(), "é"])
def test_a_damaged_login_is_none(environ: dict[str, str], tmp_path: Path, auth: str) -> None:
    write(tmp_path / ".docker/config.json", auths={HOST: {"auth": auth}})
    assert found(environ) is None


def test_the_cure_is_of_an_installed_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert login_command(HOST) == f"docker login {HOST}"
    (tmp_path / "podman").write_text("#!/bin/sh\n")
    (tmp_path / "podman").chmod(0o755)
    assert login_command(HOST) == f"podman login {HOST}"
    assert login_command("docker.io") == "podman login docker.io"


def test_a_user_without_a_home_has_no_stores_of_their_own(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    del environ["HOME"]
    assert found(environ) is None
    write(Path(environ["XDG_RUNTIME_DIR"], "containers/auth.json"), auths={HOST: login("dev", "pw")})
    assert found(environ) == ("dev", "pw")
    for name in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    # As in a container that runs with a number that no user has.
    monkeypatch.setattr(Path, "home", lambda: pytest.fail("it is not known"))
    assert [str(each) for each in folders_of(HOST)] == [f"/etc/{it}/certs.d/{HOST}" for it in ("containers", "docker")]
