"""A quick look at the engines for completion: without an SDK, without starting a service, without errors."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from localreg.engines.discovery import probe
from localreg.engines.discovery.connections import BrokenConnectionError
from localreg.engines.discovery.contexts import BrokenContextError
from localreg.engines.discovery.endpoints import named_endpoints, usual_docker_endpoints, usual_podman_sockets
from localreg.engines.discovery.select import EngineChoice, choose
from localreg.engines.podman.service import find_private_socket
from localreg.engines.values import Endpoint, EngineName
from localreg.errors import AmbiguousEngineError

SECONDS = 1.0
"""Timeout of one request to an engine."""


def quick_look(choice: EngineChoice, *, name: str, volume: str) -> probe.Answer | None:
    """The engine that a command would select, of those that respond at once.

    Args:
        choice: An engine by name never falls back to the other.
        name: The registry's container name.
        volume: The registry's volume.
    """
    found = [place for place in _endpoints(choice, os.environ) if not place[1].is_ssh]
    if not found:
        return None
    with ThreadPoolExecutor(len(found)) as pool:
        answers = [answer for answer in pool.map(lambda place: _ask(place[0], place[1], volume), found) if answer]
    fitting = [answer for answer in answers if choice in ("auto", answer.engine)]
    try:
        return choose(fitting, name=name) if fitting else None
    except AmbiguousEngineError:
        return None


def _endpoints(choice: EngineChoice, environ: Mapping[str, str]) -> list[tuple[EngineName, Endpoint]]:
    wanted: tuple[EngineName, ...] = ("docker", "podman") if choice == "auto" else (choice,)
    try:
        named = [(engine, endpoint) for _, engine, endpoint in named_endpoints(wanted, environ)]
    except BrokenConnectionError:
        return []
    if named:
        return named
    found: list[tuple[EngineName, Endpoint]] = []
    if "docker" in wanted:
        try:
            found += [("docker", endpoint) for endpoint in usual_docker_endpoints(environ)]
        except BrokenContextError:
            return []
    if "podman" in wanted:
        sockets = [*usual_podman_sockets(environ), *filter(None, [find_private_socket()])]
        found += [("podman", Endpoint(f"unix://{path}")) for path in sockets]
    return found


def _ask(engine: EngineName, endpoint: Endpoint, volume: str) -> probe.Answer | None:
    try:
        return probe.ask(engine, endpoint, volume=volume, seconds=SECONDS)
    except probe.NoAnswerError:
        return None


def list_image_names(answer: probe.Answer) -> list[str]:
    """The names of all images of an engine; empty if it does not respond."""
    try:
        images = json.loads(probe.get(answer.engine, answer.endpoint, "/images/json", seconds=SECONDS))
        return sorted(name for image in images for name in image.get("RepoTags") or () if "<none>" not in name)
    except (probe.NoAnswerError, ValueError, TypeError, AttributeError):
        return []
