"""What scripts read is what the JSON Schemas say: with an engine in memory, and a registry that answers."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import jsonschema
import pytest
from cli_reference import names_in_full
from support import schemas
from support.engines.fake import FakeEngine
from support.registries.fake import FakeRegistry
from support.registries.tree import Tree

from localreg.cli import status as status_command
from localreg.cli.app import main
from localreg.engines.discovery import select
from localreg.engines.discovery.probe import Answer
from localreg.engines.discovery.select import Survey
from localreg.engines.values import Endpoint, LogChunk
from localreg.oci.manifest import OCI_MANIFEST
from localreg.registry.container import DATA_FOLDER
from localreg.registry.volume_layout import data_of

WITHOUT_JSON = {"completion", "ci"}
"""Commands whose result is what somebody else reads or wrote."""


def result(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> tuple[str, str]:
    assert main([*arguments, "--json"]) == code
    out, err = capsys.readouterr()
    return out, err


def test_every_command_has_a_schema() -> None:
    commands = {"-".join(words) for words in names_in_full()} - WITHOUT_JSON
    assert commands <= {path.stem for path in schemas.FOLDER.glob("*.json")}


@pytest.mark.parametrize("path", sorted(schemas.FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_a_schema_is_one_and_refuses_what_is_none(path: Path) -> None:
    validator = schemas.published(path.stem)
    validator.check_schema(validator.schema)
    if path.stem != "common":
        with pytest.raises(jsonschema.ValidationError):
            validator.validate({"schema_version": 1, "else": "nothing"})


def test_a_key_that_no_schema_names_is_found() -> None:
    known = {"schema_version": 1, "source": "a", "reference": "b"}
    schemas.check("tag", json.dumps(known))
    with pytest.raises(jsonschema.ValidationError):
        schemas.check("tag", json.dumps({**known, "new": 1}))


def test_up(
    engine: FakeEngine, location: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root's entries are for all users of this machine, and stand outside the folder of the test.
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    port = location.rpartition(":")[2]
    assert engine.list_containers() == []
    actions = [
        schemas.check("up", result(capsys, "up", "--port", port, *more)[0])["action"]
        for more in ([], [], ["--recreate"], ["--podman-fix"])
    ]
    assert actions == ["created", "already up", "recreated", "already up"]


def test_down(up: FakeEngine, capsys: pytest.CaptureFixture[str]) -> None:
    assert up.find_container("registry") is not None
    first = schemas.check("down", result(capsys, "down")[0])
    assert (first["removed"]["container"], first["kept"]) == ("registry", ["localreg-registry"])
    schemas.check("down", result(capsys, "down", "--volumes")[0])
    schemas.check("down", result(capsys, "down")[0])


def test_status(up: FakeEngine, registry: FakeRegistry, capsys: pytest.CaptureFixture[str]) -> None:
    registry.put_image("app:2")
    assert schemas.check("status", result(capsys, "status")[0])["repositories"] == 1
    up.stop_container("registry")
    assert schemas.check("status", result(capsys, "status", code=6)[0])["health"] == "stopped"
    up.remove_container("registry")
    assert schemas.check("status", result(capsys, "status", code=4)[0])["registry"] is None


def test_status_of_all(
    up: FakeEngine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answer = Answer("docker", Endpoint(f"unix://{tmp_path}"), (), has_volume=False)
    monkeypatch.setattr(select, "survey_engines", lambda *_args, **_kwargs: Survey((answer,), ()))
    monkeypatch.setattr(status_command, "open_engine", lambda _answer: up)
    assert len(schemas.check("status-all", result(capsys, "status", "--all")[0])["registries"]) == 1


def test_push_and_pull(up: FakeEngine, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = result(capsys, "push", "app:1", "nosuch:1", code=4)
    assert schemas.check("push", out)["errors"][0]["source"] == "nosuch:1"
    assert up.find_image("app:1") is not None
    assert schemas.check("pull", result(capsys, "pull", "app:1")[0])["errors"] == []


def test_build(
    up: FakeEngine, location: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (tmp_path / "Dockerfile").touch()
    up.tag_image("app:1", f"{location}/app:1")
    program = tmp_path / "docker"
    said = "#!/bin/sh\necho Docker version 28.0.0\n"
    program.write_text(said)
    program.chmod(0o755)
    out, err = result(capsys, "build", str(tmp_path), "-t", "app:1")
    assert (schemas.check("build", out)["results"][0]["source"], err) == ("app:1", "")
    program.write_text(f'{said}[ "$1" = --version ] || [ "$2" = version ] || exit 3\n')
    out, err = result(capsys, "build", str(tmp_path), "-t", "app:1", code=1)
    assert (out, schemas.check("stderr", err)["error"]["details"]) == ("", ["Docker version 28.0.0"])


def test_tag(up: FakeEngine, location: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert schemas.check("tag", result(capsys, "tag", "app:1")[0])["reference"] == f"{location}/app:1"
    assert up.find_image(f"{location}/app:1") is not None


def test_rm(up: FakeEngine, location: str, registry: FakeRegistry, capsys: pytest.CaptureFixture[str]) -> None:
    del registry.answers["/v2/app/manifests/1"]
    up.tag_image("app:1", f"{location}/app:1")
    out, _ = result(capsys, "rm", "app:1", "nosuch:1", "--yes", code=4)
    assert schemas.check("rm", out)["results"][0]["removed_from"] == ["docker"]
    registry.put_image("app:2")
    hints = [json.loads(result(capsys, "rm", name, code=4)[1])["error"]["hint"] for name in ("app:1", "nosuch:1")]
    assert hints == ["localreg ls app", "localreg ls"]
    assert "`app:9`" in json.loads(result(capsys, "rm", "app:9", "--dry-run", code=4)[1])["error"]["message"]
    up.tag_image("app:1", f"{location}/app:8")
    found = schemas.check("rm", result(capsys, "rm", "app:2", "app:8", "--dry-run")[0])["results"]
    assert [one["removed_from"] for one in found] == [["registry"], ["docker"]]
    # A dry run fails as the removal does.
    for name, code in ((f"app:9@sha256:{'a' * 64}", 4), (f"app:2@sha256:{'a' * 64}", 5)):
        errors = [result(capsys, "rm", name, *option, code=code)[1] for option in ([], ["--dry-run"])]
        assert errors[0] == errors[1]
    registry.put_image("app:3")
    _, err = result(capsys, "rm", "app:2", "app:3", "--keep-local", code=2)
    assert json.loads(err)["error"]["hint"] == "localreg rm --keep-local app:2 app:3 --yes"
    _, err = result(capsys, "rm", f"app@sha256:{'a' * 64}", code=4)
    assert f"`app@sha256:{'a' * 12}`" in json.loads(err)["error"]["message"]
    _, err = result(capsys, "rm", "--keep-local", "app:2", "app:3", code=2)
    assert json.loads(err)["error"]["hint"] == "localreg rm --keep-local app:2 app:3 --yes"


def test_ls(up: FakeEngine, registry: FakeRegistry, capsys: pytest.CaptureFixture[str]) -> None:
    assert up.find_container("registry") is not None
    del registry.answers["/v2/app/manifests/1"]
    registry.put_image("app:1")
    registry.put_image("broken:1")
    registry.put_image("old:1", created="")
    registry.faults["/v2/broken/manifests/1"] = "500"
    found = schemas.check("ls", result(capsys, "ls", "*", "nosuch", code=4)[0])
    assert [image["error"] is None for image in found["images"]] == [True, False, True]
    assert [error["source"] for error in found["errors"]] == ["nosuch"]


def test_ls_reads_manifests_only_if_their_content_is_shown(
    up: FakeEngine, location: str, registry: FakeRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    assert up.find_container("registry") is not None
    del registry.answers["/v2/app/manifests/1"]
    registry.put_image("app:1")
    assert main(["ls", "-q"]) == 0
    assert capsys.readouterr().out == f"{location}/app:1\n"
    assert registry.requests["/v2/app/manifests/1"] == 0
    assert schemas.check("ls", result(capsys, "ls", "-q")[0])["images"][0]["kind"] == "image"


def test_du(up: FakeEngine, registry: FakeRegistry, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    tree = Tree(tmp_path / "volume")
    image = tree.image("app", layers=[b"layer" * 100])
    tree.tag("app", "1", image)
    up.files[DATA_FOLDER] = tree.folder
    # The registry has other content, as if it stored its images elsewhere.
    registry.put_image("other:1")
    found = schemas.check("du", result(capsys, "du", "other", "nosuch", code=4)[0])
    assert ([row["tag"] for row in found["rows"]], found["storage"]) == ([None], None)
    assert [error["source"] for error in found["errors"]] == ["nosuch"]
    assert main(["du", "--tags", "--format", "table"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("REPOSITORY   TAG")
    assert "it stores its images elsewhere than in its container's volume" in err
    registry.tags.clear()
    for path in (tree.root / "repositories/app/_manifests/tags").glob("*"):
        shutil.rmtree(path)
    registry.put_manifest(json.loads((tree.folder / data_of(image)).read_bytes()), OCI_MANIFEST)
    registry.tags["app"] = None
    found = schemas.check("du", result(capsys, "du", "--tags")[0])
    assert (found["rows"], found["storage"]["untagged"]["count"], found["storage_unknown"]) == ([], 1, None)


def test_config(capsys: pytest.CaptureFixture[str]) -> None:
    found = schemas.check("config", result(capsys, "config", "--engine", "docker")[0])
    assert found["settings"]["engine"] == {"value": "docker", "source": "flag"}


def test_url(up: FakeEngine, location: str, registry: FakeRegistry, capsys: pytest.CaptureFixture[str]) -> None:
    assert up.find_container("registry") is not None
    found = schemas.check("url", result(capsys, "url")[0])
    assert (found["url"], found["location"]) == (registry.base_url, location)
    assert main(["url"]) == 0
    assert main(["url", "-q"]) == 0
    assert capsys.readouterr().out == f"{registry.base_url}\n{location}\n"


def test_logs(up: FakeEngine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    # An engine may cut its answer anywhere, also within a character.
    chunks = [
        LogChunk("stdout", b"GET /v2/ 200\n\xc3"),
        LogChunk("stderr", b'time="now" level=info\n\xff'),
        LogChunk("stdout", b"\xa9\n\nend"),
    ]
    monkeypatch.setattr(up, "read_logs", lambda *_args, **_options: iter(chunks))
    out, err = result(capsys, "logs")
    found = [schemas.check("logs", line) for line in out.splitlines()]
    assert err == ""
    assert [(line["stream"], line["line"]) for line in found] == [
        ("stdout", "GET /v2/ 200"),
        ("stderr", 'time="now" level=info'),
        ("stdout", "\u00e9"),
        ("stdout", ""),
        ("stdout", "end"),
        ("stderr", "\ufffd"),
    ]


def test_stderr(engine: FakeEngine, capsys: pytest.CaptureFixture[str]) -> None:
    assert engine.list_containers() == []
    out, err = result(capsys, "ls", code=4)
    assert out == ""
    assert schemas.check("stderr", err)["error"]["exit_code"] == 4
    assert schemas.check("stderr", json.dumps({"warning": "`x` is open"}))
