"""Whether the tunnels to the registry are open."""

from __future__ import annotations

from collections.abc import Iterator

from localreg.doctor.check import NotNeededError
from localreg.doctor.finding import Finding, Severity
from localreg.doctor.scene import Scene
from localreg.system.command_line import CommandLine
from localreg.tunnels.ls import ask_tunnels_to
from localreg.tunnels.spec import UP


def check_tunnels(scene: Scene) -> Iterator[Finding]:
    """Ask the process of each tunnel to the registry."""
    found = ask_tunnels_to(scene.name)
    if not found:
        raise NotNeededError("no tunnel leads to the registry")
    for status in found:
        spec = status.spec
        words = spec.as_typed()
        again = (CommandLine("tunnel", "close", spec.host), words)
        if status.state not in ("open", "not verified", "connecting"):
            yield Finding(
                f"the tunnel to {spec.host} is {status.state}" + (f": {status.reason}" if status.reason else ""),
                f"{spec.host} cannot push to the registry",
                again,
                severity=Severity.WARNING if status.state in UP else Severity.PROBLEM,
            )
        elif scene.registry.url not in (None, spec.url):
            yield Finding(
                f"the tunnel to {spec.host} leads to {spec.target}, and the registry is now at {scene.location}",
                f"pushes from {spec.host} do not arrive",
                again,
            )
