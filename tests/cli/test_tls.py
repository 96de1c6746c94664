"""A registry with TLS, on an engine in memory whose registry answers as soon as its container is started."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.certificates import server_context
from support.engines.fake import FakeEngine
from support.registries.fake import FakeRegistry

from localreg.cli.app import main
from localreg.engines.common.messages import transfer_error
from localreg.engines.values import ContainerSpec, Progress
from localreg.registry.container import Registry, find_registry, get_registry
from localreg.registry.tls import FOLDER, TLS_LABEL, ServerTls, ca_of, tls_of

Run = Callable[..., str]


class ServingEngine(FakeEngine):
    """Its registry gets the certificate that was put into the container, as Distribution does when it starts."""

    registry: FakeRegistry

    def start_container(self, container_id: str) -> None:
        found = self.find_container(container_id)
        assert found is not None
        tls = tls_of(Registry(found))
        if tls is None:
            self.registry.secure(None)
        else:
            certificate, key = (self.read_file(found.id, f"{FOLDER}/server.{kind}") for kind in ("crt", "key"))
            assert certificate is not None
            assert key is not None
            self.registry.secure(server_context(ServerTls(certificate, key, tls)))
        super().start_container(container_id)


@pytest.fixture
def tls(
    engine: FakeEngine, registry: FakeRegistry, location: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> ServingEngine:
    monkeypatch.setenv("LOCALREG_PORT", location.rpartition(":")[2])
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    engine.__class__ = ServingEngine
    assert isinstance(engine, ServingEngine)
    engine.registry = registry
    return engine


@pytest.fixture
def run(tls: ServingEngine, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: str, code: int = 0) -> str:
        assert main([*words]) == code, capsys.readouterr()
        shown = capsys.readouterr()
        said = shown.out + shown.err
        # Whatever happens, and with every detail that localreg shows.
        for (_, path), file in tls.put.items():
            if path.endswith(".key"):
                assert file.data.splitlines()[1].decode() not in said
        return said

    return run


def test_up_makes_a_registry_that_every_command_works_with(run: Run, tls: ServingEngine, location: str) -> None:
    url = location.replace("localhost", "https://127.0.0.1")
    shown = run("up", "--tls", "--format", "table")
    assert "certificate by your own CA until" in shown
    assert "localreg trust" in shown
    assert run("up") == f"{location}\n"
    assert run("url") == f"{url}\n"
    assert run("push", "app:1", "-q") == f"{location}/app:1\n"
    assert run("pull", "app:1", "-q") == f"{location}/app:1\n"
    assert run("ls", "-q") == ""
    status = json.loads(run("status", "--json"))
    assert status["health"] == "healthy"
    assert status["repositories"] == 0
    assert status["registry"]["url"] == url
    assert status["registry"]["tls"]["ca"] == ca_of(get_registry(tls, "registry"))
    assert status["registry"]["tls"]["renew"] is False
    assert run("down") == "container registry\n"


def test_nothing_of_the_key_is_told(run: Run, tls: ServingEngine) -> None:
    run("up", "--tls", "--debug", "--san", "registry.lan")
    found = get_registry(tls, "registry").container
    spec = tls.spec_of(found.id)
    (key,) = (file.data.decode() for (_, path), file in tls.put.items() if path.endswith(".key"))
    secret = key.splitlines()[1]
    assert secret not in repr(spec)
    assert secret not in str({**spec.labels, **spec.environment})
    assert secret not in " ".join([*spec.command, *sys.argv])


def test_an_option_that_differs_is_told_with_the_command(run: Run, location: str) -> None:
    run("up")
    said = run("up", "--tls", code=5)
    assert "--tls  requested yes, is no" in said
    assert f"localreg up --recreate --port {location.rpartition(':')[2]} --tls\n" in said
    assert run("up", "--recreate", "--tls") == f"{location}\n"
    said = run("up", "--san", "b.lan", "--san", "a.lan", code=5)
    assert "--san  requested `a.lan`, `b.lan`, is none" in said
    assert "--tls --san a.lan --san b.lan\n" in said
    said = run("up", "--no-tls", code=5)
    assert " --no-tls\n" in said
    assert "cannot be combined" in run("up", "--no-tls", "--san", "a.lan", code=2)


def test_a_name_stays_until_tls_is_given_up(run: Run, tls: ServingEngine, location: str) -> None:
    run("up", "--san", "a.lan")
    run("up", "--recreate")
    assert get_registry(tls, "registry").options.san == ("a.lan",)
    run("up", "--recreate", "--no-tls")
    found = get_registry(tls, "registry")
    assert (found.options.tls, found.options.san, ca_of(found)) == (None, None, None)
    assert run("url") == f"{location.replace('localhost', 'http://127.0.0.1')}\n"
    assert run("up", "--no-tls") == f"{location}\n"


def test_another_name_is_told_to_need_the_new_authority(run: Run) -> None:
    assert "renewed" not in run("up", "--tls")
    said = run("up", "--recreate", "--san", "a.lan")
    assert "renewed your certificate authority, which now permits `a.lan` as well" in said


def aged(engine: FakeEngine, *, days: int) -> str:
    """Let the certificate of the registry end in some days; returns its label."""
    found = get_registry(engine, "registry")
    facts = tls_of(found)
    assert facts is not None
    label = replace(facts, ends_at=datetime.now(UTC) + timedelta(days=days)).to_label()
    engine.change(found.container.id, labels={**found.container.labels, TLS_LABEL: label})
    return label


@pytest.mark.parametrize(("days", "word"), [(20, "ends on"), (-1, "ended on")])
def test_up_renews_a_certificate_in_time(run: Run, tls: ServingEngine, days: int, word: str) -> None:
    run("up", "--tls")
    before, label = get_registry(tls, "registry"), aged(tls, days=days)
    status = json.loads(run("status", "--json"))
    assert status["registry"]["tls"]["renew"] is True
    assert re.search("renew +localreg up", run("status", "--format", "table"))
    said = run("up")
    assert f"the registry's certificate {word}" in said
    assert "restarting it with a new one" in said
    after = get_registry(tls, "registry")
    assert after.container.labels[TLS_LABEL] != label
    assert (after.container.environment, ca_of(after)) == (before.container.environment, ca_of(before))
    assert "certificate" not in run("up")


def test_up_does_not_renew_what_that_would_break(
    run: Run, tls: ServingEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run("up", "--tls")
    label = aged(tls, days=20)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "of-another-user"))
    assert "`localreg up --recreate` makes a new one, signed by your own certificate authority" in run("up")
    assert get_registry(tls, "registry").container.labels[TLS_LABEL] == label


def test_up_does_not_renew_an_ephemeral_registry(run: Run, tls: ServingEngine) -> None:
    run("up", "--tls", "--ephemeral")
    label = aged(tls, days=20)
    assert "which deletes its images" in run("up")
    assert get_registry(tls, "registry").container.labels[TLS_LABEL] == label


def test_up_without_cryptography_names_the_extra(run: Run, tls: ServingEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "localreg.registry.x509", None)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    monkeypatch.delitem(sys.modules, "localreg.registry.x509")
    monkeypatch.delattr("localreg.registry.x509", raising=False)
    assert "pip install 'localreg-cli[tls]'" in run("up", "--tls", code=1)
    assert find_registry(tls, "registry") is None
    assert tls.list_volumes() == []


def test_a_container_without_its_certificate_is_replaced(run: Run, tls: ServingEngine, location: str) -> None:
    """As after a kill between its creation and its start."""
    run("up", "--tls", "--san", "a.lan")
    whole = get_registry(tls, "registry").container
    spec = tls.spec_of(whole.id)
    tls.remove_container(whole.id)
    tls.create_container(ContainerSpec(**{name: getattr(spec, name) for name in spec.__slots__}))
    assert run("up") == f"{location}\n"
    assert get_registry(tls, "registry").options.san == ("a.lan",)
    assert run("ls", "-q") == ""


def test_podman_fix_names_what_is_meant(run: Run) -> None:
    run("up", "--tls")
    assert "localreg trust podman\n" in run("podman-fix", code=5)


def test_a_plain_registry_after_one_with_tls_says_so_once(run: Run) -> None:
    note = "the registry before this one had TLS, and clients may expect it; `localreg up --recreate --tls` brings it"
    for words, is_told in (
        ("up --tls", False),
        ("up", True),
        ("up", False),
        ("up --tls", False),
        ("up --no-tls", False),
        ("up", False),
    ):
        assert (note in run(*words.split())) is is_told
        run("down")
    run("up", "--tls")
    # Also without TLS for a while, which was asked for.
    assert note not in run("up", "--recreate", "--no-tls")
    run("down")
    assert note not in run("up")


def test_an_engine_that_does_not_trust_it_is_told_of(
    run: Run, tls: ServingEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("up", "--tls")

    def refuse(reference: str, **_: object) -> Iterator[Progress]:
        yield Progress("0123456789ab")
        raise transfer_error(reference, "Get https://x/v2/: x509: certificate signed by unknown authority")

    monkeypatch.setattr(tls, "push_image", refuse)
    said = run("push", "app:1", code=6)
    assert "does not trust the certificate of localhost" in said
    assert "hint: localreg trust\n" in said


def test_the_system_is_told_of_ones_own_authority_alone(
    run: Run,
    tls: ServingEngine,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    *,
    location: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run("up", "--tls")
    label = get_registry(tls, "registry").container.labels[TLS_LABEL]
    # Renewed since, for another registry.
    run("up", "--recreate", "--san", "a.lan")
    found = get_registry(tls, "registry").container
    tls.change(found.id, labels={**found.labels, TLS_LABEL: label})
    # Not every machine has a program for its store.
    assert main(["trust", "--system", "--dry-run"]) != 2
    assert "another user" not in capsys.readouterr().err
    main(["trust", "--dry-run"])
    assert "another user" not in capsys.readouterr().err
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "of-another-user"))
    assert "another user's CA" in run("trust", "--system", "--dry-run", code=2)
    main(["trust", "--dry-run"])
    assert f"another user's CA signed the registry's certificate; it is trusted for {location}" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize("words", ["trust --dry-run", "trust --list"])
def test_a_registry_whose_authority_is_not_known_is_not_trusted_without_one(
    run: Run, registry: FakeRegistry, location: str, words: str
) -> None:
    run("up")
    registry.faults["/v2/"] = "tls"
    said = run(*words.split(), code=5)
    assert "speaks TLS, and localreg does not know its CA" in said
    assert f"hint: localreg trust --location {location} --ca FILE\n" in said


def test_another_program_at_its_port_is_told_of(run: Run, registry: FakeRegistry) -> None:
    run("up", "--tls")
    registry.secure(None)
    said = run("ls", code=6)
    assert "does not speak TLS" in said
    assert "hint: localreg status\n" in said


def test_a_registry_with_another_certificate_is_not_believed(
    run: Run, tls: ServingEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("up", "--tls")
    ours = get_registry(tls, "registry").container.labels
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "of-another-user"))
    run("up", "--recreate")
    found = get_registry(tls, "registry").container
    tls.change(found.id, labels={**found.labels, TLS_LABEL: ours[TLS_LABEL]})
    said = run("ls", code=6)
    assert "is not trusted" in said
    assert "localreg up --recreate\n" in said
