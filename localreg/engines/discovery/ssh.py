"""Asks an engine behind ssh, through its adapter, which can use ssh."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from localreg.engines.discovery import probe
from localreg.engines.port import Engine
from localreg.engines.values import Endpoint, EngineName
from localreg.errors import EngineLostError, LocalregError, Unavailable
from localreg.system.ssh import SshAddress, read_configuration


def ask(
    engine: EngineName, endpoint: Endpoint, *, volume: str, open_engine: Callable[[probe.Answer], Engine]
) -> probe.Answer:
    """Ask which containers an engine has.

    Args:
        engine: The engine to expect; unlike at other addresses, it is not checked.
        endpoint: An `ssh://` URL.
        volume: The name of a volume to look for.
        open_engine: Opens the engine's adapter.

    Raises:
        NoAnswerError: nothing responded, with the message of `ssh`, or of the program there.
    """
    try:
        address = SshAddress.parse(endpoint.url)
    except ValueError as exc:
        # The URL may have a password, so it is not shown.
        raise probe.NoAnswerError(Unavailable(engine, "ssh://", str(exc))) from exc
    where = probe.where_is(engine, endpoint)
    if engine == "podman" and not address.path:
        reason = "the URL must end with the path of a socket, such as /run/user/1000/podman/podman.sock"
        raise probe.NoAnswerError(Unavailable(engine, where, reason))
    # The name on the network, at which others reach the machine's ports.
    found = read_configuration(*address.arguments) or {}
    endpoint = replace(endpoint, host=found.get("hostname"))
    try:
        with open_engine(probe.Answer(engine, endpoint, (), has_volume=False)) as opened:
            containers = tuple(
                probe.SeenContainer(
                    container.id,
                    (container.name,),
                    container.labels,
                    tuple(port.bound for port in container.ports),
                )
                for container in opened.list_containers()
            )
            return probe.Answer(engine, endpoint, containers, has_volume=opened.find_volume(volume) is not None)
    except LocalregError as exc:
        # Nothing is lost yet: the reason alone tells more.
        said = [] if isinstance(exc, EngineLostError) and exc.details else [exc.message]
        reason = ": ".join([*said, *exc.details[:1]])
        raise probe.NoAnswerError(Unavailable(engine, where, reason, exc.hint)) from exc
