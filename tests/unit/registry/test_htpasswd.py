"""The file of a registry's users: lines of others stay, and Distribution reads what is written."""

from __future__ import annotations

import sys

import pytest

from localreg.errors import LocalregError, UsageError
from localreg.registry.htpasswd import Htpasswd, check_password, check_user

OTHERS = b"# of others\n\nold:$2y$05$abc\n  spaced:$2y$05$def\nraw\xff:$2y$05$ghi"


def test_a_user_is_added_and_lines_of_others_stay() -> None:
    users = Htpasswd.parse(OTHERS)
    assert users.users == ("old", "spaced", "raw\udcff")
    more = users.with_user("ci", "secret", cost=4)
    assert bytes(more).startswith(OTHERS + b"\nci:$2b$04$")
    assert bytes(more).endswith(b"\n")
    assert b"secret" not in bytes(more)
    assert bytes(more.without("ci")) == OTHERS + b"\n"
    assert Htpasswd.parse(None).users == ()


def test_a_user_has_one_password() -> None:
    users = (
        Htpasswd.parse(b"").with_user("ci", "one", cost=4).with_user("me", "x", cost=4).with_user("ci", "two", cost=4)
    )
    assert users.users == ("me", "ci")
    assert users.accepts("ci", "two")
    assert not users.accepts("ci", "one")
    assert not users.accepts("nobody", "two")


def test_of_two_lines_the_last_counts_as_for_distribution() -> None:
    one, two = (bytes(Htpasswd().with_user("ci", password, cost=4)) for password in ("one", "two"))
    users = Htpasswd.parse(one + two)
    assert (users.users, users.accepts("ci", "one"), users.accepts("ci", "two")) == (("ci",), False, True)


def test_a_line_that_is_no_bcrypt_accepts_nothing() -> None:
    assert not Htpasswd.parse(b"ci:{SHA}abc\n").accepts("ci", "abc")


@pytest.mark.parametrize("user", ["", " ci", "ci ", "#ci", "c:i", "c\ni", "c\x00i", "x" * 256])
def test_a_name_that_a_line_cannot_have_is_refused(user: str) -> None:
    with pytest.raises(UsageError):
        check_user(user)


@pytest.mark.parametrize("password", ["", "a\nb", "a\x00b", "x" * 73, "ü" * 37])
def test_a_password_that_bcrypt_does_not_take_is_refused_without_being_shown(password: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_password(password)
    assert not password or password not in str(caught.value)


def test_names_and_passwords_of_any_language_are_accepted() -> None:
    assert check_user("jürgen@example.com") == "jürgen@example.com"
    assert check_password("ü" * 36) == "ü" * 36


def test_without_bcrypt_the_error_has_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bcrypt", None)
    with pytest.raises(LocalregError) as caught:
        Htpasswd().with_user("ci", "secret")
    assert caught.value.hint == "pip install 'localreg-cli[auth]'"
