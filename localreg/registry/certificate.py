"""The certificate of a registry: which names it has, who signs it, and when it is renewed."""

from __future__ import annotations

import socket

from localreg.engines.values import EngineInfo
from localreg.errors import LocalregError
from localreg.registry.ca import Renewal, issue, signed_by_own_key
from localreg.registry.certificate_names import Names, could_be_domain
from localreg.registry.container import Registry
from localreg.registry.defaults import DEFAULT_NAME
from localreg.registry.options import RegistryOptions
from localreg.registry.request import Notify
from localreg.registry.tls import ServerTls, tls_of
from localreg.system.address import Address
from localreg.system.command_line import CommandLine

_EVERYWHERE = ("localhost", "127.0.0.1", "::1")


def new_certificate(
    info: EngineInfo, name: str, options: RegistryOptions, address: Address, notify: Notify
) -> ServerTls:
    """A new certificate for a registry.

    It has the names of this machine, the registry's own, by which containers in its network know it, and the ones that
    were asked for. A name that could be a domain of the Internet is in it only if it was asked for.

    Args:
        info: Its engine.
        name: The registry's.
        options: With the names that were asked for.
        address: The published one.
        notify: Told that the certificate authority was renewed, or that the machine's name is missing.

    Raises:
        ConfigError: the files of the authority cannot be read or written.
        LocalregError: `cryptography` is not installed.
    """
    host = ((info.host if info.remote else socket.gethostname()) or "").lower()
    asked = [*_EVERYWHERE, *(options.san or ()), *([] if address.is_wildcard else [address.host])]
    own = [] if could_be_domain(name.rpartition(".")[2]) and name != DEFAULT_NAME else [name]
    usual = [DEFAULT_NAME]
    if not could_be_domain(host):
        (usual if address.is_loopback else own).append(host)
    elif not address.is_loopback and host not in asked:
        notify(f"the certificate does not have this machine's name; `--san {host}` adds it")
    names = Names.of([*asked, *own])
    return issue(names, usual=Names.of(usual), on_renewal=lambda renewal: _tell(renewal, name, notify))


def _tell(renewal: Renewal, name: str, notify: Notify) -> None:
    why = f"which now permits {renewal.added} as well" if renewal.added else "which would have ended soon"
    command = CommandLine("trust").for_registry(engine=None, name=None if name == DEFAULT_NAME else name)
    notify(f"renewed your certificate authority, {why}; `{command}` gives clients its new certificate")


def renews(registry: Registry, notify: Notify) -> bool:
    """Whether a registry is to be replaced because its certificate ends soon; the user is told in either case.

    That keeps its images, unless it is ephemeral, and the trust of its clients, unless it is another user's.
    """
    facts = tls_of(registry)
    if facts is None or not facts.is_due():
        return False
    ends = f"the registry's certificate {'ended' if facts.has_ended() else 'ends'} on {facts.ends_at:%Y-%m-%d}"
    removes = registry.container.removes_itself
    try:
        if not removes and signed_by_own_key(facts):
            notify(f"{ends}; restarting it with a new one")
            return True
        why = "which deletes its images" if removes else "signed by your own certificate authority"
    except LocalregError as exc:
        why = f"but {exc.message}"
    notify(f"{ends}; `localreg up --recreate` makes a new one, {why}")
    return False
