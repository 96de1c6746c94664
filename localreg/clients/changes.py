"""Makes the changes of a plan, and says what to do if that fails."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from localreg.clients.file_change import ChangedMeanwhileError
from localreg.clients.port import Plan
from localreg.errors import ConfigError, reason_of
from localreg.registry.defaults import DEFAULT_NAME
from localreg.system.command_line import CommandLine, as_root

SYSTEM = "system"
"""The system's store of certificates, which an option names on the command line."""


def make_changes(plan: Plan) -> None:
    """Make all changes of a plan, in order; each is atomic.

    Raises:
        ConfigError: a file cannot be written, or has changed since the plan was made.
    """
    for change in plan.changes:
        try:
            change.make()
        except ChangedMeanwhileError as exc:
            raise ConfigError(f"another program changed `{change.path}`", hint=CommandLine(*words_of(plan))) from exc
        except OSError as exc:
            verb = "remove" if change.after is None else "write"
            raise ConfigError(
                f"cannot {verb} `{change.path}`: {reason_of(exc)}", hint=_cure(plan, change.path, exc)
            ) from exc


def option_of(client: str) -> str:
    """A client as the commands take it."""
    return "--system" if client == SYSTEM else client


def words_of(plan: Plan) -> list[str]:
    """The words after `localreg` for the same change, independent of the engines that another user can reach."""
    target = plan.target
    client = option_of(plan.client)
    name = [] if target.name == DEFAULT_NAME else ["--name", target.name]
    ca = ["--ca", str(target.ca_file)] if target.ca_file else []
    if not target.locations:
        return [*name, "untrust", client, *ca]
    places = [word for place in target.locations for word in ("--location", place)]
    return [*name, "trust", client, *places, *ca]


def _cure(plan: Plan, path: Path, error: OSError) -> str:
    is_forbidden = error.errno in (errno.EACCES, errno.EPERM)
    if is_forbidden and os.geteuid() != 0 and not path.is_relative_to(Path.home()):
        return as_root(*words_of(plan))
    return CommandLine(*words_of(plan), "--dry-run")
