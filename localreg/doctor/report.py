"""A report for an issue, in which nothing tells who wrote it, or what the registry holds."""

from __future__ import annotations

import platform
from collections.abc import Iterator

from localreg import __version__
from localreg.doctor.check import Outcome
from localreg.doctor.diagnosis import Diagnosis
from localreg.doctor.redaction import redactor_for
from localreg.doctor.scene import Scene
from localreg.engines.values import EngineInfo, HostPathMount, VolumeMount
from localreg.registry.container import Registry


def write_report(diagnosis: Diagnosis, scene: Scene) -> str:
    """Write the report, as a block of Markdown.

    Args:
        diagnosis: Of all checks.
        scene: That they looked at, which knows the names to replace.
    """
    redact = redactor_for(scene)
    lines = [
        f"localreg {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}",
        *([_engine_line(diagnosis.engine)] if diagnosis.engine else []),
        *([_registry_line(scene.known_registry, diagnosis.version)] if scene.known_registry else []),
        "",
        *(line for outcome in diagnosis.outcomes for line in _outcome_lines(outcome)),
    ]
    return "\n".join(["```text", *(redact(line) for line in lines), "```"])


def _engine_line(info: EngineInfo) -> str:
    kind = info.endpoint.partition("://")[0]
    words = [f"{info.name} {info.version}", kind, *(["rootless"] if info.rootless else [])]
    return ", ".join([*words, *(["remote"] if info.remote else []), *(["started by localreg"] if info.private else [])])


def _registry_line(registry: Registry, version: str | None) -> str:
    container = registry.container
    storage = {VolumeMount: "a named volume", HostPathMount: "a folder"}.get(type(registry.data), "an anonymous volume")
    words = [
        f"registry {version or 'of unknown version'}",
        str(container.state),
        "made by localreg" if registry.is_ours else "made by hand",
        f"published on {registry.published.bound}" if registry.published else "not published",
        storage,
    ]
    return ", ".join([*words, *([] if registry.speaks_plain_http else ["TLS"])])


def _outcome_lines(outcome: Outcome) -> Iterator[str]:
    name = f"{outcome.check.name:<12}"
    if not outcome.findings:
        reason = outcome.not_needed or outcome.not_possible
        yield f"{name}{'left out: ' + reason if reason else 'works'}"
    for finding in outcome.findings:
        yield f"{name}{finding.severity}: {finding.what}"
        yield from (f"{'':<12}  {line}" for detail in finding.details for line in detail.splitlines())
        yield from (f"{'':<12}cure: {cure}" for cure in finding.cures)
