"""Reading the config of an image: its platform, how a container of it starts, and the history of its layers.

See https://github.com/opencontainers/image-spec/blob/main/config.md; Docker's has the same fields.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from localreg.oci.manifest import UNREADABLE, Platform, read_platform


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One step of a build."""

    created: datetime | None = None
    """Aware."""
    created_by: str = ""
    """The command, such as the line of a Dockerfile."""
    comment: str = ""
    author: str = ""
    is_empty: bool = False
    """It made no layer."""


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """The config of an image; a part that is missing or invalid is empty."""

    platform: Platform | None = None
    created: datetime | None = None
    """Aware; None if it has no time, or the zero time of a reproducible build."""
    _content: Mapping[str, Any] = field(default_factory=dict)

    @property
    def entrypoint(self) -> tuple[str, ...]:
        """The start of the container's command line."""
        return _texts(self._runs.get("Entrypoint"))

    @property
    def command(self) -> tuple[str, ...]:
        """The rest of the command line, unless another is given."""
        return _texts(self._runs.get("Cmd"))

    @property
    def environment(self) -> tuple[str, ...]:
        """The variables, each as `NAME=VALUE`."""
        return _texts(self._runs.get("Env"))

    @property
    def user(self) -> str:
        """The user, and maybe the group, that the command runs as."""
        return _text(self._runs.get("User"))

    @property
    def working_folder(self) -> str:
        """The folder that the command starts in."""
        return _text(self._runs.get("WorkingDir"))

    @property
    def ports(self) -> tuple[str, ...]:
        """The ports that it listens on, such as `8080/tcp`."""
        return tuple(sorted(_mapping(self._runs.get("ExposedPorts"))))

    @property
    def volumes(self) -> tuple[str, ...]:
        """The folders that an engine makes volumes for."""
        return tuple(sorted(_mapping(self._runs.get("Volumes"))))

    @property
    def stop_signal(self) -> str:
        """The signal that ends it."""
        return _text(self._runs.get("StopSignal"))

    @property
    def labels(self) -> dict[str, str]:
        """Its labels, by name."""
        return {str(name): _text(value) for name, value in sorted(_mapping(self._runs.get("Labels")).items())}

    @property
    def history(self) -> tuple[HistoryEntry, ...]:
        """The steps that made it, the first one first."""
        return tuple(
            HistoryEntry(
                read_time(step.get("created")),
                _text(step.get("created_by")),
                _text(step.get("comment")),
                _text(step.get("author")),
                bool(step.get("empty_layer")),
            )
            for step in map(_mapping, _list(self._content.get("history")))
        )

    @property
    def _runs(self) -> Mapping[str, Any]:
        return _mapping(self._content.get("config"))


def parse_config(data: bytes) -> ImageConfig:
    """Read an image's config; empty if it is not valid."""
    try:
        found = json.loads(data)
        return ImageConfig(read_platform(found), read_time(found.get("created")), found)
    except UNREADABLE:
        return ImageConfig()


def read_time(text: object) -> datetime | None:
    """Read RFC 3339; None if there is no time, or the zero time of a reproducible build."""
    try:
        moment = datetime.fromisoformat(str(text)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if moment.year > 1 else None


def _mapping(found: object) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}


def _list(found: object) -> Sequence[Any]:
    return found if isinstance(found, list) else ()


def _texts(found: object) -> tuple[str, ...]:
    return tuple(map(_text, _list(found)))


def _text(found: object) -> str:
    return "" if found is None else str(found)
