"""localreg's own store of passwords: its file, and that the other readers of the format understand it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from localreg.engines.values import EngineInfo
from localreg.errors import ConfigError
from localreg.oci.access import Credentials
from localreg.oci.credentials import CredentialStores
from localreg.registry.passwords import find_login_of, forget, list_logins, owner_of, remember

LOGIN = Credentials("localreg", "secret")
MINE, OTHER = "docker/registry", "podman/registry"


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("REGISTRY_AUTH_FILE", raising=False)
    return tmp_path / "data/localreg/auth.json"


def test_a_login_is_found_by_the_reader_of_all_stores_first(store: Path, tmp_path: Path) -> None:
    docker = tmp_path / "home/.docker/config.json"
    docker.parent.mkdir(parents=True)
    docker.write_text('{"auths": {"localhost:5000": {"auth": "b3RoZXI6b3RoZXI="}}}')
    assert CredentialStores().find("localhost:5000") == Credentials("other", "other")
    remember("localhost:5000", LOGIN, owner=MINE)
    assert CredentialStores().find("localhost:5000", "team/app") == LOGIN
    assert (store.stat().st_mode & 0o777, store.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    forget(MINE)
    assert CredentialStores().find("localhost:5000") == Credentials("other", "other")


def test_a_registry_has_one_login_wherever_it_is() -> None:
    remember("localhost:5000", LOGIN, owner=MINE)
    remember("localhost:5001", Credentials("me", "x:y"), owner=OTHER)
    remember("localhost:5002", LOGIN, owner=MINE)
    assert CredentialStores().find("localhost:5000") is None
    assert CredentialStores().find("localhost:5002") == LOGIN
    assert find_login_of(OTHER, "localhost:1") == Credentials("me", "x:y")
    assert find_login_of("docker/team", "localhost:1") is None
    assert find_login_of("docker/team", "localhost:5001") == Credentials("me", "x:y")
    assert list_logins() == [Credentials("me", "x:y"), LOGIN]


def test_registries_that_have_one_location_in_turn_keep_their_logins() -> None:
    other = Credentials("me", "x:y")
    remember("localhost:5000", LOGIN, owner=MINE)
    remember("localhost:5000", other, owner=OTHER)
    assert CredentialStores().find("localhost:5000") == other
    assert find_login_of(MINE, "localhost:5000") == LOGIN
    remember("localhost:5000", LOGIN, owner=MINE)
    assert CredentialStores().find("localhost:5000") == LOGIN
    assert find_login_of(OTHER, "localhost:5000") == other
    forget(OTHER, "localhost:5000")
    assert list_logins() == [LOGIN]


def test_what_others_wrote_into_the_file_stays(store: Path) -> None:
    store.parent.mkdir(parents=True)
    store.write_text('{"auths": {"quay.io": {"auth": "YTpi"}}, "credHelpers": {"x": "y"}}')
    remember("localhost:5000", LOGIN, owner=MINE)
    forget(MINE)
    assert json.loads(store.read_text()) == {"auths": {"quay.io": {"auth": "YTpi"}}, "credHelpers": {"x": "y"}}


@pytest.mark.parametrize("text", ["", "[]", "{", "nonsense"])
def test_a_damaged_file_is_an_error_that_names_it(store: Path, text: str) -> None:
    store.parent.mkdir(parents=True)
    store.write_text(text)
    with pytest.raises(ConfigError, match=str(store)):
        remember("localhost:5000", LOGIN, owner=MINE)
    assert store.read_text() == text


def test_several_at_once_lose_nothing() -> None:
    names = [f"docker/{number}" for number in range(20)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: remember(f"localhost:{name}", LOGIN, owner=name), names))
    assert all(find_login_of(name, "localhost:1") == LOGIN for name in names)


def test_engines_are_told_apart() -> None:
    here, there = EngineInfo("docker", "28", "unix:///a"), EngineInfo("docker", "28", "ssh://b")
    own = EngineInfo("podman", "5", "unix:///run/podman-1.sock", private=True)
    owners = {owner_of(engine, "registry") for engine in (here, there, own)}
    assert len(owners) == 3
    assert owner_of(replace(own, endpoint="unix:///run/podman-2.sock"), "registry") in owners


def test_forgetting_makes_no_file(store: Path) -> None:
    forget(MINE)
    assert not store.parent.exists()


def test_a_user_without_a_home_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.delenv("XDG_DATA_HOME")
    assert list_logins() == []
    with pytest.raises(ConfigError, match="HOME"):
        remember("localhost:5000", LOGIN, owner=MINE)
