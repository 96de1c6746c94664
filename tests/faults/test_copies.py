"""`save` and `load` of what is damaged, and with disks that are full."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import urllib3
from support.engines.oci_archives import OciArchive
from support.engines.real import Bed, docker_alone
from support.faults.table import Fault, fault
from support.registries.shelf import Shelf
from support.registries.writer import Writer

from localreg.oci.digest import digest_of

pytestmark = docker_alone

URL = "http://127.0.0.1:5000"
GZIP = b"\x1f\x8b"


@contextlib.contextmanager
def small_disk(path: Path) -> Iterator[Path]:
    """A file system with room for 64 KiB."""
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=777", "tmpfs", path], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=True)


def archive_of(*names: str) -> tuple[OciArchive, str]:
    """An archive with an image of these names, and the path of its layer."""
    made = OciArchive()
    image = made.image("amd64")
    for name in names:
        made.add(image, name)
    return made, next(path for path, data in made.files.items() if data.startswith(GZIP))


@fault("load-changed", "load -i {file}", code="invalid-archive", facts=["`{file}`", "{layer}", "`team/app:1`"])
@fault("load-changed-check", "load -i {file} --check", code="invalid-archive", facts=["`{file}`", "{layer}"])
@fault("load-layer-missing", "load -i {less}", exit_code=2, facts=["`{less}`", "{layer}", "`team/app:1`"])
def test_an_archive_that_was_changed(bed: Bed, folder: Path, faults: tuple[Fault, ...]) -> None:
    bed.up()
    archive, path = archive_of("team/app:1", "team/app:latest")
    layer = path.removeprefix("blobs/").replace("/", ":")
    archive.files[path] = archive.files[path][:-1] + b"x"
    changed = archive.write(folder / "changed.tar")
    incomplete, path = archive_of("team/app:1")
    del incomplete.files[path]
    less = incomplete.write(folder / "less.tar")
    for shown in faults:
        shown.by(bed, file=changed, less=less, layer=layer)
    # Nothing was tagged.
    assert bed.ok("ls") == ""


@fault("save-layer-missing", "save -o {file} app:1", code="registry-failed", facts=["`app:1`", "{layer}", "push app:1"])
@fault("save-disk-full", "save -o {full}/all.tar app:2", code="error", facts=["`{full}/all.tar`", "no space left"])
@fault("save-disk-full-stdout", "save app:2 >/dev/full", code="error", facts=["no space left"])
def test_a_registry_that_lacks_a_layer_and_a_full_disk(bed: Bed, folder: Path, faults: tuple[Fault, ...]) -> None:
    bed.up()
    shelf = Shelf(Writer(URL), "app")
    shelf.image("1", layers=[b"lost"])
    shelf.image("2", layers=[bytes(100_000)])
    lost = digest_of(b"lost")
    assert urllib3.request("DELETE", f"{URL}/v2/app/blobs/{lost}").status == 202
    missing, full, stdout = faults
    missing.by(bed, file=folder / "one.tar", layer=lost)
    assert list(folder.iterdir()) == []
    # The rest is saved all the same.
    file = folder / "all.tar"
    assert f"blob {lost} is missing" in bed.refused(6, "save", "-o", str(file))
    assert bed.ok("load", "-i", str(file), "-q") == "localhost:5000/app:2\n"
    with small_disk(folder / "full") as place:
        full.by(bed, full=place)
        assert list(place.iterdir()) == []
    stdout.by(bed)


# Which of its files the registry cannot write is another one each time.
@fault(
    "load-registry-full",
    "load -i {file}",
    code="registry-failed",
    facts=["`{file}`", "no space", "{place}"],
    kept=None,
)
@fault("load-temporary-full", "load <{file}", code="error", facts=["{temporary}", "no space left", "TMPDIR"])
def test_a_load_to_a_full_disk(bed: Bed, folder: Path, faults: tuple[Fault, ...]) -> None:
    archive, _ = archive_of("team/app:1")
    archive.files["ballast"] = bytes(100_000)
    file = archive.write(folder / "large.tar")
    to_registry, to_spool = faults
    with small_disk(folder / "small") as place:
        (place / "ballast").write_bytes(bytes(44_000))
        bed.ok("up", "--volume", str(place))
        to_registry.by(bed, file=file, place=place)
        assert bed.ok("ls") == ""
        (place / "ballast").unlink()
        with small_disk(folder / "temporary") as other:
            to_spool.by(bed, env={"TMPDIR": str(other)}, file=file, temporary=other)
        bed.ok("down")
