"""The system's store of certificates, on machines in a folder with stand-ins for their programs."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from localreg.clients import system_store
from localreg.clients.port import Machine, Target
from localreg.clients.system_store import SystemStore
from localreg.clients.trust import make_trust
from localreg.errors import ConfigError, ConflictError
from localreg.registry import x509
from localreg.registry.certificate_names import Names

CA = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
KINDS = {
    "debian": ("update-ca-certificates", "usr/local/share/ca-certificates", "etc/ssl/certs/ca-certificates.crt"),
    "fedora": ("update-ca-trust", "etc/pki/ca-trust/source/anchors", "etc/pki/tls/certs/ca-bundle.crt"),
}
TARGET = Target("registry", ("localhost:5000",), CA)


@pytest.fixture(params=KINDS)
def machine(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Its program joins the files of the folder, and counts how often it ran."""
    program, folder, bundle = KINDS[request.param]
    programs = tmp_path / "bin"
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / bundle).parent.mkdir(parents=True)
    (tmp_path / bundle).write_text("of others\n")
    programs.mkdir()
    (programs / program).write_text(
        f"#!/bin/sh\necho x >>{tmp_path}/runs\ncat {tmp_path / folder}/*.crt >{tmp_path / bundle} 2>&-\ntrue\n"
    )
    (programs / program).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    return Machine({}, tmp_path)


def runs(machine: Machine) -> int:
    path = machine.root / "runs"
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_the_ca_comes_and_goes(machine: Machine) -> None:
    store = SystemStore(machine)
    assert store.is_here()
    first = make_trust(store, TARGET)
    assert first.checked == {"localhost:5000": None}
    assert [path.read_text() for path in first.plan.files] == [CA]
    assert not make_trust(store, TARGET).plan.changes
    assert runs(machine) == 1
    make_trust(store, Target("registry", (), CA))
    assert (runs(machine), first.plan.files[0].exists()) == (2, False)
    assert store.check(["localhost:5000"], ca=CA) == {
        "localhost:5000": "does not trust the certificate of localhost:5000"
    }


@pytest.mark.parametrize(("user", "count"), [(1000, 0), (0, 1)])
def test_only_root_finishes_what_is_not_known(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, user: int, count: int
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    make_trust(SystemStore(machine), Target("registry", ()))
    assert runs(machine) == count


def test_a_program_of_root_is_found_where_it_is(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_store, "_OF_ROOT", (str(machine.root / "bin"),))
    monkeypatch.setenv("PATH", "/bin")
    make_trust(SystemStore(machine), TARGET)
    assert runs(machine) == 1


@pytest.mark.parametrize("target", [TARGET, Target("registry", (), CA)])
def test_a_run_that_was_killed_before_the_program_ran_is_finished(machine: Machine, target: Target) -> None:
    store = SystemStore(machine)
    if not target.locations:
        make_trust(store, TARGET)
    for change in store.plan(target).changes:
        change.make()
    make_trust(store, target)
    assert (store.check(["x"], ca=CA) or {})["x"] == (
        None if target.locations else "does not trust the certificate of x"
    )


def test_a_program_that_fails_is_told(machine: Machine) -> None:
    for path in (machine.root / "bin").iterdir():
        path.write_text("#!/bin/sh\necho no room >&2\nexit 3\n")
    with pytest.raises(ConfigError) as caught:
        make_trust(SystemStore(machine), TARGET)
    assert caught.value.details == ("no room",)


@pytest.mark.skipif("sys.platform == 'darwin'", reason="it has the keychain")
def test_a_system_that_is_not_known_is_an_error(tmp_path: Path) -> None:
    store = SystemStore(Machine({}, tmp_path))
    assert not store.is_here()
    with pytest.raises(ConfigError):
        store.plan(TARGET)


def authority(former: x509.Signer | None = None) -> x509.Signer:
    """The authority of a user, or one with a renewed certificate."""
    key = former.key if former else x509.new_key()
    return x509.Signer.create(key, Names.of(["localhost"]), begin=datetime.now(UTC), lifetime=timedelta(days=1))


def test_two_users_have_a_file_each_and_each_takes_back_ones_own(machine: Machine) -> None:
    store = SystemStore(machine)
    mine, other = (replace(TARGET, ca=authority().pem) for _ in range(2))
    paths = [make_trust(store, target).plan.files[0] for target in (mine, other)]
    assert [path.read_text() for path in paths] == [mine.ca, other.ca]
    for target in (mine, other):
        assert (store.check(["x"], ca=target.ca) or {})["x"] is None
    undone = make_trust(store, replace(mine, locations=()))
    assert [path.exists() for path in paths] == [False, True]
    (note,) = undone.plan.notes
    assert f"`{paths[1]}`" in note
    assert f"untrust --system --ca {paths[1]}`" in note
    # Another registry keeps its own.
    assert not make_trust(store, replace(other, name="reg", locations=())).plan.changes


def test_a_renewed_authority_takes_the_place_of_the_former(machine: Machine) -> None:
    store, former = SystemStore(machine), authority()
    before, after = (replace(TARGET, ca=signer.pem) for signer in (former, authority(former)))
    assert before.ca != after.ca
    assert make_trust(store, before).plan.files == make_trust(store, after).plan.files
    assert [path.read_text() for path in store.plan(after).files] == [after.ca]
    # Its user never ran `trust` again.
    make_trust(store, replace(before, locations=()))
    assert list(store.plan(after).files[0].parent.iterdir()) == []


def test_a_file_of_an_older_release_is_found_and_another_users_stays(machine: Machine) -> None:
    store = SystemStore(machine)
    mine, other = (replace(TARGET, ca=authority().pem) for _ in range(2))
    older = store.plan(mine).files[0].with_name("localreg-registry.crt")
    # With a comment of root's, in another encoding.
    older.write_bytes(b"# caf\xe9\n" + str(mine.ca).encode())
    assert store.plan(replace(mine, locations=())).changes[0].path == older
    assert make_trust(store, mine).plan.files == (older,)
    added = make_trust(store, other).plan.files[0]
    make_trust(store, replace(mine, locations=()))
    assert (older.exists(), added.exists()) == (False, True)


def test_root_who_has_no_ca_says_which_one_if_there_are_several(machine: Machine) -> None:
    store, nameless = SystemStore(machine), Target("registry", ())
    mine, other = (replace(TARGET, ca=authority().pem) for _ in range(2))
    paths = sorted(make_trust(store, target).plan.files[0] for target in (mine, other))
    with pytest.raises(ConflictError) as caught:
        make_trust(store, nameless)
    assert sorted(caught.value.details) == sorted(map(str, paths))
    assert shlex.split(str(caught.value.hint))[-4:] == ["untrust", "--system", "--ca", str(paths[0])]
    make_trust(store, replace(mine, locations=()))
    make_trust(store, nameless)
    assert not any(path.exists() for path in paths)
