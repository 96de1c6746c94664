"""The TLS of a registry that localreg runs: its files in the container, and the label that tells of its certificate.

The label has no secret: the certificate of the CA, and the end of the server's certificate. So every command, and any
other user of the engine, knows whom to trust without a file of this machine and without a request. As it goes with the
container, a note beside the images tells the next `up` of it.
"""

from __future__ import annotations

import base64
import binascii
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Self

from localreg.engines.files import ContainerFile
from localreg.engines.port import ContainerRuntime
from localreg.engines.values import ContainerState
from localreg.registry.container import DATA_FOLDER, Registry, is_ours

TLS_LABEL = "localreg.tls"
FOLDER = "/etc/localreg/tls"
"""In the container; outside its volume, because a new container gets a new certificate."""
_CERTIFICATE, _KEY = "server.crt", "server.key"

_NOTE_FOLDER, _NOTE = f"{DATA_FOLDER}/localreg", "tls"
_NOTE_TEXT = b"The last registry on these images had TLS.\n"

LIFETIME = timedelta(days=397)
"""Of a certificate. Some programs refuse one that is valid for more than 398 days."""
_EARLY = timedelta(days=30)
"""How long before its end a certificate is due for renewal."""

TLS_ENVIRONMENT = {
    "REGISTRY_HTTP_TLS_CERTIFICATE": f"{FOLDER}/{_CERTIFICATE}",
    "REGISTRY_HTTP_TLS_KEY": f"{FOLDER}/{_KEY}",
}
"""Distribution's settings."""


@dataclass(frozen=True, slots=True)
class TlsFacts:
    """What the label tells of a registry's certificate."""

    ca: str
    """The certificate of the CA that signed it, as PEM."""
    ends_at: datetime
    """Aware."""
    names: tuple[str, ...] = ()
    """The names and addresses that clients can use."""

    def is_due(self, now: datetime | None = None) -> bool:
        """It ends soon or has ended, or was made while the clock was far ahead, and should be renewed.

        Args:
            now: Aware; the time by default.
        """
        now = now or datetime.now(UTC)
        return now >= self.ends_at - _EARLY or now < self.ends_at - LIFETIME

    def has_ended(self, now: datetime | None = None) -> bool:
        """Clients refuse it.

        Args:
            now: Aware; the time by default.
        """
        return (now or datetime.now(UTC)) >= self.ends_at

    def to_label(self) -> str:
        """The value of the label, in one line."""
        der = base64.b64encode(ssl.PEM_cert_to_DER_cert(self.ca)).decode()
        found = {"ca": der, "ends": self.ends_at.isoformat(), "names": self.names}
        return json.dumps(found, sort_keys=True)

    @classmethod
    def from_label(cls, text: str) -> Self | None:
        """Read what `to_label` wrote; None for invalid text."""
        try:
            found = json.loads(text)
            pem = ssl.DER_cert_to_PEM_cert(base64.b64decode(found["ca"], validate=True))
            ends_at = datetime.fromisoformat(found["ends"])
            names = tuple(map(str, found["names"]))
            # In UTC, and so that the beginning is a time as well.
            ends_at = ends_at if ends_at.tzinfo is None else (ends_at - LIFETIME).astimezone(UTC) + LIFETIME
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError, binascii.Error):
            return None
        return None if ends_at.tzinfo is None else cls(pem, ends_at, names)


@dataclass(frozen=True, slots=True)
class ServerTls:
    """The certificate of a new registry with its key."""

    certificate: bytes
    """PEM, with the certificates between it and the CA, if there are any."""
    key: bytes = field(repr=False)
    """PEM."""
    facts: TlsFacts

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels of the registry's container."""
        return {TLS_LABEL: self.facts.to_label()}

    @property
    def files(self) -> Mapping[str, ContainerFile]:
        """The files of its folder; the certificate is the last, so that with it nothing is missing."""
        return {_KEY: ContainerFile(self.key, 0o600), _CERTIFICATE: ContainerFile(self.certificate)}


def lacks_certificate(engine: ContainerRuntime, registry: Registry) -> bool:
    """Whether localreg was killed after it created the container of a registry, before it gave it a certificate."""
    is_new = registry.container.state is ContainerState.CREATED and registry.options.tls
    return bool(is_new) and engine.read_file(registry.container.id, f"{FOLDER}/{_CERTIFICATE}") is None


def lost_tls(engine: ContainerRuntime, registry: Registry) -> bool:
    """Whether the last registry on these images had TLS, and this one does not; notes how it is now."""
    container, has = registry.container.id, not registry.speaks_plain_http
    had = bool(engine.read_file(container, f"{_NOTE_FOLDER}/{_NOTE}"))
    if had is not has:
        engine.put_files(container, _NOTE_FOLDER, {_NOTE: ContainerFile(_NOTE_TEXT if has else b"")})
    return had and not has


def tls_of(registry: Registry) -> TlsFacts | None:
    """What is known of a registry's certificate; None without TLS, or if localreg did not create the registry."""
    return tls_in(registry.container.labels)


def tls_in(labels: Mapping[str, str]) -> TlsFacts | None:
    """The same from the labels of its container."""
    text = labels.get(TLS_LABEL)
    return None if text is None or not is_ours(labels) else TlsFacts.from_label(text)


def ca_of(registry: Registry) -> str | None:
    """The certificate of the CA that signed a registry's certificate, as PEM; None without TLS.

    It is what the container's label says: enough to know this registry by, but not to trust for other hosts, as another
    user of the engine can write a label.
    """
    facts = tls_of(registry)
    return None if facts is None else facts.ca
