"""Selects the engine: asks all engines in parallel and prefers the one that has the registry.

Only this module imports the adapters, each inside a function, so that a command loads only the SDK that it needs.
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

from localreg.engines.discovery import probe
from localreg.engines.discovery.connections import BrokenConnectionError
from localreg.engines.discovery.contexts import BrokenContextError
from localreg.engines.discovery.endpoints import named_endpoints, usual_docker_endpoints, usual_podman_sockets
from localreg.engines.port import Engine
from localreg.engines.values import Endpoint, EngineName
from localreg.errors import AmbiguousEngineError, EngineUnavailableError, LocalregError, Unavailable
from localreg.system.command_line import Sentence

EngineChoice = Literal["auto", "docker", "podman"]

NOT_INSTALLED = "not installed"

_Ask = Callable[[], probe.Answer]


@dataclass(frozen=True, slots=True)
class _Candidate:
    """An endpoint to ask."""

    ask: _Ask
    variable: str | None = None
    """The environment variable that it comes from."""


@dataclass(frozen=True, slots=True)
class Survey:
    """All engines that responded, in order of preference, and why the others did not."""

    answers: tuple[probe.Answer, ...]
    unavailable: tuple[Unavailable, ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """The selected engine, opened, and the survey."""

    engine: Engine
    survey: Survey
    holds_registry: bool
    """It has the registry's container."""


def select_engine(
    choice: EngineChoice, *, name: str, volume: str, environ: Mapping[str, str] | None = None
) -> Selection:
    """Select the engine for a registry and open it.

    Args:
        choice: An engine by name never falls back to the other.
        name: The registry's container name; an engine that has it comes first.
        volume: The registry's volume; an engine that has it comes second.
        environ: The environment; by default the process's.

    Raises:
        EngineUnavailableError: no engine responded, or not the one that a variable selects.
        AmbiguousEngineError: two engines have a container with that name.
    """
    survey = survey_engines(choice, volume=volume, environ=environ)
    for silent in survey.unavailable:
        if silent.variable:
            raise EngineUnavailableError(
                f"the engine in {silent.variable} did not answer",
                probes=[silent],
                hint=silent.cure or f"unset {silent.variable}",
            )
    if not survey.answers:
        raise none_answered(choice, survey)
    chosen = choose(survey.answers, name=name)
    return Selection(open_engine(chosen), survey, holds_registry=chosen.find(name) is not None)


def none_answered(choice: EngineChoice, survey: Survey) -> EngineUnavailableError:
    """The error of a survey without an answer."""
    return EngineUnavailableError(
        "no container engine answered" if choice == "auto" else f"{choice.capitalize()} did not answer",
        probes=survey.unavailable,
        hint=_installation(survey.unavailable),
    )


def _installation(unavailable: Sequence[Unavailable]) -> str | None:
    """The hint that names engines to install; None if one is installed and only does not answer."""
    if any(silent.reason != NOT_INSTALLED for silent in unavailable):
        return None
    pages = {
        "docker": "Docker (https://docs.docker.com/engine/install)",
        "podman": "Podman (https://podman.io/docs/installation)",
    }
    return Sentence(f"install {' or '.join(pages[silent.engine] for silent in unavailable)}")


def choose(answers: Sequence[probe.Answer], *, name: str) -> probe.Answer:
    """The engine that has the container, else the volume, else the first.

    Raises:
        AmbiguousEngineError: two engines have a container with that name.
    """
    holders = [answer for answer in answers if answer.find(name)]
    if len(holders) > 1:
        raise AmbiguousEngineError(
            f"two engines have a container `{name}`",
            hint=f"choose one with --engine {holders[0].engine} or --engine {holders[1].engine}"
            if holders[0].engine != holders[1].engine
            else f"choose one with DOCKER_HOST={holders[0].endpoint.shown}",
            details=[f"{holder.engine}  {holder.endpoint.shown}" for holder in holders],
        )
    return next(iter(holders), None) or next((answer for answer in answers if answer.has_volume), answers[0])


def open_engine(answer: probe.Answer) -> Engine:
    """Open the adapter for an engine that responded."""
    if answer.engine == "podman":
        with _left_out("rich"):
            # Podman-py loads rich if it can, for a progress bar; it loads in half the time without it.
            from localreg.engines.podman.engine import PodmanEngine  # noqa: PLC0415 -- loads podman-py

        return PodmanEngine.open(answer.endpoint)
    with _left_out("paramiko"):
        # Docker's SDK loads paramiko if it can, for ssh, which localreg does by itself; it loads in half the time
        # without it.
        from localreg.engines.docker.engine import DockerEngine  # noqa: PLC0415 -- loads the Docker SDK

    return DockerEngine.open(answer.endpoint, api_version=answer.api_version)


@contextlib.contextmanager
def _left_out(package: str) -> Iterator[None]:
    """Make an optional dependency of a library look uninstalled, unless it is already loaded."""
    if package in sys.modules:
        yield
        return
    # With None, the import fails.
    sys.modules[package] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[package]


def survey_engines(choice: EngineChoice, *, volume: str, environ: Mapping[str, str] | None = None) -> Survey:
    """Ask all possible engines in parallel; an engine with two endpoints appears once."""
    environ = os.environ if environ is None else environ
    wanted: tuple[EngineName, ...] = ("docker", "podman") if choice == "auto" else (choice,)
    unavailable: list[Unavailable] = []
    try:
        candidates = _named(wanted, volume, environ) or _usual(wanted, volume, environ, unavailable)
    except BrokenConnectionError as exc:
        return Survey((), (exc.unavailable,))
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
                reason = f"the engine there is {answer.engine.capitalize()}"
                cure = f"--engine {answer.engine}"
                unavailable.append(
                    Unavailable(choice, answer.endpoint.shown, reason, cure, variable=candidate.variable)
                )
    return Survey(tuple(_distinct(answers)), tuple(unavailable))


def _named(wanted: Sequence[EngineName], volume: str, environ: Mapping[str, str]) -> list[_Candidate]:
    """The endpoints in variables; if there are any, nothing else is asked.

    Raises:
        BrokenConnectionError: a variable of Podman names no Podman.
    """
    return [
        _Candidate(_asking(engine, endpoint, volume), variable)
        for variable, engine, endpoint in named_endpoints(wanted, environ)
    ]


def _usual(
    wanted: Sequence[EngineName], volume: str, environ: Mapping[str, str], unavailable: list[Unavailable]
) -> list[_Candidate]:
    """The usual endpoints, in order of preference; adds engines that are known to be missing to `unavailable`."""
    candidates: list[_Candidate] = []
    if "docker" in wanted:
        # A context in the configuration may fall back to another engine, one in the environment may not.
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
        unavailable += [] if podman else [Unavailable("podman", "", NOT_INSTALLED)]
    return candidates


def _asking(engine: EngineName, endpoint: Endpoint, volume: str) -> _Ask:
    if endpoint.is_ssh:
        return lambda: _ask_over_ssh(engine, endpoint, volume)
    return lambda: probe.ask(engine, endpoint, volume=volume)


def _ask_over_ssh(engine: EngineName, endpoint: Endpoint, volume: str) -> probe.Answer:
    from localreg.engines.discovery.ssh import ask  # noqa: PLC0415 -- for few

    return ask(engine, endpoint, volume=volume, open_engine=open_engine)


def _docker_absent(environ: Mapping[str, str]) -> Unavailable:
    if shutil.which("dockerd", path=environ.get("PATH")) is None:
        return Unavailable("docker", "", NOT_INSTALLED)
    systemd = Path("/run/systemd/system").is_dir()
    cure = "sudo systemctl start docker" if systemd else "sudo dockerd"
    return Unavailable("docker", "/var/run/docker.sock", "the daemon is not running: no socket", cure)


def _podman_ask(environ: Mapping[str, str], volume: str) -> _Ask | None:
    """Ask Podman's usual socket, else a service that localreg starts; None without a socket and a program."""
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
    """Ask the socket of the Podman machine if there is one, otherwise a service that localreg starts."""
    from localreg.engines.podman.service import machine_endpoint, private_service  # noqa: PLC0415 -- only for Podman

    try:
        endpoint = machine_endpoint(program) or private_service(program)
    except LocalregError as exc:
        raise probe.NoAnswerError(Unavailable("podman", program, exc.message, exc.hint)) from exc
    return probe.ask("podman", endpoint, volume=volume)


def _distinct(answers: Sequence[probe.Answer]) -> list[probe.Answer]:
    """Drop repeated engines, which have the same container IDs."""
    seen: set[str] = set()
    distinct = []
    for answer in answers:
        ids = {container.id for container in answer.containers}
        if not ids & seen:
            distinct.append(answer)
        seen |= ids
    return distinct
