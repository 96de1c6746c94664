"""What a real registry's certificate is worth to real clients: localreg's own with OpenSSL, and skopeo with Go."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support.registries.distribution import serving

from localreg.errors import RegistryUnreachableError
from localreg.oci.api import RegistryClient
from localreg.oci.ping import Reply, ask
from localreg.registry import x509
from localreg.registry.ca import issue
from localreg.registry.certificate_names import Names
from localreg.registry.tls import LIFETIME, ServerTls

NOW = datetime.now(UTC)


@pytest.fixture(autouse=True)
def _data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))


def issued(*names: str, usual: str = "build") -> ServerTls:
    return issue(Names.of(names), usual=Names.of([usual]), on_renewal=lambda _: None)


def signed(tmp_path: Path, *names: str, begin: datetime = NOW) -> x509.KeyPair:
    """What the authority's key could sign, whatever localreg checks."""
    folder = tmp_path / "localreg" / "ca"
    certificate = x509.certificate_from_pem((folder / "ca.crt").read_bytes())
    assert certificate is not None
    signer = x509.Signer(x509.key_from_pem((folder / "ca.key").read_bytes()), certificate)
    return signer.issue(Names.of(names), begin=begin, lifetime=LIFETIME)


@contextlib.contextmanager
def secure(program: Path, folder: Path, pair: ServerTls | x509.KeyPair) -> Iterator[str]:
    """A registry with a certificate; its URL."""
    folder.mkdir()
    (folder / "crt").write_bytes(pair.certificate)
    (folder / "key").write_bytes(pair.key)
    with serving(program, folder / "root", http=f"tls: {{certificate: {folder}/crt, key: {folder}/key}}") as served:
        url = served.base_url.replace("http:", "https:")
        assert ask(url) is Reply.READY
        yield url


def skopeo(url: str, ca: str, folder: Path) -> str:
    """Why skopeo does not list the tags of a repository that is not there, with this authority beside the system's."""
    (folder / "certs").mkdir(exist_ok=True)
    (folder / "certs" / "ca.crt").write_text(ca)
    at = urlsplit(url).netloc.replace("127.0.0.1", "localhost")
    words = ["skopeo", "list-tags", f"--cert-dir={folder}/certs", f"docker://{at}/none"]
    return subprocess.run(words, capture_output=True, text=True, check=False).stderr


def test_the_registry_is_trusted_by_its_authority_alone(registry_program: Path, tmp_path: Path) -> None:
    tls = issued("localhost", "127.0.0.1", "build")
    with secure(registry_program, tmp_path / "one", tls) as url:
        with RegistryClient(url, ca=tls.facts.ca) as client:
            assert list(client.iter_repositories()) == []
        # It gets as far as to an answer of the registry.
        assert "404 (Not Found)" in skopeo(url, tls.facts.ca, tmp_path)
        with (
            RegistryClient(url) as client,
            pytest.raises(RegistryUnreachableError, match="is not trusted: unable to get"),
        ):
            list(client.iter_repositories())
        stranger = tmp_path / "stranger"
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_DATA_HOME", str(stranger))
            ca = issued("localhost").facts.ca
        with (
            RegistryClient(url, ca=ca) as client,
            pytest.raises(RegistryUnreachableError, match="is not trusted: unable to get"),
        ):
            list(client.iter_repositories())
        assert "certificate signed by unknown authority" in skopeo(url, ca, tmp_path)


@pytest.mark.parametrize(
    ("names", "age", "said", "skopeo_said"),
    [
        (["localhost", "127.0.0.1"], 500, "certificate has expired", "certificate has expired or is not yet valid"),
        (
            ["build"],
            0,
            "ip address mismatch, certificate is not valid for '127.0.0.1'",
            "valid for build, not localhost",
        ),
        (
            ["localhost", "127.0.0.1", "example.com"],
            0,
            "permitted subtree violation",
            "is not permitted by any constraint",
        ),
        (
            ["localhost", "127.0.0.1", "10.1.1.1"],
            0,
            "permitted subtree violation",
            "is not permitted by any constraint",
        ),
    ],
    ids=["expired", "other name", "other domain", "other address"],
)
def test_a_certificate_that_is_not_right_is_refused(
    registry_program: Path, tmp_path: Path, *, names: list[str], age: int, said: str, skopeo_said: str
) -> None:
    ca = issued("localhost", "127.0.0.1", "build").facts.ca
    pair = signed(tmp_path, *names, begin=NOW - timedelta(days=age))
    with secure(registry_program, tmp_path / "one", pair) as url:
        with RegistryClient(url, ca=ca) as client, pytest.raises(RegistryUnreachableError) as refused:
            list(client.iter_repositories())
        assert (
            refused.value.message == f"the certificate of the registry at {urlsplit(url).netloc} is not trusted: {said}"
        )
        assert refused.value.hint == "localreg up --recreate"
        assert skopeo_said in skopeo(url, ca, tmp_path)
