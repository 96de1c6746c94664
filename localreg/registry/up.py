"""`up`: starts a registry on a free port and waits until it is ready; running it again changes nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from enum import StrEnum

from localreg.engines.port import Engine
from localreg.engines.values import ContainerState
from localreg.errors import (
    ConflictError,
    ContainerNotFoundError,
    NameTakenError,
    NotOursError,
    PortTakenError,
    RegistryNotReadyError,
)
from localreg.oci.access import Credentials
from localreg.oci.ping import Reply, ask
from localreg.oci.refusal import PushRefusal
from localreg.registry.certificate import renews
from localreg.registry.container import Registry, find_registry, seems_none, start_command
from localreg.registry.create import create_registry, ensure_image
from localreg.registry.defaults import DEFAULT_HOST, DEFAULT_PORT
from localreg.registry.exposure import check_exposure
from localreg.registry.helper import find_helper, remove_helper
from localreg.registry.options import RegistryOptions
from localreg.registry.other_options import refuse_other_options
from localreg.registry.port import choose_port
from localreg.registry.refusals import find_refusal
from localreg.registry.replace import recover, replace_registry
from localreg.registry.request import Notify, OnProgress, UpRequest
from localreg.registry.start import await_registry
from localreg.registry.stop import start_again
from localreg.registry.tls import lacks_certificate
from localreg.registry.users import check_can_have_users, has_users
from localreg.system.address import Address
from localreg.system.command_line import CommandLine
from localreg.system.waiting import wait_until

_RIVAL_SECONDS = 5.0
_FOREIGN_SECONDS = 5.0
"""How long a container that localreg did not start may take to respond as a registry."""


class UpAction(StrEnum):
    """The outcome of `up`."""

    CREATED = "created"
    RECREATED = "recreated"
    STARTED = "started"
    ALREADY = "already up"
    ADOPTED = "not ours"


@dataclass(frozen=True, slots=True)
class UpResult:
    """A registry that is ready."""

    registry: Registry
    action: UpAction
    seconds: float = 0.0
    ignored: tuple[str, ...] = ()
    """The given options that do not apply to an existing registry."""
    requires_login: bool = False
    login_user: str | None = None
    """The user that localreg logs in as; None if no store has a login."""
    pushes_refused: PushRefusal | None = None
    """Why it takes no pushes; None if the container of a registry that localreg did not create does not tell."""


def bring_up(engine: Engine, request: UpRequest, *, notify: Notify, on_progress: OnProgress) -> UpResult:
    """Start the registry if it is not running, and wait until it is ready.

    Args:
        engine: The registry's engine.
        request: The options.
        notify: Gets notes for the user.
        on_progress: Gets each step of pulling the registry's image.

    Raises:
        OptionsDifferError: it exists with other options.
        NameTakenError: a container of that name is not a registry, or is a stopped one that localreg did not create.
        PortTakenError: another program uses the requested port, or the registry's.
        ConflictError: it is paused, or garbage collection keeps it stopped for longer than the wait.
        RegistryNotReadyError: it was not ready in time; everything created for it is removed again.
    """
    try:
        result = _bring_up(engine, request, notify=notify, on_progress=on_progress)
    except ContainerNotFoundError:
        # A `down` at the same time removed it.
        wait_until(lambda: find_registry(engine, request.name) is None, seconds=_RIVAL_SECONDS)
        result = _bring_up(engine, request, notify=notify, on_progress=on_progress)
    if not (result.requires_login or result.registry.options.auth):
        return result
    from localreg.registry.client import find_login  # noqa: PLC0415 -- loads urllib3, only for a login

    login = None
    if result.registry.is_ours and result.registry.published is not None:
        from localreg.registry.own_login import find_stored_login  # noqa: PLC0415 -- the same

        login = find_stored_login(engine, result.registry)
    login = login or find_login(result.registry)
    return replace(result, requires_login=True, login_user=None if login is None else login.user)


def _bring_up(engine: Engine, request: UpRequest, *, notify: Notify, on_progress: OnProgress) -> UpResult:
    began = time.monotonic()
    was_stopped_by_gc = _end_collection(engine, request, notify)
    recover(engine, request.name)
    registry = find_registry(engine, request.name)
    if registry is None:
        try:
            created = _create(engine, request, notify=notify, on_progress=on_progress)
        except NameTakenError:
            # Another `up` was faster; its registry will do.
            registry = _find_rival(engine, request.name)
            if registry is None:
                raise
        else:
            return UpResult(created, UpAction.CREATED, time.monotonic() - began)
    if not registry.is_ours:
        if was_stopped_by_gc and not registry.container.is_running:
            # localreg stopped it, so it also starts it.
            registry = start_again(engine, registry)
        return _adopt(engine, registry, request)
    result = _bring_up_ours(engine, registry, request, notify=notify, on_progress=on_progress)
    return replace(result, seconds=time.monotonic() - began)


def _bring_up_ours(
    engine: Engine, registry: Registry, request: UpRequest, *, notify: Notify, on_progress: OnProgress
) -> UpResult:
    """Start a registry that localreg created, or replace its container."""
    action = UpAction.ALREADY if registry.container.is_running else UpAction.STARTED
    if not request.recreate:
        refuse_other_options(registry, request)
    is_new = request.recreate or lacks_certificate(engine, registry)
    if is_new:
        _refuse_paused(engine, registry)
    else:
        _start(engine, registry, request, notify)
        registry = _refreshed(engine, registry)
    if registry.lost_its_port:
        notify(f"{engine.info().name.capitalize()} runs the registry without its port; replacing its container")
    if is_new or registry.lost_its_port or renews(registry, notify):
        # Without being asked to recreate it, this opens nothing that was not open.
        request = request if request.recreate else replace(request, insecure_exposure=True)
        registry = replace_registry(engine, registry, request, notify=notify, on_progress=on_progress)
        return UpResult(registry, UpAction.RECREATED)
    return UpResult(registry, action, ignored=request.creation_options)


def _end_collection(engine: Engine, request: UpRequest, notify: Notify) -> bool:
    """Remove the helper of a killed garbage collection, but wait for one that is at work.

    Returns:
        Whether it was killed.
    """
    if find_helper(engine, request.name) is None:
        return False
    from localreg.registry.collection_lock import await_collection, is_collected  # noqa: PLC0415 -- seldom needed

    registry = find_registry(engine, request.name)
    if registry is not None and is_collected(registry):
        # One that leaves the registry running is not disturbed.
        if registry.container.is_running:
            return False
        notify(f"registry `{request.name}` is stopped for garbage collection; waiting until it is started")
        await_collection(registry, seconds=request.wait_seconds)
    return remove_helper(engine, request.name)


def _find_rival(engine: Engine, name: str) -> Registry | None:
    """The container that took the name; Docker reserves the name a moment before it lists the container."""
    found: list[Registry] = []

    def is_there() -> bool:
        found.extend(filter(None, [find_registry(engine, name)]))
        return bool(found)

    wait_until(is_there, seconds=_RIVAL_SECONDS)
    return found[0] if found else None


def _adopt(engine: Engine, registry: Registry, request: UpRequest) -> UpResult:
    """Use a registry that the user started by hand, unchanged."""
    container = registry.container
    other = CommandLine("--name", "OTHER", "up")
    if not container.is_running:
        if not registry.seems_one:
            raise NameTakenError(seems_none(registry), hint=other)
        raise NameTakenError(
            f"container `{container.name}` {registry.state_clause}; localreg did not create it",
            hint=start_command(registry, engine=engine.info().name),
        )
    if registry.published is None:
        raise NameTakenError(
            f"container `{container.name}` publishes no port, so localreg cannot use it as a registry", hint=other
        )
    if request.recreate:
        raise NotOursError(
            f"localreg did not create container `{container.name}`, so it does not recreate it",
            hint=CommandLine("down", "--force"),
        )
    try:
        if registry.url is not None:
            await_registry(engine, registry, seconds=min(request.wait_seconds, _FOREIGN_SECONDS))
    except RegistryNotReadyError as exc:
        raise NameTakenError(f"container `{container.name}` exists and is not a registry", hint=other) from exc
    actual = RegistryOptions(registry.published.bound.port, registry.published.bound.host, container.image)
    ignored = (*request.asked.differing(actual), *request.creation_options)
    return UpResult(
        registry,
        UpAction.ADOPTED,
        0.0,
        ignored,
        requires_login=registry.url is not None and ask(registry.url) is Reply.WANTS_LOGIN,
        pushes_refused=find_refusal(registry),
    )


def _refuse_paused(engine: Engine, registry: Registry) -> None:
    container = registry.container
    if container.state is ContainerState.PAUSED:
        raise ConflictError(
            f"registry `{container.name}` is paused", hint=start_command(registry, engine=engine.info().name)
        )


def _start(engine: Engine, registry: Registry, request: UpRequest, notify: Notify) -> None:
    """Start an existing container and wait; if it was stopped and is not ready in time, it is stopped again.

    A container that runs without its port is not waited for.
    """
    _refuse_paused(engine, registry)
    container = registry.container
    if container.is_running:
        # This machine cannot reach the loopback of a remote engine.
        if registry.url is not None:
            await_registry(engine, registry, seconds=request.wait_seconds)
        return
    address = Address(registry.options.host or DEFAULT_HOST, registry.options.port or DEFAULT_PORT)
    request.claims.await_forwarder(address)
    login = _replace_lost_users(engine, registry, request, notify) if registry.options.auth else None
    try:
        engine.start_container(container.id)
    except PortTakenError as exc:
        free = request.claims.next_free(address).port
        raise PortTakenError(
            f"port {address.port} of registry `{container.name}` is taken by {request.claims.holder_of(address)}",
            hint=CommandLine("up", "--recreate", "--port", str(free)),
            details=exc.details,
        ) from exc
    started = _refreshed(engine, registry)
    if started.lost_its_port:
        return
    try:
        await_registry(engine, started, seconds=request.wait_seconds)
    except BaseException:
        engine.stop_container(container.id)
        raise
    if login is not None:
        from localreg.registry.own_login import store_login  # noqa: PLC0415 -- seldom needed

        store_login(engine, started, login)


def _replace_lost_users(engine: Engine, registry: Registry, request: UpRequest, notify: Notify) -> Credentials | None:
    """Give a stopped registry users if its volume was emptied; None if it has users."""
    if has_users(engine, registry):
        return None
    from localreg.registry.own_login import prepare_login  # noqa: PLC0415 -- seldom needed

    return prepare_login(engine, registry.container, request.user, notify)


def _refreshed(engine: Engine, registry: Registry) -> Registry:
    """The registry as it is now; it has an address only while its container runs."""
    return find_registry(engine, registry.container.id) or registry


def _create(engine: Engine, request: UpRequest, *, notify: Notify, on_progress: OnProgress) -> Registry:
    # Before a pull, so that what is wrong is reported at once.
    check_exposure(request.asked, asked=request.asked, command=request.command, allowed=request.insecure_exposure)
    check_can_have_users(request.asked)
    choose_port(request.asked, request.claims)
    image = ensure_image(engine, request, notify=notify, on_progress=on_progress)
    return create_registry(engine, request, image, asked=request.asked, notify=notify)
