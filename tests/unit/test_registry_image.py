from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import FakeEngine

from localreg.archive import written_archive
from localreg.engines.base import Progress
from localreg.errors import ImageNotFoundError, InvalidArchiveError, RegistryUnreachableError
from localreg.registry_image import DEFAULT_IMAGE, ImageSource, PullPolicy, RegistryImage, ensure_registry_image

QUALIFIED = "docker.io/library/registry:2.8.3"


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """An engine without images, on a machine without a Distribution program."""
    monkeypatch.setenv("PATH", "/nonexistent")
    return FakeEngine()


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


@pytest.mark.parametrize("name", [DEFAULT_IMAGE, QUALIFIED])
def test_one_that_is_there_is_used(engine: FakeEngine, notes: list[str], name: str) -> None:
    engine.add_image(name)
    assert ensure(engine, notes) == RegistryImage(name, ImageSource.PRESENT)


def test_one_that_is_missing_is_pulled_by_its_full_name(engine: FakeEngine, notes: list[str]) -> None:
    upstream(engine)
    assert ensure(engine, notes) == RegistryImage(QUALIFIED, ImageSource.PULLED)
    assert ensure(engine, notes).source is ImageSource.PRESENT
    assert ensure(engine, notes, pull=PullPolicy.ALWAYS).source is ImageSource.PULLED


def test_never_is_never(engine: FakeEngine, notes: list[str]) -> None:
    upstream(engine)
    with pytest.raises(ImageNotFoundError):
        ensure(engine, notes, pull=PullPolicy.NEVER)


def test_what_localreg_made_earlier_is_used_and_said(engine: FakeEngine, notes: list[str]) -> None:
    engine.add_image("localhost/localreg-registry:2.8.3")
    assert ensure(engine, notes).reference == "localhost/localreg-registry:2.8.3"
    assert "made earlier" in notes[0]


def test_an_image_of_the_users_choice_is_never_replaced_by_another(engine: FakeEngine, notes: list[str]) -> None:
    engine.add_image("localhost/localreg-registry:2.8.3")
    with pytest.raises(RegistryUnreachableError, match=r"example\.com/registry:3"):
        ensure(engine, notes, "example.com/registry:3")


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


def test_an_archive_that_is_none_is_refused(engine: FakeEngine, notes: list[str], tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    with pytest.raises(InvalidArchiveError):
        ensure(engine, notes, archive=tmp_path / "x")
