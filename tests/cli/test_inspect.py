"""`inspect` as it is typed, of a registry in this process whose volume a shell reads."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from support import schemas
from support.engines.fake import FakeEngine
from support.registries.fake import FakeRegistry
from support.registries.shelf import InFake, Shelf
from support.registries.tree import PUSHED, Tree

from localreg.cli.app import main
from localreg.oci.manifest import OCI_MANIFEST
from localreg.registry.container import DATA_FOLDER


@pytest.fixture
def index(up: FakeEngine, registry: FakeRegistry) -> str:
    """The digest of an index with a signature and an SBOM."""
    assert up.find_container("registry") is not None
    shelf = Shelf(InFake(registry), "team/api")
    index = shelf.index("1", "latest")
    shelf.signature(index["digest"])
    shelf.sbom(index, listed=True)
    shelf.image("image")
    return str(index["digest"])


@pytest.fixture
def readable(up: FakeEngine, index: str, registry: FakeRegistry, tmp_path: Path) -> Tree:
    """The volume of the registry, which a shell in its container reads."""
    tree = Tree(tmp_path / "data")
    tree.take_over(registry)
    assert (tree.root / "blobs/sha256" / index[7:9]).is_dir()
    up.files[DATA_FOLDER] = tree.folder
    return tree


def shown(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> tuple[str, str]:
    capsys.readouterr()
    assert main(["inspect", *arguments]) == code
    out, err = capsys.readouterr()
    return out, err


def test_json(readable: Tree, index: str, location: str, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = shown(capsys, "team/api:1", "team/api:image", "nosuch", "--json", code=4)
    found = schemas.check("inspect", out)
    assert (found["registry"], err) == (location, "")
    first, second = found["results"]
    assert (first["digest"], first["kind"], first["reference"]) == (index, "index", f"{location}/team/api:1")
    assert (first["same_as"], first["pushed"]) == (["team/api:latest"], PUSHED.isoformat())
    assert [one["kind"] for one in first["referrers"]] == ["SBOM", "signature"]
    assert [layer["shared_with"][:1] for layer in second["manifests"][0]["layers"]] == [["team/api:1"]] * 3
    assert [error["source"] for error in found["errors"]] == ["nosuch"]
    assert readable.root.is_dir()


@pytest.mark.usefixtures("readable")
def test_the_rest_is_shown_after_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    out, err = shown(capsys, "nosuch", "team/api:image", code=4)
    assert "\nkind\timage\n" in out
    assert err == "error: the registry does not have `nosuch:latest`\nhint: localreg ls\n"


@pytest.mark.usefixtures("index")
def test_every_part_is_shown_without_a_volume(capsys: pytest.CaptureFixture[str]) -> None:
    found = schemas.check("inspect", shown(capsys, "team/api:1", "--json")[0])["results"][0]
    assert (found["pushed"], found["same_as"], found["sharing_error"]) == (None, ["team/api:latest"], None)
    assert len(found["referrers"]) == 2


def raw(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> bytes:
    """The bytes of stdout, which need not be text."""
    buffer = io.BytesIO()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", io.TextIOWrapper(buffer, write_through=True))
        assert main(["inspect", *arguments]) == 0
        return buffer.getvalue()


@pytest.mark.parametrize("more", [[], ["--json"], ["-q"], ["--format", "table"]])
def test_raw_is_the_manifest_byte_for_byte(
    registry: FakeRegistry, index: str, more: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = b"not JSON \xff\x00\r\n"
    digest = Tree.digest(data)
    registry.manifests[digest] = (OCI_MANIFEST, data)
    registry.tags["odd"] = {"1": digest}
    assert raw(monkeypatch, "team/api:1", "--raw", *more) == registry.manifests[index][1]
    assert raw(monkeypatch, "odd:1", "--raw", *more) == data


def test_raw_with_a_platform_and_the_config(
    registry: FakeRegistry, index: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arm = json.loads(registry.manifests[index][1])["manifests"][1]["digest"]
    config = registry.blobs[json.loads(registry.manifests[arm][1])["config"]["digest"]]
    chosen = ["team/api:1", "--platform", "linux/arm64"]
    assert raw(monkeypatch, *chosen, "--raw") == registry.manifests[arm][1]
    assert raw(monkeypatch, *chosen, "--config") == raw(monkeypatch, *chosen, "--raw", "--config") == config


def test_quiet_asks_for_the_manifest_alone(
    registry: FakeRegistry, index: str, location: str, capsys: pytest.CaptureFixture[str]
) -> None:
    registry.requests.clear()
    out, _ = shown(capsys, "team/api:1", "team/api:latest", "-q")
    assert out == f"{location}/team/api@{index}\n" * 2
    assert set(registry.requests) == {"/v2/team/api/manifests/1", "/v2/team/api/manifests/latest"}


@pytest.mark.usefixtures("readable")
@pytest.mark.parametrize("digits", [6, 12, 64])
def test_a_digest_may_be_cut(index: str, location: str, digits: int, capsys: pytest.CaptureFixture[str]) -> None:
    for prefix in ("", "sha256:"):
        out, _ = shown(capsys, f"{location}/team/api@{prefix}{index[7 : 7 + digits]}", "-q")
        assert out == f"{location}/team/api@{index}\n"


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        ("team/*", "is a pattern; `inspect` needs whole names", "localreg ls 'team/*' -q | xargs -r localreg inspect"),
        ("Team/API", "is not a valid repository: it must be lower case", "use team/api"),
        ("team/api:1 team/api:2 --raw", "--raw works with one reference only", "localreg inspect REFERENCE --raw"),
        ("a b --config", "--config works with one reference only", "localreg inspect REFERENCE --config"),
        ("team/api:1 --platform arm64", "is not a valid platform", "use OS/ARCHITECTURE, such as linux/arm64"),
        (
            "team/api@123",
            "the digest in `team/api@123` is too short: use at least 6 hex digits",
            "localreg ls team/api --digests",
        ),
        (
            "ghcr.io/app@sha256:123456 --platform linux/arm64",
            "`ghcr.io/app@sha256:123456` names registry `ghcr.io`, not registry `registry`",
            "localreg inspect app@sha256:123456 --platform linux/arm64",
        ),
        (
            "team/api:1 --config",
            "`team/api:1` is an index, and each of its images has its own config",
            "localreg inspect team/api:1 --config --platform linux/amd64",
        ),
    ],
)
def test_usage_errors_name_the_command_that_is_meant(
    arguments: str, message: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _, err = shown(capsys, *arguments.split(), "--json", code=2)
    error = json.loads(err)["error"]
    assert message in error["message"]
    assert error["hint"] == hint


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize(
    ("name", "more", "hint"),
    [
        ("team/api@sha256:123456", [], "localreg ls team/api --digests"),
        ("team/api:2", [], "localreg ls team/api"),
        ("team/api:1", ["--platform", "linux/s390x"], "localreg inspect team/api:1 --platform linux/amd64"),
    ],
)
def test_what_is_not_there(name: str, more: list[str], hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, err = shown(capsys, name, *more, "--json", code=4)
    error = json.loads(err)["error"]
    assert name in error["message"]
    assert error["hint"] == hint


@pytest.mark.usefixtures("up")
def test_other_words_lead_here(capsys: pytest.CaptureFixture[str]) -> None:
    for typed, meant in (("history app:1", "inspect app:1"), ("manifest app:1", "inspect --raw app:1")):
        assert main(typed.split()) == 2
        assert f"\nhint: localreg {meant}\n" in capsys.readouterr().err
