"""Pipelines as text: what is filled in, what is refused, and that each system's own schema takes what is printed."""

from __future__ import annotations

import json
import os
import re
import shlex
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from support.pipeline_snippets import HOST, KINDS, WITH_LOGIN, parsed, steps

from localreg.ci.request import Pipeline, Request, System, plan_pipeline
from localreg.ci.text import pipeline_text
from localreg.ci.tunnels import OpenTunnel, login_of
from localreg.errors import UsageError
from localreg.system.address import Address
from localreg.tunnels.spec import TunnelSpec

SCHEMAS = {"bitbucket": "bitbucket-pipelines", "github": "github-workflows", "gitlab": "gitlab-ci"}
BUILD = OpenTunnel("build", HOST, Address("127.0.0.1", 5001))
OTHER = OpenTunnel("me@other", "me@other.example.com", Address("10.0.0.1", 5000))


def planned(request: Request, *tunnels: OpenTunnel, folder: str = "app") -> Pipeline:
    return plan_pipeline(request, folder=folder, tunnels=tunnels)


def refused(request: Request, *tunnels: OpenTunnel, folder: str = "app") -> tuple[str, str | None]:
    with pytest.raises(UsageError) as caught:
        planned(request, *tunnels, folder=folder)
    return caught.value.message, caught.value.hint


def schema(system: str) -> dict[str, Any]:
    name = f"builtin_schemas/vendor/{SCHEMAS[system]}.json"
    found: dict[str, Any] = json.loads(files("check_jsonschema").joinpath(name).read_text())
    return found


def named(request: Request) -> str:
    return f"{request.system}-{request.engine}"


@pytest.mark.parametrize("request_", [kind for kind in KINDS + WITH_LOGIN if kind.system in SCHEMAS], ids=named)
def test_a_systems_published_schema_takes_its_pipeline(request_: Request) -> None:
    validator = jsonschema.validators.validator_for(schema(request_.system))(schema(request_.system))
    assert list(validator.iter_errors(parsed(pipeline_text(planned(request_))))) == []


@pytest.mark.parametrize("system", SCHEMAS)
def test_a_schema_notices_what_is_wrong(system: System) -> None:
    text = pipeline_text(planned(Request(system, "docker", HOST, "app")))
    wrong = text.replace("run: |", "rum: |").replace("script:", "script: {}\n_:").replace("- step:", "- stop:")
    assert not jsonschema.validators.validator_for(schema(system))(schema(system)).is_valid(parsed(wrong))


@pytest.mark.parametrize("request_", KINDS + WITH_LOGIN, ids=named)
def test_each_pipeline_is_complete_and_does_not_loosen_ssh(request_: Request) -> None:
    text = pipeline_text(planned(request_))
    script = steps(request_.system, text)[-1].script
    assert "@{" not in text
    assert script.count("StrictHostKeyChecking=yes") == 1
    assert "StrictHostKeyChecking=no" not in text
    assert max(map(len, text.splitlines())) <= 120
    # The file that it belongs into.
    name = {
        "bitbucket": "bitbucket-pipelines.yml",
        "github": ".github/workflows/image.yml",
        "gitlab": ".gitlab-ci.yml",
        "shell": "push-image.sh",
    }[request_.system]
    assert next(line for line in text.splitlines() if line.startswith("# ")).startswith(f"# {name}")
    assert ("docker" in script) == (request_.engine == "docker")


@pytest.mark.parametrize("request_", WITH_LOGIN, ids=named)
def test_a_pipeline_logs_in_without_a_password_in_an_argument(request_: Request) -> None:
    text = pipeline_text(planned(request_))
    script = steps(request_.system, text)[-1].script
    piped, login = script[script.index("printf '%s' \"${LOCALREG_PASSWORD:?") :].splitlines()[:2]
    assert piped.endswith('}" |')
    assert login.split()[:2] == [request_.engine, "login"]
    assert login.endswith("--username ci --password-stdin localhost:5000")
    assert f"{request_.engine} logout localhost:5000" in script
    assert "localreg auth add ci" in text.partition("\nset ")[0]
    assert "https://127.0.0.1:5000/" in script
    assert "http://127.0.0.1" not in script
    plain = pipeline_text(planned(replace(request_, user=None, tls=False)))
    assert not any(word in plain for word in ("PASSWORD", "login", "logout", "https://127"))


def test_the_open_tunnel_tells_of_a_login_and_of_tls() -> None:
    secured = replace(BUILD, requires_login=True, tls=True)
    pipeline = planned(Request("shell", "docker"), secured)
    assert (pipeline.user, pipeline.tls) == ("ci", True)
    assert planned(Request("shell", "docker", user="me"), secured).user == "me"
    assert planned(Request("shell", "docker"), BUILD).user is None
    assert refused(Request("shell", "docker", user="a b"), BUILD)[1] == "localreg ci shell --user ci"


def test_a_hint_in_a_pipeline_is_what_opens_that_tunnel() -> None:
    pipeline = planned(Request("shell", "docker"), BUILD)
    assert (pipeline.host, str(pipeline.remote), pipeline.image) == (HOST, "127.0.0.1:5001", "localhost:5000/app")
    assert "localreg tunnel open build --remote-port 5001'" in pipeline_text(pipeline)


def test_what_is_put_in_is_quoted() -> None:
    pipeline = planned(Request("shell", "docker", "ssh://ci@[::1]:2222"))
    # OpenSSH allows no IPv6 address in a URL.
    assert "\nhost=ci@::1\n" in pipeline_text(pipeline)
    assert '\nssh -f -N -M -S "$folder/ssh" -p 2222 ' in pipeline_text(pipeline)
    (said,) = [line for line in pipeline_text(pipeline).splitlines() if "tunnel open" in line]
    hint = shlex.split(said)[1]
    assert shlex.split(hint[hint.index("localreg tunnel open") :])[-1] == "ssh://ci@[::1]:2222"


NO_HOSTS = ["", "-x", "a b", "a;b", "$(id)", "a'b", "a\nb", "`id`", "ü", "@", "a@", "ssh://", "http://x"]


@pytest.mark.parametrize("host", NO_HOSTS)
def test_what_is_no_host_is_refused(host: str) -> None:
    message, hint = refused(Request("github", "docker", host))
    assert (f"`{host}`" if host else "an empty value") in message
    assert hint == f"localreg ci github --host {HOST}"


def test_a_port_stands_in_a_url_only() -> None:
    for host in ("ci@build:2222", "ci@[::1]:22", "[::1]"):
        hint = shlex.join(["localreg", "ci", "shell", "--host", f"ssh://{host}"])
        assert refused(Request("shell", "docker", host))[1] == hint
    for host in ("ci@::1", "fe80::1%eth0", "ssh://build:2222", "CORP\\me@build"):
        assert planned(Request("shell", "docker", host)).host == host


def test_the_host_is_that_of_the_tunnel_that_is_open() -> None:
    asked = Request("gitlab", "podman", repository="x")
    assert refused(asked)[1] == f"localreg ci gitlab --host {HOST} --image x --engine podman"
    message, hint = refused(asked, BUILD, OTHER)
    assert re.findall(r"\d+", message) == ["2"]
    assert hint == f"localreg ci gitlab --host {HOST} --image x --remote-port 5001 --engine podman"
    assert planned(asked, BUILD).host == HOST
    assert str(planned(asked, OTHER).remote) == "10.0.0.1:5000"


@pytest.mark.parametrize(
    ("host", "port", "remote", "login"),
    [
        (HOST, None, "127.0.0.1:5001", HOST),
        ("build", None, "127.0.0.1:5001", HOST),
        ("other", None, "10.0.0.1:5000", OTHER.login),
        ("other", 5002, "127.0.0.1:5002", "other"),
        ("third", None, "127.0.0.1:5000", "third"),
        ("third", 80, "127.0.0.1:80", "third"),
        (None, 5001, "127.0.0.1:5001", HOST),
    ],
)
def test_port_and_login_are_those_of_the_tunnel_to_the_host(
    host: str | None, port: int | None, remote: str, login: str
) -> None:
    asked = Request("github", "docker", host, remote_port=port)
    pipeline = planned(asked, BUILD, OTHER)
    assert str(pipeline.remote) == remote
    assert pipeline.host == login


def test_of_two_tunnels_to_a_host_one_has_to_be_named() -> None:
    second = replace(BUILD, remote=Address("127.0.0.1", 5002))
    asked = Request("github", "docker", "build")
    assert refused(asked, BUILD, second)[1] == "localreg ci github --host build --remote-port 5001"
    assert planned(replace(asked, remote_port=5002), BUILD, second).remote.port == 5002


@pytest.mark.parametrize(
    ("typed", "folder", "repository"),
    [
        (None, "app", "app"),
        (None, "My App (2)", "my-app-2"),
        (None, "ansible_playbook.old", "ansible_playbook.old"),
        (None, ".dotfiles", "dotfiles"),
        ("team/app", "x", "team/app"),
        ("ghcr.io/team/app", "x", "team/app"),
        ("docker.io/library/app", "x", "app"),
    ],
)
def test_the_image_is_called_as_typed_or_as_the_folder(typed: str | None, folder: str, repository: str) -> None:
    assert planned(Request("github", "docker", HOST, typed), folder=folder).repository == repository


@pytest.mark.parametrize(
    ("typed", "folder", "image"),
    [
        (None, "日本", "app"),
        (None, "", "app"),
        ("Team/App", "x", "team/app"),
        ("a b", "x", "a-b"),
        ("app:1", "x", "app"),
    ],
)
def test_what_is_no_image_is_refused(typed: str | None, folder: str, image: str) -> None:
    message, hint = refused(Request("github", "docker", HOST, typed), folder=folder)
    assert typed is None or f"`{typed}`" in message
    assert hint == f"localreg ci github --host {HOST} --image {image}"


def test_there_is_no_podman_where_a_step_has_only_dockers_service() -> None:
    message, hint = refused(Request("bitbucket", "podman", HOST))
    assert "Podman" in message
    assert hint == f"localreg ci bitbucket --host {HOST} --engine docker"


@pytest.mark.parametrize(
    ("said", "login"),
    [
        ("user ci\nhostname build.example.com\nport 22\n", HOST),
        ("user ci\nhostname build.example.com\nport 2222\n", f"ssh://{HOST}:2222"),
        ("user ci\nhostname ::1\nport 2222\n", "ssh://ci@[::1]:2222"),
        ("nonsense", "build"),
    ],
)
def test_a_name_that_only_this_users_ssh_knows_is_resolved(
    said: str, login: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "ssh"
    asked = "[ \"$*\" = '-G -o Port=2222 -- build' ] || exit 1"
    program.write_text(f"#!/bin/sh\n{asked}\nprintf '%s' {shlex.quote(said)}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    spec = TunnelSpec("build", 5000, "registry", "localhost:5000", "http://127.0.0.1:5000", ssh_options=("Port=2222",))
    assert login_of(spec) == login
    assert login_of(replace(spec, ssh_options=())) == "build"
