"""Starting and stopping when something is already there, on every engine."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3
from support.engines.real import (
    REGISTRY_IMAGE,
    Bed,
    close_a_connection,
    docker_alone,
    free_port,
    is_free,
    on_every_engine,
    rootless_podman_alone,
)
from support.faults.table import Fault, fault

from localreg.oci.ping import is_ready
from localreg.system.waiting import wait_until


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that this process listens on: 5000."""
    with socket.create_server(("127.0.0.1", 5000)):
        yield 5000


@on_every_engine
def test_the_next_port_is_used_when_5000_is_taken_and_its_holder_is_named(bed: Bed, taken: int) -> None:
    result = bed.localreg("up")
    assert (result.returncode, result.stdout) == (0, "localhost:5001\n")
    note = next(line for line in result.stderr.splitlines() if str(taken) in line)
    assert "5001" in note
    # The system does not show another user's process.
    assert (f"pid {os.getpid()}" in note) is (bed.uid == 0)
    assert bed.ok("up") == "localhost:5001\n"


@on_every_engine
@fault("port-used-by-registry", "up --port 5000", code="port-taken", facts=["5000", "127.0.0.1", "`first`", "{engine}"])
def test_a_registry_that_holds_the_port_is_named(bed: Bed, shown: Fault) -> None:
    bed.ok("--name", "first", "up")
    shown.by(bed, engine=bed.program.capitalize())
    result = bed.localreg("up")
    assert (result.returncode, result.stdout) == (0, "localhost:5001\n")


@rootless_podman_alone
def test_the_port_of_a_stopped_registry_of_ours_is_taken(bed: Bed) -> None:
    bed.ok("--name", "first", "up")
    bed.engine_ok("stop", "first")
    assert bed.ok("up") == "localhost:5001\n"


@on_every_engine
def test_somebody_on_the_other_loopback_does_not_answer_for_the_registry(bed: Bed) -> None:
    with socket.create_server(("::1", 5000), family=socket.AF_INET6):
        result = bed.localreg("up", "--port", "5000")
        assert (result.returncode, result.stdout) == (0, "localhost:5000\n")
        assert "[::1]:5000" in result.stderr
        assert bed.ok("status", "-q") == "healthy\n"


@docker_alone
def test_other_options_are_refused_until_the_container_may_be_replaced(bed: Bed, folder: Path) -> None:
    port = free_port()
    bed.add_image("localhost/app:1", folder)
    bed.ok("up")
    bed.ok("push", "localhost/app:1")
    error = bed.refused(5, "up", "--port", str(port))
    (differing,) = (line for line in error.splitlines() if line.startswith("  --port "))
    assert f"`{port}`" in differing
    assert "`5000`" in differing
    assert f"hint: localreg --engine {bed.engine} up --recreate --port {port}\n" in error
    assert bed.ok("up", "--port", str(port), "--recreate") == f"localhost:{port}\n"
    assert bed.ok("up", "--recreate") == f"localhost:{port}\n"
    assert bed.ok("ls", "-q") == f"localhost:{port}/app:1\n"


@docker_alone
def test_a_stopped_registry_is_started_on_its_port(bed: Bed) -> None:
    port = free_port()
    bed.ok("up", "--port", str(port))
    bed.engine_ok("stop", "registry")
    assert bed.localreg("status", "-q").returncode == 6
    assert bed.ok("up") == f"localhost:{port}\n"


@on_every_engine
@fault("port-used-meanwhile", "up", code="port-taken", facts=["{port}", "`registry`", "up --recreate --port "])
def test_a_stopped_registry_whose_port_was_taken_names_the_holder(bed: Bed, shown: Fault) -> None:
    port = free_port()
    bed.ok("up", "--port", str(port))
    bed.engine_ok("stop", "registry")
    # What forwarded the port for Podman goes a moment after the container.
    assert wait_until(lambda: is_free(port), seconds=20)
    with socket.create_server(("127.0.0.1", port)):
        assert "--recreate --port" in shown.by(bed, port=port)


def test_connections_that_have_closed_are_not_called_another_program(rootful: Bed) -> None:
    port = free_port()
    # Where Podman cannot publish a port with such a connection, the sandbox keeps none.
    kept = Path("/proc/sys/net/ipv4/tcp_max_tw_buckets")
    before = kept.read_text()
    kept.write_text("64")
    close_a_connection(port)
    result = rootful.localreg("up", "--port", str(port))
    kept.write_text(before)
    # Podman 6 fails.
    assert (result.returncode, "TIME_WAIT" in result.stderr) in {(0, False), (5, True)}


def test_a_registry_started_by_hand_is_used_as_it_is(bed: Bed, folder: Path) -> None:
    bed.add_image("localhost/app:1", folder)
    image = "docker.io/library/registry:2.8.3"
    bed.engine_ok("run", "--rm", "-d", "-p", "127.0.0.1:5000:5000", "--name", "registry", image)
    assert wait_until(lambda: is_ready("http://127.0.0.1:5000"), seconds=20)

    result = bed.localreg("up", "--port", "5007")
    assert (result.returncode, result.stdout) == (0, "localhost:5000\n")
    assert re.search("^warning: .*--port", result.stderr, re.MULTILINE)
    bed.ok("push", "localhost/app:1")
    assert bed.ok("ls", "-q") == "localhost:5000/app:1\n"
    assert bed.ok("logs") != ""
    assert "\norigin\t" in bed.ok("status")

    assert "down --force" in bed.refused(5, "down")
    assert bed.exists("container", "registry")
    bed.ok("down", "--force", "--volumes")
    assert not bed.exists("container", "registry")


def test_a_registry_on_the_hosts_network_is_used(bed: Bed, folder: Path) -> None:
    bed.add_image("localhost/app:1", folder)
    image = "docker.io/library/registry:2.8.3"
    bed.engine_ok("run", "-d", "--network", "host", "--name", "registry", image)
    assert wait_until(lambda: is_ready("http://127.0.0.1:5000"), seconds=20)
    assert bed.ok("up") == "localhost:5000\n"
    bed.ok("push", "localhost/app:1")
    assert bed.ok("ls", "-q") == "localhost:5000/app:1\n"
    assert "\nreach\tanyone " in bed.ok("status")


@docker_alone
@fault("name-used-by-running-container", "up --wait 1", code="name-taken", facts=["`registry`", "--name OTHER up\n"])
def test_a_running_container_of_that_name_that_is_not_a_registry_is_left_alone(
    bed: Bed, folder: Path, shown: Fault
) -> None:
    bed.add_image("localhost/app:1", folder)
    bed.engine_ok("run", "-d", "-p", "127.0.0.1:5000:5000", "--name", "registry", "localhost/app:1")
    shown.by(bed)
    assert bed.exists("container", "registry")


@rootless_podman_alone
def test_a_container_that_publishes_nothing_is_no_registry(bed: Bed, folder: Path) -> None:
    bed.add_image("localhost/app:1", folder)
    bed.engine_ok("run", "-d", "--name", "registry", "localhost/app:1")
    for command in (["up"], ["push", "localhost/app:1"], ["tag", "localhost/app:1"], ["pull", "app:1"], ["ls"]):
        error = bed.refused(5, *command)
        assert "`registry`" in error
        assert "--name OTHER up\n" in error
    status = bed.localreg("status", "--format", "table")
    assert status.returncode == 6
    assert "`registry`" in status.stdout.splitlines()[0]
    assert "localhost/app:1" in status.stdout.splitlines()[0]
    assert bed.images() == {*bed.images(), "localhost/app:1"}


@on_every_engine
def test_a_paused_registry_is_said_to_be(bed: Bed) -> None:
    bed.ok("up")
    if bed.run(bed.program, "pause", "registry").returncode != 0:
        # Rootless Podman cannot on version 1 of control groups.
        assert bed.uid
        return
    assert f"hint: {bed.program} unpause registry" in bed.refused(5, "up")
    bed.engine_ok("unpause", "registry")
    bed.ok("up")


@docker_alone
def test_a_throw_away_registry_can_be_replaced(bed: Bed) -> None:
    bed.ok("up", "--ephemeral")
    assert bed.ok("up", "--recreate") == "localhost:5000\n"
    assert json.loads(bed.ok("status", "--json"))["storage"] is None


# Rootless Podman cannot connect its container to another network.
@pytest.mark.parametrize("bed", ["docker", "podman-rootful"], indirect=True)
def test_a_replacement_joins_the_networks_of_the_old_container(bed: Bed) -> None:
    bed.up()
    bed.engine_ok("network", "create", "kind")
    bed.engine_ok("network", "connect", "kind", "registry")
    bed.ok("up", "--recreate")
    assert "kind" in bed.inspect("registry")["NetworkSettings"]["Networks"]
    bed.ok("down")
    bed.engine_ok("network", "rm", "kind")


@rootless_podman_alone
def test_a_stopped_registry_of_somebody_elses_is_theirs_to_start(bed: Bed) -> None:
    bed.engine_ok("create", "-p", "127.0.0.1:5000:5000", "--name", "registry", REGISTRY_IMAGE)
    for command in (["up"], ["ls"], ["push", "localhost/app:1"]):
        assert f"hint: {bed.program} start registry\n" in bed.refused(5 if command == ["up"] else 6, *command)


@docker_alone
def test_what_was_kept_is_told_apart_from_what_went(bed: Bed) -> None:
    for options, kept in ((["--rm"], 0), ([], 1)):
        bed.engine_ok("run", *options, "-d", "-p", "5000:5000", "--name", "registry", REGISTRY_IMAGE)
        bed.ok("up")
        assert len(json.loads(bed.ok("down", "--force", "--json"))["kept"]) == kept


@on_every_engine
def test_another_loopback_address_is_called_by_itself(bed: Bed, folder: Path) -> None:
    bed.add_image("localhost/app:1", folder)
    assert bed.ok("up", "--host", "127.0.0.2") == "127.0.0.2:5000\n"
    assert bed.ok("push", "localhost/app:1").startswith("127.0.0.2:5000/app:1@sha256:")
    assert bed.ok("ls", "-q") == "127.0.0.2:5000/app:1\n"


@docker_alone
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_an_end_that_is_asked_for_undoes_what_was_begun(bed: Bed, folder: Path, number: signal.Signals) -> None:
    bed.add_image("localhost/app:1", folder)
    command = ("localreg", "--engine", bed.engine, "up", "--image", "localhost/app:1", "--wait", "60")
    with bed.started(*command) as process:
        assert wait_until(
            lambda: bed.run(bed.program, "ps", "-q", "--filter", "name=registry").stdout != "",
            seconds=20,
            is_alive=lambda: process.poll() is None,
        )
        process.send_signal(number)
        while number == signal.SIGHUP and process.poll() is None:
            # The kernel hangs up, and so does a shell, once it has heard of it.
            process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.01)
        assert process.wait(timeout=30) == 143
    assert not bed.exists("container", "registry")
    assert not bed.exists("volume", "localreg-registry")


@rootless_podman_alone
def test_what_only_a_new_container_could_use_is_said_not_to_apply(bed: Bed, registry_archive: Path) -> None:
    bed.ok("up")
    result = bed.localreg("up", "--image-archive", str(registry_archive))
    assert (result.returncode, result.stdout) == (0, "localhost:5000\n")
    assert re.search("^warning: .*--image-archive", result.stderr, re.MULTILINE)
    assert f"localreg --engine {bed.engine} up --recreate" in result.stderr


def test_a_registry_that_stops_shows_its_log_and_leaves_nothing(bed: Bed, folder: Path) -> None:
    bed.add_image("localhost/broken:1", folder, command="echo configuration is broken >&2; exit 3")
    error = bed.refused(6, "up", "--image", "localhost/broken:1", "--wait", "10")
    assert "configuration is broken" in error
    assert not bed.exists("container", "registry")
    assert not bed.exists("volume", "localreg-registry")


@rootless_podman_alone
def test_an_ephemeral_registry_that_stops_shows_its_log(bed: Bed, folder: Path) -> None:
    bed.add_image("localhost/broken:1", folder, command="echo configuration is broken >&2; exit 3")
    assert "configuration is broken" in bed.refused(6, "up", "--ephemeral", "--image", "localhost/broken:1")
    assert not bed.exists("container", "registry")


@docker_alone
def test_a_replacement_that_fails_leaves_the_registry_as_it_was(bed: Bed, folder: Path) -> None:
    bed.add_image("localhost/app:1", folder)
    bed.ok("up")
    bed.ok("push", "localhost/app:1")
    error = bed.refused(6, "up", "--recreate", "--image", "localhost/app:1", "--wait", "1", "--json")
    assert json.loads(error)["error"]["code"] == "registry-not-ready"
    assert bed.ok("ls", "-q") == "localhost:5000/app:1\n"
    assert bed.engine_ok("ps", "-aq").count("\n") == 1


@docker_alone
@fault(
    "registry-not-ready",
    "up --image localhost/app:1 --wait 0.5",
    code="registry-not-ready",
    facts=["`registry`", "0.5 seconds", "said and done", "localhost/app:1", "up --image registry:2.8.3\n"],
)
def test_a_registry_that_never_answers_is_given_up_after_the_time_asked_for(
    bed: Bed, folder: Path, shown: Fault
) -> None:
    bed.add_image("localhost/app:1", folder, command="echo said and done; exec sleep 1000")
    shown.by(bed)
    assert not bed.exists("container", "registry")


@fault("two-ups", "up", facts=["localhost:5000"])
def test_two_ups_at_once_make_one_registry(bed: Bed, shown: Fault) -> None:
    for showing in [shown.begin(bed), shown.begin(bed)]:
        showing.end()
    assert bed.engine_ok("ps", "-aq").count("\n") == 1


@docker_alone
def test_what_was_asked_for_is_in_the_labels_and_no_secret(bed: Bed) -> None:
    bed.ok("up", "--port", "5011")
    config = bed.inspect("registry")["Config"]
    assert isinstance(config, dict)
    labels = config["Labels"]
    assert labels["localreg.name"] == "registry"
    assert json.loads(labels["localreg.asked"]) == {"port": 5011}
    assert json.loads(labels["localreg.options"])["volume"] == "localreg-registry"


def environment(bed: Bed) -> dict[str, str]:
    config = bed.inspect("registry")["Config"]
    assert isinstance(config, dict)
    return dict(entry.split("=", 1) for entry in config["Env"])


@rootless_podman_alone
def test_the_secret_is_kept_by_every_new_start_and_shown_nowhere(bed: Bed, folder: Path) -> None:
    bed.add_image("localhost/app:1", folder)
    results = [bed.localreg("up", "--debug")]
    secret = environment(bed)["REGISTRY_HTTP_SECRET"]
    assert len(secret) == 64
    bed.engine_ok("stop", "registry")
    results.append(bed.localreg("up", "--json"))
    assert environment(bed)["REGISTRY_HTTP_SECRET"] == secret
    results.append(bed.localreg("up", "--recreate", "--json", "--debug"))
    assert environment(bed)["REGISTRY_HTTP_SECRET"] == secret
    assert [result.returncode for result in results] == [0, 0, 0]
    failed = bed.localreg("up", "--recreate", "--image", "localhost/app:1", "--wait", "1", "--debug", "--json")
    assert failed.returncode == 6
    differing = bed.localreg("up", "--port", str(free_port()), "--debug")
    assert differing.returncode == 5
    assert environment(bed)["REGISTRY_HTTP_SECRET"] == secret

    log = bed.localreg("logs")
    results += [failed, differing, log, *(bed.localreg(name, "--json") for name in ("status", "ls", "config"))]
    assert "listening on" in log.stderr
    assert secret not in "".join(result.stdout + result.stderr for result in results)
    config = bed.inspect("registry")["Config"]
    assert isinstance(config, dict)
    assert secret not in json.dumps(config["Labels"])
    assert secret not in bed.engine_ok("volume", "inspect", "localreg-registry")


@docker_alone
def test_the_registry_has_a_secret_and_no_cache_of_blobs(bed: Bed) -> None:
    bed.ok("up")
    log = bed.localreg("logs").stderr
    assert "caching disabled" in log
    assert "blob descriptor cache" not in log
    assert "No HTTP secret provided" not in log


@docker_alone
def test_an_upload_goes_on_after_a_restart_and_in_a_new_container(bed: Bed) -> None:
    bed.ok("up")
    parts = [os.urandom(100_000) for _ in range(3)]
    digest = f"sha256:{hashlib.sha256(b''.join(parts)).hexdigest()}"
    url = "http://127.0.0.1:5000"
    place = urllib3.request("POST", f"{url}/v2/app/blobs/uploads/").headers["Location"]
    for part, command in zip(parts, ("up --recreate", "up", "up --recreate"), strict=True):
        headers = {"Content-Type": "application/octet-stream"}
        sent = urllib3.request("PATCH", f"{url}{place}", body=part, headers=headers)
        assert sent.status == 202, sent.data
        place = sent.headers["Location"]
        if command == "up":
            bed.engine_ok("stop", "registry")
        bed.ok(*command.split())
    finished = urllib3.request("PUT", f"{url}{place}&digest={digest}")
    assert finished.status == 201, finished.data
    assert urllib3.request("GET", f"{url}/v2/app/blobs/{digest}").data == b"".join(parts)


@docker_alone
@pytest.mark.parametrize("kind", ["garbage", "empty"])
def test_an_archive_that_is_none_is_named(bed: Bed, folder: Path, kind: str) -> None:
    archive = folder / "image.tar"
    archive.write_bytes(b"no archive" * 1000 if kind == "garbage" else b"")
    assert f"`{archive}`" in bed.refused(2, "up", "--image-archive", str(archive))


def test_the_registrys_image_comes_from_an_oci_archive(bed: Bed, folder: Path, registry_archive: Path) -> None:
    archive = folder / "oci.tar"
    subprocess.run(
        ["skopeo", "copy", f"docker-archive:{registry_archive}", f"oci-archive:{archive}:mirror/registry:2.8.3"],
        check=True,
        capture_output=True,
    )
    archive.chmod(0o644)
    assert bed.ok("up", "--image-archive", str(archive), "--pull", "never") == "localhost:5000\n"
