"""The users of a registry, which are in its volume: they stay with its images, also when its container is replaced.

Distribution reads the file again when its time changes. If there is no file when it starts, it invents a user and
writes the password to its log, so the file must be there before.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from localreg.engines.files import ContainerFile
from localreg.engines.port import ContainerRuntime
from localreg.errors import ConfigError, ConflictError, NotOursError, reason_of
from localreg.oci.access import Credentials
from localreg.registry.container import DATA_FOLDER, Registry
from localreg.registry.htpasswd import GENERATED_COST, Htpasswd, load_bcrypt
from localreg.registry.options import RegistryOptions
from localreg.system.command_line import CommandLine
from localreg.system.data_folder import data_folder, locked

DEFAULT_USER = "localreg"
_FOLDER = f"{DATA_FOLDER}/localreg"
_NAME = "htpasswd"
_PATH = f"{_FOLDER}/{_NAME}"
_MODE = 0o600
_BYTES = 32
ENVIRONMENT = {
    # Distribution wants both.
    "REGISTRY_AUTH_HTPASSWD_REALM": "localreg",
    "REGISTRY_AUTH_HTPASSWD_PATH": _PATH,
}
"""The settings of a registry that requires a login."""


@dataclass(frozen=True, slots=True)
class UserRequest:
    """The user that `up` was asked for."""

    name: str | None = None
    """None for the usual one, or one that the registry already has."""
    password: str | None = field(default=None, repr=False)
    """None for a generated one, or the one that the user has."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """The users of a registry, in place before it starts."""

    login: Credentials
    """With which localreg gets in."""
    others: tuple[str, ...] = ()
    """Users that were there before, if another one was added or got a new password."""
    was_unknown: bool = False
    """The user was there before, and localreg did not know the password, so it made another."""


def check_can_have_users(options: RegistryOptions) -> None:
    """Check before anything is done that localreg can make users, if a registry needs them.

    Raises:
        LocalregError: bcrypt is not installed.
    """
    if options.auth:
        load_bcrypt()


def prepare_users(
    engine: ContainerRuntime,
    container_id: str,
    request: UserRequest,
    known: Callable[[], Sequence[Credentials]],
    store: Callable[[Credentials], None],
) -> Prepared:
    """Make sure that a container has users before it starts, and that localreg is one of them. Other users stay.

    Args:
        engine: The container's engine.
        container_id: Not running.
        request: The user that was asked for.
        known: The logins that localreg has for any registry.
        store: Gets a new login before the registry does, so that a kill loses no password.

    Raises:
        LocalregError: bcrypt is not installed.
    """
    users = _read(engine, container_id)
    if request.password is None:
        for login in known() if users.users else ():
            if request.name in (None, login.user) and users.accepts(login.user, login.secret):
                return Prepared(login)
    name = request.name or DEFAULT_USER
    password = request.password or secrets.token_urlsafe(_BYTES)
    changed = users.with_user(name, password, **({} if request.password else {"cost": GENERATED_COST}))
    store(Credentials(name, password))
    engine.put_files(container_id, _FOLDER, {_NAME: ContainerFile(bytes(changed), _MODE)})
    others = tuple(user for user in users.users if user != name)
    was_unknown = request.password is None and name in users.users
    return Prepared(Credentials(name, password), others, was_unknown=was_unknown)


def has_users(engine: ContainerRuntime, registry: Registry) -> bool:
    """Whether a registry, running or not, has the file of its users."""
    return engine.read_file(registry.container.id, _PATH) is not None


def find_users(engine: ContainerRuntime, registry: Registry) -> tuple[str, ...]:
    """The names of the users in a registry's volume, whether or not it requires a login."""
    return _read(engine, registry.container.id).users


def list_users(engine: ContainerRuntime, registry: Registry) -> tuple[str, ...]:
    """The names of the users.

    Raises:
        NotOursError: localreg did not create the registry.
        ConflictError: it requires no login.
    """
    check_has_users(registry)
    return _read(engine, registry.container.id).users


def set_password(engine: ContainerRuntime, registry: Registry, user: str, password: str) -> bool:
    """Add a user to a running registry, or change the password of one. The registry is not restarted.

    Returns:
        Whether there was a user of that name.

    Raises:
        NotOursError: localreg did not create the registry.
        ConflictError: it requires no login.
    """
    check_has_users(registry)
    with _one_at_a_time():
        users = _read(engine, registry.container.id)
        _replace(engine, registry, users.with_user(user, password))
    return user in users.users


def remove_user(engine: ContainerRuntime, registry: Registry, user: str) -> bool:
    """Remove a user from a running registry, which is not restarted.

    Returns:
        Whether there was a user of that name.

    Raises:
        NotOursError: localreg did not create the registry.
        ConflictError: it requires no login, or this is its only user.
    """
    check_has_users(registry)
    with _one_at_a_time():
        users = _read(engine, registry.container.id)
        if user not in users.users:
            return False
        if users.users == (user,):
            raise ConflictError(
                f"`{user}` is the only user, and without users the registry refuses every push and pull",
                hint=CommandLine("auth", "add", "OTHER"),
                details=[f"`{CommandLine('up', '--recreate', '--no-auth')}` makes it a registry without a login"],
            )
        _replace(engine, registry, users.without(user))
    return True


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Keep two commands of this user from changing users at once: the second would undo the first."""
    folder = data_folder()
    if folder is None:
        yield
        return
    try:
        with locked(folder / _NAME):
            yield
    except OSError as exc:
        raise ConfigError(f"cannot use {folder}: {reason_of(exc)}") from exc


def check_has_users(registry: Registry) -> None:
    """Check that localreg manages the users of a registry.

    Raises:
        NotOursError: localreg did not create the registry.
        ConflictError: it requires no login.
    """
    name = registry.container.name
    if not registry.is_ours:
        raise NotOursError(f"localreg did not create registry `{name}`, and does not know where its users are")
    if not registry.options.auth:
        raise ConflictError(
            f"registry `{name}` requires no login, so it has no users", hint=CommandLine("up", "--recreate", "--auth")
        )


def _read(engine: ContainerRuntime, container_id: str) -> Htpasswd:
    return Htpasswd.parse(engine.read_file(container_id, _PATH))


def _replace(engine: ContainerRuntime, registry: Registry, users: Htpasswd) -> None:
    """Change the file of a running registry, which reads the old one or the new one, never half of it."""
    container_id, new = registry.container.id, f"{_NAME}.new"
    engine.put_files(container_id, _FOLDER, {new: ContainerFile(bytes(users), _MODE)})
    # The file in the archive has whole seconds: without another time, the second of two changes would not be seen.
    script = f"touch {_FOLDER}/{new} && mv {_FOLDER}/{new} {_PATH}"
    for _ in engine.run_in_container(container_id, ["sh", "-c", script]):
        pass
