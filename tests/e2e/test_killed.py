"""Killed at any point: after a SIGKILL at each step that changes something, the same command does what is left to do.

The steps are those that a recording of the very command shows. What is expected afterwards is what the command left
that was not killed. Each step is a subtest, for which the command is killed there. On a second engine it is killed only
while a request is under way: after an answer, what is there is the same on every engine, as the contract suite shows.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.engines.real import Bed
from support.kills.commands import Command, Moment
from support.kills.snapshots import Snapshot, foreign_part, take_snapshot
from support.kills.states import (
    PORTS,
    Prepare,
    Yard,
    a_pushed_image,
    a_registry,
    an_image_of_two_names,
    another_image_of_that_name,
    dockers_configuration,
    foreign_configuration,
    no_configuration,
    no_image,
    no_registry,
    no_service,
    opened_yard,
    our_configuration,
    our_configuration_alone,
    our_dockers_configuration,
    the_other_port,
)

from localreg.system.waiting import wait_until

pytestmark = pytest.mark.long


@dataclass(frozen=True)
class Scenario:
    """A command, what it begins with, and what a recording of it has to show."""

    name: str
    turns: Sequence[str]
    """The command; several that undo one another take turns."""
    prepare: Prepare
    steps: Sequence[str]
    until: str | None = None
    """The step from which on it is as in another scenario."""
    umask: int = 0o022


STARTED = ("volumes/create", "containers/create", "/start")
STARTING_AND_STOPPING = (
    Scenario(
        "up on another port",
        [f"up --recreate --port {port}" for port in PORTS],
        the_other_port,
        ["/rename", "/stop", "containers/create", "/start", "DELETE .*/containers/"],
    ),
    Scenario("up", ["up"], no_registry, STARTED),
    Scenario(
        "up, the image from an archive",
        ["up --image-archive {archive}"],
        no_image,
        ["images/load", *STARTED],
        until="volumes/create",
    ),
    Scenario(
        "up, the image made around the program",
        ["up"],
        no_image,
        ["images/(pull|create)", "Popen .*/docker-registry --version", "images/load", *STARTED],
        until="volumes/create",
    ),
    Scenario(
        "down",
        ["down --volumes"],
        a_registry,
        ["/stop", "DELETE .*/containers/", "DELETE .*/volumes/localreg-registry"],
    ),
)
IMAGES = (
    Scenario("tag", ["tag localhost/app:1"], an_image_of_two_names, ["/tag"]),
    Scenario("push", ["push localhost/app:1"], another_image_of_that_name, ["/tag", "/push"]),
    Scenario("pull", ["pull app:1"], an_image_of_two_names, ["images/(pull|create)"]),
    Scenario(
        "rm",
        ["rm app:1"],
        a_pushed_image,
        [
            "DELETE /v2/app/manifests/1",
            "POST /v2/app/blobs",
            "PUT /v2/app/blobs",
            "PUT /v2/app/manifests/1",
            r"DELETE /v2/app/manifests/sha256:\*",
            "DELETE .*/images/",
        ],
    ),
)
PODMAN = (
    Scenario("podman-fix", ["podman-fix"], foreign_configuration, ["open .*conf", "rename .*conf", "Popen .*info"]),
    Scenario(
        "podman-fix, the first",
        ["podman-fix"],
        no_configuration,
        ["mkdir .*/containers", "mkdir .*conf.d", "open .*conf", "rename .*conf", "Popen .*info"],
        umask=0o077,
    ),
    Scenario("podman-fix --remove", ["podman-fix --remove"], our_configuration, ["open .*conf", "rename .*conf"]),
    Scenario(
        "podman-fix --remove, the last", ["podman-fix --remove"], our_configuration_alone, ["remove .*localreg.conf"]
    ),
    Scenario(
        "a private service",
        ["status --all"],
        no_service,
        ["mkdir .*/localreg", "open .*/lock", "open .*/podman.log", "Popen .* system service"],
    ),
)

DOCKER = (
    Scenario(
        "trust docker",
        ["trust docker --location 192.0.2.1:5009"],
        dockers_configuration,
        ["rename .*daemon.json.localreg", "rename .*daemon.json", "kill"],
    ),
    Scenario(
        "untrust docker",
        ["untrust docker"],
        our_dockers_configuration,
        ["rename .*daemon.json", "kill", "remove .*daemon.json.localreg"],
    ),
    Scenario(
        "trust docker, with a CA",
        ["trust docker --location 192.0.2.1:5009 --ca /etc/ssl/certs/ca-certificates.crt"],
        dockers_configuration,
        ["mkdir .*certs.d", "rename .*crt", "rename .*5009"],
    ),
)
DOCKER_ON_CONTAINERD = (
    Scenario(
        "trust docker, containerd store",
        ["trust docker --location 192.0.2.1:5009"],
        dockers_configuration,
        ["mkdir .*certs.d", "open .*hosts.toml", "rename .*5009"],
    ),
    DOCKER[-1],
)


@pytest.fixture
def yard(bed: Bed, folder: Path) -> Iterator[Yard]:
    with opened_yard(bed, folder) as opened:
        yield opened


@pytest.fixture
def settings(yard: Yard, registry_archive: Path, registry_program: Path) -> Mapping[str, str]:
    """What commands name, and the environment that has the registry's program on PATH."""
    programs = yard.folder / "bin"
    programs.mkdir()
    shutil.copy(registry_program, programs / "docker-registry")
    return {"archive": str(registry_archive), "PATH": f"{programs}:{yard.bed.environment['PATH']}"}


@dataclass(frozen=True)
class Recording:
    """A command that was not killed: its moments, and what it left."""

    command: Command
    moments: Sequence[Moment]
    left: Snapshot


def record(yard: Yard, scenario: Scenario, turn: int, settings: Mapping[str, str]) -> Recording:
    """Run a command to its end: it takes the steps that it has to, and touches nothing foreign."""
    arguments = scenario.turns[turn].format_map(settings).split()
    command = Command(yard.bed, arguments, yard.folder / "record", {"PATH": settings["PATH"]}, scenario.umask)
    scenario.prepare(yard, turn)
    before = take_snapshot(yard.bed, yard.api)
    moments = command.record()
    done = iter([moment.step for moment in moments if moment.when == "done"])
    for step in scenario.steps:
        assert any(re.search(step, seen) for seen in done), f"no `{step}` in its turn: {moments}"
    left = take_snapshot(yard.bed, yard.api)
    assert foreign_part(left) == foreign_part(before)
    return Recording(command, moments, left)


def settled(yard: Yard, expected: Snapshot) -> Snapshot:
    """What is there; an engine may still be at what the killed one asked for."""
    found: list[Snapshot] = []

    def is_as_expected() -> bool:
        found.append(take_snapshot(yard.bed, yard.api))
        return found[-1] == expected

    wait_until(is_as_expected, seconds=10)
    return found[-1]


def check_kill(yard: Yard, recording: Recording, number: int) -> None:
    """Kill the command at one of its moments, and run it again."""
    command, moment = recording.command, recording.moments[number]
    assert command.kill(number) == moment
    again = command.run()
    # The registry may have removed the tag, and the engine its name, all the same.
    is_last = moment.step == recording.moments[-1].step
    was_done = is_last and again.returncode == 4 and "`app:1`" in again.stderr
    assert again.returncode == 0 or was_done, again.stderr
    assert settled(yard, recording.left) == recording.left
    assert wait_until(lambda: command.survivors() == [], seconds=10), command.survivors()


def check_kills(
    yard: Yard,
    scenarios: Sequence[Scenario],
    settings: Mapping[str, str],
    subtests: pytest.Subtests,
    *,
    between_requests: bool = True,
) -> None:
    for scenario in scenarios:
        recordings = [record(yard, scenario, turn, settings) for turn in range(len(scenario.turns))]
        for kill, number in enumerate(kills(recordings[0].moments, scenario.until, between_requests=between_requests)):
            with subtests.test(f"{scenario.name}: {recordings[0].moments[number]}"):
                turn = kill % len(recordings)
                scenario.prepare(yard, turn)
                check_kill(yard, recordings[turn], number)


def kills(moments: Sequence[Moment], until: str | None, *, between_requests: bool) -> Iterator[int]:
    """The numbers of the moments to kill at."""
    for number, moment in enumerate(moments):
        if until and re.search(until, moment.step):
            return
        if between_requests or moment.when != "done":
            yield number


@pytest.mark.parametrize("scenarios", [STARTING_AND_STOPPING, IMAGES], ids=["starting and stopping", "images"])
def test_the_same_command_again_does_the_rest(
    yard: Yard, scenarios: Sequence[Scenario], settings: Mapping[str, str], subtests: pytest.Subtests
) -> None:
    check_kills(yard, scenarios, settings, subtests, between_requests=yard.bed.name == "docker")


@pytest.mark.parametrize("bed", ["podman-rootless"], indirect=True)
def test_the_same_command_again_does_the_rest_of_what_only_podman_needs(
    yard: Yard, settings: Mapping[str, str], subtests: pytest.Subtests
) -> None:
    check_kills(yard, PODMAN, settings, subtests)


@pytest.mark.parametrize("bed", ["docker"], indirect=True)
def test_the_same_command_again_does_the_rest_of_what_only_docker_needs(
    yard: Yard, settings: Mapping[str, str], subtests: pytest.Subtests
) -> None:
    # With that store, Docker reads hosts.toml at each request, and `trust` leaves its daemon.json as it is.
    has_containerd_store = "io.containerd.snapshotter" in yard.bed.engine_ok("info", "--format", "{{.DriverStatus}}")
    check_kills(yard, DOCKER_ON_CONTAINERD if has_containerd_store else DOCKER, settings, subtests)
