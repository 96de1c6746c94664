"""`copy` between two real Distributions, one of them with TLS and passwords."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from support.engines.real import Distribution
from support.registries.distribution import serving
from support.registries.shelf import Shelf
from support.registries.writer import Writer

from localreg.cli.app import main
from localreg.oci.api import RegistryClient

pytestmark = pytest.mark.usefixtures("without_engine")
USER, PASSWORD = "dev", "open-sesame"
HTPASSWD = "dev:$2a$04$ZrDStsEYSToNEOrgv.aqw.gWrp55jJkpxqVEMF4K/kexlNxuSrjdK\n"
"""What `htpasswd -B` makes of them."""


@pytest.fixture
def secure(registry_program: Path, tmp_path: Path) -> Iterator[Distribution]:
    """A registry that wants TLS and a password."""
    authority = trustme.CA()
    made = authority.issue_cert("127.0.0.1")
    made.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    made.cert_chain_pems[0].write_to_path(str(tmp_path / "certificate.pem"))
    (tmp_path / "htpasswd").write_text(HTPASSWD)
    with serving(
        registry_program,
        tmp_path / "secure",
        http=f"tls: {{certificate: {tmp_path}/certificate.pem, key: {tmp_path}/key.pem}}",
        more=f"auth: {{htpasswd: {{realm: a registry, path: {tmp_path}/htpasswd}}}}\n",
    ) as served:
        folder = tmp_path / ".config/containers/certs.d" / served.location
        folder.mkdir(parents=True)
        authority.cert_pem.write_to_path(str(folder / "ca.crt"))
        yield served


def log_in(tmp_path: Path, location: str, password: str = PASSWORD) -> None:
    """As `docker login` does."""
    (tmp_path / ".docker").mkdir(exist_ok=True)
    auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
    (tmp_path / ".docker/config.json").write_text(json.dumps({"auths": {location: {"auth": auth}}}))


def fill(distribution: Distribution) -> None:
    writer = Writer(distribution.base_url)
    shelf = Shelf(writer, "team/api")
    index = shelf.index("1.4.2", "latest")
    shelf.signature(index["digest"])
    shelf.sbom(index, listed=True)
    Shelf(writer, "team/web").image("1")
    writer.image("old", "1", docker=True)


def everything(client: RegistryClient) -> dict[str, bytes]:
    """Each tag with its manifest."""
    return {
        f"{repository}:{tag}": client.get_manifest(repository, tag).data
        for repository in client.iter_repositories()
        for tag in client.find_tags(repository)
    }


def test_there_and_back_over_tls_with_a_password(
    distribution: Distribution, secure: Distribution, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(distribution)
    there = ["copy", f"{distribution.location}/", f"{secure.location}/", "--all"]
    assert main(there) == 6
    assert f"docker login {secure.location}" in capsys.readouterr().err
    log_in(tmp_path, secure.location, "wrong")
    assert main(there) == 6
    assert "does not accept the stored login" in " ".join(capsys.readouterr().err.split())
    log_in(tmp_path, secure.location)
    assert main(there) == 0
    assert {line.rpartition("\t")[2] for line in capsys.readouterr().out.splitlines()} == {"new"}
    assert main(["copy", f"{secure.location}/", f"{distribution.location}/back/", "--all"]) == 0
    with RegistryClient(distribution.base_url) as client:
        found = everything(client)
    before = {name: data for name, data in found.items() if not name.startswith("back/")}
    assert {name.removeprefix("back/"): data for name, data in found.items() if name.startswith("back/")} == before
    # Once more within the registry: nothing is read or sent.
    assert main(["copy", f"{secure.location}/team/api:1.4.2", f"{secure.location}/stable/api:now", "--json"]) == 0
    out = capsys.readouterr().out
    assert json.loads(out[out.index("{") :])["sent"] == 0


def test_a_certificate_that_is_not_trusted_is_named(
    distribution: Distribution, secure: Distribution, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(distribution)
    (tmp_path / ".config/containers/certs.d" / secure.location / "ca.crt").unlink()
    assert main(["copy", f"{distribution.location}/old:1", f"{secure.location}/"]) == 6
    said = " ".join(capsys.readouterr().err.split())
    assert "is not trusted" in said
    assert "certs.d" in said


def test_a_registry_with_tls_gets_from_one_that_has_none(
    distribution: Distribution, secure: Distribution, tmp_path: Path
) -> None:
    fill(distribution)
    log_in(tmp_path, secure.location)
    assert main(["copy", f"{distribution.location}/old:1", f"{secure.location}/", "--plain-http"]) == 0
