"""A registry and its engine, as the screens and the JSON of several commands show them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from localreg.engines.values import EngineInfo
from localreg.output.text import ago, printable
from localreg.registry.container import Registry
from localreg.registry.makers import find_maker
from localreg.registry.refusals import why
from localreg.registry.tls import tls_of

if TYPE_CHECKING:
    from localreg.registry.status import Status
    from localreg.registry.up import UpResult

_DEFAULT_CONTEXT = "unix:///var/run/docker.sock"


def engine_line(info: EngineInfo) -> str:
    """An engine in one line: its name, its version, and its address unless that is the usual one."""
    parts = [f"{info.name.capitalize()} {info.version}"]
    if info.rootless:
        parts.append("rootless")
    if info.context or info.endpoint == _DEFAULT_CONTEXT:
        parts.append(f"{'context' if info.name == 'docker' else 'connection'} `{info.context or 'default'}`")
    elif info.private:
        parts.append("service started by localreg")
    else:
        parts.append(info.shown_endpoint)
    return ", ".join(parts)


def reach_line(registry: Registry) -> str:
    """Who can reach a registry."""
    published = registry.published
    if published is None:
        return "no one: no port is published"
    if published.bound.is_loopback:
        return f"this machine only ({published.bound.host})" if published.from_host else "the engine's machine only"
    if published.bound.is_wildcard:
        return f"anyone who can reach this machine ({published.bound.host})"
    return f"anyone who can reach {published.bound.host}"


def tls_line(registry: Registry, now: datetime | None = None) -> str | None:
    """The certificate of a registry; None without TLS.

    Args:
        registry: Any.
        now: Aware; the time by default.
    """
    facts = tls_of(registry)
    if facts is None:
        return None
    when = f"{'ended on' if facts.has_ended(now) else 'until'} {facts.ends_at:%Y-%m-%d}"
    return f"certificate by your own CA {when}, for {printable(', '.join(facts.names))}"


def storage_line(registry: Registry) -> str:
    """The place of a registry's images."""
    gone = "when the registry stops" if registry.container.removes_itself else "with the container"
    return registry.storage_phrase or f"an anonymous volume, deleted {gone}"


def limits(result: Status | UpResult, engine: EngineInfo, command: str) -> list[tuple[str, str]]:
    """The demands of a registry, and what one that localreg did not create refuses, for a block.

    Args:
        result: Of a command.
        engine: The registry's.
        command: `localreg`, with the registry's name unless that is the default.
    """
    facts = []
    if result.requires_login:
        known = f"required; localreg logs in as `{result.login_user}`, and `{command} login` logs {engine.name} in"
        facts.append(("login", known if result.login_user else f"required; `{command} login` stores one"))
    if result.registry is not None and result.pushes_refused is not None:
        facts.append(("pushes", f"refused: it is {why(result.pushes_refused, result.registry)}"))
    return facts


def title(version: str | None) -> str:
    """The name of a registry in a headline."""
    return f"Registry {version}" if version else "Registry"


def started(registry: Registry) -> str:
    """When a registry was started, for a headline; empty if it never was."""
    when = ago(registry.container.started_at, now=datetime.now(UTC))
    return when and f", started {when}"


def engine_json(info: EngineInfo) -> dict[str, Any]:
    """An engine."""
    return {
        "name": info.name,
        "version": info.version,
        "endpoint": info.shown_endpoint,
        "context": info.context,
        "rootless": info.rootless,
        "remote": info.remote,
    }


def registry_json(found: Registry) -> dict[str, Any]:
    """A registry's container and its addresses."""
    published, tls = found.published, tls_of(found)
    return {
        "name": found.container.name,
        "location": found.location,
        "url": found.url,
        "bound": str(published.bound) if published else None,
        "container": found.container.id,
        "image": found.container.image,
        "state": str(found.container.state),
        "started": time_json(found.container.started_at),
        "created_by_localreg": found.is_ours,
        "tls": None
        if tls is None
        else {"ca": tls.ca, "until": time_json(tls.ends_at), "names": list(tls.names), "renew": tls.is_due()},
        "maker": find_maker(found),
    }


def time_json(moment: datetime | None) -> str | None:
    """RFC 3339."""
    return None if moment is None else moment.isoformat()
