"""What a registry's environment and configuration file say about its storage, as far as garbage collection must know.

The file is YAML, but only a few words of it matter. They are searched in its text, and each doubt is decided for the
safe side: an unused section that names a cache counts as one. A parser would be one more dependency, and would not know
what Distribution makes of a word.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from urllib.parse import urlsplit

from localreg.engines.port import ContainerRuntime
from localreg.errors import EngineError, EngineLostError
from localreg.registry.container import DATA_FOLDER, Registry

FILESYSTEM = "filesystem"
_PATHS = ("/etc/docker/registry/config.yml", "/etc/distribution/config.yml")
"""Where the images of Distribution 2 and 3 have it."""
_PATH_VARIABLE = "REGISTRY_CONFIGURATION_PATH"
CACHE_VARIABLE = "REGISTRY_STORAGE_CACHE_BLOBDESCRIPTOR"
_SECTIONS = ("REGISTRY_STORAGE", "REGISTRY_PROXY")
_REDIS = "redis"
_CACHES = frozenset({"inmemory", _REDIS})
"""Distribution ignores any other word."""
_DRIVERS = ("azure", FILESYSTEM, "gcs", "inmemory", "oss", "s3", "s3aws", "swift")

_COMMENT = re.compile(r"(?:^|(?<=\s))#.*$", re.MULTILINE)
_QUOTE = r"[\"']?"
_VALUE = rf"{_QUOTE}([^\s\"',}}{{\[\]]*)"
_CACHE_KEY = re.compile(rf"\b(?:blobdescriptor|layerinfo){_QUOTE}[ \t]*:[ \t]*{_VALUE}")
_CACHE_SECTION = re.compile(rf"\bcache{_QUOTE}[ \t]*:")
_DRIVER = re.compile(
    rf"(?:^[ \t]*|[{{,][ \t]*|^storage:[ \t]+){_QUOTE}({'|'.join(_DRIVERS)}){_QUOTE}[ \t]*(?::|$)", re.MULTILINE
)
_ROOT = re.compile(rf"\brootdirectory{_QUOTE}[ \t]*:[ \t]*{_VALUE}")
_UPSTREAM = re.compile(rf"\bremoteurl{_QUOTE}[ \t]*:[ \t]*{_VALUE}")
_READ_ONLY = re.compile(rf"\breadonly{_QUOTE}[ \t]*:\s*[{{]?\s*{_QUOTE}enabled{_QUOTE}[ \t]*:[ \t]*{_QUOTE}true\b")


@dataclass(frozen=True, slots=True)
class DistributionSettings:
    """The settings of a registry's storage."""

    has_cache: bool
    """It remembers which blobs it has (`blobdescriptor`); also if that is not known."""
    upstream: str | None
    """The host of the registry that it is a cache of; None if it is not one, as far as known."""
    driver: str
    """The name of its storage driver, such as `filesystem` or `s3`."""
    root_directory: str
    """The folder in the container that it stores its images in."""
    is_read_only: bool
    keeps_cache: bool = False
    """The cache is in Redis, so that it is still there after a restart of the registry."""


def read_settings(engine: ContainerRuntime, registry: Registry) -> DistributionSettings:
    """Read the settings of a running registry.

    A file that cannot be read counts as the one that images of Distribution have.

    Raises:
        EngineLostError: the engine stopped responding.
    """
    container = registry.container
    return settings_of(container.environment, _read_file(engine, container.id, _paths(registry)))


def settings_of(environment: Mapping[str, str], file: str | None) -> DistributionSettings:
    """The settings that an environment and a configuration file amount to.

    Args:
        environment: Of the container. A variable counts more than the file.
        file: Its text; None if it cannot be read.
    """
    text = "\n".join([_COMMENT.sub("", file or ""), *_as_lines(environment)])
    cache = environment.get(CACHE_VARIABLE)
    drivers = [driver for driver in _DRIVER.findall(text) if driver != FILESYSTEM]
    upstream = _last(_UPSTREAM, text)
    return DistributionSettings(
        has_cache=(file is None or _may_cache(text)) if cache is None else cache.strip("\"' ") in _CACHES,
        upstream=(urlsplit(upstream).hostname or "another registry") if upstream else None,
        driver=drivers[-1] if drivers else FILESYSTEM,
        root_directory=_last(_ROOT, text) or DATA_FOLDER,
        is_read_only=_READ_ONLY.search(text) is not None,
        keeps_cache=_may_be_in_redis(text) if cache is None else cache.strip("\"' ") == _REDIS,
    )


def _as_lines(environment: Mapping[str, str]) -> list[str]:
    """The variables as lines like those of a file. Distribution also applies the shorter names first."""
    return [
        f"{name.removeprefix('REGISTRY_').lower().replace('_', ': ')}: {value}"
        for name, value in sorted(environment.items())
        if name.startswith(_SECTIONS)
    ]


def _may_cache(text: str) -> bool:
    found = _CACHE_KEY.findall(text)
    if not found:
        # A section whose key is written in a way that is not understood may name a cache.
        return _CACHE_SECTION.search(text) is not None
    return any(value in _CACHES or _is_unclear(value) for value in found)


def _may_be_in_redis(text: str) -> bool:
    found = _CACHE_KEY.findall(text)
    return _REDIS in found or (_REDIS in text and any(map(_is_unclear, found or [""])))


def _is_unclear(value: str) -> bool:
    """An anchor, or a value on a line of its own, is not understood."""
    return not value or value[0] in "*&!|>"


def _last(pattern: re.Pattern[str], text: str) -> str | None:
    """The last value of a key that is not empty."""
    return next((value for value in reversed(pattern.findall(text)) if value), None)


def _paths(registry: Registry) -> tuple[str, ...]:
    """Where the configuration file may be: its path is an argument or a variable, or it is the image's."""
    container = registry.container
    named = [*(word for word in container.command[1:] if word.endswith((".yml", ".yaml")))]
    named += filter(None, [container.environment.get(_PATH_VARIABLE)])
    return tuple(named[:1]) or _PATHS


def _read_file(engine: ContainerRuntime, container_id: str, paths: Sequence[str]) -> str | None:
    def by_shell(path: str) -> bytes | None:
        # It stays open for what follows.
        return b"".join(engine.run_in_container(container_id, ["cat", path]))

    def by_archive(path: str) -> bytes | None:
        return engine.read_file(container_id, path)

    for read, path in product((by_shell, by_archive), paths):
        try:
            found = read(path)
        except EngineLostError:
            raise
        except EngineError:
            continue
        if found is not None:
            return found.decode(errors="replace")
    return None
