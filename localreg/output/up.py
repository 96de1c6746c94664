"""What `up` shows."""

from __future__ import annotations

from localreg.engines.values import EngineInfo, VolumeMount
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
from localreg.registry.up import UpAction, UpResult


def render(
    result: UpResult, info: EngineInfo, *, version: str | None, command: str, podman_fix: Renderings | None = None
) -> Renderings:
    """Lay out a running registry.

    Args:
        result: Of `up`.
        info: Its engine.
        version: Of the registry's program.
        command: `localreg`, with the registry's name unless that is the default.
        podman_fix: The result of `--podman-fix`.
    """
    location = result.registry.get_location()

    def table(width: int) -> str:
        headline = _headline(result, title(version), location)
        below = f"\n{podman_fix.table(width)}" if podman_fix else ""
        if result.action is UpAction.ALREADY:
            return block(headline, width=width) + below
        facts = [
            ("engine", engine_line(info)),
            ("reach", reach_line(result.registry)),
            *([("tls", tls)] if (tls := tls_line(result.registry)) else []),
            ("storage", _storage(result, command)),
            *limits(result, info, command),
            ("next", _next(result, command)),
        ]
        return block(headline, facts, width=width) + below

    return Renderings(
        table=table,
        plain=lambda: location,
        json=lambda: {
            "action": str(result.action),
            "registry": registry_json(result.registry),
            "engine": engine_json(info),
            "requires_login": result.requires_login,
            "login_user": result.login_user,
            **({"podman_fix": podman_fix.json()} if podman_fix else {}),
        },
    )


def _storage(result: UpResult, command: str) -> str:
    registry = result.registry
    is_kept = registry.is_ours and isinstance(registry.data, VolumeMount)
    return f"{storage_line(registry)}{f', kept by `{command} down`' if is_kept else ''}"


def _next(result: UpResult, command: str) -> str:
    if result.pushes_refused is not None:
        return "localreg --name OTHER up"
    if result.requires_login and result.login_user is None:
        return f"{command} login"
    published = result.registry.published
    # No client uses plain HTTP for the address of a network, unless it is told.
    is_apart = published is not None and not (published.bound.is_loopback or published.bound.is_wildcard)
    if (is_apart or not result.registry.speaks_plain_http) and result.action is not UpAction.STARTED:
        return f"{command} trust"
    return f"{command} push IMAGE"


def _headline(result: UpResult, what: str, location: str) -> str:
    if result.action is UpAction.ALREADY:
        return f"{what} is already up at {location}{started(result.registry)}"
    if result.action is UpAction.ADOPTED:
        return f"{what} is up at {location}{started(result.registry)}; localreg did not start it and does not change it"
    return f"{what} is up at {location} ({result.seconds:.1f} s)"
