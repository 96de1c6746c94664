"""A registry that localreg did not create, which speaks TLS, requires a login, or takes no pushes."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from support.engines.oci_archives import OciArchive
from support.engines.real import REGISTRY_IMAGE, Bed, docker_alone, rootless_podman_alone
from support.faults.table import Fault, fault

from localreg.oci.api import RegistryClient
from localreg.oci.ping import Reply, ask
from localreg.oci.push_check import find_push_refusal
from localreg.system.waiting import wait_until

URL = "http://127.0.0.1:5000"


def start(bed: Bed, *options: str, name: str = "registry", port: int = 5000, reply: Reply = Reply.READY) -> None:
    """Start a registry by hand, and wait until it answers."""
    network = [] if "--network" in options else ["-p", f"127.0.0.1:{port}:5000"]
    bed.engine_ok("run", "-d", *network, "--name", name, *options, REGISTRY_IMAGE)
    assert wait_until(lambda: ask(f"http://127.0.0.1:{port}") is reply, seconds=20)


def files_in(bed: Bed) -> str:
    """The files and folders in the registry's volume."""
    return bed.engine_ok("exec", "registry", "find", "/var/lib/registry")


def image_archive(folder: Path) -> Path:
    archive = OciArchive()
    return archive.add(archive.image()).write(folder / "image.tar")


@pytest.fixture
def certificate(folder: Path) -> Path:
    """A folder with a certificate for localhost and its key."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command.split(), *files], check=True, capture_output=True)
    for path in (key, certificate):
        path.chmod(0o644)
    return folder


@fault("speaks-tls-push", "push localhost/app:1", code="registry-unreachable", facts=["TLS", "--name OTHER up\n"])
@fault("speaks-tls-ls", "ls", code="registry-unreachable", facts=["TLS", "--name OTHER up\n"])
@fault("speaks-tls-up", "up", code="registry-unreachable", facts=["TLS", "--name OTHER up\n"])
@fault("speaks-tls-status", "status -q", exit_code=6, facts=["speaks TLS"])
def test_one_that_speaks_tls(bed: Bed, folder: Path, certificate: Path, faults: tuple[Fault, ...]) -> None:
    bed.add_image("localhost/app:1", folder)
    names = {"CERTIFICATE": "certificate.pem", "KEY": "key.pem"}
    variables = [f"--env=REGISTRY_HTTP_TLS_{name}=/tls/{file}" for name, file in names.items()]
    start(bed, "-v", f"{certificate}:/tls:ro", *variables, reply=Reply.SPEAKS_TLS)
    for shown in faults:
        shown.by(bed)
    assert "HTTP/1.1" not in bed.run(bed.program, "logs", "registry").stdout


@fault("login-push", "push localhost/app:1", code="registry-failed", facts=["requires a login", " login\n"])
@fault("login-ls", "ls", code="registry-failed", facts=["requires a login", " login\n"])
def test_one_that_requires_a_login(bed: Bed, folder: Path, faults: tuple[Fault, ...]) -> None:
    bed.add_image("localhost/app:1", folder)
    variables = {"AUTH": "htpasswd", "AUTH_HTPASSWD_REALM": "tests", "AUTH_HTPASSWD_PATH": "/var/lib/registry/htpasswd"}
    start(bed, *(f"--env=REGISTRY_{name}={value}" for name, value in variables.items()), reply=Reply.WANTS_LOGIN)
    for shown in faults:
        shown.by(bed)
    # Distribution makes up a password, and tells it to its log alone.
    log = bed.run(bed.program, "logs", "registry")
    password = re.search(r'password="?([^" ]+)', log.stdout + log.stderr)
    assert password is not None
    insecure = ["--tls-verify=false"] if bed.program == "podman" else []
    assert re.search(rf"next +localreg --engine {bed.engine} login\n", bed.ok("up", "--format", "table"))
    bed.engine_ok("login", "-u", "docker", "-p", password[1], *insecure, "localhost:5000")
    try:
        assert bed.ok("push", "localhost/app:1").startswith("localhost:5000/app:1")
        bed.engine_ok("rmi", "localhost:5000/app:1")
        assert bed.ok("pull", "app:1").startswith("localhost:5000/app:1")
        assert bed.exists("image", "localhost:5000/app:1")
        assert bed.ok("ls", "-q") == "localhost:5000/app:1\n"
    finally:
        bed.engine_ok("logout", "localhost:5000")


@docker_alone
@fault("cache-push", "push localhost/app:1", code="registry-failed", facts=["`registry`", "127.0.0.1", "OTHER up\n"])
@fault("cache-load", "load -i {file}", code="registry-failed", facts=["`registry`", "127.0.0.1", "OTHER up\n"])
@fault("not-ours-gc", "gc", code="not-ours", facts=["`registry`", " gc --force\n"])
@fault("cache-gc", "gc --force", code="conflict", facts=["`registry`", "cache of 127.0.0.1"])
def test_a_cache_of_another_registry(bed: Bed, folder: Path, faults: tuple[Fault, ...]) -> None:
    bed.add_image("localhost/app:1", folder)
    start(bed, name="upstream", port=5011)
    bed.ok("push", "--name", "upstream", "localhost/app:1", "--as", "cached:1")
    start(bed, "--network", "host", "--env=REGISTRY_PROXY_REMOTEURL=http://127.0.0.1:5011")
    for shown in faults:
        shown.by(bed, file=image_archive(folder))
    assert not bed.exists("image", "localhost:5000/app:1")
    assert bed.ok("pull", "cached:1").startswith("localhost:5000/cached:1@sha256:")
    assert "deletes nothing: it is a cache of 127.0.0.1" in bed.refused(6, "rm", "cached:1")
    assert "cache" in bed.ok("status")
    assert re.search(r"pushes +refused: it is a cache of 127.0.0.1", bed.ok("up", "--format", "table"))


@docker_alone
@fault("shared-storage-gc", "gc", code="conflict", facts=["`registry`", "`other`", "docker stop other\n"])
def test_storage_that_another_registry_uses_is_left_alone(bed: Bed, shown: Fault) -> None:
    bed.up()
    start(bed, "-v", "localreg-registry:/var/lib/registry", name="other", port=5011)
    shown.by(bed)


CONFIGURATION = """\
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}, maintenance: {readonly: {enabled: true}}}
http: {addr: ":5000"}
"""


@rootless_podman_alone
@fault(
    "read-only-push",
    "push localhost/app:1",
    code="registry-failed",
    facts=["`registry`", "read-only", "OTHER up\n"],
    kept="podman-rootless",
)
@fault(
    "read-only-load",
    "load -i {file}",
    code="registry-failed",
    facts=["`registry`", "read-only", "OTHER up\n"],
    kept="podman-rootless",
)
def test_a_read_only_registry(bed: Bed, folder: Path, faults: tuple[Fault, ...]) -> None:
    bed.add_image("localhost/app:1", folder)
    start(bed, "-v", "kept:/var/lib/registry")
    bed.ok("push", "localhost/app:1", "--as", "kept:1")
    bed.engine_ok("rm", "-f", "registry")
    # The container's environment does not tell.
    (folder / "config.yml").write_text(CONFIGURATION)
    start(bed, "-v", "kept:/var/lib/registry", "-v", f"{folder}/config.yml:/etc/docker/registry/config.yml:ro")
    for shown in faults:
        shown.by(bed, file=image_archive(folder))
    assert "kept\t1\t" in bed.ok("ls")
    assert bed.ok("pull", "kept:1").startswith("localhost:5000/kept:1")
    assert "deletes nothing: it is read-only" in bed.refused(6, "rm", "kept:1")


@docker_alone
def test_a_registry_that_takes_pushes_keeps_nothing_of_the_question(bed: Bed) -> None:
    start(bed)
    before = files_in(bed)
    with RegistryClient(URL) as client:
        assert find_push_refusal(client, "app") is None
    assert "/manifests/sha256:" in bed.localreg("logs").stdout
    assert files_in(bed) == before


@fault("log-driver-none", "logs", code="engine-failed", facts=["`registry`", "log driver", "--log-driver"])
def test_a_log_driver_that_only_writes(bed: Bed, folder: Path, shown: Fault) -> None:
    bed.add_image("localhost/app:1", folder)
    start(bed, "--log-driver", "none")
    shown.by(bed)
    assert bed.ok("push", "localhost/app:1").startswith("localhost:5000/app:1@sha256:")
