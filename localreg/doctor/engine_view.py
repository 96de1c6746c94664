"""Whether the engine itself reaches the registry, by the name that references use."""

from __future__ import annotations

from collections.abc import Iterator

from localreg.doctor.finding import Finding
from localreg.doctor.scene import Scene
from localreg.engines.values import EngineInfo
from localreg.errors import RegistryError, RegistryUnreachableError
from localreg.explain.find import with_hint
from localreg.system.command_line import CommandLine, Sentence

_CURE = Sentence("check the proxy and the network of the engine's machine")


def cause_of(info: EngineInfo) -> str | None:
    """Why an engine refuses a registry that it reaches; on this machine, the check of the clients finds it as well."""
    return None if info.remote else f"{info.name} is not told of the registry"


def check_engine_view(scene: Scene) -> Iterator[Finding]:
    """Have the engine ask the registry for an image that does not exist."""
    registry, location = scene.running, scene.location
    info = scene.engine.info()
    try:
        scene.engine.reach_registry(location, plain_http=registry.speaks_plain_http)
    except RegistryError as exc:
        cure = with_hint(exc).hint or _CURE
        is_trust = isinstance(cure, CommandLine) and cure.words[0] == "trust"
        yield Finding(
            f"{info.name.capitalize()} cannot use the registry as {location}: {exc.message}",
            "its pushes and pulls fail, even if the registry answers on this machine",
            (CommandLine("trust", info.name) if is_trust else cure,),
            # The same cure as that of the check of the clients.
            is_safe=is_trust,
            details=exc.details,
            cause=None if isinstance(exc, RegistryUnreachableError) else cause_of(info),
        )
