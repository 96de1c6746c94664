"""A report tells what is wrong, and nothing of anyone: names, paths, addresses and secrets are planted everywhere."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from support.engines.fake import FakeEngine
from support.registries.fake import FakeRegistry
from unit.doctor.conftest import start

from localreg.doctor.check import Check, Outcome
from localreg.doctor.checks import CHECKS
from localreg.doctor.diagnosis import Diagnosis
from localreg.doctor.finding import Finding
from localreg.doctor.redaction import Redactor
from localreg.doctor.report import write_report
from localreg.doctor.run import Run
from localreg.doctor.scene import Scene
from localreg.system.command_line import CommandLine

USER, HOST, REPOSITORY, PROJECT = "jdoe", "wks-0815", "acme/billing-api", "secretproject"
SECRET, PASSWORD = "b64deadbeefb64deadbeef", "hunter2hunter2"
PLANTED = (USER, HOST, "acme", "billing-api", PROJECT, SECRET, PASSWORD, "corp.example", "192.0.2.77", "2001:db8::77")


@pytest.fixture
def planted(
    engine: FakeEngine, registry: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: int
) -> Scene:
    """A registry of a person, on a machine, with images and secrets."""
    home = tmp_path / "home" / USER
    home.mkdir(parents=True)
    for variable, value in (("HOME", str(home)), ("USER", USER), ("LOGNAME", USER)):
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr(socket, "gethostname", lambda: f"{HOST}.corp.example")
    registry.put_image(f"{REPOSITORY}:customer-7")
    auths = {f"localhost:{port}": {"auth": "amRvZTpodW50ZXIyaHVudGVyMg=="}}
    (tmp_path / "config.json").write_text(json.dumps({"auths": auths}))
    engine.remove_container("registry")
    start(engine, port, environment={"REGISTRY_HTTP_SECRET": SECRET, "AWS_SECRET_ACCESS_KEY": PASSWORD})
    return Scene("registry", engine=engine)


def everywhere(home: str) -> Outcome:
    """A finding that tells all of it."""
    return Outcome(
        Check("x", "", lambda _scene: []),
        (
            Finding(
                f"`{REPOSITORY}:customer-7` of {USER} at {HOST} is broken, secret {SECRET}",
                "it is not told",
                (CommandLine("rm", f"{REPOSITORY}:customer-7"), f"ssh {USER}@build.corp.example"),
                details=(
                    f"open {home}/{PROJECT}/config.toml: permission denied",
                    f"open /srv/{PROJECT}/data/localreg.toml: permission denied",
                    f"GET https://{USER}:{PASSWORD}@registry.corp.example:8443/v2/{REPOSITORY}/manifests/1",
                    "dial tcp 192.0.2.77:5000: connect: connection refused, then [2001:db8::77]:5000",
                    f"localhost:5000/{REPOSITORY}:1 on registry.corp.example/{REPOSITORY}",
                    f"container `{PROJECT}-db` (Docker), volume `{PROJECT}`, {HOST}:5000",
                    f"Authorization: Bearer {SECRET * 2}",
                ),
            ),
        ),
    )


def test_nothing_that_was_planted_is_in_it(planted: Scene, tmp_path: Path) -> None:
    checks = [check for check in CHECKS if check.name not in ("trust", "reach")]
    outcomes = (*Run(checks, planted).outcomes(), everywhere(str(tmp_path / "home" / USER)))
    report = write_report(Diagnosis(outcomes, engine=planted.engine.info(), version="2.8.3"), planted)
    assert [name for name in PLANTED if name.lower() in report.lower()] == []
    assert "customer-7" not in report


def test_it_tells_what_helps(planted: Scene) -> None:
    outcomes = tuple(Run([check for check in CHECKS if check.name in ("engine", "clock")], planted).outcomes())
    report = write_report(Diagnosis(outcomes, engine=planted.engine.info(), version="2.8.3"), planted)
    assert report.startswith("```text\nlocalreg ")
    assert report.endswith("\n```")
    assert "docker 28.5.2" in report
    assert "registry 2.8.3, running, made by localreg, published on 127.0.0.1:" in report
    assert "\nengine      works\n" in report


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("podman refuses plain HTTP for localhost:5000", None),
        ("cannot write `/etc/containers/registries.conf.d/50-localreg.conf`: permission denied", None),
        ("dial tcp 127.0.0.1:5000: connect: connection refused at 16:08:16", None),
        ("sudo systemctl start docker", None),
        ("registry `registry` is stopped, see docker.io/library/registry:2.8.3", None),
        ("/home/anna/x.toml and /Users/anna/y.toml", "~/x.toml and ~/y.toml"),
        ("GET https://example.com/v2/", "GET https://HOST/v2/"),
        ("container `mine` (Docker)", "container `CONTAINER` (Docker)"),
        ("at 10.1.2.3:5000", "at ADDRESS:5000"),
        ("in /data/mine/config.toml", "in /.../config.toml"),
        (f"sha256:{'a' * 64}", f"sha256:{'a' * 12}"),
    ],
)
def test_a_line_keeps_what_tells_of_nobody(line: str, shown: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/tester")
    assert Redactor({})(line) == (shown or line)
