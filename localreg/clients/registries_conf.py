"""Podman's `registries.conf` and its drop-ins: what they say of a registry, and our entries among them.

See containers-registries.conf(5) and containers-registries.conf.d(5).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit
import tomlkit.exceptions

from localreg.errors import ConfigError

ETC = Path("/etc/containers")
_FOLDER = "registries.conf.d"
_HEADER = "# Written by `localreg podman-fix`; `localreg podman-fix --remove` takes it away again.\n"


@dataclass(frozen=True, slots=True)
class Entry:
    """One `[[registry]]` table."""

    prefix: str
    """What a reference begins with to be meant; the location where no prefix is named."""
    insecure: bool
    path: Path
    """The file it is in."""

    def covers(self, location: str) -> bool:
        """Whether references to this registry are meant."""
        return location == self.prefix or location.startswith((f"{self.prefix}/", f"{self.prefix}:"))


def user_folder(home: Path) -> Path:
    """The user's own configuration; Podman before 6 does not look into XDG_CONFIG_HOME for it."""
    return home / ".config" / "containers"


def list_files(environ: Mapping[str, str], *, etc: Path = ETC) -> list[Path]:
    """Every file that Podman reads, in its order: of two entries with the same prefix the later one counts.

    A user's own `registries.conf` hides the system's drop-ins, but for a variable that names another main file.
    """
    home = environ.get("HOME")
    user = user_folder(Path(home)) if home else None
    user_main = user / "registries.conf" if user and (user / "registries.conf").exists() else None
    named = environ.get("CONTAINERS_REGISTRIES_CONF") or environ.get("REGISTRIES_CONFIG_PATH")
    main = Path(named) if named else user_main or etc / "registries.conf"
    folders = [*([] if user_main else [etc]), *([user] if user else [])]
    drop_ins = [path for folder in folders for path in sorted((folder / _FOLDER).glob("*.conf"))]
    return [path for path in [main, *drop_ins] if path.is_file()]


def drop_in(folder: Path) -> Path:
    """Our file in a folder of Podman's configuration."""
    return folder / _FOLDER / "50-localreg.conf"


def read_text(path: Path) -> str:
    """The text of a file; empty where there is none.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"cannot read `{path}`: {getattr(exc, 'strerror', None) or exc}") from exc


def parse_entries(text: str, path: Path) -> list[Entry]:
    """The entries of a file.

    Raises:
        ConfigError: it is no TOML, or not what Podman expects; Podman then refuses to work as well.
    """
    try:
        found: Any = tomlkit.parse(text).unwrap().get("registry", [])
        return [
            Entry(str(table.get("prefix") or table["location"]), bool(table.get("insecure")), path) for table in found
        ]
    except tomlkit.exceptions.TOMLKitError as exc:
        raise ConfigError(f"`{path}` is no valid TOML: {exc}", hint="mend it: podman cannot read it either") from exc
    except (LookupError, TypeError, AttributeError) as exc:
        raise ConfigError(
            f"`{path}` has a [[registry]] without a location", hint="mend it: podman refuses it, too"
        ) from exc


def find_effective(entries: Iterable[Entry], location: str) -> Entry | None:
    """The entry that counts for a registry: the longest prefix, and of two alike the later.

    Args:
        entries: Of all files, in Podman's order.
        location: `host:port`.
    """
    by_prefix = {entry.prefix: entry for entry in entries if entry.covers(location)}
    return max(by_prefix.values(), key=lambda entry: len(entry.prefix), default=None)


def add_entries(text: str, name: str, locations: Sequence[str]) -> str:
    """The text with entries that allow plain HTTP for these locations, marked as those of the registry `name`."""
    for location in locations:
        table = tomlkit.table()
        table.add("location", location)
        table["location"].comment(_mark(name))
        table.add("insecure", value=True)
        tables = tomlkit.aot()
        tables.append(table)
        text = f"{text or _HEADER}\n{tomlkit.dumps({'registry': tables}).strip()}\n"
    return text


def remove_entries(text: str, name: str, path: Path) -> str:
    """The text without the entries that are marked as those of the registry `name`, and else the same to the byte.

    Raises:
        ConfigError: somebody changed one of them, so that it cannot be told what is whose.
    """
    mark = re.escape(f" # {_mark(name)}")
    ours = re.compile(rf'\n?\[\[registry\]\]\nlocation = "[^"\n]*"{mark}\ninsecure = true\n')
    rest = ours.sub("", text)
    if re.search(rf"{mark}$", rest, re.MULTILINE) or _tables(rest) != _without_ours(text, name):
        raise ConfigError(
            f"an entry of localreg in `{path}` was changed by hand, so localreg does not remove it",
            hint=f"remove the lines around `# {_mark(name)}` in {path}",
        )
    return "" if rest.strip() in ("", _HEADER.strip()) else rest


def locations_of(text: str, name: str) -> tuple[str, ...]:
    """The locations of the entries that are marked as those of the registry `name`."""
    return tuple(re.findall(rf'^location = "([^"\n]*)" # {re.escape(_mark(name))}$', text, re.MULTILINE))


def _mark(name: str) -> str:
    return f"localreg: {name}"


def _tables(text: str) -> Any:
    return tomlkit.parse(text).unwrap()


def _without_ours(text: str, name: str) -> Any:
    found = _tables(text)
    ours = set(locations_of(text, name))
    kept: list[Any] = []
    seen: set[str] = set()
    for table in found.get("registry", []):
        if table == {"location": table.get("location"), "insecure": True} and table["location"] in ours - seen:
            seen.add(table["location"])
            continue
        kept.append(table)
    if kept or "registry" not in found:
        return {**found, "registry": kept} if kept else found
    return {key: value for key, value in found.items() if key != "registry"}
