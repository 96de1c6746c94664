"""References to another registry than the one that a command works on. localreg never redirects them to its own."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from localreg.engines.discovery import select
from localreg.engines.discovery.select import Selection
from localreg.errors import LocalregError, OtherRegistryError
from localreg.oci.reference import parse_reference
from localreg.registry.container import Registry, host_of
from localreg.registry.status import SeenRegistry, find_registry_named_by
from localreg.system.command_line import CommandLine


def refuse_other_registries(
    selection: Selection, registry: Registry, references: Sequence[str], *, command: str
) -> None:
    """Refuse references to another registry before touching any image.

    Args:
        selection: The engine of this command. The other registry may be on any engine that answered.
        registry: The registry that the command works on.
        references: The references as the user typed them.
        command: The name of the command, for the hint.

    Raises:
        OtherRegistryError: another registry has that address. The hint is the command for it.
        UsageError: no registry on these engines has that address.
        InvalidReferenceError: a reference is not valid.
        ConflictError: the registry does not publish a port.
    """
    for text in references:
        named = parse_reference(text)
        if named.registry is not None and not registry.is_named_by(named.registry):
            other = _find_other(selection, named.registry)
            if other is not None:
                name, engine = other.registry.container.name, other.engine.name
                elsewhere = [] if engine == selection.engine.info().name else ["--engine", engine]
                short = text.removeprefix(f"{named.registry}/")
                raise OtherRegistryError(
                    f"`{text}` names registry `{name}` ({engine.capitalize()}), not registry"
                    f" `{registry.container.name}` (`{registry.location}`)",
                    hint=CommandLine(*elsewhere, "--name", name, command, short),
                )
        host_of(registry, named)


def _find_other(selection: Selection, host: str) -> SeenRegistry | None:
    for answer in selection.survey.answers:
        # If an engine fails now, the reference is still refused, only without the name of the other registry.
        with contextlib.suppress(LocalregError), select.open_engine(answer) as engine:
            found = find_registry_named_by(engine, host)
            if found is not None:
                return found
    return None
