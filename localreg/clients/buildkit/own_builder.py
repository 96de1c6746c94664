"""The builder of localreg for `docker buildx`: on the host's network, with a configuration that localreg keeps.

The configuration exists as long as the builder, so it says whether a builder of that name is localreg's.
"""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from localreg.clients.buildkit.builders import (
    NAME,
    Builder,
    create_builder,
    create_words,
    list_builders,
    registries_of,
    remove_builder,
)
from localreg.clients.buildkit.buildkitd_toml import FILE, list_entries, plan_file
from localreg.clients.marked_block import read_text
from localreg.clients.port import Machine, Obstacle, Plan, Target
from localreg.system.address import is_loopback
from localreg.system.command_line import Sentence
from localreg.system.data_folder import data_folder


class OwnBuilder:
    """The builder, which may not exist yet."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def plan(self, target: Target) -> Plan:
        """The part of a plan for it; it has an entry for each location, so that it exists as long as one of them."""
        if not self._is_ours:
            return Plan("buildkit", target, obstacles=(_taken(),) if target.locations else ())
        # Its parser takes no brackets in the name of a table (tried with 0.29).
        unread = [place for place in target.locations if place.startswith("[")]
        told = replace(target, locations=tuple(place for place in target.locations if place not in unread))
        changes = plan_file(self._file, told, list_entries(self._file, told))
        return Plan(
            "buildkit",
            target,
            changes=tuple(changes),
            files=(self._file,) if told.locations else (),
            obstacles=tuple(map(_unread, unread)),
            notes=tuple(self._list_notes(target)),
            cures=(f"docker buildx use {NAME}",) if changes and told.locations else (),
        )

    @contextlib.contextmanager
    def kept_up(self, plan: Plan) -> Iterator[None]:
        """Bring it to its configuration, which is changed meanwhile.

        Raises:
            ConfigError: `docker buildx` refuses it.
        """
        # First the builder, because without its configuration it would not be localreg's.
        is_last = any(change.path == self._file and change.after is None for change in plan.changes)
        if is_last and self._find() is not None:
            remove_builder(self._machine, keep_cache=False)
        yield
        builder = self._find()
        if self._file.exists() and not self._is_current(builder):
            if builder is not None:
                remove_builder(self._machine, keep_cache=True)
            create_builder(self._machine, self._file)

    @property
    def _file(self) -> Path:
        folder = data_folder(self._machine.environ) or self._machine.root / "root/.local/share/localreg"
        return folder / "buildkit" / FILE

    @property
    def _is_ours(self) -> bool:
        return self._file.exists() or self._find() is None

    def _find(self) -> Builder | None:
        return next((builder for builder in list_builders(self._machine) if builder.name == NAME), None)

    def _is_current(self, builder: Builder | None) -> bool:
        """Whether it was made with the configuration as it is now, and the certificates that this names."""
        wanted = registries_of(read_text(self._file))
        return builder is not None and builder.on_host and builder.registries == wanted

    def _list_notes(self, target: Target) -> Iterator[str]:
        """What the user should know of the builders that stay as they are."""
        if not any(map(is_loopback, target.locations)):
            return
        for builder in list_builders(self._machine):
            if builder.name != NAME and not builder.on_host:
                yield (
                    f"the builder `{builder.name}` is a container with a localhost of its own; "
                    f"`docker buildx use {NAME}` makes builds use one that reaches the registry"
                )


def _unread(place: str) -> Obstacle:
    what = f"cannot use {place} in a builder, because docker buildx reads no IPv6 address in its configuration"
    return Obstacle(what, Sentence("use a name or an IPv4 address of the registry"))


def _taken() -> Obstacle:
    other = shlex.join(create_words(None, name="NAME"))
    cure = Sentence(f"remove it with `docker buildx rm {NAME}`, or make another: {other}")
    return Obstacle(f"has a builder `{NAME}` that localreg did not make", cure)
