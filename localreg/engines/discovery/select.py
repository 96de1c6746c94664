"""Which engine to drive: every one that is there is asked, side by side, and the one that holds the registry wins.

The only module that imports the adapters, each inside a function: a command loads only the SDK of the engine it uses.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from localreg.engines.discovery import probe
from localreg.engines.discovery.contexts import BrokenContextError
from localreg.engines.discovery.endpoints import named_endpoints, usual_docker_endpoints, usual_podman_sockets
from localreg.engines.port import Engine
from localreg.engines.values import Endpoint, EngineName
from localreg.errors import AmbiguousEngineError, EngineUnavailableError, LocalregError, Unavailable

EngineChoice = Literal["auto", "docker", "podman"]

_Ask = Callable[[], probe.Answer]


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A place where an engine may answer."""

    ask: _Ask
    variable: str | None = None
    """The variable of the environment that names it."""


@dataclass(frozen=True, slots=True)
class Survey:
    """Every engine that answered, in the order of preference, and why the others did not."""

    answers: tuple[probe.Answer, ...]
    unavailable: tuple[Unavailable, ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """The engine that was chosen, opened, and what the survey saw on the way."""

    engine: Engine
    survey: Survey
    holds_registry: bool
    """It has the registry's container."""


def select_engine(
    choice: EngineChoice, *, name: str, volume: str, environ: Mapping[str, str] | None = None
) -> Selection:
    """Choose the engine for a registry and open it.

    Args:
        choice: A named engine never falls back to the other.
        name: The registry's container name: an engine that holds it is chosen before any other.
        volume: The registry's volume: an engine that holds it comes next.
        environ: The environment; the process's own by default.

    Raises:
        EngineUnavailableError: none answered, or the one that a variable names did not.
        AmbiguousEngineError: two engines hold a container of that name.
    """
    survey = survey_engines(choice, volume=volume, environ=environ)
    for silent in survey.unavailable:
        if silent.variable:
            raise EngineUnavailableError(
                f"the engine that {silent.variable} names did not answer",
                probes=[silent],
                hint=silent.cure or f"unset {silent.variable}",
            )
    if not survey.answers:
        raise EngineUnavailableError(
            "no container engine answered" if choice == "auto" else f"{choice.capitalize()} did not answer",
            probes=survey.unavailable,
        )
    chosen = choose(survey.answers, name=name)
    return Selection(open_engine(chosen), survey, holds_registry=chosen.find(name) is not None)


def choose(answers: Sequence[probe.Answer], *, name: str) -> probe.Answer:
    """The one that holds the container, else the volume, else the first.

    Raises:
        AmbiguousEngineError: two engines hold a container of that name.
    """
    holders = [answer for answer in answers if answer.find(name)]
    if len(holders) > 1:
        raise AmbiguousEngineError(
            f"two engines hold a container `{name}`",
            hint=f"choose one with --engine {holders[0].engine} or --engine {holders[1].engine}"
            if holders[0].engine != holders[1].engine
            else f"name one with DOCKER_HOST={holders[0].endpoint.url}",
            details=[f"{holder.engine}  {holder.endpoint.url}" for holder in holders],
        )
    return next(iter(holders), None) or next((answer for answer in answers if answer.has_volume), answers[0])


def open_engine(answer: probe.Answer) -> Engine:
    """Open the adapter for an engine that answered."""
    if answer.engine == "podman":
        with _left_out("rich"):
            # Podman-py has a progress bar where rich is installed, and takes half as long to load without it.
            from localreg.engines.podman.engine import PodmanEngine  # noqa: PLC0415 -- loads podman-py

        return PodmanEngine.open(answer.endpoint)
    with contextlib.nullcontext() if answer.endpoint.is_ssh else _left_out("paramiko"):
        # Docker's SDK goes through ssh where paramiko is installed, and takes twice as long to load with it.
        from localreg.engines.docker.engine import DockerEngine  # noqa: PLC0415 -- loads the Docker SDK

    return DockerEngine.open(answer.endpoint, api_version=answer.api_version)


@contextlib.contextmanager
def _left_out(package: str) -> Iterator[None]:
    """As if a package were not installed, for a library that can do without; one that is loaded already stays."""
    if package in sys.modules:
        yield
        return
    # This is how Python is told that an import is to fail.
    sys.modules[package] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[package]


def survey_engines(choice: EngineChoice, *, volume: str, environ: Mapping[str, str] | None = None) -> Survey:
    """Ask every engine that may be there, side by side; an engine that two endpoints lead to appears once."""
    environ = os.environ if environ is None else environ
    wanted: tuple[EngineName, ...] = ("docker", "podman") if choice == "auto" else (choice,)
    unavailable: list[Unavailable] = []
    candidates = _named(wanted, volume, environ) or _usual(wanted, volume, environ, unavailable)
    answers: list[probe.Answer] = []
    with ThreadPoolExecutor(max_workers=max(len(candidates), 1)) as pool:
        for candidate, future in [(candidate, pool.submit(candidate.ask)) for candidate in candidates]:
            try:
                answer = future.result()
            except probe.NoAnswerError as exc:
                unavailable.append(replace(exc.unavailable, variable=candidate.variable))
                continue
            if choice in ("auto", answer.engine):
                answers.append(answer)
            else:
                reason = f"what answers is {answer.engine.capitalize()}"
                cure = f"--engine {answer.engine}"
                unavailable.append(Unavailable(choice, answer.endpoint.url, reason, cure, variable=candidate.variable))
    return Survey(tuple(_distinct(answers)), tuple(unavailable))


def _named(wanted: Sequence[EngineName], volume: str, environ: Mapping[str, str]) -> list[_Candidate]:
    """What `CONTAINER_HOST` and `DOCKER_HOST` name; if they do, nothing else is asked."""
    return [
        _Candidate(_asking(engine, endpoint, volume), variable)
        for variable, engine, endpoint in named_endpoints(wanted, environ)
    ]


def _usual(
    wanted: Sequence[EngineName], volume: str, environ: Mapping[str, str], unavailable: list[Unavailable]
) -> list[_Candidate]:
    """What else to ask, in the order of preference; what is known not to be there is added to `unavailable`."""
    candidates: list[_Candidate] = []
    if "docker" in wanted:
        # A context in the configuration is a habit, one in the environment is meant.
        variable = "DOCKER_CONTEXT" if environ.get("DOCKER_CONTEXT") else None
        try:
            candidates += [
                _Candidate(_asking("docker", endpoint, volume), variable if endpoint.context else None)
                for endpoint in usual_docker_endpoints(environ)
            ]
        except BrokenContextError as exc:
            unavailable.append(replace(exc.unavailable, variable=variable))
        if not candidates and not unavailable:
            unavailable.append(_docker_absent(environ))
    if "podman" in wanted:
        podman = _podman_ask(environ, volume)
        candidates += [_Candidate(podman)] if podman else []
        unavailable += [] if podman else [Unavailable("podman", "", "not installed")]
    return candidates


def _asking(engine: EngineName, endpoint: Endpoint, volume: str) -> _Ask:
    if endpoint.is_ssh:
        return lambda: _ask_over_ssh(engine, endpoint, volume)
    return lambda: probe.ask(engine, endpoint, volume=volume)


def _ask_over_ssh(engine: EngineName, endpoint: Endpoint, volume: str) -> probe.Answer:
    """Ask through the engine's SDK, which knows how to go through ssh."""
    from localreg.engines.discovery.ssh import check_library, check_ssh  # noqa: PLC0415 -- for few

    if engine == "podman" and not urlsplit(endpoint.url).path.strip("/"):
        reason = "no path of a socket, such as /run/user/1000/podman/podman.sock, at its end"
        raise probe.NoAnswerError(Unavailable(engine, endpoint.url, reason))
    try:
        if engine == "docker":
            check_library()
        check_ssh(endpoint.url)
        with open_engine(probe.Answer(engine, endpoint, (), has_volume=False)) as opened:
            containers = tuple(
                probe.SeenContainer(
                    container.id,
                    (container.name,),
                    container.labels,
                    tuple(port.bound for port in container.ports),
                )
                for container in opened.list_containers()
            )
            return probe.Answer(engine, endpoint, containers, has_volume=opened.find_volume(volume) is not None)
    except LocalregError as exc:
        reason = ": ".join([exc.message, *exc.details[:1]])
        raise probe.NoAnswerError(Unavailable(engine, endpoint.url, reason, exc.hint)) from exc


def _docker_absent(environ: Mapping[str, str]) -> Unavailable:
    if shutil.which("dockerd", path=environ.get("PATH")) is None:
        return Unavailable("docker", "", "not installed")
    systemd = Path("/run/systemd/system").is_dir()
    cure = "sudo systemctl start docker" if systemd else "sudo dockerd"
    return Unavailable("docker", "/var/run/docker.sock", "no socket; the daemon is not running", cure)


def _podman_ask(environ: Mapping[str, str], volume: str) -> _Ask | None:
    """Ask Podman's usual socket, else the service that localreg starts; None when there is neither."""
    sockets = usual_podman_sockets(environ)
    program = shutil.which("podman", path=environ.get("PATH"))
    if not sockets and program is None:
        return None

    def ask() -> probe.Answer:
        for path in sockets:
            try:
                return probe.ask("podman", Endpoint(f"unix://{path}"), volume=volume)
            except probe.NoAnswerError:
                if program is None:
                    raise
        return _ask_program(str(program), volume)

    return ask


def _ask_program(program: str, volume: str) -> probe.Answer:
    """Ask the machine's socket where Podman runs in a virtual machine, else a service of localreg's own."""
    from localreg.engines.podman.service import machine_endpoint, private_service  # noqa: PLC0415 -- only for Podman

    try:
        endpoint = machine_endpoint(program) or private_service(program)
    except LocalregError as exc:
        raise probe.NoAnswerError(Unavailable("podman", program, exc.message, exc.hint)) from exc
    return probe.ask("podman", endpoint, volume=volume)


def _distinct(answers: Sequence[probe.Answer]) -> list[probe.Answer]:
    """Without those that are an earlier engine again: a container's ID is on one engine only."""
    seen: set[str] = set()
    distinct = []
    for answer in answers:
        ids = {container.id for container in answer.containers}
        if not ids & seen:
            distinct.append(answer)
        seen |= ids
    return distinct
