"""What commands that were killed have left behind."""

from __future__ import annotations

from collections.abc import Iterator

from localreg.content.quarantine import Quarantine
from localreg.doctor.check import NotPossibleError
from localreg.doctor.finding import Finding, Severity
from localreg.doctor.scene import Scene
from localreg.engines.port import Engine
from localreg.errors import EngineError, EngineLostError
from localreg.registry.collection_lock import is_collected
from localreg.registry.container import is_ours, replaced_name
from localreg.registry.helper import find_helper
from localreg.system.command_line import CommandLine


def check_leftovers(scene: Scene) -> Iterator[Finding]:
    """Look for the containers of a killed `gc` and `up --recreate`, and for a collection that has not ended."""
    engine, registry = scene.engine, scene.found_registry
    if registry is not None and is_collected(registry):
        raise NotPossibleError("`localreg gc` is at work")
    yield from _containers(engine, scene.name, is_safe=registry is not None)
    if registry is not None and registry.is_ours and _has_open(scene):
        yield Finding(
            "`localreg gc` was killed before it ended",
            "what it moved aside is not checked again yet; the next command does that",
            (CommandLine("ls", "-q"),),
            is_safe=True,
            severity=Severity.WARNING,
        )


def _containers(engine: Engine, name: str, *, is_safe: bool) -> Iterator[Finding]:
    helper = find_helper(engine, name)
    if helper is not None:
        yield Finding(
            f"container `{helper.name}` of a killed `localreg gc` is still there",
            "it keeps the registry's volume in use",
            (CommandLine("up"),),
            is_safe=is_safe,
            severity=Severity.WARNING,
        )
    old = engine.find_container(replaced_name(name))
    if old is not None and is_ours(old.labels):
        yield Finding(
            f"container `{old.name}` of a killed `localreg up --recreate` is still there",
            "it may be the only one with the registry's options",
            (CommandLine("up"),),
            is_safe=True,
        )


def _has_open(scene: Scene) -> bool:
    try:
        return Quarantine(scene.volume).has_open()
    except EngineLostError:
        raise
    except (EngineError, NotPossibleError):
        return False
