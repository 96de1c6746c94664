"""Garbage collection beside clients that push and delete, on real engines: no tag is lost, whatever is killed."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import urllib3
from support.engines.real import REQUIRED, TESTER_UID, Bed, docker_alone
from support.kills.commands import Command
from support.registries.churn import churning, problems
from support.registries.writer import LAYER, OCI_CONFIG, BlobUnknownError, Writer

from localreg.content import collector, gc
from localreg.content.gc import NOW, GcOptions, collect
from localreg.content.quarantine import TRASH, Quarantine
from localreg.engines.port import Engine
from localreg.errors import EngineError
from localreg.oci.manifest import OCI_INDEX, OCI_MANIFEST
from localreg.oci.ping import is_ready
from localreg.registry.container import Registry
from localreg.registry.running import get_running_registry
from localreg.registry.volume import open_folder, open_volume
from localreg.system.waiting import wait_until

URL = "http://localhost:5000"
WAYS = [
    pytest.param(bed, way, id=f"{bed}-{way}")
    for bed in (REQUIRED[0], REQUIRED[2])
    for way in ("folder", "exec", "helper")
]


AT_ONCE = """
import sys
from localreg.cli.app import main
from localreg.content import collector
from localreg.engines.common.shells import OpenShell
from localreg.registry import volume_scripts

collector._YOUNG_SECONDS, collector._ANSWER_SECONDS = -60, 0
begin = OpenShell.run

def run(self, command):
    output = begin(self, command)
    scripts = vars(volume_scripts).items() if command[0] == "sh" else ()
    sys.audit("shell.sent", [name for name, script in scripts if command[2].endswith(str(script))])
    return output

OpenShell.run = run
sys.exit(main(sys.argv[1:]))
"""
CHANGING = ("MAKE_FILE", "MOVE_INTO", "REMOVE")
"""The scripts of a collection that change something."""


@pytest.fixture
def _by_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry's folder is not read, but by a shell in its container."""
    monkeypatch.setattr(gc, "open_folder", lambda *_, **__: None)


@pytest.fixture
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody pushes or collects: what was pushed a moment ago may be waste, and nothing is waited for."""
    monkeypatch.setattr(collector, "_DEAD_SECONDS", -60)
    monkeypatch.setattr(collector, "_YOUNG_SECONDS", -60)
    monkeypatch.setattr(collector, "_ANSWER_SECONDS", 0)


@pytest.mark.parametrize(("bed", "way"), WAYS, indirect=["bed"])
def test_clients_that_push_and_delete_lose_no_tag(
    bed: Bed, way: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some of what they pushed is collected and deleted."""
    # Waste is collected sooner, and meets more pushes.
    monkeypatch.setattr(collector, "_YOUNG_SECONDS", 1)
    if way != "folder":
        request.getfixturevalue("_by_shell")
    if way == "helper":
        monkeypatch.setattr(gc, "has_shell", lambda *_: False)
    bed.up()
    with opened(bed) as (engine, registry), churning(URL) as churn:
        with bed.acting():
            assert way != "folder" or open_folder(engine, registry, registry.root_directory, writes=True)
            collect(engine, registry, GcOptions(timedelta(seconds=2)))
            assert wait_until(lambda: collect(engine, registry, GcOptions(NOW)).freed > 0, seconds=60)
        seen = churn.end()
    assert seen.broken == []
    assert (seen.tags > 0, seen.pushes > 0, seen.deletions > 0) == (True, True, True)


class Shelf:
    """A registry with content of every kind, of which some is waste."""

    def __init__(self) -> None:
        self._writer = Writer(URL)
        self._pool = urllib3.connectionpool.connection_from_url(URL)
        self.kept: dict[tuple[str, str], str] = {}
        """The digest of each tag, and of each manifest that a tag keeps."""
        self.waste: dict[str, bytes] = {}
        """The data of each layer that nothing keeps, by digest."""

    def fill(self, turn: object = 0) -> None:
        """Two indexes that share a child and an attestation; signatures of both kinds; and waste of this turn."""
        child = self.image("app", "", "child", [b"shared"])
        attestation = self.image("app", "", "attestation", [b"in-toto"])
        unknown = {"platform": {"os": "unknown", "architecture": "unknown"}}
        for tag in ("a", "b"):
            other = self.image("app", "", f"only in {tag}", [b"shared", tag.encode()])
            parts = [child, other, attestation | unknown]
            index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": parts}
            self.keep("app", tag, self._writer.manifest("app", tag, index))
        signature = self.image("app", "", "signature", [b"signature"], subject=child)
        self.keep("app", signature["digest"], signature)
        named = f"{child['digest'].replace(':', '-')}.sig"
        self.keep("app", named, self.image("app", named, "cosign", [b"cosign"]))
        for place in ("old", "new"):
            layer = f"{place} {turn}".encode()
            moved = self.image("app", "moved", f"{place} {turn}", [b"shared", layer])
            self.keep("app", "moved", moved)
            if place == "old":
                self.waste[digest_of(moved, self._pool)] = layer

    def push_waste_again(self, turn: object) -> None:
        """As a client does that has an older image; it begins anew if a shell still moves what it has just sent."""

        def push() -> bool:
            try:
                made = self.image("app", "again", f"old {turn}", [b"shared", f"old {turn}".encode()])
            except BlobUnknownError:
                return False
            self.keep("app", "again", made)
            return True

        assert wait_until(push, seconds=10)

    def problems(self) -> list[str]:
        """What is not there of what has to be."""
        return [
            problem
            for (repository, reference), digest in self.kept.items()
            for problem in problems(self._pool, repository, reference, digest)
        ]

    def keep(self, repository: str, reference: str, made: Mapping[str, Any]) -> None:
        self.kept[repository, reference] = made["digest"]

    def image(
        self, repository: str, tag: str, name: str, layers: list[bytes], subject: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        config = json.dumps({"os": "linux", "architecture": "amd64", "name": name}).encode()
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": self._writer.blob(repository, config, OCI_CONFIG),
            "layers": [self._writer.blob(repository, layer, LAYER) for layer in layers],
            **({"subject": subject} if subject else {}),
        }
        return self._writer.manifest(repository, tag, manifest)


def digest_of(image: Mapping[str, Any], pool: urllib3.connectionpool.HTTPConnectionPool) -> str:
    """The digest of an image's last layer."""
    accept = {"Accept": OCI_MANIFEST}
    data = pool.request("GET", f"/v2/app/manifests/{image['digest']}", headers=accept).data
    return str(json.loads(data)["layers"][-1]["digest"])


@contextlib.contextmanager
def opened(bed: Bed) -> Iterator[tuple[Engine, Registry]]:
    with bed.opened() as engine:
        yield engine, get_running_registry(engine, "registry")


@pytest.fixture
def _open_socket(bed: Bed) -> Iterator[None]:
    """All users may use the engine."""
    mode = bed.api.socket.stat().st_mode
    bed.api.socket.chmod(0o666)
    yield
    bed.api.socket.chmod(mode)


@pytest.mark.long
@docker_alone
@pytest.mark.parametrize("way", ["folder", "exec"])
@pytest.mark.usefixtures("_at_once", "_open_socket")
def test_killed_at_each_step_the_next_command_loses_nothing(
    bed: Bed, way: str, folder: Path, subtests: pytest.Subtests
) -> None:
    """The registry is pushed to between the kill and the next command."""
    bed.up()
    shelf = Shelf()
    # As one who may use Docker, but not read its volumes.
    user = bed if way == "folder" else replace(bed, uid=TESTER_UID)
    command = Command(
        user, ["gc", "--yes", "--grace", "0"], folder / "steps", {}, 0o022, (sys.executable, "-c", AT_ONCE)
    )
    shelf.fill("recorded")
    moments = command.record()
    if way == "folder":
        assert {moment.step.split()[0] for moment in moments} >= {"rename", "mkdir", "remove", "rmdir"}
        fatal = list(range(len(moments)))
    else:
        # Each goes on in the container after the kill.
        sent = {i: name for i, found in enumerate(moments) for name in CHANGING if f"'{name}'" in found.step}
        assert set(sent.values()) == set(CHANGING)
        fatal = list(sent)
    for number in fatal:
        with subtests.test(number=number):
            shelf.fill(number)
            if command.run(record=True, fatal=number).returncode == 0:
                # It had less to do than the recorded one.
                assert number > len(moments) * 0.8
                break
            moment = command.moments()[-1]
            shelf.push_waste_again(number)
            # A collection counts as killed at once here: nothing that its shell still moves would be looked at.
            assert wait_until(lambda: not has_running_shell(bed), seconds=60)
            with opened(bed) as (engine, registry):
                # What every other command does beside its own work.
                volume = open_volume(engine, registry)
                assert volume is not None
                collector.Collector(volume).finish()
                assert shelf.problems() == [], moment
                collect(engine, registry, GcOptions(NOW))
                assert shelf.problems() == [], moment
                assert not list(volume.list_files(TRASH)), moment


def has_running_shell(bed: Bed) -> bool:
    """A command that a client of the engine left behind still runs in the registry's container."""
    started = bed.api.get("/containers/registry/json")["ExecIDs"] or ()
    return any(bed.api.get(f"/exec/{found}/json")["Running"] for found in started)


@docker_alone
@pytest.mark.usefixtures("_by_shell", "_at_once")
@pytest.mark.parametrize("step", ["take_manifests", "take_blobs", "put_back", "close"])
def test_a_registry_that_is_killed_meanwhile_loses_nothing(
    bed: Bed, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bed.up()
    shelf = Shelf()
    shelf.fill()

    def kill(*_arguments: object, **_options: object) -> None:
        """The shell in its container ends with it."""
        bed.engine_ok("kill", "registry")
        raise EngineError("the container is not running")

    take = Quarantine.take_blobs

    def take_and_push(*arguments: Any) -> None:
        """Some of it is needed again when all of it has been moved."""
        take(*arguments)
        shelf.push_waste_again(0)

    with opened(bed) as (engine, registry), monkeypatch.context() as patch:
        if step == "put_back":
            patch.setattr(Quarantine, "take_blobs", take_and_push)
        patch.setattr(Quarantine, step, kill)
        with pytest.raises(EngineError):
            collect(engine, registry, GcOptions(NOW))
    bed.engine_ok("start", "registry")
    assert wait_until(lambda: is_ready(URL), seconds=20)
    shelf.push_waste_again(0)
    with opened(bed) as (engine, registry):
        collect(engine, registry, GcOptions(NOW))
    assert shelf.problems() == []


@docker_alone
@pytest.mark.usefixtures("_at_once")
def test_of_five_tags_of_an_image_one_keeps_it(bed: Bed) -> None:
    bed.up()
    shelf = Shelf()
    shelf.fill()
    for number in range(5):
        shelf.keep("five", f"{number}", shelf.image("five", f"{number}", "five", [b"of five"]))
    bed.ok("rm", "--yes", *(f"localhost:5000/five:{number}" for number in range(4)))
    for number in range(4):
        del shelf.kept["five", f"{number}"]
    with opened(bed) as (engine, registry):
        assert collect(engine, registry, GcOptions(NOW)).waste.blobs.keys() >= shelf.waste.keys()
    assert shelf.problems() == []


@docker_alone
@pytest.mark.usefixtures("_at_once")
def test_nothing_is_left_of_a_registry_without_tags(bed: Bed) -> None:
    """It asks the registry for one of its manifests, which must not look like a push."""
    bed.up()
    writer = Writer(URL)
    images = [writer.image("app", "1"), writer.image("app", "2", architecture="arm64")]
    bed.ok("rm", "--yes", "app:1", "app:2")
    with opened(bed) as (engine, registry):
        done = collect(engine, registry, GcOptions(NOW))
        assert {digest for _, digest in done.waste.manifests} == {image["digest"] for image in images}
        assert (done.waste.repositories, done.waste.left) == (frozenset({"app"}), 0)
        # All folders of repositories are gone.
        assert not collect(engine, registry, GcOptions(NOW)).waste.blobs
    assert bed.ok("ls") == ""
    assert writer.image("app", "1") == images[0]
    assert bed.ok("ls", "-q") == "localhost:5000/app:1\n"


@docker_alone
@pytest.mark.usefixtures("_at_once")
@pytest.mark.parametrize("full_of", ["bytes", "files"])
def test_a_full_disk_is_collected_or_left_as_it_is(bed: Bed, folder: Path, full_of: str) -> None:
    data = folder / "data"
    data.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,nr_inodes=600", "tmpfs", data], check=True)
    try:
        bed.ok("up", "--volume", str(data))
        shelf = Shelf()
        shelf.fill()
        fill_up(data, full_of)
        with opened(bed) as (engine, registry):
            if full_of == "bytes":
                assert collect(engine, registry, GcOptions(NOW)).freed > 0
            else:
                with pytest.raises(EngineError, match="no space left"):
                    collect(engine, registry, GcOptions(NOW))
            assert shelf.problems() == []
            (data / "ballast").unlink(missing_ok=True)
            for ballast in data.glob("ballast-*"):
                ballast.unlink()
            collect(engine, registry, GcOptions(NOW))
        assert shelf.problems() == []
        bed.ok("down")
    finally:
        subprocess.run(["umount", "-l", data], check=True)


def fill_up(data: Path, full_of: str) -> None:
    """Leave no room for another byte, or for another file."""
    with (data / "ballast").open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
        for number in range(10_000):
            if full_of == "bytes":
                ballast.write(bytes(512))
            else:
                (data / f"ballast-{number}").touch()
    with pytest.raises(OSError, match="No space left"):
        (data / "more").write_bytes(b"1")
    (data / "more").unlink(missing_ok=True)
