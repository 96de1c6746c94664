"""What `save` writes: a file that is complete or not there, one in parts, and pipes."""

from __future__ import annotations

import os
import resource
import threading
from pathlib import Path

import pytest

from localreg.errors import ConflictError, LocalregError
from localreg.places.part_file import PartFile, Stream, is_stream, opened_stream


class StoppedError(BaseException):
    """Stands for Ctrl-C."""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write(path: Path, data: bytes, split: int | None = None) -> PartFile:
    with PartFile(path, split=split) as file:
        file.write(data)
    return file


def test_the_old_file_stays_until_the_new_one_is_complete(tmp_path: Path) -> None:
    target = tmp_path / "x.tar"
    target.write_bytes(b"old")
    with PartFile(target) as file:
        file.write(b"new")
        assert (target.read_bytes(), names(tmp_path)) == (b"old", ["x.tar", "x.tar.part"])
    assert (target.read_bytes(), names(tmp_path), file.size) == (b"new", ["x.tar"], 3)


def interrupt(path: Path, split: int | None) -> None:
    with PartFile(path, split=split) as file:
        file.write(b"12345")
        raise StoppedError


@pytest.mark.parametrize("split", [None, 2])
def test_a_failure_leaves_nothing(tmp_path: Path, split: int | None) -> None:
    target = tmp_path / "x.tar"
    target.write_bytes(b"old")
    with pytest.raises(StoppedError):
        interrupt(target, split)
    assert (target.read_bytes(), names(tmp_path)) == (b"old", ["x.tar"])


@pytest.mark.parametrize(("split", "left"), [(None, "x.tar.part"), (2, "x.tar.000.part")])
def test_what_a_killed_run_left_is_taken_over(tmp_path: Path, split: int | None, left: str) -> None:
    (tmp_path / left).write_bytes(b"much longer than the archive")
    write(tmp_path / "x.tar", b"ab", split)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"ab"]


def test_two_that_write_one_file(tmp_path: Path) -> None:
    with PartFile(tmp_path / "x.tar") as first:
        first.write(b"first")
        with pytest.raises(ConflictError, match=r"x\.tar"), PartFile(tmp_path / "x.tar"):
            pytest.fail("both write it")
        first.write(b"!")
    assert (tmp_path / "x.tar").read_bytes() == b"first!"


def test_the_parts_are_the_whole(tmp_path: Path) -> None:
    data = bytes(range(250))
    file = write(tmp_path / "x.tar", data, 100)
    assert names(tmp_path) == ["x.tar.000", "x.tar.001", "x.tar.002"]
    assert [path.stat().st_size for path in sorted(tmp_path.iterdir())] == [100, 100, 50]
    assert (b"".join(path.read_bytes() for path in sorted(tmp_path.iterdir())), file.size) == (data, 250)


def test_parts_that_follow_are_of_an_earlier_archive(tmp_path: Path) -> None:
    write(tmp_path / "x.tar", bytes(10), 2)
    (tmp_path / "x.tar.005.part").touch()
    (tmp_path / "x.tar.2024").touch()
    write(tmp_path / "x.tar", bytes(4), 2)
    assert names(tmp_path) == ["x.tar.000", "x.tar.001", "x.tar.2024"]


def test_many_parts_take_few_open_files(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len([*Path("/proc/self/fd").iterdir()])
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 10, hard))
    try:
        write(tmp_path / "x.tar", bytes(50), 1)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(names(tmp_path)) == 50


def test_too_many_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localreg.places.part_file.MOST_PARTS", 3)
    with pytest.raises(LocalregError, match="more than 3 parts"):
        write(tmp_path / "x.tar", bytes(7), 2)
    assert names(tmp_path) == []


def test_a_link_stays(tmp_path: Path) -> None:
    far = tmp_path / "far"
    far.mkdir()
    (tmp_path / "x.tar").symlink_to(far / "real.tar")
    write(tmp_path / "x.tar", b"new")
    assert (tmp_path / "x.tar").is_symlink()
    assert ((far / "real.tar").read_bytes(), names(far)) == (b"new", ["real.tar"])


def test_a_link_in_place_of_the_part_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "x.tar.part").symlink_to(tmp_path / "precious")
    with pytest.raises(LocalregError, match=r"cannot write `.*x\.tar`"):
        write(tmp_path / "x.tar", b"new")
    assert (tmp_path / "precious").read_bytes() == b"precious"


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(LocalregError, match="does not exist") as found:
        write(tmp_path / "no" / "x.tar", b"")
    assert found.value.hint == f"mkdir -p {tmp_path}/no"


def test_a_pipe_gets_the_bytes_and_nothing_beside_it(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()
    assert is_stream(pipe)
    with opened_stream(pipe) as stream:
        stream.write(b"x" * 200_000)
    reader.join(timeout=10)
    assert (received, names(tmp_path), stream.size) == ([b"x" * 200_000], ["pipe"], 200_000)


def test_a_device_that_is_full() -> None:
    with (
        pytest.raises(LocalregError, match="cannot write `/dev/full`: no space left"),
        opened_stream(Path("/dev/full")) as stream,
    ):
        stream.write(b"x")


def test_a_pipe_whose_reader_has_gone() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb", buffering=0) as file, pytest.raises(BrokenPipeError):
        Stream(file, "stdout").write(b"x")


def test_files_and_folders_are_not_streams(tmp_path: Path) -> None:
    (tmp_path / "x.tar").touch()
    assert not any(map(is_stream, [tmp_path, tmp_path / "x.tar", tmp_path / "nothing"]))
    assert is_stream(Path(os.devnull))
