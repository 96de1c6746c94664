"""`build`: builds an image and pushes it to the registry."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from localreg.engines.build import Builder, BuildRequest, Outcome, RegistryLogin
from localreg.engines.port import Engine
from localreg.engines.values import Image
from localreg.errors import BuildFailedError, EngineError, InvalidReferenceError, LocalregError, UsageError, reason_of
from localreg.images.push import push_image
from localreg.images.transfer import OnProgress, Transfer, Transferred, check_plain_http
from localreg.oci.platform import parse_platform
from localreg.oci.reference import looks_like_image_id, parse_reference
from localreg.registry.client import find_login
from localreg.registry.container import Registry
from localreg.registry.request import Notify
from localreg.system.command_line import CommandLine, Sentence

_STDIN = "-"
_URL = re.compile(r"[a-z+]+://|git@|github\.com/")
"""A URL of a repository or an archive for Docker, unless a folder has that name."""
_KEPT_BYTES = 100_000
"""How much of a failed builder's hidden output is shown."""


def check_request(request: BuildRequest) -> tuple[str, ...]:
    """Check a request before an engine is used.

    Args:
        request: The build.

    Returns:
        The names of the image; the folder's name if none was given.

    Raises:
        UsageError: a folder or a file is not there, or may not be read, several platforms, or a folder whose name
            cannot be an image's.
        InvalidReferenceError: a name is not a valid reference, or has a digest.
    """
    for name in request.names:
        if parse_reference(name).digest is not None:
            raise InvalidReferenceError(f"`{name}` has a digest; a built image gets a tag")
    if request.platform is not None and "," in request.platform:
        raise UsageError(
            f"`{request.platform}` has several platforms; localreg builds for one at a time",
            hint=replace(request, platform=request.platform.partition(",")[0]).as_command(),
        )
    if _is_local(request):
        _check_folder(request)
        if request.file not in (None, _STDIN):
            _check_file(request)
    return request.names or (_name_of(request),)


def _is_local(request: BuildRequest) -> bool:
    """It is built from a local folder, not from a stream or a URL."""
    return request.context != _STDIN and (_URL.match(request.context) is None or Path(request.context).is_dir())


def _check_folder(request: BuildRequest) -> None:
    context = request.context
    other = replace(request, context="PATH").as_command()
    if not context:
        # For Python this would be the current folder.
        raise UsageError("the path of the folder to build is empty", hint=other)
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
    raise UsageError(f"file `{file}` does not exist", hint=meant.as_command())


def _is_file(path: Path) -> bool:
    """The file exists, and its folder is accessible."""
    try:
        return path.is_file()
    except OSError:
        return False


def _name_of(request: BuildRequest) -> str:
    """The folder's name, with only characters that a repository can have."""
    hint = replace(request, names=("NAME",)).as_command()
    if not _is_local(request):
        raise UsageError(f"`{request.context}` gives the image no name", hint=hint)
    try:
        folder = Path(request.context).resolve().name
    except OSError as exc:
        raise UsageError("the current folder was removed", hint="cd") from exc
    # Letters that are not ASCII stay, so that the name is rejected instead of changed beyond recognition.
    name = re.sub(r"[^a-z0-9._\-\u0080-\U0010ffff]+", "-", folder.lower()).strip("-._")
    try:
        parse_reference(name)
    except InvalidReferenceError as exc:
        raise UsageError(f"the folder's name `{folder}` is not a valid image name", hint=hint) from exc
    return name


def plan_build(
    builder: Builder, engine: Engine, registry: Registry, request: BuildRequest, names: Sequence[str]
) -> tuple[Transfer, ...]:
    """Work out the names of the image in the registry, each once.

    Raises:
        UsageError: the folder has no Dockerfile, or the builder lacks a requested feature.
        RegistryError: the engine expects TLS from the registry, so that it could not push what it built.
    """
    if request.ssh and not builder.takes_ssh:
        raise UsageError(
            "--ssh does not get to a Podman on another machine, which would look for the agent or the key there",
            hint=Sentence("let the build read a key with --secret"),
        )
    if _is_local(request) and request.file is None:
        _check_recipe(builder, request)
    planned: dict[str, Transfer] = {}
    for name in names:
        reference = registry.reference_of(parse_reference(name))
        check_plain_http(engine, registry, reference)
        planned.setdefault(str(reference), Transfer(name, reference))
    return tuple(planned.values())


def _check_recipe(builder: Builder, request: BuildRequest) -> None:
    folder = Path(request.context)
    if any(_is_file(folder / name) for name in builder.recipes):
        return
    similar = (path for pattern in ("*ockerfile*", "*ontainerfile*") for path in sorted(folder.glob(pattern)))
    found = next((path for path in similar if _is_file(path) and path.suffix != ".dockerignore"), None)
    raise UsageError(
        f"`{request.context}` has no Dockerfile",
        hint=replace(request, file=str(found) if found else "FILE").as_command(),
    )


def run_build(
    builder: Builder,
    request: BuildRequest,
    plan: Sequence[Transfer],
    *,
    output: int | None,
    login: RegistryLogin | None = None,
) -> str | None:
    """Build the image into the engine, under its names in the registry.

    Args:
        builder: The engine's builder.
        request: The build.
        plan: The names of the image.
        output: The file descriptor that the builder writes to; None to show its output only if it fails.
        login: As from `find_missing_login`.

    Returns:
        The image's ID; None if the builder does not report it.

    Raises:
        BuildFailedError: the builder failed, or made no image.
    """
    tags = [str(transfer.reference) for transfer in plan]
    if output is not None:
        return _made(builder, builder.run(request, tags, output=output, login=login), ())
    with tempfile.TemporaryFile() as kept:
        outcome = builder.run(request, tags, output=kept.fileno(), login=login)
        kept.seek(max(kept.seek(0, 2) - _KEPT_BYTES, 0))
        return _made(builder, outcome, kept.read().decode(errors="backslashreplace").splitlines())


def _made(builder: Builder, outcome: Outcome, said: Sequence[str]) -> str | None:
    if outcome.code == 0 and (outcome.image_id is not None or not builder.reports_id):
        return outcome.image_id
    how = f"ended with exit code {outcome.code}" if outcome.code else "made no image"
    if outcome.code < 0:
        how = f"was ended by signal {-outcome.code}"
    raise BuildFailedError(f"the build failed: `{builder.name}` {how}", details=said)


def lacks_login(registry: Registry) -> bool:
    """The registry requires a login, and no store of an engine has one that the builder could pull with."""
    if not registry.options.auth:
        return False
    from localreg.oci.credentials import CredentialStores  # noqa: PLC0415 -- few registries require a login

    return CredentialStores(own=False).find(registry.get_location()) is None


def find_missing_login(registry: Registry) -> RegistryLogin | None:
    """The login that localreg has for a registry if no store of an engine has one; None without it."""
    login = find_login(registry) if lacks_login(registry) else None
    return None if login is None else RegistryLogin(registry.get_location(), login)


@contextlib.contextmanager
def told_that_it_is_built(plan: Sequence[Transfer], *, command: str) -> Iterator[None]:
    """Add to an error that the image is built and only the push is missing.

    Args:
        plan: The names of the image.
        command: `localreg`, with the registry's name unless that is the default.
    """
    try:
        yield
    except LocalregError as exc:
        push = f"{command} push {' '.join(str(transfer.reference) for transfer in plan)}"
        built = f"the image is built; when the registry is running again, push it with `{push}`"
        raise exc.with_(details=[*exc.details, built]) from exc


def push_built(
    engine: Engine,
    registry: Registry,
    request: BuildRequest,
    transfer: Transfer,
    image_id: str | None,
    *,
    on_progress: OnProgress,
    notify: Notify = lambda _: None,
) -> Transferred:
    """Push a built image to the present address of the registry.

    Args:
        engine: The engine that has it.
        registry: The registry to push to.
        request: The build.
        transfer: The image's name.
        image_id: The ID that the builder reported, if it did.
        on_progress: Gets each step.
        notify: Told why a push is tried again.

    Raises:
        BuildFailedError: it is for another platform.
        EngineError: this engine does not have it, or another image has the name.
        RegistryError: the push failed, or the registry has another digest afterwards.
    """
    built = str(transfer.reference)
    may_be_cached = engine.info().name == "podman" and not request.no_cache
    _check_platform(_find_built(engine, transfer, image_id), request, built, may_be_cached=may_be_cached)
    reference = registry.reference_of(transfer.reference)
    pushed = push_image(engine, registry, Transfer(built, reference), on_progress=on_progress, notify=notify)
    return replace(pushed, source=transfer.source)


def _find_built(engine: Engine, transfer: Transfer, image_id: str | None) -> Image:
    """Find the image that the builder made, by the name that it should have."""
    reference = transfer.reference
    name = engine.info().name.capitalize()
    found = engine.find_image(str(reference))
    if found is None:
        raise EngineError(f"the build succeeded, but {name} does not have image `{reference}`")
    if image_id is None or not looks_like_image_id(image_id):
        return found
    made = engine.find_image(image_id)
    if made is not None and made.id == found.id:
        return found
    raise EngineError(
        f"the build succeeded, but `{reference}` is another image in {name}",
        hint=CommandLine("push", made.id, "--as", f"{reference.repository}:{reference.tag}") if made else None,
        details=[f"built: {image_id}", f"there: {found.id}"],
    )


def _check_platform(image: Image, request: BuildRequest, reference: str, *, may_be_cached: bool) -> None:
    """Check that an image is for the platform that was asked for.

    Podman before 5.8 takes what it built for another one from its cache, if nothing in it depends on the platform.
    With any builder, a Dockerfile can fix the platform: `FROM --platform=…`.
    """
    if request.platform is None:
        return
    try:
        wanted = parse_platform(request.platform)
    except UsageError:
        # A short form, which the builder understood.
        return
    if image.platform.split("/")[:2] != [wanted.os, wanted.architecture]:
        raise BuildFailedError(
            f"the build made an image for {image.platform}, not for {request.platform}",
            hint=replace(request, no_cache=True).as_command() if may_be_cached else CommandLine("push", reference),
        )
