"""Clients of registries that the developer did not start: TLS, except on this machine, and logins from the engines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

from localreg.oci.api import RegistryClient
from localreg.oci.credentials import HUB, access_by_stores, login_command
from localreg.oci.ping import Reply, ask
from localreg.system.address import Address

_HUB_URL = "https://registry-1.docker.io"


def open_client(
    host: str,
    *,
    url: str | None = None,
    plain_http: bool,
    engine: str | None = None,
    ca: str | None = None,
    on_wait: Callable[[str, float], None],
) -> RegistryClient:
    """A client of a registry.

    Args:
        host: The registry, as references name it.
        url: Its URL, if that is known.
        plain_http: Use a registry without TLS, if it has none and is named with its port.
        engine: `docker` or `podman`, whose command for a login errors name; by default one that is installed.
        ca: The certificate of the only CA to trust, as PEM; None for those of the system and of engines.
        on_wait: Is told when the registry asks to wait, with its host and the seconds.
    """
    access = replace(access_by_stores(host, command=login_command(host, engine=engine)), on_wait=on_wait)
    return RegistryClient(url or _url_of(host, plain_http=plain_http), access=access, ca=ca)


def _url_of(host: str, *, plain_http: bool) -> str:
    if host == HUB:
        return _HUB_URL
    plain, tls = f"http://{host}", f"https://{host}"
    has_port = urlsplit(plain).port is not None
    # A public registry has no port in its name: as the other end of a copy, it keeps TLS.
    may_be_plain = Address(urlsplit(plain).hostname or "", 0).is_loopback or (plain_http and has_port)
    if not may_be_plain:
        return tls
    reply = ask(plain)
    return tls if reply is Reply.SPEAKS_TLS or (reply is Reply.NONE and not has_port) else plain
