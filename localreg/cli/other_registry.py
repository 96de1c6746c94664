"""References to another registry than the one that a command works on. localreg never redirects them to its own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping

from localreg.engines.discovery import select
from localreg.engines.discovery.select import Selection
from localreg.errors import LocalregError, OtherRegistryError, UsageError
from localreg.oci.reference import find_reference
from localreg.registry.container import Registry
from localreg.registry.status import SeenRegistry, find_registry_named_by
from localreg.system.address import Address
from localreg.system.command_line import CommandLine

_SHORT_NAME = "localhost"
"""Podman's registry for images that are in none."""


def registry_in(reference: str | None) -> str | None:
    """The registry that a reference names; None if it names none, or is not a reference."""
    named = find_reference(reference or "")
    return None if named is None or named.registry == _SHORT_NAME else named.registry


def local_registry_in(image: str) -> str | None:
    """The registry on this machine that the name of an image of the engine begins with.

    Any other registry in it, such as `ghcr.io`, only tells where the image came from.
    """
    named = find_reference(image)
    return registry_in(image) if named and Address(named.host, 0).is_loopback else None


def refuse_other_registries(
    selection: Selection,
    registry: Registry,
    named: Mapping[str, str | None],
    again: Callable[[str, str], CommandLine],
    instead: Callable[[str, str], CommandLine] | None = None,
) -> None:
    """Refuse references to another registry before touching any image.

    Args:
        selection: The engine of this command. The other registry may be on any engine that answered.
        registry: The registry that the command works on.
        named: Each reference as the user typed it, and the registry that it names.
        again: The command for one of them, from the reference as typed and without its registry.
        instead: The hint if no registry has that address; by default `again` for this registry.

    Raises:
        OtherRegistryError: another registry has that address. The hint is the command for it.
        UsageError: no registry on these engines has that address.
        ConflictError: the registry does not publish a port.
    """
    for text, host in named.items():
        if host is None or registry.is_named_by(host):
            continue
        name, location = registry.container.name, registry.get_location()
        short = text.removeprefix(f"{host}/")
        other = _find_other(selection, host)
        if other is None:
            raise UsageError(
                f"`{text}` names registry `{host}`, not registry `{name}` (`{location}`)",
                hint=(instead or again)(text, short),
            )
        other_name, engine = other.registry.container.name, other.engine.name
        raise OtherRegistryError(
            f"`{text}` names registry `{other_name}` ({engine.capitalize()}), not registry `{name}` (`{location}`)",
            hint=again(text, short).for_registry(
                engine=None if engine == selection.engine.info().name else engine, name=other_name
            ),
        )


def _find_other(selection: Selection, host: str) -> SeenRegistry | None:
    for answer in selection.survey.answers:
        # If an engine fails now, the reference is still refused, only without the name of the other registry.
        with contextlib.suppress(LocalregError), select.open_engine(answer) as engine:
            found = find_registry_named_by(engine, host)
            if found is not None:
                return found
    return None
