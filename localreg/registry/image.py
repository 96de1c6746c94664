"""The registry's own image: from an archive, from the engine, pulled, or built around a Distribution program."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from localreg.engines.port import Engine
from localreg.engines.values import Image, Progress
from localreg.errors import EngineLostError, ImageNotFoundError, InvalidArchiveError, LocalregError
from localreg.oci.archive.describe import ArchiveKind, describe_archive
from localreg.oci.archive.files import HOW_TO_SAVE, as_plain_archive
from localreg.oci.archive.write import as_docker_archive
from localreg.oci.reference import looks_like_image_id, parse_reference, qualified
from localreg.registry.defaults import DEFAULT_IMAGE
from localreg.registry.options import PullPolicy
from localreg.system.address import Address
from localreg.system.command_line import CommandLine


class ImageSource(StrEnum):
    """The origin of the image."""

    PRESENT = "present"
    PULLED = "pulled"
    ARCHIVE = "archive"
    PROGRAM = "program"


@dataclass(frozen=True, slots=True)
class RegistryImage:
    """An image in the engine to create the registry from."""

    reference: str
    """A name, or an ID if the image has no name."""
    source: ImageSource


def ensure_registry_image(
    engine: Engine,
    *,
    image: str,
    archive: Path | None,
    pull: PullPolicy,
    on_progress: Callable[[Progress], None],
    notify: Callable[[str], None],
) -> RegistryImage:
    """Make sure that the engine has the registry's image.

    Args:
        engine: The engine that needs it.
        image: A reference.
        archive: An archive to load instead of pulling.
        pull: When to pull.
        on_progress: Gets each step of a pull.
        notify: Gets a sentence on the image's origin if another image is used.

    Raises:
        ImageNotFoundError: the engine lacks it and pulling is not allowed, or the upstream registry lacks it.
        RegistryError: it cannot be pulled, and there is no Distribution program on PATH.
        InvalidArchiveError: the file is not an image archive.
    """
    if archive is not None:
        return RegistryImage(_load(engine, archive), ImageSource.ARCHIVE)
    if pull is not PullPolicy.ALWAYS:
        present = _find_present(engine, image) or (_find_made(engine, notify) if image == DEFAULT_IMAGE else None)
        if present is not None:
            return RegistryImage(present, ImageSource.PRESENT)
    if pull is PullPolicy.NEVER:
        raise ImageNotFoundError(
            f"the engine does not have image `{image}`, and `--pull never` forbids pulling it",
            hint=CommandLine("up", "--pull", "missing"),
        )
    try:
        return _pull(engine, image, on_progress)
    except LocalregError as exc:
        made = _make(engine, exc, notify) if image == DEFAULT_IMAGE and pull is PullPolicy.MISSING else None
        if made is not None:
            return made
        if isinstance(exc, EngineLostError):
            raise
        raise _explained(exc, image) from exc


def find_usual_image(engine: Engine) -> str | None:
    """The image that `up` uses by default, if the engine has it or one that localreg built."""
    return _find_present(engine, DEFAULT_IMAGE) or _find_made(engine, lambda _: None)


def _load(engine: Engine, path: Path) -> str:
    archive = describe_archive(path)
    with as_plain_archive(path) as plain:
        if archive.kind is ArchiveKind.OCI and (archive.has_many_entries or not engine.info().loads_oci_archives):
            with as_docker_archive(plain) as converted:
                images = _loaded(engine, converted, path)
        else:
            images = _loaded(engine, plain, path)
    return _name_of(images[0])


def _loaded(engine: Engine, archive: Path, path: Path) -> tuple[Image, ...]:
    """Load an archive, which can be a copy of the one at `path`; errors name that one."""
    try:
        return engine.load_archive(archive)
    except InvalidArchiveError as exc:
        raise exc.with_(
            message=f"{engine.info().name.capitalize()} cannot load `{path}`; it may be incomplete", hint=HOW_TO_SAVE
        ) from exc


def _name_of(image: Image) -> str:
    return image.references[0] if image.references else image.id


def _find_present(engine: Engine, image: str) -> str | None:
    """The engine's name for the image; None if it does not have it.

    A short name is completed first, because Podman finds every image whose name ends with it.
    """
    if looks_like_image_id(image):
        return image if engine.find_image(image) else None
    reference = parse_reference(image)
    names = [qualified(reference)]
    if reference.registry is None:
        # Podman adds `localhost` to a short name in an archive.
        names.append(replace(reference, registry="localhost", tag=names[0].tag))
    return next((str(name) for name in names if engine.find_image(str(name))), None)


def _find_made(engine: Engine, notify: Callable[[str], None]) -> str | None:
    """An image that localreg built earlier, around the present Distribution program, or any if there is none now.

    It comes before a pull, which without a network may take long to fail each time.
    """
    from localreg.registry import program as registry_program  # noqa: PLC0415 -- only where the usual image is absent

    images = [image for image in engine.list_images() if registry_program.PROGRAM_LABEL in image.labels]
    named = {
        name: image
        for image in images
        for name in image.references
        if name.startswith(f"{registry_program.REPOSITORY}:")
    }
    program = registry_program.find_registry_program() if named else None
    if program is not None:
        digest = program.digest()
        named = {name: image for name, image in named.items() if image.labels[registry_program.PROGRAM_LABEL] == digest}
    if not named:
        return None
    newest = max(named, key=_version_of)
    # The same release was announced when it was built, and `status` shows it.
    if newest.rpartition(":")[2] != DEFAULT_IMAGE.rpartition(":")[2]:
        notify(f"the engine does not have {DEFAULT_IMAGE}; using {newest}, which localreg built earlier")
    return newest


def _version_of(name: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", parse_reference(name).tag or "")))


def _pull(engine: Engine, image: str, on_progress: Callable[[Progress], None]) -> RegistryImage:
    # The completed name: Podman would have to ask which registry a short name means.
    reference = qualified(parse_reference(image))
    for step in engine.pull_image(str(reference), plain_http=Address(reference.host, 0).is_loopback):
        on_progress(step)
    return RegistryImage(str(reference), ImageSource.PULLED)


def _make(engine: Engine, failure: LocalregError, notify: Callable[[str], None]) -> RegistryImage | None:
    """Build an image around the Distribution program on PATH; None if there is none."""
    from localreg.registry.program import find_registry_program, image_around  # noqa: PLC0415 -- only after a failure

    program = find_registry_program()
    if program is None:
        return None
    with image_around(program) as archive:
        engine.load_archive(archive)
    notify(f"{failure.message}; built {program.image} from {program.path} ({program.version}) instead")
    return RegistryImage(program.image, ImageSource.PROGRAM)


def _explained(failure: LocalregError, image: str) -> LocalregError:
    """The failure of a pull, with a hint."""
    explained = failure.with_(message=f"cannot pull `{image}`: {failure.message}")
    if failure.hint is not None:
        return explained
    how = f"to bring the image as a file, run `docker save {image} -o FILE` on a machine that has it"
    return explained.with_(hint=CommandLine("up", "--image-archive", "FILE"), details=[*failure.details, how])
