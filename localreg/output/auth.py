"""The results of `auth add`, `auth rm` and `auth ls`; no password is in any of them."""

from __future__ import annotations

from collections.abc import Sequence

from localreg.output.streams import Renderings


def render_added(user: str, location: str, *, was_there: bool, is_own: bool) -> Renderings:
    """Lay out a user that was added, or has a new password.

    Args:
        user: The name.
        location: Of the registry.
        was_there: There was a user of that name.
        is_own: localreg logs in as this user.
    """
    done = f"User `{user}` has a new password" if was_there else f"Added user `{user}`"
    return Renderings(
        table=lambda _width: f"{done} at {location}{', which localreg also uses' if is_own else ''}",
        plain=lambda: user,
        json=lambda: {"user": user, "action": "changed" if was_there else "added", "used_by_localreg": is_own},
    )


def render_removed(user: str, location: str) -> Renderings:
    """Lay out a user that was removed from the registry at a location."""
    return Renderings(
        table=lambda _width: f"Removed user `{user}` from {location}",
        plain=lambda: user,
        json=lambda: {"removed": user},
    )


def render_users(users: Sequence[str], *, own: str | None) -> Renderings:
    """Lay out the users.

    Args:
        users: Their names.
        own: The one that localreg logs in as, if it knows a password.
    """
    return Renderings(
        table=lambda _width: "\n".join(f"{user}{'  (used by localreg)' if user == own else ''}" for user in users),
        plain=lambda: "\n".join(users),
        json=lambda: {"users": [{"user": user, "used_by_localreg": user == own} for user in users]},
    )
