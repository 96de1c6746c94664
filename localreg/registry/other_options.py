"""Options for a registry that exists with others."""

from __future__ import annotations

from dataclasses import asdict

from localreg.errors import OptionsDifferError
from localreg.registry.container import Registry
from localreg.registry.options import RegistryOptions
from localreg.registry.request import UpRequest
from localreg.system.command_line import CommandLine


def refuse_other_options(registry: Registry, request: UpRequest) -> None:
    """Refuse options that differ from those of an existing registry.

    Raises:
        OptionsDifferError: some do; the hint has the command that changes them.
    """
    options = registry.options
    differing = request.asked.differing(options)
    if not differing:
        return
    raise OptionsDifferError(
        f"registry `{request.name}` exists with other options",
        hint=CommandLine("up", "--recreate", *_typed(request.asked)),
        details=[
            f"--{name}  requested {_shown(asked)}, is {_shown(bool(found) if isinstance(asked, bool) else found)}"
            for name in differing
            for asked, found in [(getattr(request.asked, name), getattr(options, name))]
        ],
    )


def _typed(options: RegistryOptions) -> list[str]:
    """The options as words of a command line."""
    words: list[str] = []
    for name, value in asdict(options).items():
        if isinstance(value, bool):
            words.append(f"--{name}" if value else f"--no-{name}")
        elif value is not None:
            for each in value if isinstance(value, tuple) else (value,):
                words += [f"--{name}", str(each)]
    return words


def _shown(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, tuple):
        return ", ".join(map(_shown, value))
    return ("yes" if value else "no") if isinstance(value, bool) else f"`{value}`"
