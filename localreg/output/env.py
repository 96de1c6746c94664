"""The result of `env`: variables as a shell, a file or a pipeline reads them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from localreg.errors import UsageError
from localreg.output.streams import Renderings
from localreg.system.command_line import Sentence


class Shell(StrEnum):
    """Who reads the output."""

    BASH = "bash"
    """Also dash, ksh and every other POSIX shell."""
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"
    CMD = "cmd"
    DOTENV = "dotenv"
    GITHUB = "github"
    """The file that GITHUB_ENV names in a job of GitHub Actions."""


@dataclass(frozen=True, slots=True)
class _Syntax:
    set_: Callable[[str, str], str]
    unset: Callable[[str], str] | None
    """None where nothing can be unset."""
    use: str
    """How the output is read, with `{command}` for the command."""


def _posix(name: str, value: str) -> str:
    return f"export {name}={shlex.quote(value)}"


def _fish(name: str, value: str) -> str:
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"set -gx {name} '{quoted}'"


def _powershell(name: str, value: str) -> str:
    quoted = value.replace("'", "''")
    return f"$Env:{name} = '{quoted}'"


def _dotenv(name: str, value: str) -> str:
    if re.fullmatch(r"[\w.:/@+-]*", value):
        return f"{name}={value}"
    quoted = re.sub(r'([\\"$`])', r"\\\1", value)
    return f'{name}="{quoted}"'


_POSIX = _Syntax(_posix, lambda name: f"unset {name}", 'eval "$({command})"')
_SYNTAX = {
    Shell.BASH: _POSIX,
    Shell.ZSH: _POSIX,
    Shell.FISH: _Syntax(_fish, lambda name: f"set -e {name}", "{command} | source"),
    Shell.POWERSHELL: _Syntax(
        _powershell,
        lambda name: f"Remove-Item Env:{name} -ErrorAction Ignore",
        "{command} | Out-String | Invoke-Expression",
    ),
    Shell.CMD: _Syntax(
        lambda name, value: f'set "{name}={value}"',
        lambda name: f'set "{name}="',
        "for /f \"delims=\" %i in ('{command}') do @%i",
    ),
    Shell.DOTENV: _Syntax(_dotenv, None, "{command} > .env"),
    Shell.GITHUB: _Syntax(lambda name, value: f"{name}={value}", None, '{command} >> "$GITHUB_ENV"'),
}


def how_to_use(shell: Shell, command: str) -> str:
    """The command line that a shell reads the output with.

    Args:
        shell: Who reads it.
        command: The `localreg env` that was typed.
    """
    return _SYNTAX[shell].use.replace("{command}", command)


def render(variables: Mapping[str, str], shell: Shell) -> Renderings:
    """Lay out variables to be set."""
    lines = [_SYNTAX[shell].set_(name, value) for name, value in variables.items()]
    return _lines(lines, {"variables": dict(variables)})


def render_unset(names: Sequence[str], shell: Shell) -> Renderings:
    """Lay out variables to be taken back.

    Raises:
        UsageError: the file only ever sets variables.
    """
    unset = _SYNTAX[shell].unset
    if unset is None:
        raise UsageError(
            f"--unset and --shell {shell} cannot be combined", hint=Sentence("remove the lines from the file")
        )
    return _lines([unset(name) for name in names], {"variables": dict.fromkeys(names)})


def _lines(lines: Sequence[str], json: Mapping[str, object]) -> Renderings:
    text = "\n".join(lines)
    return Renderings(table=lambda _width: text, plain=lambda: text, json=lambda: json)
