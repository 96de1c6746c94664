from __future__ import annotations

import ssl
from datetime import UTC, datetime

import pytest
from support.engines.fake import FakeEngine

from localreg.engines.values import ContainerSpec
from localreg.output.registry import tls_line
from localreg.registry.container import SCHEMA_LABEL, Registry
from localreg.registry.tls import TLS_LABEL, ServerTls, TlsFacts, ca_of

PEM = ssl.DER_cert_to_PEM_cert(b"the certificate")
FACTS = TlsFacts(PEM, datetime(2027, 12, 30, tzinfo=UTC), ("localhost", "::1"))


def registry(labels: dict[str, str]) -> Registry:
    engine = FakeEngine()
    engine.add_image("localhost/registry:1")
    return Registry(engine.create_container(ContainerSpec("registry", "localhost/registry:1", labels=labels)))


def test_the_label_tells_the_authority_in_one_line() -> None:
    label = FACTS.to_label()
    assert label.isprintable()
    assert TlsFacts.from_label(label) == FACTS
    assert ca_of(registry({SCHEMA_LABEL: "1", TLS_LABEL: label})) == PEM


def test_a_registry_without_tls_has_no_authority() -> None:
    assert ca_of(registry({SCHEMA_LABEL: "1"})) is None
    assert ca_of(registry({TLS_LABEL: FACTS.to_label()})) is None


@pytest.mark.parametrize(
    "label",
    [
        "",
        "[]",
        "1",
        "{}",
        '{"ca": "?", "ends": "2027-12-30T00:00:00+00:00"}',
        '{"ca": 1, "ends": 2}',
        '{"ca": "AAAA", "ends": "2027-12-30", "names": []}',
        '{"ca": "AAAA", "ends": "0001-01-01T00:00:00+00:00", "names": []}',
        '{"ca": "AAAA", "ends": "9999-12-31T23:59:59-12:00", "names": []}',
        "[" * 5000,
    ],
)
def test_an_invalid_label_is_none(label: str) -> None:
    assert ca_of(registry({SCHEMA_LABEL: "1", TLS_LABEL: label})) is None


def test_names_of_a_label_reach_no_terminal_as_they_are() -> None:
    label = TlsFacts(PEM, FACTS.ends_at, ("\x1b[31mred",)).to_label()
    assert "\x1b" not in (tls_line(registry({SCHEMA_LABEL: "1", TLS_LABEL: label})) or "")


def test_the_key_is_in_no_text() -> None:
    tls = ServerTls(b"certificate", b"SECRET", FACTS)
    assert "SECRET" not in repr(tls)
    assert "SECRET" not in repr(tls.files)
    assert "SECRET" not in str(tls.labels)
    assert tls.files["server.key"].mode == 0o600
