"""`tag`: tags an image of the engine for the registry."""

from __future__ import annotations

from collections.abc import Callable

from localreg.engines.port import Engine
from localreg.engines.values import Image
from localreg.errors import ImageNotFoundError, InvalidReferenceError, UsageError
from localreg.images.transfer import Transfer
from localreg.oci.reference import find_reference, looks_like_image_id, parse_reference
from localreg.registry.container import Registry
from localreg.system.command_line import CommandLine


def _push_as(image: str, name: str) -> CommandLine:
    return CommandLine("push", image, "--as", name)


def plan_tag(
    engine: Engine,
    registry: Registry,
    image: str,
    *,
    destination: str | None = None,
    naming: Callable[[str, str], CommandLine] = _push_as,
) -> Transfer:
    """Find the image, and work out its name in the registry.

    Args:
        engine: The engine that has the image.
        registry: The registry to tag it for.
        image: A reference, a short name or an ID.
        destination: Its name and tag in the registry; by default those of the image.
        naming: The command that names an image, for the hint.

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
        raise _absent(engine, image)
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


def _absent(engine: Engine, image: str) -> ImageNotFoundError:
    name = engine.info().name
    return ImageNotFoundError(f"{name.capitalize()} does not have image `{image}`", hint=f"{name} pull {image}")


def tag_image(engine: Engine, transfer: Transfer) -> None:
    """Tag the image; an existing tag of it stays."""
    engine.tag_image(transfer.source, str(transfer.reference))
