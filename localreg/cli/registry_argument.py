"""A registry that is named on the command line as `docker login` takes it."""

from __future__ import annotations

from localreg.cli.session import Session
from localreg.errors import UsageError
from localreg.registry.container import Registry
from localreg.system.command_line import CommandLine


def take_registry(session: Session, text: str | None) -> str | None:
    """Apply the name of a registry, or give back its part of a reference, which is to be checked.

    Raises:
        UsageError: it is neither.
    """
    if text is not None and ":" in text:
        return text
    session.take_name(text)
    return None


def check_location(registry: Registry, location: str | None) -> None:
    """Check that what was typed leads to this registry.

    Raises:
        UsageError: it does not.
    """
    if location is not None and not registry.is_named_by(location):
        raise UsageError(
            f"registry `{registry.container.name}` is at `{registry.get_location()}`, not at `{location}`",
            hint=CommandLine("status", "--all"),
        )
