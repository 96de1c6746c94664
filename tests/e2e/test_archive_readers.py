"""Other programs read what `save` writes, as docs/reference/archives.md says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support import archive_readers
from support.archive_readers import CONTENTS, READERS, fill, outcome, write_archive
from support.engines.real import Distribution


@pytest.mark.usefixtures("docker", "rootful")
def test_other_programs_read_it(distribution: Distribution, tmp_path: Path) -> None:
    fill(distribution.base_url)
    archives = {
        content: write_archive(distribution, names, tmp_path / f"{number}.tar")
        for number, (content, names) in enumerate(CONTENTS.items())
    }
    commands = archive_readers.installed()
    assert len(commands) > 1
    for number, command in enumerate(commands):
        reader = READERS[command]
        release = reader.release()
        found = {
            content: outcome(reader, archive, tmp_path / f"{archive.path.stem}-{number}")
            for content, archive in archives.items()
        }
        if os.environ.get("LOCALREG_WRITE_ARCHIVES"):
            archive_readers.keep(command, release, found)
        assert found == archive_readers.kept_outcomes(command, release), (command, release)
