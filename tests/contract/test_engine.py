"""What the ports promise, kept by every engine and by the fake alike."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import threading
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from support.engines.connections import Bench
from support.engines.fake import FakeEngine
from support.engines.images import static_busybox, write_image
from support.engines.real import free_port

from localreg.engines.files import ContainerFile
from localreg.engines.values import AnonymousMount, Container, ContainerSpec, ContainerState, LogChunk, VolumeMount
from localreg.errors import (
    ContainerNotFoundError,
    EngineError,
    EngineLostError,
    ImageNotFoundError,
    InUseError,
    InvalidArchiveError,
    NameTakenError,
    NotFoundError,
    PortTakenError,
    RegistryError,
    RegistryUnreachableError,
)
from localreg.registry.log_start import log_began_at
from localreg.system.address import Address
from localreg.system.ports import find_holder
from localreg.system.waiting import wait_until

IMAGE = "localhost/speaker:1"
LARGE = 64 << 20
"""Bytes of a layer that no engine has moved when its first word about it comes."""
ENVIRONMENT = {"KEY": "value", "SIGNED": "a=b c=", "EMPTY": ""}
EXPECTED = {"stdout": b"to stdout\nraw \xff byte\n", "stderr": b"to stderr\n"}


@pytest.fixture
def loaded(bench: Bench, folder: Path) -> Bench:
    """An engine with one image, which says something on both streams and then waits."""
    archive = folder / "speaker.tar"
    write_image(archive, IMAGE, {"a": "b"})
    images = bench.engine.load_archive(archive)
    assert [image.references for image in images] == [(IMAGE,)]
    return bench


@pytest.fixture
def large(bench: Bench, folder: Path) -> str:
    """The name of an image with a large layer that cannot be compressed, for the registry that answers."""
    name = f"{bench.location}/team/large:1"
    write_image(folder / "large.tar", name, {}, ballast=os.urandom(LARGE))
    bench.engine.load_archive(folder / "large.tar")
    return name


def spec(name: str = "speaker", *, port: int | None = None, throw_away: bool = False) -> ContainerSpec:
    return ContainerSpec(
        name=name,
        image=IMAGE,
        container_port=5000,
        publish=Address("127.0.0.1", port or free_port()),
        mount=AnonymousMount("/data") if throw_away else VolumeMount("contract", "/data"),
        labels={"localreg.schema": "1", "who": "contract"},
        environment=ENVIRONMENT,
        restart=not throw_away,
        remove_when_stopped=throw_away,
    )


def said(chunks: Iterator[LogChunk]) -> dict[str, bytes]:
    streams = {"stdout": b"", "stderr": b""}
    for chunk in chunks:
        streams[chunk.stream] += chunk.data
    return streams


def started(bench: Bench, *, throw_away: bool = False) -> Container:
    """A running container that has said all it has to say."""
    container = bench.engine.create_container(spec(throw_away=throw_away))
    bench.engine.start_container(container.id)
    assert wait_until(lambda: said(bench.engine.read_logs(container.id)) == EXPECTED, seconds=20)
    return container


def start_again(bench: Bench, container: Container) -> None:
    """Start one that was stopped, when what forwarded its port is gone: rootless Podman 5 does not wait for it."""
    (port,) = container.ports
    assert wait_until(lambda: find_holder(port.bound) is None, seconds=20)
    bench.engine.start_container(container.id)


def test_a_container_is_what_was_asked_for(loaded: Bench) -> None:
    wanted = spec()
    created = loaded.engine.create_container(wanted)
    assert (created.name, created.image, created.state) == ("speaker", IMAGE, ContainerState.CREATED)
    assert created.labels["who"] == "contract"
    assert created.mounts == (VolumeMount("contract", "/data"),)
    assert re.fullmatch(r"[0-9a-f]{64}", created.id)
    assert (created.started_at, created.finished_at, created.exit_code) == (None, None, None)
    assert not created.removes_itself
    loaded.engine.start_container(created.id)
    running = loaded.engine.find_container("speaker")
    assert running is not None
    assert running.state is ContainerState.RUNNING
    (port,) = running.ports
    assert (port.container_port, port.bound, port.from_host) == (5000, wanted.publish, wanted.publish)
    assert running.finished_at is None
    assert running.started_at is not None
    assert abs(running.started_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert [found.id for found in loaded.engine.list_containers()] == [created.id]


def test_a_container_tells_its_environment_and_does_not_show_it(loaded: Bench) -> None:
    created = loaded.engine.create_container(spec())
    loaded.engine.start_container(created.id)
    running = loaded.engine.find_container("speaker")
    assert running is not None
    for container in (created, running, *loaded.engine.list_containers()):
        assert container.environment.items() >= ENVIRONMENT.items()
        assert "SIGNED" not in repr(container)


def test_only_the_exact_name_finds_a_container(loaded: Bench) -> None:
    created = loaded.engine.create_container(spec())
    assert loaded.engine.find_container(created.id) is not None
    for name in ("speake", "speaker2", created.id[:12], "no/such", "?"):
        assert loaded.engine.find_container(name) is None


def test_a_name_is_given_once(loaded: Bench) -> None:
    loaded.engine.create_container(spec())
    with pytest.raises(NameTakenError):
        loaded.engine.create_container(spec())


def test_another_name_is_given_running_or_not(loaded: Bench) -> None:
    first = loaded.engine.create_container(spec("first"))
    loaded.engine.rename_container(first.id, "aside")
    assert loaded.engine.find_container("first") is None
    second = loaded.engine.create_container(spec("first"))
    with pytest.raises(NameTakenError):
        loaded.engine.rename_container(second.id, "aside")
    loaded.engine.start_container(second.id)
    loaded.engine.rename_container(second.id, "second")
    renamed = loaded.engine.find_container("second")
    assert renamed is not None
    assert (renamed.id, renamed.is_running) == (second.id, True)
    with pytest.raises(ContainerNotFoundError):
        loaded.engine.rename_container("nosuch", "other")


def test_creating_never_pulls(bench: Bench) -> None:
    with pytest.raises(ImageNotFoundError):
        bench.engine.create_container(spec())
    assert bench.engine.list_containers() == []


def test_starting_and_stopping_twice_is_the_same_as_once(loaded: Bench) -> None:
    created = started(loaded)
    loaded.engine.start_container(created.id)
    loaded.engine.stop_container(created.id, grace_seconds=0)
    loaded.engine.stop_container(created.id, grace_seconds=0)
    stopped = loaded.engine.find_container(created.id)
    assert stopped is not None
    assert stopped.state is ContainerState.EXITED
    assert stopped.exit_code is not None
    start_again(loaded, created)
    again = loaded.engine.find_container(created.id)
    assert again is not None
    assert again.is_running


def test_removing_takes_a_running_container_and_is_content_with_none(loaded: Bench) -> None:
    created = started(loaded)
    loaded.engine.remove_container(created.id)
    loaded.engine.remove_container(created.id)
    assert loaded.engine.find_container("speaker") is None


def test_a_container_that_is_not_there_cannot_be_used(bench: Bench) -> None:
    for use in (
        bench.engine.start_container,
        bench.engine.stop_container,
        lambda name: list(bench.engine.read_logs(name)),
    ):
        with pytest.raises(ContainerNotFoundError):
            use("nosuch")


def test_a_port_that_a_container_holds_is_taken(loaded: Bench) -> None:
    port = free_port()
    loaded.engine.start_container(loaded.engine.create_container(spec("one", port=port)).id)
    second = loaded.engine.create_container(spec("two", port=port))
    with pytest.raises(PortTakenError):
        loaded.engine.start_container(second.id)
    left = loaded.engine.find_container("two")
    assert left is not None
    assert not left.is_running


def test_a_port_that_a_process_holds_is_taken(loaded: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        getattr(loaded.engine, "taken_ports", set()).add(port)
        created = loaded.engine.create_container(spec(port=port))
        with pytest.raises(PortTakenError):
            loaded.engine.start_container(created.id)


def test_one_that_removes_itself_is_gone_after_it_stopped(loaded: Bench) -> None:
    created = started(loaded, throw_away=True)
    assert created.removes_itself
    loaded.engine.stop_container(created.id, grace_seconds=0)
    assert wait_until(lambda: loaded.engine.find_container(created.id) is None, seconds=20)
    loaded.engine.remove_container(created.id)


def test_the_log_is_byte_for_byte_with_its_streams_apart(loaded: Bench) -> None:
    created = started(loaded)
    assert said(loaded.engine.read_logs(created.id)) == EXPECTED


def test_the_log_is_cut_as_asked(loaded: Bench) -> None:
    created = started(loaded)
    assert sum(len(data) for data in said(loaded.engine.read_logs(created.id, tail=0)).values()) == 0
    assert sum(data.count(b"\n") for data in said(loaded.engine.read_logs(created.id, tail=2)).values()) == 2
    future = datetime.now(UTC) + timedelta(hours=1)
    assert said(loaded.engine.read_logs(created.id, since=future)) == {"stdout": b"", "stderr": b""}
    assert said(loaded.engine.read_logs(created.id, only="stderr")) == {**EXPECTED, "stdout": b""}
    assert said(loaded.engine.read_logs(created.id, only="stdout")) == {**EXPECTED, "stderr": b""}
    stamped = said(loaded.engine.read_logs(created.id, timestamps=True))["stderr"]
    assert re.fullmatch(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S* to stderr\n", stamped)


def has_said_all(bench: Bench, container: Container) -> bool:
    """It has in this run said all it has to say, and said it once."""
    return said(bench.engine.read_logs(container.id, since=log_began_at(container))) == EXPECTED


def test_what_a_run_writes_comes_after_the_end_of_the_one_before(loaded: Bench) -> None:
    created = started(loaded)
    for _ in range(2):
        loaded.engine.stop_container(created.id, grace_seconds=0)
        start_again(loaded, created)
        again = loaded.engine.find_container(created.id)
        assert again is not None
        assert again.finished_at is not None
        assert again.started_at is not None
        assert again.finished_at <= again.started_at
        assert wait_until(partial(has_said_all, loaded, again), seconds=20)


def test_following_ends_when_the_container_stops(loaded: Bench) -> None:
    created = started(loaded)
    chunks = loaded.engine.read_logs(created.id, follow=True)
    first = next(chunks)
    loaded.engine.stop_container(created.id, grace_seconds=0)
    rest = said(chunks)
    rest[first.stream] = first.data + rest[first.stream]
    assert rest == EXPECTED


def test_following_ends_when_the_container_is_removed(loaded: Bench) -> None:
    created = started(loaded)
    chunks = loaded.engine.read_logs(created.id, follow=True)
    first = next(chunks)
    loaded.engine.remove_container(created.id)
    rest = said(chunks)
    rest[first.stream] = first.data + rest[first.stream]
    assert rest == EXPECTED


def test_a_log_whose_connection_breaks_is_an_error(loaded: Bench) -> None:
    created = started(loaded)
    chunks = loaded.engine.read_logs(created.id, follow=True)
    next(chunks)
    timer = threading.Timer(0.2, loaded.cut)
    timer.start()
    with pytest.raises(EngineLostError):
        list(chunks)
    timer.join()


def test_a_push_whose_connection_breaks_is_an_error(bench: Bench, large: str) -> None:
    steps = bench.engine.push_image(large, plain_http=True)
    next(steps)
    bench.cut()
    with pytest.raises(EngineLostError):
        list(steps)


def test_a_pull_whose_connection_breaks_is_an_error(bench: Bench, large: str) -> None:
    list(bench.engine.push_image(large, plain_http=True))
    bench.engine.untag_image(large)
    steps = bench.engine.pull_image(large, plain_http=True)
    next(steps)
    bench.cut()
    with pytest.raises(EngineLostError):
        list(steps)


def test_an_engine_that_is_lost_says_so(loaded: Bench) -> None:
    assert loaded.engine.is_answering()
    loaded.cut()
    assert not loaded.engine.is_answering()
    with pytest.raises(EngineLostError):
        loaded.engine.find_container("speaker")
    with pytest.raises(EngineLostError):
        list(loaded.engine.push_image(f"{loaded.location}/app:1", plain_http=True))


@pytest.mark.parametrize("place", ["/etc/new/folder", "/data/new", "/data"], ids=["image", "volume", "top"])
def test_files_are_put_into_a_container_and_read_back(loaded: Bench, place: str) -> None:
    engine = loaded.engine
    created = engine.create_container(spec())
    assert engine.read_file(created.id, f"{place}/key") is None
    engine.put_files(created.id, place, {"key": ContainerFile(b"\xff secret", 0o600), "crt": ContainerFile(b"open")})
    engine.start_container(created.id)
    assert engine.read_file("speaker", f"{place}/key") == b"\xff secret"
    engine.put_files("speaker", place, {"crt": ContainerFile(b"other", 0o640)})
    assert engine.read_file(created.id, f"{place}/crt") == b"other"
    if not isinstance(engine, FakeEngine):
        stat = ["busybox", "stat", "-c", "%a %u %g", place, f"{place}/key", f"{place}/crt"]
        assert b"".join(engine.run_in_container(created.id, stat)) == b"755 0 0\n600 0 0\n640 0 0\n"
        assert b"".join(engine.run_in_container(created.id, ["cat", f"{place}/key"])) == b"\xff secret"
    engine.stop_container(created.id, grace_seconds=0)
    engine.put_files(created.id, place, {"key": ContainerFile(b"after", 0o600)})
    assert engine.read_file(created.id, f"{place}/key") == b"after"
    start_again(loaded, created)
    assert engine.read_file(created.id, f"{place}/key") == b"after"
    assert engine.read_file(created.id, place) is None


def test_files_of_a_volume_stay_with_it(loaded: Bench) -> None:
    created = loaded.engine.create_container(spec())
    loaded.engine.put_files(created.id, "/data/kept", {"file": ContainerFile(b"1")})
    loaded.engine.put_files(created.id, "/etc/kept", {"file": ContainerFile(b"1")})
    loaded.engine.remove_container(created.id)
    again = loaded.engine.create_container(spec())
    assert loaded.engine.read_file(again.id, "/data/kept/file") == b"1"
    assert loaded.engine.read_file(again.id, "/etc/kept/file") is None


def test_only_a_container_has_files(bench: Bench) -> None:
    with pytest.raises(ContainerNotFoundError):
        bench.engine.put_files("nosuch", "/etc", {"file": ContainerFile(b"")})
    with pytest.raises(ContainerNotFoundError):
        bench.engine.read_file("nosuch", "/etc/passwd")


def test_a_command_whose_connection_breaks_is_an_error(loaded: Bench) -> None:
    created = started(loaded)
    output = loaded.engine.run_in_container(created.id, ["sh", "-c", "cat /bin/busybox; exec sleep 1000"])
    assert next(output)
    loaded.cut()
    with pytest.raises(EngineLostError):
        list(output)


def test_a_thread_that_waits_for_a_command_notices_that_the_engine_is_closed(loaded: Bench) -> None:
    created = started(loaded)
    output = loaded.engine.run_in_container(created.id, ["sh", "-c", "while cat /bin/busybox; do :; done"])
    assert next(output)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(all, output)
        loaded.engine.close()
        with pytest.raises(EngineLostError):
            waiting.result(20)


def test_a_command_needs_a_running_container(loaded: Bench) -> None:
    created = loaded.engine.create_container(spec())
    with pytest.raises(EngineError):
        next(loaded.engine.run_in_container(created.id, ["cat", "/content"]))
    with pytest.raises(ContainerNotFoundError):
        next(loaded.engine.run_in_container("nothing", ["cat", "/content"]))


def test_a_shell_runs_one_command_after_another(loaded: Bench) -> None:
    created = started(loaded)

    def run(*command: str) -> bytes:
        return b"".join(loaded.engine.run_in_container(created.id, command))

    words = ["a b", "it's", "$HOME", "two\nlines", "", "\udcff"]
    assert run("cat", "/bin/busybox") == static_busybox()
    assert run("sh", "-c", 'printf "<%s>" "$@"', "sh", *words) == os.fsencode("".join(f"<{word}>" for word in words))
    assert run("sh", "-c", "cat; cd /; exit 0") == b""
    output = loaded.engine.run_in_container(created.id, ["sh", "-c", "echo out; echo why >&2; exit 3"])
    assert next(output) == b"out\n"
    with pytest.raises(EngineError) as failed:
        next(output)
    assert ("3" in failed.value.message, failed.value.details) == (True, ("why",))
    with pytest.raises(EngineError):
        run("no-such-program")
    # Paths of a large registry: as much as one command takes.
    assert len(run("echo", *["x" * 100] * 10_000)) == 101 * 10_000
    if not isinstance(loaded.engine, FakeEngine):
        assert run("sh", "-c", "echo $PPID") == run("sh", "-c", "echo $PPID")


def test_each_of_two_commands_at_once_has_a_shell_that_ends_with_it_if_the_rest_is_not_read(loaded: Bench) -> None:
    created = started(loaded)
    says_its_shell = ["sh", "-c", "echo $PPID; sleep 1"]
    first, second = (loaded.engine.run_in_container(created.id, says_its_shell) for _ in range(2))
    shells = {int(next(first)), int(next(second))}
    assert len(shells) == 2
    for left in (first, second):
        assert isinstance(left, Generator)
        left.close()
    for shell in shells:
        running = ["sh", "-c", f"! kill -0 {shell} 2>/dev/null || echo runs"]
        assert wait_until(lambda: not b"".join(loaded.engine.run_in_container(created.id, running)), seconds=20)  # noqa: B023 -- at once


def test_a_shell_is_opened_again_after_a_restart(loaded: Bench) -> None:
    created = started(loaded)
    list(loaded.engine.run_in_container(created.id, [":"]))
    loaded.engine.stop_container(created.id, grace_seconds=0)
    with pytest.raises(EngineError):
        list(loaded.engine.run_in_container(created.id, [":"]))
    start_again(loaded, created)
    assert b"".join(loaded.engine.run_in_container(created.id, ["echo", "again"])) == b"again\n"


@pytest.mark.parametrize("then", ["start", "remove", None], ids=str)
def test_a_command_ends_with_its_container(loaded: Bench, then: str | None) -> None:
    created = started(loaded)
    output = loaded.engine.run_in_container(created.id, ["sh", "-c", "cat /bin/busybox; exec sleep 1000"])
    assert next(output)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(list, output)
        loaded.engine.stop_container(created.id, grace_seconds=0)
        if then == "start":
            start_again(loaded, created)
        elif then == "remove":
            loaded.engine.remove_container(created.id)
        with pytest.raises(EngineError, match="stopped"):
            waiting.result(20)


def test_a_command_needs_a_shell(loaded: Bench) -> None:
    created = started(loaded)
    if isinstance(loaded.engine, FakeEngine):
        loaded.engine.shell_less.add(created.image)
    else:
        with pytest.raises(EngineError):
            list(loaded.engine.run_in_container(created.id, ["sh", "-c", "busybox rm /bin/sh; kill -9 $PPID"]))
    # Docker writes its own error to the output before.
    with pytest.raises(EngineError, match="shell"):
        list(loaded.engine.run_in_container(created.id, ["cat", "/content"]))


@pytest.mark.parametrize("throw_away", [False, True], ids=["volume", "anonymous"])
def test_a_container_with_the_mounts_of_another_and_its_own_command(loaded: Bench, *, throw_away: bool) -> None:
    first = loaded.engine.create_container(replace(spec(throw_away=throw_away), remove_when_stopped=False))
    loaded.engine.start_container(first.id)
    command = ("sh", "-c", "exec sleep 1000")
    labels = {"a": "b"}
    wanted = ContainerSpec("helper", first.image_id, volumes_from=first.id, command=command, labels=labels, user="7:8")
    for is_stopped in (False, True):
        if is_stopped:
            loaded.engine.stop_container(first.id, grace_seconds=0)
        second = loaded.engine.create_container(wanted)
        assert (second.mounts, second.ports, second.command) == (first.mounts, (), command)
        assert (second.image_id, second.labels["a"]) == (first.image_id, "b")
        assert (first.user, second.user) == ("", "7:8")
        loaded.engine.start_container(second.id)
        if not isinstance(loaded.engine, FakeEngine):
            numbers = ["busybox", "id"]
            assert b"".join(loaded.engine.run_in_container(second.id, numbers)).startswith(b"uid=7 gid=8")
        loaded.engine.remove_container(second.id)
    # The helper did not take the anonymous volume with it.
    start_again(loaded, first)
    again = loaded.engine.find_container(first.id)
    assert again is not None
    assert (again.is_running, again.mounts) == (True, first.mounts)


def test_a_container_tells_its_command(loaded: Bench) -> None:
    created = loaded.engine.create_container(spec())
    found = loaded.engine.find_container("speaker")
    assert found is not None
    assert created.command == found.command
    assert found.command[0]
    assert "command=" not in repr(found)


def test_a_volume_is_created_once_and_keeps_its_labels(bench: Bench) -> None:
    assert bench.engine.find_volume("contract") is None
    first = bench.engine.create_volume("contract", {"localreg.name": "x"})
    again = bench.engine.create_volume("contract", {"localreg.name": "y"})
    assert first.labels == again.labels == {"localreg.name": "x"}
    assert bench.engine.find_volume("contract") == first
    assert bench.engine.find_volume("contrac") is None
    assert first in bench.engine.list_volumes()
    bench.engine.remove_volume("contract")
    bench.engine.remove_volume("contract")
    assert bench.engine.find_volume("contract") is None


def test_a_volume_in_use_is_not_removed(loaded: Bench) -> None:
    created = loaded.engine.create_container(spec())
    with pytest.raises(InUseError):
        loaded.engine.remove_volume("contract")
    loaded.engine.remove_container(created.id)
    assert loaded.engine.find_volume("contract") is not None


def test_an_image_is_found_by_name_and_id(loaded: Bench) -> None:
    image = loaded.engine.find_image(IMAGE)
    assert image is not None
    assert image.platform == "linux/amd64"
    assert image.created == datetime(2026, 1, 1, tzinfo=UTC)
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", image.id)
    assert loaded.engine.find_image(image.id) == image
    assert image in loaded.engine.list_images()
    for name in ("nosuch", "localhost/nosuch:1", "localhost/speaker:2", "UPPER", "a b"):
        assert loaded.engine.find_image(name) is None


def test_names_come_and_go_and_the_image_with_the_last(loaded: Bench) -> None:
    loaded.engine.tag_image(IMAGE, "localhost:5999/team/app:1")
    loaded.engine.tag_image(IMAGE, "localhost:5999/team/app:1")
    image = loaded.engine.find_image("localhost:5999/team/app:1")
    assert image is not None
    assert set(image.references) == {IMAGE, "localhost:5999/team/app:1"}
    loaded.engine.untag_image(IMAGE)
    loaded.engine.untag_image(IMAGE)
    assert loaded.engine.find_image(IMAGE) is None
    loaded.engine.untag_image("localhost:5999/team/app:1")
    assert loaded.engine.find_image(image.id) is None
    with pytest.raises(ImageNotFoundError):
        loaded.engine.tag_image("nosuch", "localhost:5999/app:1")


def test_the_last_name_of_an_image_that_a_container_uses_stays(loaded: Bench) -> None:
    created = started(loaded)
    with pytest.raises(InUseError):
        loaded.engine.untag_image(IMAGE)
    assert loaded.engine.find_image(IMAGE) is not None
    loaded.engine.remove_container(created.id)
    loaded.engine.untag_image(IMAGE)
    assert loaded.engine.find_image(IMAGE) is None


@pytest.mark.parametrize("content", [b"", b"garbage" * 1000])
def test_what_is_no_archive_is_refused(bench: Bench, folder: Path, content: bytes) -> None:
    (folder / "no.tar").write_bytes(content)
    with pytest.raises(InvalidArchiveError):
        bench.engine.load_archive(folder / "no.tar")


def test_an_image_goes_to_the_registry_and_comes_back(loaded: Bench) -> None:
    name = f"{loaded.location}/team/app:1"
    loaded.engine.tag_image(IMAGE, name)
    before = loaded.engine.find_image(name)
    steps = list(loaded.engine.push_image(name, plain_http=True))
    assert any(step.layer for step in steps)
    assert all(step.total is None or step.current is None or step.current <= step.total for step in steps)
    loaded.engine.untag_image(name)
    loaded.engine.untag_image(IMAGE)
    list(loaded.engine.pull_image(name, plain_http=True))
    after = loaded.engine.find_image(name)
    assert before is not None
    assert after is not None
    assert before.id == after.id


def test_an_image_that_is_not_here_cannot_be_pushed(loaded: Bench) -> None:
    with pytest.raises(ImageNotFoundError):
        list(loaded.engine.push_image(f"{loaded.location}/nosuch:1", plain_http=True))


def test_an_image_that_is_not_there_cannot_be_pulled(bench: Bench) -> None:
    with pytest.raises(ImageNotFoundError):
        list(bench.engine.pull_image(f"{bench.location}/nosuch:1", plain_http=True))


def test_a_registry_that_is_not_there_is_unreachable(loaded: Bench) -> None:
    name = f"localhost:{free_port()}/app:1"
    loaded.engine.tag_image(IMAGE, name)
    with pytest.raises(RegistryUnreachableError):
        list(loaded.engine.push_image(name, plain_http=True))
    with pytest.raises(RegistryError):
        list(loaded.engine.pull_image(name, plain_http=True))


def test_an_engine_tells_whether_it_reaches_a_registry(bench: Bench) -> None:
    bench.engine.reach_registry(bench.location, plain_http=True)
    with pytest.raises(RegistryUnreachableError):
        bench.engine.reach_registry(f"localhost:{free_port()}", plain_http=True)
    assert [image for image in bench.engine.list_images() if "localreg-doctor" in str(image.references)] == []


@pytest.mark.parametrize("throw_away", [False, True])
def test_a_container_tells_whether_it_is_restarted(loaded: Bench, *, throw_away: bool) -> None:
    assert loaded.engine.create_container(spec(throw_away=throw_away)).restarts is not throw_away


def test_closing_twice_is_closing_once(bench: Bench) -> None:
    bench.engine.close()
    with contextlib.suppress(EngineLostError):
        bench.engine.find_container("x")
    bench.engine.close()


def test_a_container_joins_networks_and_leaves_them(loaded: Bench) -> None:
    engine = loaded.engine
    loaded.add_network("web")
    assert "web" in engine.list_networks()
    created = engine.create_container(replace(spec(), networks=("web",)))
    engine.start_container(created.id)
    usual = {"bridge", "podman"}
    assert set(networks_of(loaded)) - usual == {"web"}
    loaded.add_network("kind")
    if engine.info().joins_networks_when_created:
        return
    for _ in range(2):
        engine.connect_network(created.id, "kind")
        assert set(networks_of(loaded)) - usual == {"kind", "web"}
    for network in ("kind", "web"):
        for _ in range(2):
            engine.disconnect_network("speaker", network)
        assert network not in networks_of(loaded)
    assert set(networks_of(loaded)) <= usual
    assert networks_of(loaded)


def networks_of(bench: Bench) -> tuple[str, ...]:
    found = bench.engine.find_container("speaker")
    assert found is not None
    return found.networks


def test_a_network_or_container_that_does_not_exist_is_told_apart(loaded: Bench) -> None:
    engine = loaded.engine
    with pytest.raises(NotFoundError):
        engine.create_container(replace(spec(), networks=("nosuch",)))
    assert engine.find_container("speaker") is None
    if engine.info().joins_networks_when_created:
        return
    created = engine.create_container(spec())
    with pytest.raises(NotFoundError) as caught:
        engine.connect_network(created.id, "nosuch")
    assert not isinstance(caught.value, ContainerNotFoundError)
    engine.disconnect_network(created.id, "nosuch")
    loaded.add_network("web")
    with pytest.raises(ContainerNotFoundError):
        engine.connect_network("nosuch", "web")
    with pytest.raises(ContainerNotFoundError):
        engine.disconnect_network("nosuch", "web")
