"""Which builder there is, and how it is called, with stand-ins for the programs; the real ones are in tests/e2e."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from localreg.engines.build import BuildRequest, Outcome, RegistryLogin
from localreg.engines.discovery.builder import find_builder
from localreg.engines.values import EngineInfo
from localreg.errors import BuilderMissingError, EngineError
from localreg.oci.access import Credentials
from localreg.system.runtime_folder import runtime_folder

STAND_IN = """#!{python}
import json, os, pathlib, sys
arguments = sys.argv[1:]
if arguments == ["--version"]:
    print("{version}")
elif arguments == ["buildx", "version"]:
    sys.exit({without_buildx})
else:
    pathlib.Path(sys.argv[0] + ".json").write_text(json.dumps([arguments, dict(os.environ)]))
    for word in arguments:
        if word.startswith("--iidfile="):
            pathlib.Path(word.partition("=")[2]).write_text("sha256:0")
"""
DOCKER = EngineInfo("docker", "28.0.0", "unix:///run/there.sock")
PODMAN = EngineInfo("podman", "5.0.0", "unix:///run/there.sock")
REQUEST = BuildRequest("folder")

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path) -> Install:
    """Puts a program on a PATH of its own."""

    def write(name: str, version: str, *, buildx: bool = False, folder: str = "bin") -> Path:
        program = tmp_path / folder / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(STAND_IN.format(python=sys.executable, version=version, without_buildx=int(not buildx)))
        program.chmod(0o755)
        return program

    return write


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An environment in which nothing is installed, nor can be."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    (tmp_path / "run").mkdir(mode=0o700)
    return {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path)}


def ran(
    info: EngineInfo, program: Path, environ: Mapping[str, str], request: BuildRequest = REQUEST
) -> tuple[list[str], dict[str, str]]:
    """The command line and the environment of a build, without what is another in each: Podman's file."""
    with Path(os.devnull).open("w") as nowhere:
        builder = find_builder(info, environ=environ)
        made = builder.run(request, ["localhost:5000/app:1"], output=nowhere.fileno())
    assert made == Outcome(0, "sha256:0" if info.name == "podman" else None)
    arguments, environment = json.loads(program.with_name(f"{program.name}.json").read_text())
    if info.name == "docker":
        # It may see another folder for temporary files.
        assert not any("iidfile" in word for word in arguments)
    return [word for word in arguments if not word.startswith("--iidfile=")], environment


def test_buildx_is_used_where_it_is_there(install: Install, environ: dict[str, str]) -> None:
    docker = install("docker", "Docker version 20.10.24, build 1", buildx=True)
    arguments, _ = ran(DOCKER, docker, environ | {"DOCKER_HOST": "tcp://elsewhere", "DOCKER_TLS_VERIFY": "1"})
    place = ["--host", "unix:///run/there.sock"]
    assert arguments == [*place, "buildx", "build", "--load", "--tag=localhost:5000/app:1", "--", "folder"]


def lent(info: EngineInfo, program: Path, environ: Mapping[str, str], seen: Path, copied: str) -> dict[str, Any]:
    """The logins that a build sees which gets one; the program copies its files, and nothing is left afterwards."""
    script = f"""#!/bin/sh
case "$*" in
--version) echo 'Docker version 20.10.24+dfsg1, build 297e128';;
*buildx*) exit 1;;
*) mkdir {seen}; cp -R -p {copied} {seen}/;;
esac
for word; do case $word in --iidfile=*) echo x >${{word#*=}};; esac; done
"""
    program.write_text(script)
    login = RegistryLogin("localhost:5000", Credentials("me", "pass:word"))
    with Path(os.devnull).open("w") as nowhere:
        builder = find_builder(info, environ=environ)
        assert builder.run(REQUEST, ["localhost:5000/app:1"], output=nowhere.fileno(), login=login).code == 0
    assert list(runtime_folder("").glob("build-*")) == []
    (file,) = seen.rglob("*.json")
    assert file.stat().st_mode & 0o777 == 0o600
    found: dict[str, Any] = json.loads(file.read_text())
    assert base64.b64decode(found["auths"]["localhost:5000"]["auth"]) == b"me:pass:word"
    return found


def test_docker_gets_a_login_beside_what_it_has(install: Install, environ: dict[str, str], tmp_path: Path) -> None:
    docker, usual, seen = install("docker", ""), tmp_path / ".docker", tmp_path / "seen"
    (usual / "cli-plugins").mkdir(parents=True)
    (usual / "cli-plugins/docker-x").touch()
    content = {"auths": {"a.example": {"auth": "eA=="}}, "credsStore": "x", "credHelpers": {"b.example": "y"}, "z": 1}
    (usual / "config.json").write_text(json.dumps(content))
    environ = {**environ, "PATH": f"{environ['PATH']}:/usr/bin:/bin"}
    found = lent(DOCKER, docker, environ, seen, '"$DOCKER_CONFIG/."')
    assert (found["auths"]["a.example"], found["credsStore"], found["z"]) == ({"auth": "eA=="}, "x", 1)
    # The file counts for this registry, and the helper for all others.
    assert found["credHelpers"] == {"b.example": "y", "localhost:5000": ""}
    assert (seen / "cli-plugins").readlink() == usual / "cli-plugins"
    assert json.loads((usual / "config.json").read_text()) == content
    (usual / "config.json").write_text("{")
    assert list(lent(DOCKER, docker, environ, tmp_path / "again", '"$DOCKER_CONFIG/."')["auths"]) == ["localhost:5000"]


def test_podman_gets_a_login_beside_those_of_all_its_files(
    install: Install, environ: dict[str, str], tmp_path: Path
) -> None:
    podman = install("podman", "")
    environ = {**environ, "PATH": f"{environ['PATH']}:/usr/bin:/bin", "XDG_RUNTIME_DIR": str(tmp_path / "run")}
    first, second = tmp_path / "run/containers/auth.json", tmp_path / ".docker/config.json"
    for file, auth in ((first, "Zmlyc3Q="), (second, "c2Vjb25k")):
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps({"auths": {"a.example": {"auth": auth}, auth: {}}, "credsStore": "x"}))
    found = lent(PODMAN, podman, environ, tmp_path / "seen", '"$REGISTRY_AUTH_FILE"')
    assert (found["auths"]["a.example"], set(found)) == ({"auth": "Zmlyc3Q="}, {"auths", "credHelpers"})
    assert found["auths"].keys() == {"a.example", "Zmlyc3Q=", "c2Vjb25k", "localhost:5000"}
    # Podman reads the named one alone.
    environ["REGISTRY_AUTH_FILE"] = str(second)
    found = lent(PODMAN, podman, environ, tmp_path / "again", '"$REGISTRY_AUTH_FILE"')
    assert found["auths"]["a.example"] == {"auth": "c2Vjb25k"}


def test_an_old_docker_builds_with_buildkit(install: Install, environ: dict[str, str]) -> None:
    docker = install("docker", "Docker version 20.10.24+dfsg1, build 297e128")
    named = {"DOCKER_HOST": "tcp://elsewhere", "DOCKER_CONTEXT": "elsewhere", "DOCKER_BUILDKIT": "0"}
    arguments, environment = ran(DOCKER, docker, environ | named)
    assert arguments[:3] == ["--host", "unix:///run/there.sock", "build"]
    assert environment["DOCKER_BUILDKIT"] == "1"
    assert not environment.keys() & {"DOCKER_HOST", "DOCKER_CONTEXT"}


def test_an_engine_of_a_context_is_named_by_it(install: Install, environ: dict[str, str]) -> None:
    docker = install("docker", "Docker version 28.2.2, build 1", buildx=True)
    info = EngineInfo("docker", "28.0.0", "tcp://there:2376", context="there")
    tls = {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/certificates"}
    arguments, environment = ran(info, docker, environ | tls)
    assert arguments[:2] == ["--context", "there"]
    assert not environment.keys() & tls.keys()
    info = EngineInfo("docker", "28.0.0", "tcp://there:2376")
    arguments, environment = ran(info, docker, environ | tls)
    assert arguments[:2] == ["--host", "tcp://there:2376"]
    assert environment.items() >= tls.items()


def test_every_option_reaches_the_builder(install: Install, environ: dict[str, str]) -> None:
    docker = install("docker", "Docker version 28.2.2, build 1", buildx=True)
    request = BuildRequest(
        "-",
        file="-f",
        build_args=("A=1", "B"),
        ssh=("default=/run/agent.sock",),
        secrets=("id=token,src=/token", "id=other,env=OTHER"),
        target="last",
        platform="linux/arm64",
        no_cache=True,
    )
    arguments, _ = ran(DOCKER, docker, environ, request)
    assert arguments[arguments.index("--tag=localhost:5000/app:1") + 1 :] == [
        "--file=-f",
        "--build-arg=A=1",
        "--build-arg=B",
        "--target=last",
        "--ssh=default=/run/agent.sock",
        "--secret=id=token,src=/token",
        "--secret=id=other,env=OTHER",
        "--platform=linux/arm64",
        "--no-cache",
        "--",
        "-",
    ]


def refusal(environ: Mapping[str, str], info: EngineInfo = DOCKER) -> BuilderMissingError:
    with pytest.raises(BuilderMissingError) as caught:
        find_builder(info, environ=environ)
    return caught.value


def test_a_new_docker_without_buildx_is_refused_with_its_packages(install: Install, environ: dict[str, str]) -> None:
    docker = install("docker", "Docker version 28.2.2, build e6534b4")
    error = refusal(environ)
    assert (error.exit_code, error.code) == (1, "builder-missing")
    assert f"`{docker}`" in error.message
    assert "buildx" in error.message
    packages = [re.findall(r"docker-buildx\S*", detail) for detail in error.details]
    assert packages == [["docker-buildx"], ["docker-buildx-plugin"]]
    assert "https://docs.docker.com/go/buildx/" in str(error.hint)


def test_the_package_that_apt_knows_is_the_hint(install: Install, environ: dict[str, str], tmp_path: Path) -> None:
    install("docker", "Docker version 28.2.2, build e6534b4")
    apt = tmp_path / "bin" / "apt-cache"
    apt.write_text('#!/bin/sh\n[ "$*" = "show docker-buildx" ]\n')
    apt.chmod(0o755)
    assert refusal(environ).hint == "sudo apt-get install docker-buildx"


def test_another_docker_that_can_build_is_the_hint(install: Install, environ: dict[str, str], tmp_path: Path) -> None:
    install("docker", "Docker version 28.2.2, build e6534b4")
    install("docker", "Docker version 20.10.24, build 1", folder="other bin")
    both = {**environ, "PATH": f"{environ['PATH']}:{tmp_path / 'other bin'}"}
    error = refusal(both)
    assert error.hint == f"export PATH='{tmp_path / 'other bin'}':$PATH"
    assert f"`{tmp_path / 'other bin' / 'docker'}` can build" in error.details


# What it calls itself is the name that it was started under.
@pytest.mark.parametrize("name", ["podman", "docker"])
def test_a_docker_that_is_podman_does_not_build_with_docker(
    install: Install, environ: dict[str, str], name: str
) -> None:
    docker = install("docker", f"{name} version 4.3.1", buildx=True)
    error = refusal(environ)
    assert f"`{docker}`" in error.message
    assert "Podman" in error.message
    assert error.details == ()


@pytest.mark.parametrize("info", [DOCKER, PODMAN], ids=lambda info: info.name)
def test_a_program_that_is_not_there(environ: dict[str, str], info: EngineInfo) -> None:
    error = refusal(environ, info)
    assert f"`{info.name}`" in error.message
    assert info.name in str(error.hint).lower()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the program is always the client of a service")
def test_podman_that_has_the_same_store_builds_itself(
    install: Install, environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    podman = install("podman", "podman version 4.3.1")
    client = {"CONTAINER_HOST": "ssh://elsewhere", "CONTAINER_CONNECTION": "elsewhere"}
    private = EngineInfo("podman", "4.3.1", "unix:///tmp/podman.sock", private=True)
    arguments, environment = ran(private, podman, environ | client)
    assert arguments == ["build", "--tag=localhost:5000/app:1", "--", "folder"]
    assert not environment.keys() & client.keys()

    monkeypatch.setattr(os, "getuid", lambda: 4242)
    own = tmp_path / "podman/podman.sock"
    own.parent.mkdir()
    own.touch()
    (tmp_path / "docker.sock").symlink_to(own)
    through_link = EngineInfo("podman", "4.3.1", f"unix://{tmp_path}/docker.sock")
    assert ran(through_link, podman, environ | {"XDG_RUNTIME_DIR": str(tmp_path)})[0][0] == "build"


def test_another_podman_is_named_by_its_address(install: Install, environ: dict[str, str]) -> None:
    podman = install("podman", "podman version 4.3.1")
    arguments, _ = ran(PODMAN, podman, environ)
    assert arguments[:4] == ["--remote", "--url", "unix:///run/there.sock", "build"]
    arguments, _ = ran(replace(PODMAN, context="there"), podman, environ)
    assert arguments[:4] == ["--remote", "--connection", "there", "build"]
    remote = EngineInfo("podman", "4.3.1", "ssh://there/run/podman.sock", remote=True)
    assert not find_builder(remote, environ=environ).takes_ssh


def test_a_builder_that_cannot_be_run(install: Install, environ: dict[str, str]) -> None:
    podman = install("podman", "podman version 4.3.1")
    podman.write_text("#!/nowhere\n")
    with pytest.raises(EngineError, match=f"`{re.escape(str(podman))}`"):
        find_builder(PODMAN, environ=environ).run(REQUEST, [], output=1)


def test_a_builder_that_made_no_image_did_not_succeed(install: Install, environ: dict[str, str]) -> None:
    install("podman", "podman version 4.3.1").write_text("#!/bin/sh\n")
    assert find_builder(PODMAN, environ=environ).run(REQUEST, [], output=1) == Outcome(0, None)


LEAVING = """#!{python}
import subprocess, sys
sleep = [sys.executable, "-c", "import time; time.sleep(1000)"]
# One of them in a session of its own, as a Podman service has: not the build's.
left = [subprocess.Popen(sleep, start_new_session=of_its_own).pid for of_its_own in (False, True)]
print(*left, flush=True)
sys.exit(3)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process adopt what loses its parent")
def test_what_a_failed_builder_leaves_behind_is_ended(
    install: Install, environ: dict[str, str], tmp_path: Path
) -> None:
    install("podman", "podman version 4.3.1").write_text(LEAVING.format(python=sys.executable))
    with (tmp_path / "output").open("w") as output:
        assert find_builder(PODMAN, environ=environ).run(REQUEST, [], output=output.fileno()) == Outcome(3, None)
    ended, spared = map(int, (tmp_path / "output").read_text().split())
    assert not Path(f"/proc/{ended}").exists()
    os.kill(spared, signal.SIGKILL)
    os.waitpid(spared, 0)
