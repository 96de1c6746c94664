from __future__ import annotations

import gzip
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.engines.fake import FakeEngine
from support.engines.oci_archives import OciArchive, docker_archive, oci_archive
from support.programs import DISTRIBUTION, write_program

from localreg.engines.values import EngineInfo, Image, Progress
from localreg.errors import EngineLostError, ImageNotFoundError, InvalidArchiveError, RegistryUnreachableError
from localreg.oci.archive.describe import ArchiveKind, describe_archive
from localreg.oci.archive.write import written_archive
from localreg.registry.defaults import DEFAULT_IMAGE
from localreg.registry.image import ImageSource, RegistryImage, ensure_registry_image
from localreg.registry.options import PullPolicy
from localreg.registry.program import PROGRAM_LABEL, REPOSITORY, RegistryProgram

QUALIFIED = "docker.io/library/registry:2.8.3"


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """An engine without images, on a machine without a Distribution program."""
    monkeypatch.setenv("PATH", "/nonexistent")
    return FakeEngine()


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A program on PATH that says it is Distribution."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return write_program(tmp_path / "bin/docker-registry", DISTRIBUTION)


@pytest.fixture
def notes() -> list[str]:
    return []


def ensure(
    engine: FakeEngine,
    notes: list[str],
    image: str = DEFAULT_IMAGE,
    *,
    archive: Path | None = None,
    pull: PullPolicy = PullPolicy.MISSING,
) -> RegistryImage:
    steps: list[Progress] = []
    return ensure_registry_image(
        engine, image=image, archive=archive, pull=pull, on_progress=steps.append, notify=notes.append
    )


def upstream(engine: FakeEngine) -> None:
    image = engine.add_image("upstream")
    engine.untag_image("upstream")
    engine.registries["docker.io"] = {QUALIFIED: image}


@pytest.mark.parametrize("name", ["localhost/registry:2.8.3", QUALIFIED])
def test_one_that_is_there_is_used(engine: FakeEngine, notes: list[str], name: str) -> None:
    engine.add_image(name)
    assert ensure(engine, notes) == RegistryImage(name, ImageSource.PRESENT)


def test_another_image_whose_name_only_ends_alike_is_not(engine: FakeEngine, notes: list[str]) -> None:
    # What Podman resolves the short name to when it has nothing better.
    engine.add_image("example.com/team/registry:2.8.3", DEFAULT_IMAGE)
    upstream(engine)
    assert ensure(engine, notes) == RegistryImage(QUALIFIED, ImageSource.PULLED)


def test_one_that_is_missing_is_pulled_by_its_full_name(engine: FakeEngine, notes: list[str]) -> None:
    upstream(engine)
    assert ensure(engine, notes) == RegistryImage(QUALIFIED, ImageSource.PULLED)
    assert ensure(engine, notes).source is ImageSource.PRESENT
    assert ensure(engine, notes, pull=PullPolicy.ALWAYS).source is ImageSource.PULLED


def test_never_is_never(engine: FakeEngine, notes: list[str]) -> None:
    upstream(engine)
    with pytest.raises(ImageNotFoundError):
        ensure(engine, notes, pull=PullPolicy.NEVER)


def made(engine: FakeEngine, version: str, digest: str = "sha256:1") -> str:
    """Put an image into the store as localreg makes one around a program."""
    name = f"{REPOSITORY}:{version}"
    engine.add_image(name, labels={PROGRAM_LABEL: digest})
    return name


def test_another_release_that_localreg_made_earlier_is_used_and_said(engine: FakeEngine, notes: list[str]) -> None:
    made(engine, "2.8.3")
    newest = made(engine, "2.10.0")
    upstream(engine)
    assert ensure(engine, notes) == RegistryImage(newest, ImageSource.PRESENT)
    (note,) = notes
    assert DEFAULT_IMAGE in note
    assert newest in note
    assert ensure(engine, notes, pull=PullPolicy.NEVER).reference == newest
    assert ensure(engine, notes, pull=PullPolicy.ALWAYS).reference == QUALIFIED


def test_the_same_release_that_localreg_made_earlier_is_used_without_a_word(
    engine: FakeEngine, notes: list[str]
) -> None:
    same = made(engine, "2.8.3")
    assert ensure(engine, notes) == RegistryImage(same, ImageSource.PRESENT)
    assert notes == []


def test_an_image_that_only_has_the_name_of_ours_is_not_used(engine: FakeEngine, notes: list[str]) -> None:
    engine.add_image(f"{REPOSITORY}:2.8.3")
    engine.add_image("localhost/other:9", labels={PROGRAM_LABEL: "sha256:1"})
    with pytest.raises(RegistryUnreachableError):
        ensure(engine, notes)


def test_an_image_of_the_users_choice_is_never_replaced_by_another(
    engine: FakeEngine, notes: list[str], program: Path
) -> None:
    made(engine, "2.8.3", RegistryProgram(program, "2.8.3").digest())
    with pytest.raises(RegistryUnreachableError, match=r"`example\.com/registry:3`") as caught:
        ensure(engine, notes, "example.com/registry:3")
    assert caught.value.hint == "localreg up --image-archive FILE"
    assert "docker save example.com/registry:3" in caught.value.details[-1]


def test_an_image_is_made_around_a_program_when_nothing_can_be_pulled(
    engine: FakeEngine, notes: list[str], program: Path
) -> None:
    assert ensure(engine, notes) == RegistryImage(f"{REPOSITORY}:2.8.3", ImageSource.PROGRAM)
    (note,) = notes
    assert all(fact in note for fact in (f"{REPOSITORY}:2.8.3", str(program), "2.8.3+ds1"))


def test_the_image_of_the_program_that_is_there_is_used_again(
    engine: FakeEngine, notes: list[str], program: Path
) -> None:
    name = made(engine, "2.8.3", RegistryProgram(program, "2.8.3").digest())
    made(engine, "9.9.9", "sha256:of another program")
    assert ensure(engine, notes) == RegistryImage(name, ImageSource.PRESENT)


def test_a_program_that_was_replaced_is_packed_anew(engine: FakeEngine, notes: list[str], program: Path) -> None:
    made(engine, "2.8.2", "sha256:of the program before")
    assert ensure(engine, notes) == RegistryImage(f"{REPOSITORY}:2.8.3", ImageSource.PROGRAM)
    assert program.exists()


@pytest.mark.usefixtures("program")
@pytest.mark.parametrize(
    ("pull", "error"), [(PullPolicy.ALWAYS, RegistryUnreachableError), (PullPolicy.NEVER, ImageNotFoundError)]
)
def test_a_program_stands_in_for_a_missing_image_only(
    engine: FakeEngine, notes: list[str], pull: PullPolicy, error: type[Exception]
) -> None:
    with pytest.raises(error):
        ensure(engine, notes, pull=pull)
    assert notes == []


@pytest.mark.usefixtures("program")
def test_a_lost_engine_is_said_to_be_lost(engine: FakeEngine, notes: list[str]) -> None:
    engine.lost.set()
    with pytest.raises(EngineLostError, match="the engine was lost"):
        ensure(engine, notes)


def test_what_the_engine_said_stays_with_the_failure(engine: FakeEngine, notes: list[str]) -> None:
    engine.registries["docker.io"] = {}
    with pytest.raises(ImageNotFoundError, match=r"\bdocker\.io\b") as caught:
        ensure(engine, notes)
    assert "`registry:2.8.3`" in caught.value.message
    assert caught.value.details[0] == "manifest unknown"


def test_a_failed_pull_says_what_can_be_done(engine: FakeEngine, notes: list[str]) -> None:
    with pytest.raises(RegistryUnreachableError) as caught:
        ensure(engine, notes)
    assert caught.value.hint is not None
    assert "--image-archive" in caught.value.hint


@pytest.fixture
def archive() -> Iterator[Path]:
    with written_archive([], config={}, name="localhost/mine:1") as found:
        yield found


def test_an_archive_wins_over_what_is_there(engine: FakeEngine, notes: list[str], archive: Path) -> None:
    engine.add_image(DEFAULT_IMAGE)
    assert ensure(engine, notes, archive=archive) == RegistryImage("localhost/mine:1", ImageSource.ARCHIVE)


@pytest.mark.parametrize("oci", [False, True])
def test_an_oci_archive_is_converted_for_an_engine_that_loads_none(
    notes: list[str], tmp_path: Path, *, oci: bool
) -> None:
    engine = LoadedEngine(loads_oci_archives=oci)
    packed = tmp_path / "packed.tgz"
    packed.write_bytes(gzip.compress(oci_archive(tmp_path / "oci.tar").read_bytes()))
    assert ensure(engine, notes, archive=packed).source is ImageSource.ARCHIVE
    assert engine.loaded == [ArchiveKind.OCI if oci else ArchiveKind.DOCKER]


class LoadedEngine(FakeEngine):
    """A fake that remembers what kind of archive it was given."""

    def __init__(self, *, loads_oci_archives: bool) -> None:
        super().__init__(EngineInfo("docker", "0.0.0", "fake:", loads_oci_archives=loads_oci_archives))
        self.loaded: list[ArchiveKind] = []

    def load_archive(self, archive: Path) -> tuple[Image, ...]:
        with tarfile.open(archive, "r:") as tar:
            assert tar.getnames()
        self.loaded.append(describe_archive(archive).kind)
        return (self.add_image("localhost/loaded:1"),)


def test_an_archive_without_a_name_is_used_by_its_id(engine: FakeEngine, notes: list[str], tmp_path: Path) -> None:
    archive = docker_archive(tmp_path / "x.tar", None)
    assert ensure(engine, notes, archive=archive).reference.startswith("sha256:")


def test_an_oci_archive_for_several_platforms_is_converted_for_podman_too(notes: list[str], tmp_path: Path) -> None:
    engine = LoadedEngine(loads_oci_archives=True)
    archive = OciArchive()
    path = archive.add(archive.image("s390x")).add(archive.image()).write(tmp_path / "x.tar")
    ensure(engine, notes, archive=path)
    assert engine.loaded == [ArchiveKind.DOCKER]


def test_an_archive_that_is_none_is_refused(engine: FakeEngine, notes: list[str], tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    with pytest.raises(InvalidArchiveError):
        ensure(engine, notes, archive=tmp_path / "x")
