"""`push`: tags an image, pushes it and checks the registry's digest."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

from localreg.engines.common.messages import DISK_FULL, UNREADABLE_TAG
from localreg.engines.port import Engine
from localreg.engines.values import Image, TransferState
from localreg.errors import ImageNotFoundError, LocalregError, RegistryError, RegistryUnreachableError
from localreg.images.push_check import check_takes_pushes
from localreg.images.stored import check_stored
from localreg.images.tag import tag_image
from localreg.images.transfer import OnProgress, Transfer, Transferred, check_plain_http, push_steps
from localreg.registry.container import Registry
from localreg.registry.failed_write import explained
from localreg.registry.request import Notify
from localreg.registry.start import await_start, find_cause
from localreg.system.command_line import CommandLine


def push_image(
    engine: Engine,
    registry: Registry,
    transfer: Transfer,
    *,
    on_progress: OnProgress,
    notify: Notify = lambda _: None,
) -> Transferred:
    """Tag and push an image, then check what the registry has of it.

    Args:
        engine: The engine that has the image.
        registry: The registry to push to.
        transfer: The image, and its name in the registry.
        on_progress: Gets each step.
        notify: Told why a push is tried again.

    Raises:
        RegistryError: the engine expects TLS, the push failed, or the registry has another digest afterwards, or a
            broken image.
    """
    await_start(registry)
    check_takes_pushes(registry, transfer.reference.repository)
    check_plain_http(engine, registry, transfer.reference)
    began = datetime.now(UTC)
    before = engine.find_image(str(transfer.reference))
    tag_image(engine, transfer)
    said: str | None = None
    index: str | None = None
    try:
        for step in push_steps(engine, registry, transfer.reference, notify=notify):
            said, index = step.digest or said, step.index or index
            on_progress(step)
            if step.state is TransferState.RETRYING and DISK_FULL.search(
                find_cause(engine, registry, since=began) or ""
            ):
                raise RegistryError(f"the registry has no space for `{transfer.reference}`")
    except LocalregError as exc:
        _take_back(engine, transfer, before)
        if any(map(UNREADABLE_TAG.search, exc.details)):
            raise RegistryError(
                f"the registry cannot read the `{transfer.reference}` that it has, so nothing was pushed",
                hint=CommandLine("rm", f"{transfer.reference.repository}:{transfer.reference.tag}"),
                details=exc.details,
            ) from exc
        if isinstance(exc, RegistryUnreachableError | ImageNotFoundError) or not (
            cause := find_cause(engine, registry, since=began)
        ):
            raise
        raise explained(exc, registry, cause, what=str(transfer.reference)) from exc
    digest = check_stored(engine, registry, transfer, said=said)
    if said not in (None, digest):
        raise RegistryError(
            f"`{transfer.reference}` was pushed as {said}, but the registry has {digest}",
            hint=CommandLine("push", transfer.source),
        )
    return Transferred(transfer.source, str(transfer.reference), digest, index)


def _take_back(engine: Engine, transfer: Transfer, before: Image | None) -> None:
    """Restore the engine's tags after a failed push."""
    # The push's failure matters, not one of this.
    with contextlib.suppress(LocalregError):
        if before is None:
            engine.untag_image(str(transfer.reference))
        elif (now := engine.find_image(str(transfer.reference))) is not None and now.id != before.id:
            engine.tag_image(before.id, str(transfer.reference))
