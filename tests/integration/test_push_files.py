"""`push FILE` and `load` as they are typed, with a real Distribution 2.8.3 and an engine in memory."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import schemas
from support.engines.fake import FakeEngine
from support.engines.real import Distribution
from support.foreign_archives import IMAGE, OTHER, Image, LayoutFiles, docker_save, layer, tar_of, unpack

from localreg.cli.app import main
from localreg.engines.discovery import select
from localreg.engines.discovery.select import Selection, Survey
from localreg.engines.values import EngineInfo
from localreg.oci.api import RegistryClient


@pytest.fixture
def engine(distribution: Distribution, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeEngine:
    # On another machine, whose ports are free: here Distribution holds the one that is to be published.
    found = FakeEngine(EngineInfo("docker", "28.0.0", "fake:", context="default", remote=True))
    found.add_image("docker.io/library/registry:2.8.3")
    monkeypatch.setattr(
        select, "select_engine", lambda *_args, **_kwargs: Selection(found, Survey((), ()), holds_registry=True)
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert main(["up", "--port", distribution.base_url.rpartition(":")[2], "-q"]) == 0
    return found


@pytest.fixture
def location(engine: FakeEngine, distribution: Distribution, capsys: pytest.CaptureFixture[str]) -> str:
    assert engine.find_container("registry")
    capsys.readouterr()
    return distribution.base_url.replace("http://127.0.0.1", "localhost")


@pytest.fixture
def client(distribution: Distribution) -> Iterator[RegistryClient]:
    with RegistryClient(distribution.base_url) as opened:
        yield opened


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "save.tar"
    path.write_bytes(tar_of(docker_save({IMAGE: ["app:1"], OTHER: ["ghcr.io/me/other:2"]})))
    return path


def test_the_images_of_a_file_are_pushed(
    location: str, archive: Path, client: RegistryClient, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["push", archive.name, "--format", "plain"]) == 0
    digests = {name: client.head_manifest(*name.split(":")).digest for name in ("app:1", "me/other:2")}
    expected = "".join(f"{location}/{name}@{digest}\n" for name, digest in digests.items())
    assert capsys.readouterr().out == expected
    assert main(["push", str(archive), "--json"]) == 0
    found = schemas.check("push", capsys.readouterr().out)
    assert found["results"] == [
        {"source": str(archive), "reference": f"{location}/{name}", "digest": digest}
        for name, digest in digests.items()
    ]
    assert main(["load", "-i", str(archive), "--json"]) == 0
    loaded = schemas.check("load", capsys.readouterr().out)
    # The push before brought all of it.
    assert loaded["sent"] == 0
    assert [image["state"] for image in loaded["images"]] == ["exists", "exists"]
    assert main(["load", "-i", str(archive), "--check", "--json"]) == 0
    assert schemas.check("load-check", capsys.readouterr().out)["whole"]


def test_a_folder_is_pushed_under_another_name(
    location: str, tmp_path: Path, client: RegistryClient, capsys: pytest.CaptureFixture[str]
) -> None:
    files = LayoutFiles()
    image = files.image()
    unpack(files.add(image).all, tmp_path / "layout")
    assert main(["push", "layout"]) == 2
    assert "hint: localreg push layout --as NAME:TAG" in capsys.readouterr().err
    assert main(["push", "layout", "--as", f"{location}/team/app:3", "-q"]) == 0
    assert capsys.readouterr().out == f"{location}/team/app:3\n"
    assert client.head_manifest("team/app", "3").digest == image["digest"]
    assert main(["push", "layout", "--as", "ghcr.io/team/app:3"]) == 2
    assert "names registry `ghcr.io`" in capsys.readouterr().err
    assert main(["load", "-i", "layout", "--as", "ghcr.io/team/app:3"]) == 2
    assert "hint: localreg load -i layout --as team/app:3" in capsys.readouterr().err


def test_an_image_of_the_engine_comes_before_a_file(
    engine: FakeEngine, location: str, archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine.add_image("save.tar")
    engine.registries[location] = {}
    main(["push", "save.tar"])
    assert f"save.tar -> {location}/save.tar:latest" in capsys.readouterr().err
    assert main(["push", "./save.tar", "-q"]) == 0
    assert capsys.readouterr().out == f"{location}/app:1\n{location}/me/other:2\n"
    # A folder of a project is not an archive.
    archive.with_name("app").mkdir()
    assert main(["push", "app"]) == 4
    assert "`app`" in capsys.readouterr().err


def test_one_broken_file_does_not_stop_the_others(
    location: str, archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive.with_name("cut.tar").write_bytes(archive.read_bytes()[:4000])
    assert main(["push", "./cut.tar", "./missing.tar", "./save.tar", "-q"]) == 2
    out, err = capsys.readouterr()
    assert out == f"{location}/app:1\n{location}/me/other:2\n"
    assert "`cut.tar` ends early: it lacks" in err
    assert "`missing.tar` does not exist" in err
    # Without the path, it is not taken for an image to pull.
    assert main(["push", "missing.tar"]) == 2
    assert "`missing.tar` does not exist" in capsys.readouterr().err


@pytest.mark.usefixtures("archive")
def test_skopeos_name_of_an_archive(location: str, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["push", "oci-archive:save.tar"], ["load", "-i", "docker-archive:save.tar:app:1"]):
        assert main(words) == 2
        hint = " ".join([*words[:-1], "save.tar"])
        assert f"hint: localreg {hint}\n" in capsys.readouterr().err
    assert main(["copy", "oci-archive:save.tar", f"{location}/x/"]) == 2
    assert "hint: localreg push save.tar\n" in capsys.readouterr().err


def test_an_archive_that_is_not_whole(
    location: str, tmp_path: Path, client: RegistryClient, capsys: pytest.CaptureFixture[str]
) -> None:
    files = LayoutFiles()
    images = [files.image(), files.image(Image((layer("arm"),), "arm64")), files.image(Image((layer("z"),), "s390x"))]
    files.without(images[2])
    files.add(files.index(images[0], images[2]), full="docker.io/library/narrow:1")
    files.add(files.index(*images), full="docker.io/library/partly:1")
    (tmp_path / "sparse.tar").write_bytes(tar_of(files.all))
    assert main(["push", "sparse.tar", "-q"]) == 2
    out, err = capsys.readouterr()
    assert out == f"{location}/narrow:1\n"
    assert client.head_manifest("narrow", "1").digest == images[0]["digest"]
    assert "warning: the archive does not have all content of `narrow:1`" in err
    assert "error: `partly:1` is not whole: the archive lacks linux/s390x" in err
    assert main(["load", "-i", "sparse.tar", "--check", "--json"]) == 2
    assert not schemas.check("load-check", capsys.readouterr().out)["whole"]


def test_an_archive_through_a_pipe(
    location: str, archive: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments, code in ((["--as", "one"], 2), (["-q"], 0)):
        with archive.open() as stdin:
            monkeypatch.setattr(sys, "stdin", stdin)
            assert main(["load", *arguments]) == code
        if code:
            assert "--as needs an archive with one image; `stdin` has 2" in capsys.readouterr().err
    assert capsys.readouterr().out == f"{location}/app:1\n{location}/me/other:2\n"
