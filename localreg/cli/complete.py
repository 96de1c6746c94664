"""TAB completion: commands, options, choices, images of the engine, references in the registry.

The shells' scripts (`localreg completion`) call `localreg __complete WORD...` with the words up to the cursor; the last
one may be empty. Each line of the answer is a word, a TAB and a description. On any error the answer is empty.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import typer

from localreg.cli.command_list import SUBCOMMANDS
from localreg.cli.commands import BESIDE, Commands
from localreg.clients.trust import CLIENTS
from localreg.engines.discovery.probe import Answer
from localreg.engines.discovery.quick_look import SECONDS, list_image_names, quick_look
from localreg.errors import LocalregError
from localreg.registry.container import OPTIONS_LABEL, is_ours, location_at, url_of
from localreg.registry.defaults import default_volume
from localreg.registry.options import RegistryOptions
from localreg.settings import resolve

if TYPE_CHECKING:
    from localreg.tunnels.spec import TunnelSpec

_MOST_REPOSITORIES = 50
"""With more repositories than this, localreg offers their names without tags."""
_IMAGES = frozenset({"push", "tag"})
_REFERENCES = frozenset({"pull", "rm", "ls", "inspect", "du", "save", "copy"})
_NAMED = frozenset({"up", "down", "status", "url", "env", "logs", "gc", "login", "logout"})
_WORDS = {
    "completion": ("bash", "zsh", "fish"),
    "ci": ("bitbucket", "github", "gitlab", "shell"),
    **dict.fromkeys(("trust", "untrust"), tuple(CLIENTS)),
}

Candidate = tuple[str, str]
"""A word and its description."""


def complete(program: typer.Typer, words: Sequence[str]) -> str:
    """Answer a shell.

    Args:
        program: The program.
        words: The words after `localreg`, up to the cursor.
    """
    *before, last = [part for word in words for part in _split(word)] or [""]
    # The text before the value of `--option=value` stays before each value.
    kept = words[-1].removesuffix(last) if words else ""
    found: list[Candidate] = []
    with contextlib.suppress(Exception):
        found = list(_candidates(typer.main.get_command(program), before, last))
    return "\n".join(f"{kept}{value}\t{about}" for value, about in found if value.startswith(last))


def _split(word: str) -> list[str]:
    """`--option=value` as two words."""
    return word.split("=", 1) if word.startswith("--") else [word]


def _candidates(program: Any, before: Sequence[str], word: str) -> Iterator[Candidate]:
    group, context = program, program.make_context("localreg", [], resilient_parsing=True)
    command, options = "", _options_of(group, context)
    typed: dict[str, str] = {}
    awaited = None
    for earlier in before:
        if awaited is not None:
            typed[str(awaited.name)], awaited = earlier, None
        elif earlier.startswith("-"):
            option = options.get(earlier)
            awaited = option if option is not None and not option.is_flag else None
        elif isinstance(group, Commands) and earlier in group.summaries:
            command = group.name_in_full(earlier)
            group = group.get_command(context, earlier)
            options = _options_of(group, context)
        elif f"{command} {earlier}" in BESIDE:
            command = f"{command} {earlier}"
            group = program.get_command(context, command)
            options = _options_of(group, context)
    if awaited is not None:
        yield from ((str(choice), "") for choice in getattr(awaited.type, "choices", ()))
        yield from _registries(typed) if awaited.name == "name" else ()
    elif word.startswith("-"):
        yield from ((name, option.help or "") for name, option in options.items() if name.startswith("--"))
    elif isinstance(group, Commands):
        yield from group.summaries.items()
    else:
        yield from _words_of(command, typed, word)


def _words_of(command: str, typed: dict[str, str], word: str) -> Iterator[Candidate]:
    """The words that a command accepts as an argument."""
    if command in _IMAGES | _REFERENCES:
        yield from _stored(command, typed, word)
    elif command in _NAMED:
        yield from _registries(typed)
    elif command == "tunnel close":
        yield from ((spec.host, "") for spec in _open_tunnels())
    elif command == "doctor":
        yield from _checks()
    elif command in _WORDS:
        yield from ((choice, "") for choice in _WORDS[command])


def _checks() -> Iterator[Candidate]:
    from localreg.doctor.checks import CHECKS  # noqa: PLC0415 -- for this one command

    yield from ((check.name, check.summary) for check in CHECKS)
    yield from SUBCOMMANDS["doctor"].items()


def _ignore(_problem: LocalregError) -> None:
    """Leave a setting out that has a problem: the command will report it."""


def _registries(typed: dict[str, str]) -> Iterator[Candidate]:
    """The registries that localreg created on the engine that it would use."""
    settings = resolve({key: value for key, value in typed.items() if key == "engine"}, report=_ignore)
    name = settings["name"].value
    answer = quick_look(settings["engine"].value, name=name, volume=default_volume(name))
    for container in answer.containers if answer else ():
        yield from ((own, "") for own in container.names if is_ours(container.labels))


def _options_of(command: Any, context: Any) -> dict[str, Any]:
    return {
        name: param for param in command.get_params(context) if param.param_type_name == "option" for name in param.opts
    }


def _open_tunnels() -> Iterator[TunnelSpec]:
    from localreg.tunnels.files import iter_tunnel_files  # noqa: PLC0415 -- for this one command

    # Asking the processes of the tunnels could be slow.
    yield from filter(None, (files.read() for files in iter_tunnel_files()))


def _stored(command: str, typed: dict[str, str], word: str) -> Iterator[Candidate]:
    settings = resolve({key: value for key, value in typed.items() if key in ("engine", "name")}, report=_ignore)
    name = settings["name"].value
    answer = quick_look(settings["engine"].value, name=name, volume=default_volume(name))
    if answer is None:
        return
    if command in _IMAGES:
        # Podman adds `localhost/` to short names; localreg accepts both forms.
        yield from ((image.removeprefix("localhost/"), "") for image in list_image_names(answer))
    else:
        yield from ((reference, "") for reference in _references(answer, name, word))


def _references(answer: Answer, registry: str, word: str) -> Iterator[str]:
    from localreg.oci.api import RegistryClient  # noqa: PLC0415 -- loads urllib3
    from localreg.registry.client import access_to  # noqa: PLC0415 -- the same
    from localreg.registry.tls import tls_in  # noqa: PLC0415 -- loads ssl

    container = answer.find(registry)
    if container is None or not container.published or answer.endpoint.is_remote:
        return
    address = container.published[0]
    near = replace(address, host="127.0.0.1") if address.is_wildcard else address
    names = {str(address), *([f"localhost:{near.port}", str(near)] if near.is_loopback else [])}
    # A registry that the word begins with stays before each of its references.
    host = next((f"{name}/" for name in names if word.startswith(f"{name}/")), "")
    repository = word.removeprefix(host).partition(":")[0]
    tls = tls_in(container.labels)
    url, ca = url_of(near, tls=tls is not None), tls.ca if tls else None
    options = RegistryOptions.from_json(container.labels.get(OPTIONS_LABEL))
    access = access_to(location_at(near)) if options.auth else None
    with RegistryClient(url, timeout=SECONDS, access=access, ca=ca) as client:
        repositories = [found for found in client.iter_repositories() if found.startswith(repository)]
        if len(repositories) > _MOST_REPOSITORIES:
            yield from (f"{host}{found}" for found in repositories)
            return
        for found in repositories:
            with contextlib.suppress(LocalregError):
                yield from (f"{host}{found}:{tag}" for tag in sorted(client.list_tags(found)))
