"""Building an image straight into the registry: `build`."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from localreg.command_line import CommandLine
from localreg.engines.build import Builder, BuildRequest, Outcome
from localreg.engines.port import Engine
from localreg.errors import BuildFailedError, EngineError, InvalidReferenceError, LocalregError, UsageError, reason_of
from localreg.images.push import push_image
from localreg.images.transfer import OnProgress, Transfer, Transferred
from localreg.oci.reference import looks_like_image_id, parse_reference
from localreg.registry.container import Registry

_STDIN = "-"
_URL = re.compile(r"[a-z+]+://|git@|github\.com/")
"""What Docker takes for the address of a repository or an archive, where no folder is called so."""
_KEPT_BYTES = 100_000
"""How much of what a builder said is shown when it failed and nobody saw it."""


def check_request(request: BuildRequest) -> tuple[str, ...]:
    """Refuse what cannot be built before any engine is asked.

    Args:
        request: What is to be built.

    Returns:
        Its names; where none was typed, that of the folder.

    Raises:
        UsageError: a folder or a file is not there, or may not be read, several platforms, or a folder whose name
            cannot be an image's.
        InvalidReferenceError: a name that the grammar does not accept, or a digest.
    """
    for name in request.names:
        if parse_reference(name).digest is not None:
            raise InvalidReferenceError(f"`{name}` names a digest; an image that is built gets a tag")
    if request.platform is not None and "," in request.platform:
        raise UsageError(
            f"`{request.platform}` names several platforms; localreg builds for one at a time",
            hint=replace(request, platform=request.platform.partition(",")[0]).as_command(),
        )
    if _is_local(request):
        _check_folder(request)
        if request.file not in (None, _STDIN):
            _check_file(request)
    return request.names or (_name_of(request),)


def _is_local(request: BuildRequest) -> bool:
    """It is built from a folder of this machine, not from a stream or a URL."""
    return request.context != _STDIN and (_URL.match(request.context) is None or Path(request.context).is_dir())


def _check_folder(request: BuildRequest) -> None:
    context = request.context
    other = replace(request, context="PATH").as_command()
    if not context:
        # For Python that is the current folder.
        raise UsageError("the folder to build has no name", hint=other)
    if _is_file(Path(context)):
        meant = replace(request, context=str(Path(context).parent), file=request.file or context)
        raise UsageError(f"`{context}` is not a folder; name a Dockerfile with --file", hint=meant.as_command())
    try:
        os.scandir(context).close()
    except OSError as exc:
        raise UsageError(f"cannot build `{context}`: {reason_of(exc)}", hint=other) from exc


def _check_file(request: BuildRequest) -> None:
    file = str(request.file)
    if _is_file(Path(file)):
        return
    within = Path(request.context, file)
    meant = replace(request, file=str(within) if _is_file(within) else "FILE")
    raise UsageError(f"there is no file `{file}`", hint=meant.as_command())


def _is_file(path: Path) -> bool:
    """Whether it is there; in a folder that may not be entered nothing is."""
    try:
        return path.is_file()
    except OSError:
        return False


def _name_of(request: BuildRequest) -> str:
    """The name of the folder, in the letters that a repository may have."""
    hint = replace(request, names=("NAME",)).as_command()
    if not _is_local(request):
        raise UsageError(f"`{request.context}` does not say what the image is to be called", hint=hint)
    try:
        folder = Path(request.context).resolve().name
    except OSError as exc:
        raise UsageError("the current folder was removed", hint="cd") from exc
    # A letter that is not ASCII is no separator: without it the name would be a stranger's.
    name = re.sub(r"[^a-z0-9._\-\u0080-\U0010ffff]+", "-", folder.lower()).strip("-._")
    try:
        parse_reference(name)
    except InvalidReferenceError as exc:
        raise UsageError(f"the folder's name, `{folder}`, cannot be an image's", hint=hint) from exc
    return name


def plan_build(
    builder: Builder, registry: Registry, request: BuildRequest, names: Sequence[str]
) -> tuple[Transfer, ...]:
    """What the image will be called in the registry; each name once.

    Raises:
        UsageError: the builder would find no Dockerfile, or cannot do what was asked for.
    """
    if request.ssh and not builder.takes_ssh:
        raise UsageError(
            "--ssh does not get to a Podman on another machine, which would look for the agent or the key there",
            hint="let the build read a key with --secret",
        )
    if _is_local(request) and request.file is None:
        _check_recipe(builder, request)
    planned: dict[str, Transfer] = {}
    for name in names:
        reference = registry.reference_of(parse_reference(name))
        planned.setdefault(str(reference), Transfer(name, reference))
    return tuple(planned.values())


def _check_recipe(builder: Builder, request: BuildRequest) -> None:
    folder = Path(request.context)
    if any(_is_file(folder / name) for name in builder.recipes):
        return
    similar = (path for pattern in ("*ockerfile*", "*ontainerfile*") for path in sorted(folder.glob(pattern)))
    found = next((path for path in similar if _is_file(path) and path.suffix != ".dockerignore"), None)
    raise UsageError(
        f"there is no Dockerfile in `{request.context}`",
        hint=replace(request, file=str(found) if found else "FILE").as_command(),
    )


def run_build(builder: Builder, request: BuildRequest, plan: Sequence[Transfer], *, output: int | None) -> str:
    """Build the image into the engine, under its names in the registry.

    Args:
        builder: The engine's.
        request: What.
        plan: Its names.
        output: The file descriptor that the builder writes to; None where that is shown only if it fails.

    Returns:
        The image's ID, as the builder says it.

    Raises:
        BuildFailedError: the builder ended with another code than 0, or made no image.
    """
    tags = [str(transfer.reference) for transfer in plan]
    if output is not None:
        return _made(builder, builder.run(request, tags, output=output), ())
    with tempfile.TemporaryFile() as kept:
        outcome = builder.run(request, tags, output=kept.fileno())
        kept.seek(max(kept.seek(0, 2) - _KEPT_BYTES, 0))
        return _made(builder, outcome, kept.read().decode(errors="backslashreplace").splitlines())


def _made(builder: Builder, outcome: Outcome, said: Sequence[str]) -> str:
    if outcome.image_id is not None:
        return outcome.image_id
    how = f"ended with exit code {outcome.code}" if outcome.code else "made no image"
    if outcome.code < 0:
        how = f"was ended by signal {-outcome.code}"
    raise BuildFailedError(f"the build failed: `{builder.name}` {how}", details=said)


@contextlib.contextmanager
def told_that_it_is_built(plan: Sequence[Transfer], *, command: str) -> Iterator[None]:
    """Where the engine or the registry went away during a build, the error says that it need not be done again.

    Args:
        plan: The names of the image.
        command: How the user calls localreg for the registry.
    """
    try:
        yield
    except LocalregError as exc:
        push = f"{command} push {' '.join(str(transfer.reference) for transfer in plan)}"
        built = f"the image is built: when the registry is back, `{push}` is enough"
        raise exc.with_(details=[*exc.details, built]) from exc


def push_built(
    engine: Engine, registry: Registry, transfer: Transfer, image_id: str, *, on_progress: OnProgress
) -> Transferred:
    """Push an image that was built, to where the registry is by now.

    Args:
        engine: Where it was built.
        registry: Where it goes.
        transfer: Its name.
        image_id: What the builder says that it made.
        on_progress: Told each step.

    Raises:
        EngineError: it was built, but not into this engine, or the name is another image's.
        RegistryError: the push failed, or the registry has something else afterwards.
    """
    built = str(transfer.reference)
    _check_built(engine, transfer, image_id)
    reference = registry.reference_of(transfer.reference)
    pushed = push_image(engine, registry, Transfer(built, reference), on_progress=on_progress)
    return replace(pushed, source=transfer.source)


def _check_built(engine: Engine, transfer: Transfer, image_id: str) -> None:
    """The name is that of the image that the builder made."""
    reference = transfer.reference
    name = engine.info().name.capitalize()
    found = engine.find_image(str(reference))
    if found is None:
        raise EngineError(f"the build ended well, but {name} has no image `{reference}`")
    if not looks_like_image_id(image_id):
        return
    made = engine.find_image(image_id)
    # Builders name an image by its configuration, and by that an engine that names it by its manifest does not find it.
    if found.is_manifest if made is None else made.id == found.id:
        return
    raise EngineError(
        f"the build ended well, but `{reference}` is another image in {name}",
        hint=CommandLine("push", made.id, "--as", f"{reference.repository}:{reference.tag}") if made else None,
        details=[f"built: {image_id}", f"there: {found.id}"],
    )
