"""Handshakes in memory, so that OpenSSL judges a certificate."""

from __future__ import annotations

import ssl
import tempfile

from localreg.registry.tls import ServerTls


def server_context(tls: ServerTls) -> ssl.SSLContext:
    """The server's side of a registry's TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(tls.certificate + tls.key)
        file.flush()
        context.load_cert_chain(file.name)
    return context


def refusal(tls: ServerTls, ca: str, name: str) -> str | None:
    """Why OpenSSL does not accept a server by this name or address; None if it does.

    Args:
        tls: The server's.
        ca: The only certificate to trust, as PEM.
        name: What the client asks for.
    """
    trusting = ssl.create_default_context(cadata=ca)
    trusting.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(to_client, to_server, server_hostname=name)
    server = server_context(tls).wrap_bio(to_server, to_client, server_side=True)
    for _ in range(3):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLCertVerificationError as exc:
                return exc.verify_message
    return None
