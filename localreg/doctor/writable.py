"""Whether the registry takes uploads, and whether it is the container's own registry that answers."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus

from localreg.doctor.check import NotPossibleError
from localreg.doctor.finding import Finding
from localreg.doctor.scene import Scene
from localreg.errors import RegistryError, RegistryUnreachableError
from localreg.oci.push_check import find_push_refusal
from localreg.registry.container import Registry
from localreg.registry.distribution_settings import FILESYSTEM, read_settings
from localreg.registry.volume_layout import REPOSITORIES
from localreg.system.command_line import CommandLine

_REPOSITORY = "localreg-doctor"
_UPLOADS = f"{REPOSITORIES}/{_REPOSITORY}/_uploads"
_FAILS = "every push fails"


def check_writable(scene: Scene) -> Iterator[Finding]:
    """Begin an upload, send a few bytes, and cancel it; nothing of it stays."""
    client = scene.client
    try:
        # Only if its volume can be changed: Distribution keeps folders of an upload that was cancelled.
        _ = scene.uploads
    except NotPossibleError:
        if find_push_refusal(client, _REPOSITORY) is not None:
            yield _refused(scene.running)
        return
    is_here, folder = True, ""
    try:
        with client.blobs.tried(_REPOSITORY) as upload:
            folder = f"{_UPLOADS}/{upload}"
            is_here = any(scene.volume.list_files(folder))
    except RegistryUnreachableError:
        raise
    except RegistryError as exc:
        yield _refused(scene.running) if exc.status == HTTPStatus.METHOD_NOT_ALLOWED else _failed(exc)
    finally:
        if folder and is_here:
            scene.volume.remove([folder])
    if not is_here:
        yield from _elsewhere(scene)


def _elsewhere(scene: Scene) -> Iterator[Finding]:
    registry = scene.running
    if read_settings(scene.engine, registry).driver == FILESYSTEM:
        yield Finding(
            f"another registry answers at {registry.location}, not the one in container `{registry.container.name}`",
            "pushes arrive in that one, and `localreg ls` lists its images",
            (CommandLine("doctor", "port"),),
        )


def _refused(registry: Registry) -> Finding:
    return Finding(
        f"the registry at {registry.location} takes no pushes: it is read-only, or a cache of another registry",
        _FAILS,
        (CommandLine("--name", "OTHER", "up"),),
    )


def _failed(error: RegistryError) -> Finding:
    return Finding(
        f"the registry does not take an upload: {error.message}",
        _FAILS,
        (CommandLine("logs", "--tail", "20"),),
        details=error.details,
    )
