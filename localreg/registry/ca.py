"""The local certificate authority: made once, kept in two private files, and renewed with the same key.

Its certificate has name constraints, so that a stolen key can be used for nothing but the registries of this machine. A
name that it does not permit yet is added by a renewal: certificates that it signed before stay valid, and clients that
trust its former certificate go on trusting them; only for the new name they need the new certificate.

Files: `ca.key`, then `ca.crt`. One that was killed between the two is finished by the next: the key decides.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from localreg.errors import ConfigError, reason_of
from localreg.registry.certificate_names import NO_NAMES, Names
from localreg.registry.tls import LIFETIME, ServerTls, TlsFacts
from localreg.system.command_line import Sentence
from localreg.system.data_folder import data_folder, locked
from localreg.system.whole_file import replace_file

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate

    from localreg.registry.x509 import Signer

_LIFETIME = timedelta(days=3650)
_LOOPBACK = Names.of(["localhost", "127.0.0.0/8", "::1"])
CERTIFICATE, KEY = "ca.crt", "ca.key"


@dataclass(frozen=True, slots=True)
class Renewal:
    """Why the certificate of the authority was renewed."""

    added: Names
    """The names that it permits only now; none if it would have ended soon."""


def ca_folder() -> Path:
    """The folder of the authority, which may not exist.

    Raises:
        ConfigError: the user has no folder for it.
    """
    folder = data_folder()
    if folder is None:
        raise ConfigError(
            "the local certificate authority has no place: HOME is not set",
            hint=Sentence("set HOME, or XDG_DATA_HOME to a folder of your own"),
        )
    return folder / "ca"


def own_ca() -> str | None:
    """The certificate of this user's authority, as PEM; None if there is none.

    Raises:
        ConfigError: it cannot be read.
    """
    file = ca_folder() / CERTIFICATE
    try:
        return file.read_bytes().decode(errors="replace") if file.exists() else None
    except OSError as exc:
        raise ConfigError(f"cannot read `{file}`: {reason_of(exc)}") from exc


def issue(
    names: Names,
    *,
    usual: Names = NO_NAMES,
    on_renewal: Callable[[Renewal], None],
    now: datetime | None = None,
) -> ServerTls:
    """A new certificate for a registry, signed by the local authority, which is made or renewed if that is needed.

    Args:
        names: The names and addresses in it.
        usual: Names that it has as well if the authority permits them, as a new one does.
        on_renewal: Told that the authority has a new certificate.
        now: Aware; the time by default.

    Raises:
        ConfigError: the authority's files cannot be read or written.
        LocalregError: `cryptography` is not installed.
    """
    from localreg.registry.x509 import SKEW  # noqa: PLC0415 -- loads cryptography, an extra

    now = (now or datetime.now(UTC)).replace(microsecond=0)
    file = ca_folder() / KEY
    try:
        with locked(file):
            signer = _signer(file, names, usual, on_renewal, now)
    except OSError as exc:
        raise ConfigError(f"cannot use the certificate authority in `{file.parent}`: {reason_of(exc)}") from exc
    names |= usual - (usual - signer.permitted)
    pair = signer.issue(names, begin=now, lifetime=LIFETIME)
    return ServerTls(pair.certificate, pair.key, TlsFacts(signer.pem, now - SKEW + LIFETIME, names.texts))


def signed_by_own_key(facts: TlsFacts) -> bool:
    """This user's authority signed a registry's certificate, perhaps before its last renewal.

    Raises:
        ConfigError: the authority's files cannot be read.
        LocalregError: `cryptography` is not installed.
    """
    from localreg.registry import x509  # noqa: PLC0415 -- loads cryptography, an extra

    file = ca_folder() / KEY
    try:
        key, _ = _read(file)
    except OSError as exc:
        raise ConfigError(f"cannot read `{file}`: {reason_of(exc)}") from exc
    certificate = x509.certificate_from_pem(facts.ca.encode())
    return key is not None and certificate is not None and x509.Signer(key, certificate).is_consistent


def _signer(file: Path, names: Names, usual: Names, on_renewal: Callable[[Renewal], None], now: datetime) -> Signer:
    """The authority, with a certificate that permits the names and outlives what it signs now."""
    from localreg.registry import x509  # noqa: PLC0415 -- loads cryptography, an extra

    key, former = _read(file)
    if key is None:
        key = x509.new_key()
        replace_file(file, x509.key_to_pem(key))
    signer = None if former is None else x509.Signer(key, former)
    if signer is None or not signer.is_consistent:
        signer, permitted = None, _LOOPBACK | usual
    else:
        permitted = signer.permitted
    added = names - permitted
    if signer is not None and not added and signer.begins_at <= now and signer.ends_at >= now + LIFETIME:
        return signer
    renewed = x509.Signer.create(key, permitted | added, begin=now, lifetime=_LIFETIME)
    replace_file(file.with_name(CERTIFICATE), renewed.pem.encode())
    if signer is not None:
        on_renewal(Renewal(added))
    return renewed


def _read(file: Path) -> tuple[EllipticCurvePrivateKey | None, Certificate | None]:
    """The key and the certificate of the authority, each if there is one.

    Raises:
        ConfigError: the key is none of localreg's.
        OSError: a file cannot be read.
    """
    from localreg.registry import x509  # noqa: PLC0415 -- loads cryptography, an extra

    if not file.exists():
        return None, None
    try:
        key = x509.key_from_pem(file.read_bytes())
    except x509.UnreadableKeyError as exc:
        raise ConfigError(
            f"`{file}` is not the key of a certificate authority", hint=f"rm {shlex.quote(str(file))}"
        ) from exc
    certificate = file.with_name(CERTIFICATE)
    return key, x509.certificate_from_pem(certificate.read_bytes()) if certificate.exists() else None
