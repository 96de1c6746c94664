"""containerd's own `ctr` with localreg's files, in front of real Distributions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from support.clients.own_machine import put_file, take_tree, trust
from support.registries.distribution import serving

from localreg.clients.containerd.client import Containerd
from localreg.clients.port import Machine

HTPASSWD = "dev:$2a$04$ZrDStsEYSToNEOrgv.aqw.gWrp55jJkpxqVEMF4K/kexlNxuSrjdK\n"
CERTS = "etc/containerd/certs.d"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """This machine's programs with files of the test's own."""
    (tmp_path / "machine" / CERTS).mkdir(parents=True)
    return Machine({"HOME": str(tmp_path / "machine"), "PATH": os.environ["PATH"]}, tmp_path / "machine")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def port(registry_program: Path, tmp_path: Path, authority: trustme.CA) -> Iterator[int]:
    """The port of a registry with a certificate for `localhost`, and with passwords."""
    made = authority.issue_cert("localhost")
    made.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    made.cert_chain_pems[0].write_to_path(str(tmp_path / "certificate.pem"))
    (tmp_path / "htpasswd").write_text(HTPASSWD)
    with serving(
        registry_program,
        tmp_path / "secure",
        http=f"tls: {{certificate: {tmp_path}/certificate.pem, key: {tmp_path}/key.pem}}",
        more=f"auth: {{htpasswd: {{realm: a registry, path: {tmp_path}/htpasswd}}}}\n",
    ) as served:
        yield int(served.location.rpartition(":")[2])


def test_plain_http_on_loopback(machine: Machine, registry_program: Path, tmp_path: Path) -> None:
    client = Containerd(machine)
    with serving(registry_program, tmp_path / "plain") as served:
        near = served.location.replace("127.0.0.1", "localhost")
        assert not trust(client, near, served.location)
        assert client.check([near, served.location]) == {near: None, served.location: None}
        # A server for all registries takes it away, and a file for this one brings it back.
        put_file(machine, f"{CERTS}/_default/hosts.toml", b'server = "https://127.0.0.1:1"\n[host]\n')
        before = take_tree(machine)
        assert client.check([near]) is None
        assert trust(client, near)
        assert client.check([near]) == {near: None}
        trust(client)
        assert take_tree(machine) == before
    assert client.check([served.location]) is None


@pytest.mark.parametrize("foreign", [None, b'server = "https://127.0.0.1:1"\n[host]\n'])
def test_a_certificate_of_a_ca_of_its_own(
    machine: Machine, port: int, authority: trustme.CA, foreign: bytes | None
) -> None:
    client, near, other = Containerd(machine), f"localhost:{port}", f"127.0.0.1:{port}"
    if foreign is not None:
        put_file(machine, f"{CERTS}/{near}/hosts.toml", foreign)
    assert trust(client, near, other, ca=authority.cert_pem.bytes().decode())
    # The registry wants a password, so it was reached.
    found = client.check([near, other]) or {}
    assert found[near] is None
    assert "not 127.0.0.1" in (found[other] or "") or "IP SANs" in (found[other] or "")
    assert trust(client, near, ca=trustme.CA().cert_pem.bytes().decode())
    assert "unknown authority" in ((client.check([near]) or {})[near] or "")
