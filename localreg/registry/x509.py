"""X.509 certificates, by `cryptography`: that of a certificate authority, and those that it signs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self

from localreg.errors import LocalregError
from localreg.registry.certificate_names import Names
from localreg.system.extra import install_command

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError as _missing:
    raise LocalregError(
        "a registry with TLS needs cryptography, which is not installed", hint=install_command("tls", "cryptography")
    ) from _missing

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

SKEW = timedelta(days=1)
"""How far a certificate is dated back: clocks differ, most of all in a machine that slept."""
_ID_DIGITS = 8


class UnreadableKeyError(Exception):
    """It is not the private key of a certificate authority."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A new certificate and its key, as PEM."""

    certificate: bytes
    key: bytes


@dataclass(frozen=True, slots=True)
class Signer:
    """A certificate authority: its key, and the certificate that says what it may sign."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def create(cls, key: ec.EllipticCurvePrivateKey, permitted: Names, *, begin: datetime, lifetime: timedelta) -> Self:
        """A certificate authority that can sign certificates of servers with the permitted names, and nothing else.

        Args:
            key: Its key. Authorities with the same key trust each other's certificates within the permitted names.
            permitted: Name constraints, critical: a program that does not know them refuses the authority.
            begin: Aware; the lifetime begins a little earlier.
            lifetime: Of its certificate.
        """
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        # The name differs for each key, as some programs know an authority by its name alone.
        name = _name(f"localreg CA {identifier.digest.hex()[:_ID_DIGITS]}")
        networks = sorted(permitted.networks, key=str)
        certificate = (
            _builder(name, name, key.public_key(), begin=begin, lifetime=lifetime)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(identifier, critical=False)
            .add_extension(
                x509.NameConstraints(
                    permitted_subtrees=[
                        *(x509.DNSName(each) for each in sorted(permitted.dns)),
                        *(x509.IPAddress(each) for each in networks),
                    ],
                    excluded_subtrees=None,
                ),
                critical=True,
            )
            .sign(key, hashes.SHA256())
        )
        return cls(key, certificate)

    @property
    def permitted(self) -> Names:
        """The names that it may sign."""
        try:
            found = self.certificate.extensions.get_extension_for_class(x509.NameConstraints).value
        except x509.ExtensionNotFound:
            return Names()
        values = [each.value for each in found.permitted_subtrees or ()]
        return Names.of(map(str, values))

    @property
    def is_consistent(self) -> bool:
        """The certificate is of this key."""
        try:
            self.certificate.verify_directly_issued_by(self.certificate)
        except (ValueError, TypeError, InvalidSignature):
            return False
        return self.certificate.public_key() == self.key.public_key()

    @property
    def begins_at(self) -> datetime:
        """Aware; when its certificate becomes valid."""
        return self.certificate.not_valid_before_utc

    @property
    def ends_at(self) -> datetime:
        """Aware; when its certificate ends."""
        return self.certificate.not_valid_after_utc

    @property
    def pem(self) -> str:
        """Its certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def issue(self, names: Names, *, begin: datetime, lifetime: timedelta) -> KeyPair:
        """A certificate of a server with a new key.

        Args:
            names: The names and addresses in it; the constraints are not checked here.
            begin: Aware; the lifetime begins a little earlier.
            lifetime: Of the certificate.
        """
        key = new_key()
        addresses = [each.network_address for each in sorted(names.networks, key=str)]
        certificate = (
            _builder(
                _name("localreg registry"),
                self.certificate.subject,
                key.public_key(),
                begin=begin,
                lifetime=lifetime,
            )
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .add_extension(
                x509.SubjectAlternativeName(
                    [*(x509.DNSName(each) for each in sorted(names.dns)), *(x509.IPAddress(each) for each in addresses)]
                ),
                critical=False,
            )
            .sign(self.key, hashes.SHA256())
        )
        return KeyPair(certificate.public_bytes(serialization.Encoding.PEM), key_to_pem(key))


def new_key() -> ec.EllipticCurvePrivateKey:
    """A new private key."""
    return ec.generate_private_key(ec.SECP256R1())


def key_to_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A private key, not encrypted."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def key_from_pem(data: bytes) -> ec.EllipticCurvePrivateKey:
    """Read what `key_to_pem` wrote.

    Raises:
        UnreadableKeyError: it is something else.
    """
    try:
        key: PrivateKeyTypes = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError) as exc:
        raise UnreadableKeyError from exc
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise UnreadableKeyError
    return key


def certificate_from_pem(data: bytes) -> x509.Certificate | None:
    """Read a certificate; None if it is something else."""
    try:
        return x509.load_pem_x509_certificate(data)
    except ValueError:
        return None


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    *,
    begin: datetime,
    lifetime: timedelta,
) -> x509.CertificateBuilder:
    earlier = begin.astimezone(UTC) - SKEW
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(earlier)
        .not_valid_after(earlier + lifetime)
    )


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "localreg"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _usage(*, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )
