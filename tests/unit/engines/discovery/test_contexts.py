from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from localreg.engines.discovery.contexts import BrokenContextError, context_endpoint, current_context, variable_endpoint
from localreg.engines.discovery.endpoints import named_endpoints
from localreg.engines.values import Endpoint, TlsFiles


def write_context(folder: Path, name: str, host: str) -> None:
    meta = folder / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest() / "meta.json"
    meta.parent.mkdir(parents=True)
    meta.write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": False}}}))


def test_without_any_configuration_the_default_context_is_in_force(tmp_path: Path) -> None:
    assert current_context({"HOME": str(tmp_path)}) is None
    assert current_context({}) is None


def test_the_variable_wins_over_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"currentContext": "colima"}')
    environ = {"DOCKER_CONFIG": str(tmp_path)}
    assert current_context(environ) == "colima"
    assert current_context({**environ, "DOCKER_CONTEXT": "desktop"}) == "desktop"
    assert current_context({**environ, "DOCKER_CONTEXT": "default"}) is None


def test_a_context_names_its_endpoint_without_a_configuration_file(tmp_path: Path) -> None:
    write_context(tmp_path, "colima", "unix:///home/me/.colima/docker.sock")
    endpoint = context_endpoint("colima", {"DOCKER_CONFIG": str(tmp_path)})
    assert endpoint == Endpoint("unix:///home/me/.colima/docker.sock", context="colima")


def test_the_tls_files_of_a_context_are_found(tmp_path: Path) -> None:
    write_context(tmp_path, "far", "tcp://far.example:2376")
    tls = tmp_path / "contexts" / "tls" / hashlib.sha256(b"far").hexdigest() / "docker"
    tls.mkdir(parents=True)
    (tls / "ca.pem").touch()
    endpoint = context_endpoint("far", {"DOCKER_CONFIG": str(tmp_path)})
    assert endpoint.tls == TlsFiles(ca_certificate=tls / "ca.pem")
    assert endpoint.is_remote


@pytest.mark.parametrize("content", ["{", "[]", '{"Endpoints": {}}', '{"Endpoints": {"docker": null}}'])
def test_a_context_without_an_endpoint_is_named_in_the_reason(tmp_path: Path, content: str) -> None:
    write_context(tmp_path, "odd", "")
    next(tmp_path.rglob("meta.json")).write_text(content)
    with pytest.raises(BrokenContextError) as caught:
        context_endpoint("odd", {"DOCKER_CONFIG": str(tmp_path)})
    assert "`odd`" in caught.value.unavailable.where


def test_a_context_that_does_not_exist_is_an_error_and_never_the_default_socket(tmp_path: Path) -> None:
    with pytest.raises(BrokenContextError) as caught:
        context_endpoint("nosuch", {"DOCKER_CONFIG": str(tmp_path)})
    assert "`nosuch`" in caught.value.unavailable.where
    assert caught.value.unavailable.cure == "docker context ls"


@pytest.mark.parametrize("content", ["", "null", '{"currentContext": null}', '{"auths": {"\xff": {}}}'])
def test_what_docker_accepts_is_the_default_context(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_bytes(content.encode("latin-1"))
    assert current_context({"DOCKER_CONFIG": str(tmp_path)}) is None


@pytest.mark.parametrize("content", ["{", "[]", "\xff", '{"currentContext": 5}'])
def test_a_broken_configuration_is_an_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(BrokenContextError):
        current_context({"DOCKER_CONFIG": str(tmp_path)})


def test_docker_host_takes_its_certificates_from_the_environment(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").touch()
    (tmp_path / "key.pem").touch()
    environ = {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path)}
    tls = variable_endpoint("tcp://far.example:2376", environ).tls
    assert tls == TlsFiles(certificate=tmp_path / "cert.pem", key=tmp_path / "key.pem")
    assert variable_endpoint("unix:///run/docker.sock", environ).tls is None


def test_tls_that_was_asked_for_is_used_without_any_file_for_it_too(tmp_path: Path) -> None:
    environ = {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path)}
    assert variable_endpoint("tcp://far.example:2376", environ).tls == TlsFiles()


def test_what_dockers_variables_say_of_tls_is_not_for_podman() -> None:
    environ = {"DOCKER_TLS_VERIFY": "1", "DOCKER_HOST": "tcp://a:2376", "CONTAINER_HOST": "tcp://b:2375"}
    found = {engine: endpoint.tls for _, engine, endpoint in named_endpoints(("docker", "podman"), environ)}
    assert found == {"docker": TlsFiles(), "podman": None}


@pytest.mark.parametrize(
    ("url", "remote"),
    [
        ("unix:///run/docker.sock", False),
        ("tcp://127.0.0.1:2375", False),
        ("tcp://localhost:2375", False),
        ("tcp://[::1]:2375", False),
        ("tcp://10.0.0.7:2375", True),
        ("ssh://me@far.example", True),
    ],
)
def test_an_endpoint_knows_whether_it_is_on_another_machine(url: str, *, remote: bool) -> None:
    assert Endpoint(url).is_remote is remote
