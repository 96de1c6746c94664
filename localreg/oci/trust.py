"""Whom a TLS connection to a registry trusts: who the system trusts, and the CAs that engines are told of."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from pathlib import Path

from localreg.errors import ConfigError, reason_of


def context_for(host: str, *, ca: str | None = None) -> ssl.SSLContext:
    """The trust for a registry.

    Args:
        host: `HOST` or `HOST:PORT`, as references name it.
        ca: The certificate of the only CA to trust, as PEM; None for those of the system and of engines.

    Raises:
        ConfigError: a file of a CA cannot be read.
    """
    if ca is not None:
        return ssl.create_default_context(cadata=ca)
    import truststore  # noqa: PLC0415 -- only registries with TLS need it

    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for file in _files_of(host):
        try:
            context.load_verify_locations(file)
        except (OSError, ssl.SSLError) as exc:
            reason = "it is not a certificate in PEM" if isinstance(exc, ssl.SSLError) else reason_of(exc)
            raise ConfigError(f"cannot use the CA for `{host}` in {file}: {reason}") from exc
    return context


def folders_of(host: str) -> list[Path]:
    """The folders that Docker and Podman read the CAs of a registry from, those of a user with a home first."""
    home = os.environ.get("HOME")
    configured = os.environ.get("XDG_CONFIG_HOME") or (home and f"{home}/.config")
    places = [*([configured] if configured else []), "/etc"]
    return [Path(place, engine, "certs.d", host) for place in places for engine in ("containers", "docker")]


def _files_of(host: str) -> Iterator[Path]:
    for folder in folders_of(host):
        yield from sorted(folder.glob("*.crt"))
