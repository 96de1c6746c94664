"""Other registries that `copy` gets nothing from, or brings nothing to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from support.engines.real import Bed, docker_alone
from support.faults.table import Fault, fault
from support.registries.distribution import serving
from support.registries.remote import Remote, remote_registry

from localreg.oci.ping import Reply, ask


@pytest.fixture
def far() -> Iterator[Remote]:
    """A registry elsewhere; that it is in this process, no client can tell."""
    with remote_registry() as opened:
        yield opened


def port_of(location: str) -> int:
    return int(location.rpartition(":")[2])


@docker_alone
@fault(
    "copy-login",
    "copy app:1 127.0.0.1:{port}/team/",
    code="registry-failed",
    facts=["127.0.0.1:{port}", "docker login 127.0.0.1:{port}"],
)
@fault(
    "copy-denied",
    "copy app:1 127.0.0.1:{port}/forbidden/",
    code="registry-failed",
    facts=["127.0.0.1:{port}", "DENIED"],
)
@fault("copy-busy", "copy app:1 127.0.0.1:{port}/busy/", code="registry-failed", facts=["127.0.0.1:{port}", "21600"])
def test_one_that_takes_nothing(bed: Bed, folder: Path, far: Remote, faults: tuple[Fault, ...]) -> None:
    bed.add_image("localhost/app:1", folder)
    bed.up()
    bed.push("localhost/app:1")
    shown = {each.case: each for each in faults}
    port = port_of(far.location)
    far.forbids.add("forbidden/app")
    shown["copy-denied"].by(bed, port=port)
    far.answers["POST /v2/busy/app/blobs/uploads/"] = [(429, {"Retry-After": "21600"})] * 99
    shown["copy-busy"].by(bed, port=port)
    far.users["dev"] = "open-sesame"
    shown["copy-login"].by(bed, port=port)
    assert not far.tags


@docker_alone
@fault(
    "copy-certificate",
    "copy app:1 127.0.0.1:{port}/team/",
    code="registry-unreachable",
    facts=["127.0.0.1:{port}", "certs.d"],
)
def test_one_with_a_certificate_of_its_own(
    bed: Bed, folder: Path, registry_program: Path, tmp_path: Path, shown: Fault
) -> None:
    bed.add_image("localhost/app:1", folder)
    bed.up()
    bed.push("localhost/app:1")
    made = trustme.CA().issue_cert("127.0.0.1")
    made.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    made.cert_chain_pems[0].write_to_path(str(tmp_path / "certificate.pem"))
    tls = f"tls: {{certificate: {tmp_path}/certificate.pem, key: {tmp_path}/key.pem}}"
    with serving(registry_program, tmp_path / "far", http=tls) as far:
        assert ask(far.base_url) is Reply.SPEAKS_TLS
        shown.by(bed, port=port_of(far.location))
