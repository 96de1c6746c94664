"""How long the registry's certificate is valid."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from localreg.doctor.check import NotNeededError
from localreg.doctor.finding import Finding, Severity
from localreg.doctor.scene import Scene
from localreg.registry.tls import tls_of
from localreg.system.command_line import CommandLine


def check_certificate(scene: Scene) -> Iterator[Finding]:
    """Look at the end of the certificate, as the label of the container tells it."""
    facts = tls_of(scene.registry)
    if facts is None:
        raise NotNeededError("the registry speaks plain HTTP")
    now = datetime.now(UTC)
    if not facts.is_due(now):
        return
    is_over = facts.has_ended(now)
    yield Finding(
        f"the certificate of the registry {'ended' if is_over else 'ends'} on {facts.ends_at:%Y-%m-%d}",
        "clients refuse the registry" + ("" if is_over else " from then on"),
        (CommandLine("up"),),
        severity=Severity.PROBLEM if is_over else Severity.WARNING,
    )
