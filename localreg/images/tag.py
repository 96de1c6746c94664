"""`tag`: tags an image of the engine for the registry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from localreg.engines.port import Engine
from localreg.engines.values import Image
from localreg.errors import ImageNotFoundError, InvalidReferenceError, UsageError
from localreg.images.transfer import Transfer
from localreg.oci.reference import Reference, find_reference, looks_like_image_id, parse_reference, qualified
from localreg.registry.container import Registry
from localreg.system.command_line import CommandLine, Sentence


def push_as(image: str, name: str | None) -> CommandLine:
    """The command that pushes an image, under a name if there is one."""
    return CommandLine("push", image, *([] if name is None else ["--as", name]))


def plan_tag(
    engine: Engine,
    registry: Registry,
    image: str,
    *,
    destination: str | None = None,
    naming: Callable[[str, str | None], CommandLine] = push_as,
) -> Transfer:
    """Find the image, and work out its name in the registry.

    Args:
        engine: The engine that has the image.
        registry: The registry to tag it for.
        image: A reference, a short name or an ID.
        destination: Its name and tag in the registry; by default those of the image.
        naming: The command again, for an image and its name in the registry; for the hint.

    Raises:
        InvalidReferenceError: a name is not a valid reference.
        ImageNotFoundError: the engine does not have the image.
        UsageError: an ID or a digest needs a destination.
        ConflictError: the registry publishes no port.
    """
    if not looks_like_image_id(image):
        parsed = parse_reference(image)
        if parsed.digest is not None and destination is None:
            raise UsageError(f"`{image}` names a digest, not a tag", hint=naming(image, f"{parsed.repository}:TAG"))
    found = engine.find_image(image)
    if found is None:
        raise _absent(engine, image, lambda other: naming(other, destination))
    if destination is None and _is_id_of(image, found):
        raise UsageError(f"`{image}` is an image ID; choose a name for it", hint=naming(image, "NAME:TAG"))
    named = parse_reference(destination or image)
    if named.digest is not None and destination is not None:
        raise InvalidReferenceError(f"`{destination}` has a digest; an image is pushed to a tag")
    return Transfer(image, registry.reference_of(named))


def _is_id_of(text: str, image: Image) -> bool:
    """The engine resolved the text as an ID: the image's ID starts with it, and none of its names is it."""
    hexadecimal = text.removeprefix("sha256:")
    if not image.id.removeprefix("sha256:").startswith(hexadecimal):
        return False
    names = filter(None, map(find_reference, image.references))
    return not any(name.basename == text for name in names)


def _absent(engine: Engine, image: str, again: Callable[[str], CommandLine]) -> ImageNotFoundError:
    name = engine.info().name
    similar = _list_other_tags(engine, image)
    hint: str = f"{name} pull {image}"
    if similar:
        # Pulling could fetch a stranger's image of that name.
        only, *others = similar
        hint = Sentence(f"{name.capitalize()} has {', '.join(similar)}") if others else again(only)
    return ImageNotFoundError(f"{name.capitalize()} does not have image `{image}`", hint=hint)


def _list_other_tags(engine: Engine, image: str) -> list[str]:
    """The images of the engine in the same repository."""
    named = find_reference(image)
    if named is None:
        return []
    names = (reference for each in engine.list_images() for reference in map(find_reference, each.references))
    return sorted({str(_short(name)) for name in names if name and name.tag and _is_of_one(name, named)})


def _is_of_one(name: Reference, other: Reference) -> bool:
    """Both are in the same repository."""
    one, two = qualified(_short(name)), qualified(_short(other))
    return (one.registry, one.repository) == (two.registry, two.repository)


def _short(reference: Reference) -> Reference:
    """Without a digest, and without the `localhost` that Podman adds to short names."""
    return replace(reference, registry=None if reference.registry == "localhost" else reference.registry, digest=None)


def tag_image(engine: Engine, transfer: Transfer) -> None:
    """Tag the image; an existing tag of it stays."""
    engine.tag_image(transfer.source, str(transfer.reference))
