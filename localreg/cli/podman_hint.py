"""What `up` and `status` say about the `podman` program, which refuses plain HTTP until it is told."""

from __future__ import annotations

from localreg.cli.session import Session
from localreg.engines.base import EngineInfo
from localreg.errors import ConfigError
from localreg.output.streams import Format
from localreg.registry_container import Registry


def plain_http_line(session: Session, info: EngineInfo, registry: Registry | None) -> str | None:
    """What allows the engine's own program plain HTTP, or what would; None where it needs nothing."""
    if info.plain_http_on_loopback or registry is None or registry.location is None:
        return None
    from localreg.clients.podman import find_permission  # noqa: PLC0415 -- loads tomlkit, for Podman only

    try:
        path = find_permission(registry.location)
    except ConfigError as exc:
        return exc.message
    return f"plain HTTP allowed by {path}" if path else f"refuses plain HTTP; {session.command} podman-fix allows it"


def tell_podman(session: Session, info: EngineInfo, registry: Registry, *, fix: bool) -> None:
    """After `up`: allow plain HTTP if asked to, else hint at it where it is missing."""
    if fix:
        from localreg.cli.podman_fix import fix_for  # noqa: PLC0415 -- loads tomlkit

        fix_for(session, registry)
        return
    if session.quiet or session.format is Format.JSON:
        return
    line = plain_http_line(session, info, registry)
    if line is not None and line.startswith("refuses"):
        session.streams.note(
            f"hint: `{session.command} podman-fix` lets plain `podman push` use {registry.location}, too"
        )
