"""The result of `down`."""

from __future__ import annotations

import shlex

from localreg.output.block import block
from localreg.output.streams import Renderings
from localreg.registry.defaults import DEFAULT_NAME
from localreg.registry.down import DownResult


def render(result: DownResult, *, name: str, command: str) -> Renderings:
    """Lay out the things that were removed.

    Args:
        result: Of `down`.
        name: The registry's.
        command: `localreg`, with the registry's name unless that is the default.
    """
    removed = [
        *([f"container {result.container}"] if result.container else []),
        *map("volume {}".format, result.volumes),
    ]

    def table(width: int) -> str:
        facts = []
        if result.kept:
            facts += [
                ("again", " ".join([command, "up", *map(shlex.quote, result.asked.words)])),
                ("discard", f"{command} down --volumes"),
            ]
        if result.kept_elsewhere:
            facts.append(("kept", ", ".join(result.kept_elsewhere)))
        return block(_headline(result, name), facts, width=width)

    return Renderings(
        table=table,
        plain=lambda: "\n".join(removed),
        json=lambda: {
            "removed": {"container": result.container, "volumes": list(result.volumes)},
            "kept": [*result.kept, *result.kept_elsewhere],
        },
    )


def _headline(result: DownResult, name: str) -> str:
    kind = "Registry" if result.is_registry else "Container"
    stopped = f"{kind} stopped" if result.container else "No registry is running"
    if result.volumes:
        return f"{stopped}; its images are gone with volume {', '.join(result.volumes)}"
    if result.kept:
        return f"{stopped}; its images stay in volume {', '.join(result.kept)}"
    if result.kept_elsewhere:
        return f"{stopped}; its images stay where they are"
    if result.container:
        return f"{stopped}; nothing is left"
    return "No registry to stop" if name == DEFAULT_NAME else f"No registry `{name}` to stop"
