"""Whether the registry runs, answers and is set up as it should be."""

from __future__ import annotations

from collections.abc import Iterator

from localreg.doctor.finding import Finding, Severity
from localreg.doctor.scene import Scene
from localreg.engines.port import ContainerRuntime
from localreg.engines.values import ContainerState
from localreg.errors import LocalregError
from localreg.oci.ping import Reply
from localreg.registry.container import Registry, seems_none, start_command
from localreg.registry.defaults import DEFAULT_NAME
from localreg.registry.distribution_settings import settings_of
from localreg.registry.helper import find_helper
from localreg.registry.reboot import reboot_command
from localreg.registry.refusals import find_refusal, why
from localreg.system.command_line import CommandLine, Sentence

_DELETE, _SECRET = "REGISTRY_STORAGE_DELETE_ENABLED", "REGISTRY_HTTP_SECRET"
_LAST_LINES = 5
_ALL_FAILS = "every push and pull fails"


def check_registry(scene: Scene) -> Iterator[Finding]:
    """Look at the registry's container, ask the registry, and compare its settings with those that localreg needs."""
    registry = scene.found_registry
    if registry is None:
        yield _absent(scene)
    elif not registry.container.is_running:
        yield _stopped(scene, registry)
    elif registry.lost_its_port:
        yield Finding(
            f"the engine runs container `{registry.container.name}` without its port",
            _ALL_FAILS,
            (CommandLine("up"),),
            is_safe=True,
        )
    elif registry.published is None:
        yield Finding(
            f"container `{registry.container.name}` publishes no port",
            "nothing on this machine can reach a registry in it",
            (CommandLine("--name", "OTHER", "up"),),
        )
    elif registry.url is None:
        yield Finding(
            f"the registry listens on {registry.published.bound} of the engine's machine, which this one cannot reach",
            "localreg and the clients on this machine cannot use it; the engine can",
            (CommandLine("up", "--recreate", "--host", "ADDRESS"),),
            severity=Severity.WARNING,
        )
    elif not scene.reply.is_ready:
        yield _silent(scene, registry)
    else:
        yield from _settings(scene, registry)


def _absent(scene: Scene) -> Finding:
    what = "no registry is running" if scene.name == DEFAULT_NAME else f"registry `{scene.name}` does not exist"
    # It may be on an engine that does not answer.
    silent = [one for one in scene.survey.unavailable if one.where] if scene.survey else []
    details = tuple(f"{one.engine.capitalize()} did not answer at {one.where}: {one.reason}" for one in silent)
    return Finding(what, _ALL_FAILS, (CommandLine("up"),), details=details)


def _stopped(scene: Scene, registry: Registry) -> Finding:
    container = registry.container
    if not registry.seems_one:
        return Finding(seems_none(registry), "localreg cannot use that name", (CommandLine("--name", "OTHER", "up"),))
    if find_helper(scene.engine, scene.name) is not None:
        what = f"registry `{scene.name}` {registry.state_clause} for garbage collection"
        return Finding(what, _ALL_FAILS, (CommandLine("up"),), is_safe=True)
    failed = container.state is ContainerState.EXITED and container.exit_code not in (0, None)
    return Finding(
        f"registry `{scene.name}` {registry.state_clause}"
        + (f", with exit code {container.exit_code}" if failed else ""),
        _ALL_FAILS,
        (start_command(registry, engine=scene.engine.info().name),),
        is_safe=registry.is_ours and container.state is not ContainerState.PAUSED,
        details=_last_lines(scene.engine, registry) if failed else (),
    )


def _silent(scene: Scene, registry: Registry) -> Finding:
    if scene.reply is Reply.SPEAKS_TLS and registry.speaks_plain_http:
        return Finding(
            f"the registry at {registry.location} speaks TLS, and localreg did not set that up",
            "localreg cannot use it",
            (CommandLine("--name", "OTHER", "up"),),
        )
    state = f", and the engine restarts it: {registry.state}" if registry.state == "restarting" else ""
    return Finding(
        f"the registry does not answer at {registry.location}{state}",
        _ALL_FAILS,
        (CommandLine("logs", "--tail", "20"),),
        details=_last_lines(scene.engine, registry),
    )


def _last_lines(engine: ContainerRuntime, registry: Registry) -> tuple[str, ...]:
    """The end of its log, which often tells why."""
    try:
        chunks = engine.read_logs(registry.container.id, tail=_LAST_LINES)
        text = b"".join(chunk.data for chunk in chunks).decode(errors="replace")
    except LocalregError:
        return ()
    return tuple(text.splitlines()[-_LAST_LINES:])


def _settings(scene: Scene, registry: Registry) -> Iterator[Finding]:
    refusal = find_refusal(registry)
    if refusal is not None:
        yield Finding(
            f"the registry is {why(refusal, registry)}",
            "it takes no pushes, and deletes nothing",
            (CommandLine("--name", "OTHER", "up"),),
        )
    lacking = list(_lacking(registry)) if registry.is_ours else []
    if lacking:
        yield Finding(
            f"the registry runs {' and '.join(what for what, _ in lacking)}",
            "; ".join(effect for _, effect in lacking),
            (CommandLine("up", "--recreate"),),
            severity=Severity.WARNING,
        )
    yield from _restarts(scene, registry)


def _lacking(registry: Registry) -> Iterator[tuple[str, str]]:
    """What the container lacks that `up` gives it today, and the effect."""
    environment = registry.container.environment
    if environment.get(_DELETE) != "true":
        yield "with deleting disabled", "`localreg rm`, `prune` and `gc` cannot remove anything"
    if settings_of(environment, None).has_cache:
        yield "with a cache of blobs", "`localreg gc` must stop it for a moment"
    if not environment.get(_SECRET):
        yield "without a secret of its own", "an upload does not survive its restart"


def _restarts(scene: Scene, registry: Registry) -> Iterator[Finding]:
    container, info = registry.container, scene.engine.info()
    effect = "after a reboot there is no registry until you start it"
    if not container.restarts:
        if not container.removes_itself:
            yield Finding(
                f"container `{container.name}` has no restart policy",
                effect,
                (_restart_cure(info.name, container.name),),
                severity=Severity.WARNING,
            )
    elif command := reboot_command(info):
        yield Finding(
            "Podman starts no container after a reboot: podman-restart.service is disabled",
            effect,
            (command,),
            severity=Severity.WARNING,
        )


def _restart_cure(engine: str, container: str) -> str:
    if engine == "docker":
        return f"docker update --restart unless-stopped {container}"
    # `podman update` knows the option since 5.2.
    return Sentence("create it again with `--restart unless-stopped`")
