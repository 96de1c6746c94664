"""Options that can be set once: flag > environment > the project's file > the user's file > default.

A project's file comes with a clone from strangers, so it can set only harmless options. Importing this reads nothing.
"""

from __future__ import annotations

import difflib
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localreg.errors import ConfigError, LocalregError, UsageError, reason_of
from localreg.registry.defaults import DEFAULT_HOST, DEFAULT_IMAGE, DEFAULT_NAME, DEFAULT_PORT, DEFAULT_WAIT_SECONDS
from localreg.registry.options import PullPolicy, check_image, check_name, read_host, read_volume
from localreg.system.address import LAST_PORT
from localreg.system.command_line import CommandLine, Sentence

FLAG = "flag"
DEFAULT = "default"
PROJECT_FILE = "localreg.toml"
_PYPROJECT = "pyproject.toml"
VARIABLES = "LOCALREG_"
"""How the variables begin."""
_TRUE, _FALSE = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off"})

_Report = Callable[[LocalregError], None]


class _InvalidError(Exception):
    """A value is invalid; the text says which ones are valid."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One option that can be set."""

    name: str
    """The option without its dashes."""
    read: Callable[[object], Any]
    """Reads a value from the environment or a file; raises if it is invalid."""
    default: object
    in_project: bool = False
    """A project's file can set it."""

    @property
    def variable(self) -> str:
        """Its environment variable."""
        return f"{VARIABLES}{self.name.upper().replace('-', '_')}"


@dataclass(frozen=True, slots=True)
class Value:
    """The value of a setting and its source."""

    value: Any
    source: str
    """`flag`, `default`, a variable's name, or the path of a file."""


def _choice(*words: str) -> Callable[[object], str]:
    def read(found: object) -> str:
        if found not in words:
            raise _InvalidError(f"one of {', '.join(words)}")
        return str(found)

    return read


def _flag(found: object) -> bool:
    if isinstance(found, bool):
        return found
    if str(found).lower() not in _TRUE | _FALSE:
        raise _InvalidError("true or false")
    return str(found).lower() in _TRUE


def _port(found: object) -> int:
    if isinstance(found, bool) or not re.fullmatch(r"[0-9]{1,5}", str(found)) or not 0 < int(str(found)) <= LAST_PORT:
        raise _InvalidError(f"a number from 1 to {LAST_PORT}")
    return int(str(found))


def _seconds(found: object) -> float:
    try:
        seconds = math.nan if isinstance(found, bool) else float(str(found))
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise _InvalidError("a number of seconds above 0")
    return seconds


def _text(check: Callable[[str], Any]) -> Callable[[object], Any]:
    """Text that is read by a function, or only checked by one that returns nothing."""

    def read(found: object) -> Any:
        if not isinstance(found, str):
            raise _InvalidError("text")
        checked = check(found)
        return found if checked is None else checked

    return read


def _file(text: str) -> Path:
    try:
        return Path(text).expanduser()  # no shell has expanded the `~` of a settings file
    except RuntimeError as exc:
        raise _InvalidError("a path; the user after `~` does not exist") from exc


SETTINGS = (
    Setting("engine", _choice("auto", "docker", "podman"), "auto"),
    Setting("name", _text(check_name), DEFAULT_NAME, in_project=True),
    Setting("format", _choice("table", "plain", "json"), None, in_project=True),
    Setting("json", _flag, default=False),
    Setting("quiet", _flag, default=False),
    Setting("debug", _flag, default=False),
    Setting("port", _port, DEFAULT_PORT, in_project=True),
    Setting("host", _text(read_host), DEFAULT_HOST),
    Setting("image", _text(check_image), DEFAULT_IMAGE),
    Setting("volume", _text(read_volume), None),
    Setting("ephemeral", _flag, default=False),
    Setting("tls", _flag, default=False, in_project=True),
    Setting("auth", _flag, default=False),
    Setting("pull", lambda found: PullPolicy(_choice(*PullPolicy)(found)), PullPolicy.MISSING),
    Setting("image-archive", _text(_file), None),
    Setting("wait", _seconds, DEFAULT_WAIT_SECONDS),
)
"""All settings; `--help` explains them. Options that force, delete or replace something cannot be set."""

_BY_NAME = {setting.name: setting for setting in SETTINGS}
_EXCLUSIVE = (("volume", "ephemeral"), ("image", "image-archive"), ("format", "json"))
"""Options that exclude each other; the one with the higher precedence wins."""


def resolve(
    given: Mapping[str, object],
    *,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
    report: _Report | None = None,
) -> dict[str, Value]:
    """Find the value of every setting.

    Args:
        given: The typed options, by the setting's name.
        environ: The environment; the process's own by default.
        folder: The start of the search for the project's file; the current folder by default.
        report: Gets each problem in the environment and the files; what has one is left out. By default, the first
            problem is raised.

    Raises:
        UsageError: a variable has an invalid value.
        ConfigError: a file cannot be read, is not TOML, or has an unknown, invalid or forbidden setting.
    """
    environ = os.environ if environ is None else environ
    report = report or _raise
    sources = [{name: Value(value, FLAG) for name, value in given.items()}, dict(_from_environment(environ, report))]
    try:
        project = find_project_file(folder)
    except ConfigError as exc:
        report(exc)
        project = None
    if project is not None:
        sources.append(dict(_read_file(project, report, is_project=True)))
    user = user_file(environ)
    if user is not None and _is_file(user):
        sources.append(dict(_read_file(user, report, is_project=False)))
    found: dict[str, Value] = {}
    for source in sources:
        hidden = {other for pair in _EXCLUSIVE for other in pair if set(pair) & found.keys()}
        found |= {name: value for name, value in source.items() if name not in hidden | found.keys()}
    return {setting.name: found.get(setting.name, Value(setting.default, DEFAULT)) for setting in SETTINGS}


def _raise(error: LocalregError) -> None:
    raise error


def _from_environment(environ: Mapping[str, str], report: _Report) -> Iterator[tuple[str, Value]]:
    """The settings in the environment; an empty variable counts as unset."""
    for setting in SETTINGS:
        text = environ.get(setting.variable)
        if text:
            try:
                yield setting.name, _read_variable(setting, text)
            except UsageError as exc:
                report(exc)


def _read_variable(setting: Setting, text: str) -> Value:
    try:
        return Value(setting.read(text), setting.variable)
    except (_InvalidError, LocalregError) as exc:
        raise UsageError(f"{setting.variable} is `{text}`: {_why(exc)}", hint=f"unset {setting.variable}") from exc


def _why(error: Exception) -> str:
    return error.message if isinstance(error, LocalregError) else f"it must be {error}"


def find_project_file(folder: Path | None = None) -> Path | None:
    """The nearest `localreg.toml`, or `pyproject.toml` with a table `[tool.localreg]`, in this folder or above."""
    try:
        start = (folder or Path.cwd()).resolve()
    except OSError:  # the current folder was removed
        return None
    for above in (start, *start.parents):
        if _is_file(above / PROJECT_FILE):
            return above / PROJECT_FILE
        pyproject = above / _PYPROJECT
        if _is_file(pyproject) and "localreg" in _parse(pyproject).get("tool", {}):
            return pyproject
    return None


def user_file(environ: Mapping[str, str]) -> Path | None:
    """The user's own file, which may not exist; None for a user without a home."""
    configured, home = environ.get("XDG_CONFIG_HOME", ""), environ.get("HOME")
    if Path(configured).is_absolute():
        return Path(configured) / "localreg" / "config.toml"
    return Path(home) / ".config" / "localreg" / "config.toml" if home else None


def _is_file(path: Path) -> bool:
    """The file exists, and its folder is accessible."""
    try:
        return path.is_file()
    except OSError:
        return False


def _parse(path: Path) -> dict[str, Any]:
    import tomllib  # noqa: PLC0415 -- most people have no such file

    try:
        return tomllib.loads(path.read_bytes().decode())
    except OSError as exc:
        raise ConfigError(f"cannot read `{path}`: {reason_of(exc)}") from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"`{path}` is not UTF-8") from exc
    except (ValueError, RecursionError) as exc:
        raise ConfigError(f"`{path}` is not valid TOML: {str(exc)[:1].lower()}{str(exc)[1:]}") from exc


def _read_file(path: Path, report: _Report, *, is_project: bool) -> Iterator[tuple[str, Value]]:
    try:
        table = _read_table(path)
    except ConfigError as exc:
        report(exc)
        return
    for key, value in table.items():
        try:
            yield key, _read_key(path, key, value, is_project=is_project)
        except ConfigError as exc:
            report(exc)


def _read_table(path: Path) -> dict[str, Any]:
    found = _parse(path)
    table = found["tool"]["localreg"] if path.name == _PYPROJECT else found
    if not isinstance(table, dict):
        raise ConfigError(f"`tool.localreg` in `{path}` must be a table")
    return table


def _read_key(path: Path, key: str, value: object, *, is_project: bool) -> Value:
    setting = _BY_NAME.get(key)
    place = f"`{path}`{_line_of(path, key)}"
    if setting is None:
        near = difflib.get_close_matches(key, _BY_NAME, n=1)
        raise ConfigError(
            f"{place}: unknown setting `{key}`", hint=Sentence(f"use `{near[0]}`") if near else CommandLine("config")
        )
    if is_project and not setting.in_project:
        raise ConfigError(
            f"{place}: a project file cannot set `{key}`",
            hint=Sentence(f"set {setting.variable}, or use your own config.toml"),
        )
    try:
        return Value(setting.read(value), str(path))
    except (_InvalidError, LocalregError) as exc:
        raise ConfigError(f"{place}: `{key}` is `{value}`: {_why(exc)}") from exc


def _line_of(path: Path, key: str) -> str:
    """The line of a key, found by a simple search because the parser does not tell; empty if not found."""
    table, wanted = "", "tool.localreg" if path.name == _PYPROJECT else ""
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
        if header := re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", line):
            table = header.group(1).replace('"', "").replace("'", "").replace(" ", "")
        elif table == wanted and re.match(rf"""\s*["']?{re.escape(key)}["']?\s*[=.]""", line):
            return f", line {number}"
    return ""
