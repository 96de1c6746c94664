"""The users of a registry, in the format of `htpasswd` with bcrypt, which is the only one that Distribution reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from localreg.errors import LocalregError, UsageError
from localreg.system.command_line import Sentence
from localreg.system.extra import install_command

COST = 10
"""Of bcrypt for a password that a person chose."""
GENERATED_COST = 4
"""Of bcrypt for a generated password, which has too many bits to be guessed at any cost. Distribution runs bcrypt for
each request."""
_MOST_BYTES = 72
"""bcrypt ignores the rest of a longer password."""
_MOST_CHARACTERS = 255


@dataclass(frozen=True, slots=True)
class Htpasswd:
    """The file; lines that localreg did not write stay as they are."""

    lines: tuple[str, ...] = ()

    @classmethod
    def parse(cls, data: bytes | None) -> Self:
        """Read a file; None for one that does not exist."""
        return cls(tuple((data or b"").decode(errors="surrogateescape").splitlines()))

    def __bytes__(self) -> bytes:
        """The content of the file."""
        return "".join(f"{line}\n" for line in self.lines).encode(errors="surrogateescape")

    @property
    def users(self) -> tuple[str, ...]:
        """The names of the users, in the order of the file, each once."""
        return tuple(dict.fromkeys(user for line in self.lines if (user := _user_in(line)) is not None))

    def with_user(self, user: str, password: str, *, cost: int = COST) -> Self:
        """The file with a user; one of the same name gets the new password.

        Args:
            user: Checked by `check_user`.
            password: Checked by `check_password`.
            cost: Of bcrypt.

        Raises:
            LocalregError: bcrypt is not installed.
        """
        bcrypt = load_bcrypt()
        hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(rounds=cost)).decode()
        return type(self)((*self.without(user).lines, f"{user}:{hashed}"))

    def without(self, user: str) -> Self:
        """The file without a user."""
        return type(self)(tuple(line for line in self.lines if _user_in(line) != user))

    def accepts(self, user: str, password: str) -> bool:
        """Whether Distribution accepts this password.

        Raises:
            LocalregError: bcrypt is not installed.
        """
        bcrypt = load_bcrypt()
        # Of two lines for one user, Distribution reads the last.
        found = [line.strip().partition(":")[2] for line in self.lines if _user_in(line) == user]
        try:
            return bool(found) and bool(bcrypt.checkpw(password.encode(), found[-1].encode()))
        except ValueError:
            return False


def check_user(user: str) -> str:
    """Check the name of a user.

    Raises:
        UsageError: a line of the file, or a login over HTTP, cannot have it.
    """
    if not user or user.strip() != user or user.startswith("#"):
        raise UsageError(f"`{user}` is not a valid user name", hint=Sentence("use letters and digits"))
    if ":" in user or not user.isprintable():
        raise UsageError(
            "a user name cannot contain a `:` or a control character", hint=Sentence("use letters and digits")
        )
    if len(user) > _MOST_CHARACTERS:
        raise UsageError(f"a user name cannot be longer than {_MOST_CHARACTERS} characters")
    return user


def check_password(password: str) -> str:
    """Check a password, without a word of it in the error.

    Raises:
        UsageError: it is empty, has a control character, or is too long for bcrypt.
    """
    if not password:
        raise UsageError("the password is empty")
    if not password.isprintable():
        raise UsageError("the password has a control character, such as a line break in the middle")
    if len(password.encode()) > _MOST_BYTES:
        raise UsageError(
            f"the password is longer than {_MOST_BYTES} bytes, and bcrypt would ignore the rest",
            hint=Sentence("use a shorter one"),
        )
    return password


def _user_in(line: str) -> str | None:
    """The user of a line, as Distribution reads it; None for a comment or an empty line."""
    text = line.strip()
    user, colon, _ = text.partition(":")
    return user if colon and not text.startswith("#") else None


def load_bcrypt() -> Any:
    """The library for bcrypt.

    Raises:
        LocalregError: it is not installed.
    """
    try:
        import bcrypt  # noqa: PLC0415 -- an extra, for registries with a login only
    except ImportError as exc:
        raise LocalregError(
            "a registry with a login needs bcrypt, which is not installed", hint=install_command("auth", "bcrypt")
        ) from exc
    return bcrypt
