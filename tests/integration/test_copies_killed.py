"""`save` and `load` killed at each step that changes something: what is incomplete has no name, again does the rest."""

from __future__ import annotations

import itertools
import signal
import sys
from pathlib import Path

import pytest
import urllib3
from support.engines.real import BEDS, Distribution
from support.kills.commands import Command
from support.registries.churn import problems
from support.registries.layout_folder import LayoutFolder
from support.registries.shelf import Shelf
from support.registries.writer import Writer

from localreg.errors import LocalregError
from localreg.oci.api import RegistryClient
from localreg.system.waiting import wait_until

pytestmark = pytest.mark.long

LOAD = """
import sys
from localreg.oci.api import RegistryClient
from localreg.oci.reference import Reference
from localreg.places.layout.entries import find_entries
from localreg.places.load import load
from localreg.places.content import read_content
from localreg.places.opened import opened_source
from localreg.places.port import Unwatched
*_, url, folder, name = sys.argv
with opened_source(__import__("pathlib").Path(folder)) as source, RegistryClient(url) as client:
    content, _ = read_content(source, find_entries(source, folder, as_=Reference(None, name, "1")))
    load(source, content, client, watcher=Unwatched())
"""
SAVE = """
import sys
from pathlib import Path
from localreg.oci.api import RegistryClient
from localreg.places.part_file import PartFile
from localreg.places.port import Unwatched
from localreg.places.save import find_wanted, read_wanted, save
*_, url, file = sys.argv
with RegistryClient(url) as client:
    place, content, _ = read_wanted(client, find_wanted(client, [])[0])
    with PartFile(Path(file)) as output:
        save(place, content, output, location="localhost:5000", watcher=Unwatched())
"""


def command(folder: Path, program: str, *arguments: str) -> Command:
    """It needs no engine, but a user to run as."""
    return Command(BEDS["docker"], arguments, folder / "steps", {}, 0o022, (sys.executable, "-c", program))


def settled_tags(client: RegistryClient, repository: str) -> dict[str, str]:
    """The digest of each tag; the registry may still be writing the one of a request whose client was killed."""
    found: dict[str, str] = {}

    def is_settled() -> bool:
        try:
            found.update((tag, client.head_manifest(repository, tag).digest) for tag in client.find_tags(repository))
        except LocalregError:
            return False
        return True

    assert wait_until(is_settled, seconds=20)
    return found


def test_a_killed_load_leaves_no_tag_of_something_incomplete(
    distribution: Distribution, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    layout = LayoutFolder(tmp_path / "layout")
    Shelf(layout, "app").index("1", architectures=["amd64"])
    pool = urllib3.connectionpool.connection_from_url(distribution.base_url)

    def load_into(name: str) -> Command:
        return command(tmp_path, LOAD, distribution.base_url, str(layout.path), name)

    moments = load_into("recorded").record()
    steps = " ".join(moment.step for moment in moments)
    assert all(step in steps for step in ("POST /v2/recorded/blobs", "PUT /v2/recorded/blobs", "manifests/1"))
    # The threads take other turns in each run: when a request is done is not always noted, that it was sent is.
    least = sum(moment.when == "sent" for moment in moments)
    numbers = itertools.count()
    is_killed = True
    while is_killed:
        number = next(numbers)
        with subtests.test(number=number):
            name = f"killed-{number}"
            killed = load_into(name).run(record=True, fatal=number)
            is_killed = killed.returncode == -signal.SIGKILL
            assert is_killed or (killed.returncode == 0 and number >= least), killed.stderr
            with RegistryClient(distribution.base_url) as client:
                found = settled_tags(client, name)
                for tag, digest in found.items():
                    assert list(problems(pool, name, tag, digest)) == []
                again = load_into(name).run()
                assert again.returncode == 0, again.stderr
                digest = client.head_manifest(name, "1").digest
                assert digest == client.head_manifest("recorded", "1").digest
            assert list(problems(pool, name, "1", digest)) == []


def test_a_killed_save_leaves_no_archive_and_the_next_one_takes_over(
    distribution: Distribution, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    Shelf(Writer(distribution.base_url), "app").index("1")
    archive, part = tmp_path / "all.tar", tmp_path / "all.tar.part"
    saving = command(tmp_path, SAVE, distribution.base_url, str(archive))
    moments = saving.record()
    expected = archive.read_bytes()
    steps = [moment.step.split()[0] for moment in moments]
    assert (steps[0], steps[-1]) == ("open", "rename")
    for number in range(len(moments)):
        with subtests.test(number=number):
            archive.unlink()
            assert saving.kill(number).step.split()[0] == steps[number]
            is_named = steps[number] == "rename"
            assert (archive.exists(), part.exists()) == (is_named, not is_named)
            assert saving.run().returncode == 0
            assert archive.read_bytes() == expected
            assert not part.exists()
