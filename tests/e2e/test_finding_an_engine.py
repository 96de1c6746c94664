"""Which engine is driven, and what is said when there is none."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.engines.real import (
    BEDS,
    REGISTRY_IMAGE,
    TESTER_RUNTIME,
    TESTER_UID,
    Bed,
    on_each_podman,
    on_every_engine,
    require_testbed,
)
from support.faults.table import Fault, fault

from localreg.system.waiting import wait_until

ROOT = BEDS["docker"]
ROOTFUL = BEDS["podman-rootful"]
TESTER = BEDS["podman-rootless"]


@pytest.fixture(autouse=True)
def _testbed() -> None:
    require_testbed()


def auto(bed: Bed, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run localreg without naming an engine."""
    return bed.run("localreg", *arguments, env=env)


@pytest.fixture
def empty_path(folder: Path) -> dict[str, str]:
    """A PATH on which there is localreg and no engine."""
    (folder / "bin").mkdir()
    (folder / "bin" / "localreg").symlink_to(Path(TESTER.environment["PATH"].split(":")[0]) / "localreg")
    return {"PATH": str(folder / "bin")}


@on_each_podman
def test_podman_without_a_socket_gets_a_service_of_localregs_own(podman: Bed) -> None:
    bed = podman
    usual = TESTER_RUNTIME / "podman/podman.sock" if bed.uid else Path("/run/podman/podman.sock")
    assert not usual.exists()
    bed.ok("up")
    engine = json.loads(bed.ok("status", "--json"))["engine"]
    assert not usual.exists()
    service = Path(engine["endpoint"].removeprefix("unix://"))
    assert service.parent == (TESTER_RUNTIME if bed.uid else Path("/run")) / "localreg"
    assert service.parent.stat().st_mode & 0o777 == 0o700
    assert engine["rootless"] is bool(bed.uid)


def test_a_service_of_localregs_own_ends_when_nobody_is_connected(podman: Bed) -> None:
    program = (
        "from localreg.engines.podman.service import private_service\n"
        "print(private_service('podman', idle_seconds=1).socket)"
    )
    # A configuration of its own: a service that another test left is not used again.
    started = podman.run(sys.executable, "-c", program, env={"XDG_SESSION_TYPE": "of one that ends"})
    assert started.returncode == 0, started.stderr
    socket_path = Path(started.stdout.strip())
    assert socket_path.name.startswith("podman-")
    assert wait_until(lambda: not socket_path.exists(), seconds=30)


WHERE_A_PUSH_HANGS = """
import socket
import sys
import threading
from pathlib import Path
from localreg.engines.podman.engine import PodmanEngine
from localreg.engines.podman.service import private_service
from localreg.errors import LocalregError
from localreg.system.waiting import wait_until

def push():
    try:
        list(engine.push_image(reference, plain_http=True))
    except LocalregError as exc:
        print(exc, file=sys.stderr)

endpoint = private_service("podman", idle_seconds=2)
with PodmanEngine.open(endpoint) as engine, socket.create_server(("127.0.0.1", 0)) as silent:
    silent.settimeout(30)
    reference = f"localhost:{silent.getsockname()[1]}/app:1"
    engine.tag_image(sys.argv[1], reference)
    pushing = threading.Thread(target=push, daemon=True)
    pushing.start()
    hanging, _ = silent.accept()
    engine.untag_image(reference)
assert pushing.is_alive()
assert wait_until(lambda: not Path(endpoint.socket).exists(), seconds=30)
"""


def test_a_service_of_localregs_own_ends_where_a_push_hangs_in_it(podman: Bed) -> None:
    # A configuration of its own: a service that another test left is not used again.
    configuration = {"CONTAINERS_LOCALREG_TEST": "a push hangs"}
    result = podman.run("python", "-c", WHERE_A_PUSH_HANGS, REGISTRY_IMAGE, env=configuration)
    assert result.returncode == 0, result.stderr


def test_it_works_without_a_runtime_folder() -> None:
    environment = {key: value for key, value in TESTER.environment.items() if key != "XDG_RUNTIME_DIR"}
    result = subprocess.run(
        TESTER.command(["localreg", "--engine", "podman", "status"]),
        env=environment,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 4, result.stderr


@on_every_engine
def test_the_engine_that_holds_the_registry_is_chosen(bed: Bed) -> None:
    bed.ok("up")
    found = json.loads(auto(bed, "status", "--json").stdout)["engine"]
    assert (found["name"], found["rootless"]) == (bed.program, bool(bed.uid))
    bed.ok("down")
    # The volume is enough.
    found = json.loads(auto(bed, "status", "--json").stdout)["engine"]
    assert found["name"] == bed.program


def test_two_engines_with_the_registry_have_to_be_told_apart(docker: Bed, registry_archive: Path) -> None:
    docker.ok("up")
    before = ROOTFUL.images()
    ROOTFUL.api.load(registry_archive)
    ROOTFUL.engine_ok("create", "--name", "registry", REGISTRY_IMAGE)
    try:
        result = auto(docker, "status")
    finally:
        ROOTFUL.clean(before)
    assert result.returncode == 5
    assert "--engine docker" in result.stderr
    assert "--engine podman" in result.stderr


@fault(
    "no-engine",
    "ls",
    code="engine-unavailable",
    facts=["/var/run/docker.sock", "permission denied", "podman"],
    kept="whatever is there",
)
def test_without_any_engine_each_reason_is_given(empty_path: dict[str, str], shown: Fault) -> None:
    assert auto(TESTER, "status", "--all", env=empty_path).returncode == 3
    shown.by(Bed("whatever is there", "auto", TESTER_UID), env=empty_path)


def test_a_socket_of_a_group_names_the_group(empty_path: dict[str, str]) -> None:
    socket_path = Path("/var/run/docker.sock")
    before = socket_path.stat().st_gid
    subprocess.run(["groupadd", "-f", "docker"], check=True)
    subprocess.run(["chgrp", "docker", socket_path], check=True)
    try:
        error = auto(TESTER, "ls", env=empty_path).stderr
    finally:
        os.chown(socket_path, 0, before)
    assert "`docker`" in error
    assert 'hint: sudo usermod -aG docker "$USER" && newgrp docker' in error


def test_a_named_engine_never_falls_back_to_the_other(empty_path: dict[str, str]) -> None:
    result = auto(ROOT, "--engine", "podman", "status", env=empty_path)
    assert result.returncode == 3
    assert re.match("error: .*Podman", result.stderr)


def test_a_variable_that_names_an_engine_is_the_only_one_asked(tmp_path: Path) -> None:
    result = auto(ROOT, "status", env={"DOCKER_HOST": f"unix://{tmp_path}/nobody.sock"})
    assert result.returncode == 3
    assert f"{tmp_path}/nobody.sock" in result.stderr


def test_an_engine_that_is_there_and_silent_is_named_where_nothing_is_found(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text('{"currentContext": "gone"}')
    result = auto(ROOT, "status", "-q", env={"DOCKER_CONFIG": str(tmp_path)})
    assert (result.returncode, result.stdout, result.stderr) == (4, "absent\n", "")
    result = auto(ROOT, "status", env={"DOCKER_CONFIG": str(tmp_path)})
    (note,) = (line for line in result.stderr.splitlines() if "`gone`" in line)
    assert "Docker" in note
    # One that a variable names is meant.
    result = auto(ROOT, "status", env={"DOCKER_CONTEXT": "gone"})
    assert result.returncode == 3
    assert re.search("^error: .*DOCKER_CONTEXT", result.stderr, re.MULTILINE)


def test_an_address_without_a_scheme_is_said_to_be_none() -> None:
    result = auto(ROOT, "status", env={"DOCKER_HOST": "/var/run/docker.sock"})
    assert result.returncode == 3
    assert "/var/run/docker.sock" in result.stderr
    assert "`unix://`" in result.stderr


def test_every_registry_is_listed_though_one_engine_is_silent(docker: Bed) -> None:
    docker.ok("up")
    context = {"DOCKER_CONTEXT": "nosuch"}
    result = auto(ROOT, "status", "--all", env=context)
    assert result.returncode == 0
    (note,) = (line for line in result.stderr.splitlines() if "`nosuch`" in line)
    assert "Docker" in note


def test_each_variable_that_is_set_has_to_name_an_engine_that_answers(tmp_path: Path) -> None:
    named = {"DOCKER_HOST": "unix:///var/run/docker.sock", "CONTAINER_HOST": f"unix://{tmp_path}/nobody.sock"}
    result = auto(ROOT, "status", env=named)
    assert result.returncode == 3
    assert re.search(rf"^ *podman +{tmp_path}/nobody\.sock\b", result.stderr, re.MULTILINE)
    assert auto(ROOT, "--engine", "docker", "status", env=named).returncode == 4


def test_a_context_is_honoured(tmp_path: Path) -> None:
    meta = tmp_path / "contexts/meta" / hashlib.sha256(b"mine").hexdigest()
    meta.mkdir(parents=True)
    host = {"Host": "unix:///var/run/docker.sock"}
    (meta / "meta.json").write_text(json.dumps({"Name": "mine", "Endpoints": {"docker": host}}))
    environment = {"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "mine"}
    found = json.loads(auto(ROOT, "--engine", "docker", "status", "--json", env=environment).stdout)
    assert found["engine"]["context"] == "mine"


def test_a_context_that_does_not_exist_is_never_the_default_socket() -> None:
    result = auto(ROOT, "--engine", "docker", "status", env={"DOCKER_CONTEXT": "nosuch"})
    assert result.returncode == 3
    assert "`nosuch`" in result.stderr


@pytest.fixture
def connections() -> Iterator[Path]:
    """The file of the tester with Podman's named connections."""
    file = TESTER.home / ".config/containers/containers.conf"
    TESTER.run("mkdir", "-p", str(file.parent))
    yield file
    file.unlink()


def test_a_named_connection_of_podman_is_the_only_engine_asked(connections: Path, tmp_path: Path) -> None:
    socket = TESTER.api.socket
    connections.write_text(
        f'[engine.service_destinations]\nnear = {{uri = "unix:{socket}"}}\ngone = {{uri = "unix://{tmp_path}/no.sock"}}\n'
    )
    found = json.loads(auto(TESTER, "status", "--json", env={"CONTAINER_CONNECTION": "near"}).stdout)["engine"]
    assert (found["endpoint"], found["context"]) == (f"unix://{socket}", "near")
    for name, reason in ("gone", f"{tmp_path}/no.sock"), ("nosuch", "hint: podman system connection list"):
        result = auto(TESTER, "status", env={"CONTAINER_CONNECTION": name})
        assert result.returncode == 3
        assert "CONTAINER_CONNECTION" in result.stderr
        assert reason in result.stderr


@contextlib.contextmanager
def podman_service(path: Path, bed: Bed) -> Iterator[None]:
    with bed.started("podman", "system", "service", "--time=0", f"unix://{path}"):
        assert wait_until(path.exists, seconds=20)
        yield


def test_podman_behind_dockers_variable_is_driven_as_podman(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    with podman_service(path, ROOTFUL):
        found = json.loads(auto(ROOT, "status", "--json", env={"DOCKER_HOST": f"unix://{path}"}).stdout)
        assert found["engine"]["name"] == "podman"
        refused = auto(ROOT, "--engine", "docker", "status", env={"DOCKER_HOST": f"unix://{path}"})
        assert refused.returncode == 3
        assert "Podman" in refused.stderr


def test_the_tester_is_no_root() -> None:
    assert TESTER.run("id", "-u").stdout.strip() == str(TESTER_UID)
