"""`save` as it is typed, of a registry in this process."""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
import tarfile
import threading
from pathlib import Path
from typing import Any

import pytest
from support import schemas
from support.engines.fake import FakeEngine
from support.registries.fake import FakeRegistry
from support.registries.shelf import InFake, Shelf

from localreg.cli.app import main
from localreg.errors import INTERRUPTED

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LAYER = gzip.compress(bytes(1 << 10), mtime=0)
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def index(up: FakeEngine, registry: FakeRegistry) -> str:
    """The digest of an index with a signature and an SBOM, beside a chart and two names of one image."""
    assert up.find_container("registry") is not None
    shelf = Shelf(InFake(registry), "team/api")
    index = shelf.index("1.4.2")
    shelf.signature(index["digest"])
    shelf.sbom(index, listed=True)
    Shelf(InFake(registry), "charts/app").chart("1.2.0")
    for tag in ("1", "2"):
        Shelf(InFake(registry), "web").image(tag, layers=[LAYER])
    return str(index["digest"])


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where an archive is to be."""
    monkeypatch.chdir(tmp_path)
    return Path("x.tar")


def shown(capsys: Capture, *arguments: str, code: int = 0) -> tuple[str, str]:
    capsys.readouterr()
    assert main(["save", *arguments]) == code
    out, err = capsys.readouterr()
    return out, err


def piped(monkeypatch: pytest.MonkeyPatch, *arguments: str, code: int = 0) -> bytes:
    """The bytes of stdout."""
    buffer = io.BytesIO()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", io.TextIOWrapper(buffer, write_through=True))
        assert main(["save", *arguments]) == code
        return buffer.getvalue()


def entries(archive: bytes) -> dict[str, dict[str, str]]:
    """The annotations of each entry, by its short name."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        found = tar.extractfile("index.json")
        assert found is not None
        listed: list[dict[str, Any]] = json.load(found)["manifests"]
    return {entry["annotations"]["org.opencontainers.image.ref.name"]: entry["annotations"] for entry in listed}


def saved_files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("x.tar*"))


def break_layer(registry: FakeRegistry, reference: str, fault: str) -> str:
    """Damage the last layer of an image; returns its digest."""
    repository, _, tag = reference.partition(":")
    tags = registry.tags[repository]
    assert tags
    digest = str(json.loads(registry.manifests[tags[tag]][1])["layers"][-1]["digest"])
    if fault == "missing":
        del registry.blobs[digest]
    else:
        # The end of a compressed tar is its length.
        registry.blobs[digest] = bytes(len(LAYER) - 4) + LAYER[-4:]
    return digest


def test_json(index: str, file: Path, capsys: Capture) -> None:
    out, err = shown(capsys, "-o", str(file), "team/api", "nosuch", "--json", code=4)
    found = schemas.check("save", out)
    stem = index.replace(":", "-")
    assert {each["tag"] for each in found["images"]} == {"1.4.2", f"{stem}.sig", stem}
    assert (found["file"], found["size"], found["parts"]) == ("x.tar", file.stat().st_size, False)
    assert [each["source"] for each in found["errors"]] == ["nosuch"]
    assert (found["images"][0]["digest"], err) == (index, "")


def test_the_names_in_the_archive(index: str, file: Path, location: str, capsys: Capture) -> None:
    shown(capsys, "-o", str(file), "web", f"team/api@{index}")
    found = entries(file.read_bytes())
    stem = index.replace(":", "-")
    assert {*found} == {"web:1", "web:2", f"team/api@{index}", f"team/api:{stem}.sig", f"team/api:{stem}"}
    assert found["web:1"]["io.containerd.image.name"] == f"{location}/web:1"
    assert found[f"team/api@{index}"]["io.containerd.image.name"] == f"{location}/team/api@{index}"
    assert found["web:1"]["org.opencontainers.image.created"] == "2026-11-01T08:00:02+00:00"


@pytest.mark.usefixtures("index")
def test_the_order_of_the_members(file: Path, capsys: Capture, registry: FakeRegistry) -> None:
    shown(capsys, "-o", str(file))
    with tarfile.open(file) as tar:
        members = tar.getnames()
    configs = {json.loads(data).get("config", {}).get("digest") for _, data in registry.manifests.values()}

    def rank(member: str) -> int:
        digest = f"sha256:{member.rpartition('/')[2]}"
        return 2 if digest in registry.manifests else 3 if digest in configs else 4

    assert members[:2] == ["oci-layout", "index.json"]
    assert [*map(rank, members[2:])] == sorted(map(rank, members[2:]))
    assert {rank(member) for member in members[2:]} == {2, 3, 4}


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize("width", [60, 100])
def test_the_table(file: Path, location: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    out, _ = shown(capsys, "-o", str(file), "--format", "table")
    assert "\nSaved 6 names to x.tar, " in out
    assert "load    `localreg load -i x.tar`\n" in out
    pulls = [line.strip() for line in out.splitlines() if "podman pull" in line]
    assert [line.rpartition("x.tar:")[2].rstrip("`") for line in pulls] == ["team/api:1.4.2", "web:1", "web:2"]
    assert location not in out


@pytest.mark.usefixtures("index")
def test_quiet(file: Path, capsys: Capture) -> None:
    assert shown(capsys, "-o", str(file), "web", "-q") == ("web:1\nweb:2\n", "")


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize("to", [[], ["-o", "-"], ["-o", "/dev/stdout"]])
def test_stdout_gets_the_same_archive_and_nothing_else(
    file: Path, to: list[str], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown(capsys, "-o", str(file), "web")
    assert piped(monkeypatch, *to, "web", "--format", "table") == file.read_bytes()
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("index")
def test_parts_are_the_archive(file: Path, tmp_path: Path, capsys: Capture) -> None:
    shown(capsys, "-o", str(file))
    out, _ = shown(capsys, "-o", "parts.tar", "--split", "20k", "--format", "table")
    parts = sorted(tmp_path.glob("parts.tar.*"))
    assert [part.stat().st_size for part in parts[:-1]] == [20 << 10] * (len(parts) - 1)
    assert b"".join(part.read_bytes() for part in parts) == file.read_bytes()
    assert "to parts.tar.*, " in out
    assert "`localreg load -i parts.tar.000`" in out
    assert "podman pull" not in out
    assert main(["load", "-i", "parts.tar.001", "--check"]) == 2
    assert "hint: name the first part of the archive, `parts.tar.000`\n" in capsys.readouterr().err
    (tmp_path / "parts.tar.001").unlink()
    assert main(["load", "-i", "parts.tar", "--check"]) == 2
    assert "a part of the archive is missing: `parts.tar.001`" in capsys.readouterr().err


@pytest.mark.usefixtures("index")
def test_zstd(file: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    shown(capsys, "-o", str(file), "--zstd")
    assert file.read_bytes() == piped(monkeypatch, "--zstd")
    assert zstd.decompress(file.read_bytes()) == piped(monkeypatch)


@pytest.mark.usefixtures("index")
def test_a_pipe_by_its_name(file: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(file)
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(file.read_bytes()))
    reader.start()
    out, _ = shown(capsys, "-o", str(file), "web", "--format", "table")
    # Nothing reads a pipe again.
    assert out.endswith(f"to {file}, {out.rpartition(', ')[2]}")
    reader.join(timeout=10)
    assert received == [piped(monkeypatch, "web")]
    assert saved_files(tmp_path) == ["x.tar"]


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize("fault", ["missing", "wrong"])
def test_a_broken_image_among_good_ones(
    registry: FakeRegistry, file: Path, fault: str, tmp_path: Path, capsys: Capture
) -> None:
    whole = Shelf(InFake(registry), "good").image("1", layers=[b"good"])
    digest = break_layer(registry, "web:2", fault)
    out, err = shown(capsys, "-o", str(file), "-q", code=6)
    assert [name for name in out.splitlines() if "sha256-" not in name] == [
        "charts/app:1.2.0",
        "good:1",
        "team/api:1.4.2",
    ]
    reason = "is missing" if fault == "missing" else "has other content than its digest tells"
    assert f"error: cannot read `web:2`: in the registry, blob {digest} {reason}\n" in err
    assert [*entries(file.read_bytes())] == out.splitlines()
    assert whole["digest"][7:].encode() in file.read_bytes()
    assert saved_files(tmp_path) == ["x.tar"]


@pytest.mark.usefixtures("index")
def test_an_archive_in_a_pipe_cannot_begin_again(
    registry: FakeRegistry, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = break_layer(registry, "web:2", "wrong")
    piped(monkeypatch, "web", "-o", "-", code=6)
    err = capsys.readouterr().err
    assert f"cannot save `web:1`: in the registry, blob {digest} has other content" in err
    assert "hint: save to a file, with -o" in err


@pytest.mark.usefixtures("index")
def test_a_manifest_that_cannot_be_read(registry: FakeRegistry, file: Path, capsys: Capture) -> None:
    registry.faults["/v2/web/manifests/2"] = "500"
    out, err = shown(capsys, "-o", str(file), "web", "-q", code=6)
    assert out == "web:1\n"
    assert "returned 500 for `web:2`" in err


@pytest.mark.usefixtures("index")
def test_nothing_that_can_be_saved(registry: FakeRegistry, tmp_path: Path, file: Path, capsys: Capture) -> None:
    break_layer(registry, "web:2", "missing")
    out, err = shown(capsys, "-o", str(file), "web:1", "nosuch", code=4)
    assert (out, err.count("error: "), saved_files(tmp_path)) == ("", 2, [])


@pytest.mark.usefixtures("up")
def test_an_empty_registry(tmp_path: Path, file: Path, capsys: Capture) -> None:
    _, err = shown(capsys, "-o", str(file), code=4)
    assert err == "error: the registry is empty: there is nothing to save\nhint: localreg push IMAGE\n"
    assert saved_files(tmp_path) == []


@pytest.mark.usefixtures("index")
def test_a_file_that_can_only_be_written(file: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    file.touch()
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    assert shown(capsys, "-o", str(file), "web", "-q") == ("web:1\nweb:2\n", "")
    assert main(["load", "-i", str(file), "--check", "-q"]) == 0
    assert capsys.readouterr().out == "web:1\nweb:2\n"


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize("to_file", [True, False])
def test_patterns_that_fit_nothing(tmp_path: Path, file: Path, capsys: Capture, *, to_file: bool) -> None:
    target = ["-o", str(file)] if to_file else []
    out, err = shown(capsys, *target, "nosuch*", code=4)
    assert (out, err) == ("", "error: the registry does not have `nosuch*`\nhint: localreg ls\n")
    assert saved_files(tmp_path) == []


def test_a_pattern_that_fits_nothing_fails_beside_others(index: str, file: Path, capsys: Capture) -> None:
    out, err = shown(capsys, "-o", str(file), "team/*", "nosuch*:1", code=4)
    assert f"team/api:1.4.2\t{index}" in out
    assert "the registry does not have `nosuch*:1`" in err
    assert file.exists()


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize("size", ["0", "4X", "-1", "", "1.5G"])
def test_not_a_size(file: Path, size: str, capsys: Capture) -> None:
    assert "is not a valid size" in shown(capsys, "-o", str(file), f"--split={size}", code=2)[1]


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize("to", [[], ["-o", "-"], ["-o", os.devnull]])
def test_only_a_file_can_be_split(to: list[str], capsys: Capture) -> None:
    err = shown(capsys, *to, "--split", "4G", code=2)[1]
    assert err == "error: --split needs a file\nhint: localreg save -o FILE --split 4G\n"


@pytest.mark.usefixtures("index")
def test_a_folder(tmp_path: Path, capsys: Capture) -> None:
    err = shown(capsys, "-o", str(tmp_path), "web:1", code=2)[1]
    assert err == f"error: `{tmp_path}` is a folder\nhint: localreg save -o {tmp_path}/registry.tar web:1\n"


@pytest.mark.usefixtures("index")
def test_a_folder_that_does_not_exist(tmp_path: Path, capsys: Capture) -> None:
    err = shown(capsys, "-o", str(tmp_path / "no" / "x.tar"), code=1)[1]
    assert err.endswith(f"does not exist\nhint: mkdir -p {tmp_path}/no\n")


@pytest.mark.usefixtures("index")
def test_ctrl_c_leaves_the_old_archive(
    tmp_path: Path, file: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_bytes(b"old")

    def interrupted(*_: object) -> None:
        assert saved_files(tmp_path) == ["x.tar", "x.tar.part"]
        raise KeyboardInterrupt

    monkeypatch.setattr("localreg.places.layout.archive.ArchiveTarget.put_blob", interrupted)
    shown(capsys, "-o", str(file), code=INTERRUPTED)
    assert (file.read_bytes(), saved_files(tmp_path)) == (b"old", ["x.tar"])
