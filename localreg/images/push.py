"""Images between an engine and the registry: `tag`, `push`, `pull`."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus

from localreg.engines.common.ports import DISK_FULL
from localreg.engines.port import Engine
from localreg.engines.values import Image, Progress, TransferState
from localreg.errors import (
    ImageNotFoundError,
    InvalidReferenceError,
    LocalregError,
    RegistryError,
    RegistryUnreachableError,
    UsageError,
)
from localreg.images.transfer import pull_steps, push_steps
from localreg.oci.api import RegistryClient
from localreg.oci.reference import Reference, looks_like_image_id, parse_reference, registry_reference
from localreg.registry.container import Registry
from localreg.registry.start import find_cause

_PAUSES = (0.05, 0.1, 0.2)
"""Seconds until a registry is asked again that answered 500, as it does while somebody else pushes to the same tag."""

OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Transfer:
    """An image on its way into the registry or out of it."""

    source: str
    """As the user named it."""
    reference: Reference
    """Complete: with the registry and a tag or a digest."""


@dataclass(frozen=True, slots=True)
class Transferred:
    """An image that is in the registry."""

    source: str
    reference: str
    digest: str | None
    """Of the manifest, as the registry says; None where neither it nor the engine could be asked for it."""

    @property
    def pinned(self) -> str:
        """The reference with its digest."""
        known = "@" in self.reference or self.digest is None
        return self.reference if known else f"{self.reference}@{self.digest}"


def check_names(*names: str | None) -> None:
    """Refuse what is no name before anything is done about the others; an image's ID is none of a name's business.

    Raises:
        InvalidReferenceError: the grammar does not accept one of them.
    """
    for name in names:
        if name is not None and not looks_like_image_id(name):
            parse_reference(name)


def plan_push(
    engine: Engine,
    registry: Registry,
    image: str,
    *,
    destination: str | None = None,
    naming: str = "localreg push {image} --as {name}",
) -> Transfer:
    """Find the image, and the name that it gets in the registry.

    Args:
        engine: Where the image is.
        registry: Where it goes.
        image: A reference, a short name or an ID.
        destination: The name and tag to have there; by default those of the image.
        naming: How the user says a name, for the hint.

    Raises:
        InvalidReferenceError: a name that the grammar does not accept.
        ImageNotFoundError: the engine does not have the image.
        UsageError: an ID or a digest, which says no name, without a destination.
        ConflictError: the registry publishes no port.
    """
    if not looks_like_image_id(image):
        parsed = parse_reference(image)
        if parsed.digest is not None and destination is None:
            raise UsageError(
                f"`{image}` names a digest, not a tag", hint=naming.format(image=image, name=f"{parsed.path}:TAG")
            )
    found = engine.find_image(image)
    if found is None:
        raise _absent(engine, image)
    if destination is None and _is_id_of(image, found):
        raise UsageError(f"`{image}` is an image ID and says no name", hint=naming.format(image=image, name="NAME:TAG"))
    named = parse_reference(destination or image)
    if named.digest is not None and destination is not None:
        raise InvalidReferenceError(f"`{destination}` names a digest; an image is pushed to a tag")
    return Transfer(image, registry_reference(named, registry=registry.get_location()))


def _is_id_of(text: str, image: Image) -> bool:
    """The text was resolved as an ID: no name of the image is it, and its ID begins with it."""
    hexadecimal = text.removeprefix("sha256:")
    if not image.id.removeprefix("sha256:").startswith(hexadecimal):
        return False
    return not any(_last_part(reference) == text for reference in image.references)


def _last_part(reference: str) -> str:
    return reference.rpartition("/")[2].partition("@")[0].partition(":")[0]


def _absent(engine: Engine, image: str) -> ImageNotFoundError:
    name = engine.info().name
    return ImageNotFoundError(f"{name.capitalize()} has no image `{image}`", hint=f"{name} pull {image}")


def tag(engine: Engine, transfer: Transfer) -> None:
    """Give the image its name in the registry; one that it has already stays as it is."""
    engine.tag_image(transfer.source, str(transfer.reference))


def push(engine: Engine, registry: Registry, transfer: Transfer, *, on_progress: OnProgress) -> Transferred:
    """Tag and push an image, then ask the registry what it has.

    Raises:
        RegistryError: the push failed, or the registry has something else afterwards.
    """
    began = datetime.now(UTC)
    before = engine.find_image(str(transfer.reference))
    tag(engine, transfer)
    said: str | None = None
    try:
        for step in push_steps(engine, registry, transfer.reference):
            said = step.digest or said
            on_progress(step)
            if step.state is TransferState.RETRYING and DISK_FULL.search(
                find_cause(engine, registry, since=began) or ""
            ):
                raise RegistryError(f"the registry has no room for `{transfer.reference}`")
    except LocalregError as exc:
        _take_back(engine, transfer, before)
        if isinstance(exc, RegistryUnreachableError | ImageNotFoundError) or not (
            cause := find_cause(engine, registry, since=began)
        ):
            raise
        raise _explained(exc, transfer, registry, cause) from exc
    digest = _digest_in_registry(registry, transfer.reference) or said
    if said not in (None, digest):
        raise RegistryError(
            f"`{transfer.reference}` was pushed as {said}, but the registry has {digest}",
            hint=f"localreg push {transfer.source}",
        )
    return Transferred(transfer.source, str(transfer.reference), digest)


def _explained(error: LocalregError, transfer: Transfer, registry: Registry, cause: str) -> LocalregError:
    """A failed push with what the registry's own log says of it."""
    if DISK_FULL.search(cause):
        return RegistryError(
            f"there is no room for `{transfer.reference}` where the registry keeps its images",
            hint=f"make room in {registry.spoken_storage or 'the volume of the registry'}",
            details=[cause],
        )
    return RegistryError(error.message, hint="localreg logs", details=[*error.details, f"the registry's log: {cause}"])


def _take_back(engine: Engine, transfer: Transfer, before: Image | None) -> None:
    """Leave the engine's names as they were: what is not in the registry has no name of the registry's."""
    # That it failed counts, and not that the engine may be lost for this too.
    with contextlib.suppress(LocalregError):
        if before is None:
            engine.untag_image(str(transfer.reference))
        elif (now := engine.find_image(str(transfer.reference))) is not None and now.id != before.id:
            engine.tag_image(before.id, str(transfer.reference))


def plan_pull(registry: Registry, reference: str) -> Transfer:
    """What a name means in the registry: a short name, or one that names another registry, is looked up here.

    Raises:
        InvalidReferenceError: a name that the grammar does not accept.
    """
    return Transfer(reference, registry_reference(parse_reference(reference), registry=registry.get_location()))


def pull(
    engine: Engine, registry: Registry, transfer: Transfer, *, name: str | None = None, on_progress: OnProgress
) -> Transferred:
    """Pull an image from the registry.

    Args:
        engine: Where it goes.
        registry: Where it comes from.
        transfer: What to pull.
        name: One more name for the image in the engine.
        on_progress: Told each step.

    Raises:
        RepositoryNotFoundError: the registry does not have it.
    """
    extra = None if name is None else _complete(parse_reference(name))
    digest = _digest_in_registry(registry, transfer.reference)
    for step in pull_steps(engine, registry, transfer.reference):
        digest = digest or step.digest
        on_progress(step)
    if extra is not None:
        engine.tag_image(str(transfer.reference), str(extra))
    return Transferred(transfer.source, str(transfer.reference), digest)


def _complete(name: Reference) -> Reference:
    if name.digest is not None:
        raise InvalidReferenceError(f"`{name}` names a digest; an image gets a tag")
    return name if name.tag else replace(name, tag="latest")


def _digest_in_registry(registry: Registry, reference: Reference) -> str | None:
    """What the registry has under a name; None where this machine cannot ask it, since the engine is on another."""
    if not registry.is_within_reach:
        return None
    with RegistryClient(registry.base_url()) as client:
        ask = partial(client.head_manifest, reference.path, str(reference.digest or reference.tag))
        for pause in _PAUSES:
            try:
                return ask().digest
            except RegistryError as exc:
                if exc.status != HTTPStatus.INTERNAL_SERVER_ERROR:
                    raise
            time.sleep(pause)
        return ask().digest
