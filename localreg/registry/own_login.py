"""The login with which localreg itself gets into a registry that requires one."""

from __future__ import annotations

from localreg.engines.port import ContainerRuntime
from localreg.engines.values import Container
from localreg.oci.access import Credentials
from localreg.registry.container import Registry
from localreg.registry.passwords import find_login_of, forget, list_logins, owner_of, remember
from localreg.registry.request import Notify
from localreg.registry.users import Prepared, UserRequest, prepare_users


def prepare_login(engine: ContainerRuntime, container: Container, request: UserRequest, notify: Notify) -> Credentials:
    """Give a registry that is not running its users, unless it has them and localreg can log in.

    Raises:
        LocalregError: bcrypt is not installed.
        ConfigError: localreg's store of passwords cannot be read or written.
    """
    owner = owner_of(engine.info(), container.name)
    # It has no address yet.
    prepared = prepare_users(
        engine, container.id, request, list_logins, lambda login: remember(owner, login, owner=owner)
    )
    if prepared.was_unknown:
        notify(f"localreg did not know the password of `{prepared.login.user}`, so that user has a new one")
    _name_others(prepared, notify)
    return prepared.login


def _name_others(prepared: Prepared, notify: Notify) -> None:
    if prepared.others:
        notify(f"users that were there keep their passwords: {', '.join(prepared.others)}")


def store_login(engine: ContainerRuntime, registry: Registry, login: Credentials) -> None:
    """Store the login to a registry for localreg's own commands; an older one is replaced.

    Raises:
        ConfigError: the store cannot be written.
    """
    remember(registry.get_location(), login, owner=_owner_of(engine, registry))


def find_own_login(engine: ContainerRuntime, registry: Registry) -> Credentials | None:
    """The login to a registry in localreg's own store.

    Raises:
        ConfigError: the store cannot be read.
    """
    return find_login_of(_owner_of(engine, registry), registry.get_location())


def find_stored_login(engine: ContainerRuntime, registry: Registry) -> Credentials | None:
    """The login that localreg's own store has for a registry, which from now on has it for its location.

    It had it for another one, or for none yet if `up` was killed.

    Raises:
        ConfigError: the store cannot be read or written.
    """
    login = find_own_login(engine, registry)
    if login is not None:
        store_login(engine, registry, login)
    return login


def keep_up(engine: ContainerRuntime, registry: Registry, user: str, password: str) -> bool:
    """Follow a new password, if localreg logs in as this user, or knew no login.

    Returns:
        Whether localreg now uses it.

    Raises:
        ConfigError: the store cannot be written.
    """
    own = find_own_login(engine, registry)
    if own is not None and own.user != user:
        return False
    store_login(engine, registry, Credentials(user, password))
    return True


def drop(engine: ContainerRuntime, registry: Registry, user: str) -> bool:
    """Forget the login of a user that was removed; whether localreg used it.

    Raises:
        ConfigError: the store cannot be written.
    """
    own = find_own_login(engine, registry)
    if own is None or own.user != user:
        return False
    forget(_owner_of(engine, registry), registry.get_location())
    return True


def _owner_of(engine: ContainerRuntime, registry: Registry) -> str:
    return owner_of(engine.info(), registry.container.name)
