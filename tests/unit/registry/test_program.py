from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest
from support.programs import DISTRIBUTION, write_program

from localreg.registry.program import PROGRAM_LABEL, VERSION_LABEL, RegistryProgram, find_registry_program, image_around


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def read_image(archive: Path) -> tuple[dict[str, Any], dict[str, tarfile.TarInfo]]:
    """The config of the image in a docker-archive, and what is in its only layer."""
    with tarfile.open(archive) as tar:
        (entry,) = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]  # it is a file
        config = json.load(tar.extractfile(entry["Config"]))  # type: ignore[arg-type]  # the same
        with tarfile.open(fileobj=tar.extractfile(entry["Layers"][0])) as layer:
            return {"names": entry["RepoTags"], **config}, {member.name: member for member in layer}


@pytest.mark.parametrize(
    ("line", "version", "tag"),
    [
        (DISTRIBUTION, "2.8.3+ds1", "2.8.3"),
        ("registry github.com/distribution/distribution/v3 v3.0.0\n", "3.0.0", "3.0.0"),
        ("registry github.com/docker/distribution v2.8.3.m\n", "2.8.3.m", "2.8.3.m"),
        ("registry github.com/docker/distribution (devel)~1\n", "(devel)~1", "devel--1"),
        ("registry github.com/docker/distribution +unknown\n", "+unknown", "unknown"),
    ],
)
def test_the_version_that_the_program_reports_becomes_a_tag(folder: Path, line: str, version: str, tag: str) -> None:
    path = write_program(folder / "registry", line)
    found = find_registry_program()
    assert found == RegistryProgram(path, version)
    assert found.image == f"localhost/localreg-registry:{tag}"


def test_a_program_that_is_something_else_is_passed_over(folder: Path) -> None:
    write_program(folder / "registry", "registry 2.8.3\n")
    assert find_registry_program() is None
    right = write_program(folder / "docker-registry", DISTRIBUTION)
    assert find_registry_program() == RegistryProgram(right, "2.8.3+ds1")


def test_a_link_is_followed(folder: Path) -> None:
    (folder / "elsewhere").mkdir()
    path = write_program(folder / "elsewhere/program", DISTRIBUTION)
    (folder / "registry").symlink_to(path)
    assert find_registry_program() == RegistryProgram(path, "2.8.3+ds1")


def test_what_is_no_program_for_linux_is_not_even_started(folder: Path) -> None:
    script = folder / "registry"
    script.write_text(f"#!/bin/sh\n: > {folder / 'started'}\necho '{DISTRIBUTION}'\n")
    script.chmod(0o755)
    assert find_registry_program() is None
    for start in (b"", b"\x7fELF", b"\x7fELF\x02\x01" + bytes(100), b"\xcf\xfa\xed\xfe" + bytes(100)):
        script.write_bytes(start)
        assert find_registry_program() is None
    assert not (folder / "started").exists()


def test_a_program_whose_loader_is_not_there_is_passed_over(folder: Path) -> None:
    write_program(folder / "registry", DISTRIBUTION, loader="/no/such/loader")
    assert find_registry_program() is None


def test_the_image_is_laid_out_like_the_official_one(folder: Path) -> None:
    program = RegistryProgram(write_program(folder / "registry", DISTRIBUTION), "2.8.3+ds1")
    with image_around(program) as archive:
        image, files = read_image(archive)
    assert image["names"] == ["localhost/localreg-registry:2.8.3"]
    assert image["config"]["Entrypoint"] == ["/bin/registry", "serve"]
    assert image["config"]["Cmd"] == ["/etc/docker/registry/config.yml"]
    assert image["config"]["Volumes"] == {"/var/lib/registry": {}}
    assert image["config"]["ExposedPorts"] == {"5000/tcp": {}}
    assert "User" not in image["config"]
    assert image["config"]["Labels"][VERSION_LABEL] == "2.8.3+ds1"
    assert image["config"]["Labels"][PROGRAM_LABEL] == program.digest()
    assert files["bin/registry"].mode == 0o755
    assert "etc/docker/registry/config.yml" in files
    assert {(member.uid, member.gid, member.mtime) for member in files.values()} == {(0, 0, 0)}


def test_a_static_busybox_makes_the_officials_entrypoint_possible(folder: Path) -> None:
    program = RegistryProgram(write_program(folder / "registry", DISTRIBUTION), "2.8.3")
    write_program(folder / "busybox", "busybox\n")
    with image_around(program) as archive:
        image, files = read_image(archive)
    assert image["config"]["Entrypoint"] == ["/entrypoint.sh"]
    assert files["entrypoint.sh"].mode == 0o755
    assert files["bin/sh"].linkname == "busybox"


def test_a_busybox_that_needs_libraries_is_left_out(folder: Path) -> None:
    program = RegistryProgram(write_program(folder / "registry", DISTRIBUTION), "2.8.3")
    shutil.copy("/bin/ls", folder / "busybox")
    with image_around(program) as archive:
        assert "bin/busybox" not in read_image(archive)[1]


def test_what_a_program_needs_comes_with_it(folder: Path) -> None:
    shutil.copy("/bin/ls", folder / "registry")
    with image_around(RegistryProgram(folder / "registry", "2.8.3")) as archive:
        files = read_image(archive)[1]
    loader = next(name for name in files if Path(name).name.startswith("ld-"))
    libc = next(name for name in files if Path(name).name.startswith("libc."))
    assert files[loader].size == Path(f"/{loader}").stat().st_size
    assert files[libc].mode == 0o755


def test_the_same_program_gives_the_same_image(folder: Path) -> None:
    program = RegistryProgram(write_program(folder / "registry", DISTRIBUTION), "2.8.3")
    written = []
    for _ in range(2):
        with image_around(program) as archive:
            written.append(archive.read_bytes())
        program.path.touch()
    assert written[0] == written[1]
