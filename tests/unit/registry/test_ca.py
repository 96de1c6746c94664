"""The local certificate authority: what it signs, for how long, and what is left of it after a kill."""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from support.certificates import refusal

from localreg.errors import ConfigError, LocalregError
from localreg.registry import x509
from localreg.registry.ca import Renewal, issue, own_ca, signed_by_own_key
from localreg.registry.certificate_names import Names
from localreg.registry.tls import LIFETIME, ServerTls, TlsFacts

NAMES = Names.of(["localhost", "127.0.0.1", "::1", "registry"])
USUAL = Names.of(["registry", "laptop"])
NOW = datetime.now(UTC).replace(microsecond=0)
YEAR = timedelta(days=365)
OTHER_KEY = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return tmp_path / "localreg" / "ca"


def issued(*names: str, now: datetime | None = None, renewals: list[Renewal] | None = None) -> ServerTls:
    told: list[Renewal] = [] if renewals is None else renewals
    return issue(NAMES | Names.of(names), usual=USUAL, on_renewal=told.append, now=now)


def signer(folder: Path) -> x509.Signer:
    certificate = x509.certificate_from_pem((folder / "ca.crt").read_bytes())
    assert certificate is not None
    return x509.Signer(x509.key_from_pem((folder / "ca.key").read_bytes()), certificate)


def signed(folder: Path, *names: str, begin: datetime = NOW, lifetime: timedelta = LIFETIME) -> ServerTls:
    """What a thief of the key could sign, whatever localreg checks."""
    pair = signer(folder).issue(Names.of(names), begin=begin, lifetime=lifetime)
    return ServerTls(pair.certificate, pair.key, TlsFacts(signer(folder).pem, NOW))


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_its_files_are_private(folder: Path, umask: int) -> None:
    program = f"import os; os.umask({umask}); import test_ca; test_ca.issued()"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parent, env=environment(folder))
    modes = {path.name: path.stat().st_mode & 0o777 for path in (folder.parent, folder, *folder.iterdir())}
    assert modes == {"localreg": 0o700, "ca": 0o700, "ca.crt": 0o600, "ca.key": 0o600}


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1", "registry", "laptop"])
def test_a_registry_is_known_by_each_of_its_names(name: str) -> None:
    tls = issued()
    assert refusal(tls, tls.facts.ca, name) is None


def test_a_registry_is_not_known_by_another_name_or_authority(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tls = issued()
    assert "mismatch" in str(refusal(tls, tls.facts.ca, "example.com"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "other"))
    assert "unable to get local issuer" in str(refusal(tls, issued().facts.ca, "localhost"))


@pytest.mark.parametrize("name", ["example.com", "registry.example.com", "notregistry", "10.0.0.1", "2001:db8::1"])
def test_a_stolen_key_signs_nothing_that_is_not_permitted(folder: Path, name: str) -> None:
    ca = issued().facts.ca
    # The permitted name in the same certificate does not help.
    for names in ([name], [name, "localhost"]):
        assert "subtree violation" in str(refusal(signed(folder, *names), ca, names[-1]))
    assert refusal(signed(folder, "localhost"), ca, "localhost") is None


def test_a_stolen_key_makes_no_other_authority(folder: Path) -> None:
    issued()
    authority = signer(folder)
    wider = x509.Signer.create(x509.new_key(), Names.of(["com"]), begin=NOW, lifetime=YEAR)
    pair = wider.issue(Names.of(["localhost"]), begin=NOW, lifetime=LIFETIME)
    tls = ServerTls(pair.certificate + wider.pem.encode(), pair.key, TlsFacts(authority.pem, NOW))
    assert refusal(tls, authority.pem, "localhost") is not None


def test_a_certificate_is_short_lived_and_dated_back() -> None:
    tls = issued(now=NOW)
    certificate = x509.certificate_from_pem(tls.certificate)
    assert certificate is not None
    assert certificate.not_valid_before_utc == NOW - timedelta(days=1)
    assert certificate.not_valid_after_utc == tls.facts.ends_at
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc < timedelta(days=398)
    assert not tls.facts.is_due(NOW)
    assert not tls.facts.is_due(NOW + timedelta(days=360))
    assert tls.facts.is_due(NOW + timedelta(days=370))
    assert not tls.facts.has_ended(NOW + timedelta(days=370))
    assert tls.facts.has_ended(NOW + 2 * YEAR)
    # It was made while the clock was far ahead.
    assert tls.facts.is_due(NOW - timedelta(days=2))


def test_an_expired_certificate_is_refused(folder: Path) -> None:
    ca = issued().facts.ca
    assert "expired" in str(refusal(signed(folder, "localhost", begin=NOW - 2 * YEAR), ca, "localhost"))


def test_the_authority_is_made_once(folder: Path) -> None:
    renewals: list[Renewal] = []
    first, second = issued(renewals=renewals), issued(renewals=renewals)
    assert first.facts.ca == second.facts.ca == own_ca()
    assert first.key != second.key
    assert renewals == []
    assert {path.name for path in folder.iterdir()} == {"ca.crt", "ca.key"}


def test_another_name_renews_the_authority_and_breaks_no_registry() -> None:
    renewals: list[Renewal] = []
    before = issued(renewals=renewals)
    after = issued("registry.lan", "10.0.0.5", renewals=renewals)
    assert renewals == [Renewal(Names.of(["registry.lan", "10.0.0.5"]))]
    assert refusal(after, after.facts.ca, "registry.lan") is None
    assert refusal(after, after.facts.ca, "10.0.0.5") is None
    # A client with the former certificate does not accept the new names, and goes on with the registries it knows.
    assert "subtree violation" in str(refusal(after, before.facts.ca, "registry.lan"))
    for ca in (before.facts.ca, after.facts.ca):
        assert refusal(before, ca, "localhost") is None
    assert signed_by_own_key(before.facts)
    assert issued(renewals=renewals).facts.ca == after.facts.ca
    assert len(renewals) == 1


def test_the_authority_is_renewed_before_it_ends() -> None:
    renewals: list[Renewal] = []
    before = issued(now=NOW, renewals=renewals)
    assert issued(now=NOW + 8 * YEAR, renewals=renewals).facts.ca == before.facts.ca
    after = issued(now=NOW + 9 * YEAR, renewals=renewals)
    assert renewals == [Renewal(Names())]
    assert after.facts.ca != before.facts.ca
    assert signed_by_own_key(before.facts)


def test_an_authority_of_the_future_is_renewed() -> None:
    renewals: list[Renewal] = []
    issued(now=NOW + YEAR, renewals=renewals)
    tls = issued(now=NOW, renewals=renewals)
    assert len(renewals) == 1
    assert refusal(tls, tls.facts.ca, "localhost") is None


def test_another_authority_is_not_ones_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    facts = issued().facts
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "other"))
    assert own_ca() is None
    assert not signed_by_own_key(facts)
    issued()
    assert not signed_by_own_key(facts)


def test_a_key_alone_gets_a_certificate(folder: Path) -> None:
    before = issued()
    (folder / "ca.crt").unlink()
    after = issued()
    assert refusal(before, after.facts.ca, "localhost") is None


@pytest.mark.parametrize(
    "found", [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"]
)
def test_a_broken_certificate_is_made_anew(folder: Path, found: bytes) -> None:
    before = issued()
    (folder / "ca.crt").write_bytes(found)
    assert refusal(before, issued().facts.ca, "localhost") is None


def test_a_certificate_of_another_key_is_made_anew(folder: Path) -> None:
    issued()
    (folder / "ca.key").write_bytes(x509.key_to_pem(x509.new_key()))
    tls = issued()
    assert refusal(tls, tls.facts.ca, "localhost") is None


@pytest.mark.parametrize("found", [b"", b"no key", OTHER_KEY])
def test_a_broken_key_is_left_alone(folder: Path, found: bytes) -> None:
    folder.mkdir(parents=True)
    (folder / "ca.key").write_bytes(found)
    with pytest.raises(ConfigError) as failed:
        issued()
    assert failed.value.hint == f"rm {folder}/ca.key"
    assert (folder / "ca.key").read_bytes() == found


def test_a_folder_that_cannot_be_made_is_an_error(folder: Path) -> None:
    folder.parent.parent.mkdir(exist_ok=True)
    folder.parent.write_text("a file")
    with pytest.raises(ConfigError):
        issued()


def test_a_user_without_a_home_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.delenv("HOME")
    with pytest.raises(ConfigError, match="HOME"):
        issued()


def test_without_cryptography_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    monkeypatch.delitem(sys.modules, "localreg.registry.x509")
    monkeypatch.delattr("localreg.registry.x509")
    with pytest.raises(LocalregError, match="cryptography") as failed:
        issued()
    assert failed.value.hint == "pip install 'localreg-cli[tls]'"


def test_several_at_once_make_one_authority(folder: Path) -> None:
    names = [f"n{number}.lan" for number in range(12)]
    with ThreadPoolExecutor(len(names)) as pool:
        made = list(pool.map(issued, names))
    ca = own_ca()
    assert ca is not None
    for name, tls in zip(names, made, strict=True):
        assert refusal(tls, ca, name) is None
        assert refusal(tls, tls.facts.ca, name) is None
    assert {path.name for path in folder.iterdir()} == {"ca.crt", "ca.key"}


KILLED = """
import os, signal, sys
left = int(sys.argv[1])
def count(event, arguments):
    global left
    if event in ("open", "os.mkdir", "os.rename", "os.remove") and "localreg/ca" in str(arguments[0]):
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
import test_ca
sys.addaudithook(count)
test_ca.issued(*sys.argv[2:])
"""


def environment(folder: Path) -> dict[str, str]:
    root = Path(__file__).parents[3]
    return {"XDG_DATA_HOME": str(folder.parent.parent), "PYTHONPATH": f"{root}:{root}/tests", "PATH": ""}


def killed_at(step: int, folder: Path, *names: str) -> bool:
    """Whether a process was killed before a step of its writing; False if it has fewer."""
    arguments = [sys.executable, "-c", KILLED, str(step), *names]
    ended = subprocess.run(arguments, check=False, cwd=Path(__file__).parent, env=environment(folder))
    assert ended.returncode in (0, -signal.SIGKILL)
    return ended.returncode != 0


@pytest.mark.parametrize("is_renewal", [False, True], ids=["made", "renewed"])
def test_a_kill_at_each_step_leaves_an_authority_that_works(folder: Path, *, is_renewal: bool) -> None:
    steps = 0
    before = issued() if is_renewal else None
    while killed_at(steps, folder, *(["registry.lan"] if is_renewal else [])):
        steps += 1
        tls = issued()
        assert refusal(tls, tls.facts.ca, "localhost") is None
        assert {path.name for path in folder.iterdir()} >= {"ca.crt", "ca.key"}
        if before is not None:
            assert refusal(before, tls.facts.ca, "localhost") is None
        else:
            for path in folder.iterdir():
                path.unlink()
            folder.rmdir()
    assert steps >= 3
