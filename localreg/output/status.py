"""The result of `status`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from localreg.engines.values import ContainerState
from localreg.output.block import block
from localreg.output.registry import (
    engine_json,
    engine_line,
    limits,
    reach_line,
    registry_json,
    started,
    storage_line,
    title,
    tls_line,
)
from localreg.output.streams import Renderings
from localreg.output.table import columns
from localreg.output.text import ago
from localreg.registry.container import seems_none, start_command
from localreg.registry.defaults import DEFAULT_NAME
from localreg.registry.makers import find_maker
from localreg.registry.networks import joined_networks
from localreg.registry.status import Health, SeenRegistry, Status
from localreg.registry.tls import tls_of
from localreg.tunnels.spec import TunnelSpec


def render(result: Status, *, plain_http: str | None, tunnels: Sequence[TunnelSpec] = (), command: str) -> Renderings:
    """Lay out the state of a registry.

    Args:
        result: Of `status`.
        plain_http: How the engine's own program is allowed to use plain HTTP, or can be; None if it needs nothing.
        tunnels: The open ones to this registry.
        command: `localreg`, with the registry's name unless that is the default.
    """
    facts = [
        *_facts(result, command),
        *([("podman", plain_http)] if plain_http and result.registry else []),
        *(("tunnel", f"{spec.host} pushes to it as {spec.remote}") for spec in tunnels),
    ]

    def table(width: int) -> str:
        return block(_headline(result), [*facts, *_next(result, command)], width=width)

    def plain() -> str:
        location = result.registry.location if result.registry else None
        head = [("name", result.name), ("health", str(result.health)), ("location", location or "")]
        return "\n".join(f"{key}\t{value}" for key, value in [*head, *facts])

    return Renderings(
        table=table,
        plain=plain,
        quiet=lambda: str(result.health),
        json=lambda: {
            "name": result.name,
            "health": str(result.health),
            "version": result.version,
            "engine": engine_json(result.engine),
            "registry": registry_json(result.registry) if result.registry else None,
            "storage": result.storage,
            "repositories": result.repositories,
            "requires_login": result.requires_login,
            "login_user": result.login_user,
            "pushes_refused": result.pushes_refused and str(result.pushes_refused),
            "stopped_by_gc": result.stopped_by_gc,
            "networks": list(joined_networks(result.registry.container)) if result.registry else [],
            "tunnels": [{"host": spec.host, "remote": spec.remote} for spec in tunnels],
        },
    )


def _next(result: Status, command: str) -> list[tuple[str, str]]:
    """The next command if the registry cannot be used."""
    if result.registry is not None and result.registry.lost_its_port:
        return [("cure", f"{command} up")]
    has_no_port = result.health is Health.NOT_ANSWERING and result.registry and result.registry.published is None
    if not result.is_registry or has_no_port or result.health is Health.SPEAKS_TLS:
        return [("instead", "localreg --name OTHER up")]
    if result.health is Health.NOT_ANSWERING:
        return [("see", f"{command} logs")]
    if result.health is Health.STOPPED and result.registry is not None:
        start = "localreg up"
        if not result.stopped_by_gc:
            start = start_command(result.registry, engine=result.engine.name)
        return [("start", start.replace("localreg", command, 1) if start.startswith("localreg") else start)]
    if result.registry is not None and (tls := tls_of(result.registry)) and tls.is_due():
        return [("renew", f"{command} up")]
    return [("start", f"{command} up")] if result.health is Health.ABSENT else []


def _headline(result: Status) -> str:
    what = title(result.version)
    if result.registry is None:
        return "No registry is running" if result.name == DEFAULT_NAME else f"Registry `{result.name}` does not exist"
    if not result.is_registry:
        sentence = seems_none(result.registry)
        return f"{sentence[0].upper()}{sentence[1:]}"
    place = f" at {result.registry.location}" if result.registry.location else ""
    if result.health is Health.STOPPED:
        return f"{what}: {result.registry.state}{' by `localreg gc`' if result.stopped_by_gc else ''}"
    health = "publishes no port" if result.registry.published is None else result.health
    return f"{what}{place}: running, {health}{started(result.registry)}"


def _facts(result: Status, command: str) -> list[tuple[str, str]]:
    facts = [("engine", engine_line(result.engine))]
    if result.registry is None:
        return facts
    facts.append(("image", result.registry.container.image))
    if result.registry.published is not None or result.registry.container.state is ContainerState.RUNNING:
        facts.append(("reach", reach_line(result.registry)))
    if tls := tls_line(result.registry):
        facts.append(("tls", tls))
    count = result.repositories
    number = "" if count is None else f", {count} {'repository' if count == 1 else 'repositories'}"
    if result.is_registry:
        facts.append(("storage", f"{storage_line(result.registry)}{number}"))
    if networks := joined_networks(result.registry.container):
        facts.append(("networks", ", ".join(networks)))
    facts += limits(result, result.engine, command)
    if not result.registry.is_ours:
        facts.append(("origin", f"created by {find_maker(result.registry) or 'hand'}, not by localreg"))
    return facts


def render_all(found: Sequence[SeenRegistry]) -> Renderings:
    """Lay out every registry on every engine."""

    def table(width: int) -> str:
        if not found:
            return "No registry on any engine"
        now = datetime.now(UTC)
        rows = [
            (
                seen.registry.container.name,
                f"{seen.engine.name.capitalize()}{' rootless' if seen.engine.rootless else ''}",
                str(seen.health),
                seen.registry.location or "",
                seen.registry.container.image,
                find_maker(seen.registry) or "hand",
                ago(seen.registry.container.started_at, now=now),
            )
            for seen in found
        ]
        headings = ("NAME", "ENGINE", "HEALTH", "LOCATION", "IMAGE", "CREATED BY", "STARTED")
        return columns(headings, rows, width=width, spare=("STARTED", "IMAGE", "CREATED BY"))

    def plain() -> str:
        return "\n".join(
            "\t".join(
                (
                    seen.registry.container.name,
                    seen.engine.name,
                    str(seen.health),
                    seen.registry.location or "",
                    seen.registry.container.image,
                    find_maker(seen.registry) or "hand",
                )
            )
            for seen in found
        )

    return Renderings(
        table=table,
        plain=plain,
        quiet=lambda: "\n".join(seen.registry.container.name for seen in found),
        json=lambda: {
            "registries": [
                {**registry_json(seen.registry), "health": str(seen.health), "engine": engine_json(seen.engine)}
                for seen in found
            ]
        },
    )
