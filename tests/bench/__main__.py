"""Measure each case, write it into the page, and fail if a target is missed. `make bench` runs this in the sandbox."""

from __future__ import annotations

import argparse
import gc as garbage
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import archive, doctor, gc, listing, page, push, start_up, tunnel, up
from bench.compare import Row
from support.engines.real import BEDS, REGISTRY_IMAGE

from localreg.__main__ import OBJECTS_BEFORE_A_COLLECTION
from localreg.registry.program import RegistryProgram, image_around


def main() -> int:
    """Return the exit code: 1 if a target is missed."""
    parser = argparse.ArgumentParser(description="Compare localreg with the engines' own programs and with skopeo.")
    parser.add_argument("page", type=Path, help="the page to update with the results")
    parser.add_argument("cases", nargs="*", choices=[*page.SECTIONS, []], help="only these")
    options = parser.parse_args()
    if not os.environ.get("LOCALREG_TESTBED"):
        parser.error("this needs real engines: run `make bench`")
    # As the command does: some cases run in this process.
    garbage.set_threshold(OBJECTS_BEFORE_A_COLLECTION)
    missed = []
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        _add_registry_image(folder)
        for case in options.cases or page.SECTIONS:
            rows = []
            print(page.line(page.SECTIONS[case].headings), flush=True)
            for row in _measure(case, folder):
                print(page.line(row.cells()), flush=True)
                rows.append(row)
            options.page.write_text(page.update(options.page.read_text(), case, rows))
            missed += [row.cells()[0] for row in rows if not row.is_met]
    for case in missed:
        print(f"missed: {case}", file=sys.stderr)
    return 1 if missed else 0


def _measure(case: str, folder: Path) -> Iterator[Row]:
    beds = BEDS.values()
    match case:
        case "push":
            return chain.from_iterable(push.measure(bed, folder) for bed in beds)
        case "up":
            return chain.from_iterable(up.measure(bed) for bed in beds)
        case "doctor":
            return chain.from_iterable(doctor.measure(bed) for bed in beds)
        case "tunnel":
            return tunnel.measure(BEDS["docker"], folder)
        case "archive":
            return archive.measure(BEDS["docker"], folder)
        case _:
            alone: dict[str, Callable[[], Iterator[Row]]] = {
                "start-up": start_up.measure,
                "ls": partial(listing.measure, BEDS["docker"]),
                "gc": partial(gc.measure, BEDS["docker"]),
                "gc-strategies": gc.strategies,
            }
            return alone[case]()


def _add_registry_image(folder: Path) -> None:
    """Load the image into every engine, so that no pull is measured."""
    archive = folder / "registry.tar"
    with image_around(RegistryProgram(Path(os.environ["LOCALREG_TEST_REGISTRY"]), "2.8.3")) as written:
        shutil.copyfile(written, archive)
    for bed in BEDS.values():
        bed.api.load(archive)
        bed.engine_ok("tag", REGISTRY_IMAGE, "docker.io/library/registry:2.8.3")


if __name__ == "__main__":
    raise SystemExit(main())
