"""`save` with a real engine: the lines that it prints work, and `load` reads what comes through a pipe."""

from __future__ import annotations

from pathlib import Path

from support.engines.real import Bed, rootless_podman_alone


@rootless_podman_alone
def test_what_it_prints_works_as_typed(bed: Bed, folder: Path) -> None:
    bed.up()
    for image in ("one:1", "two:2"):
        bed.add_image(f"localhost/{image}", folder)
        bed.push(f"localhost/{image}")
        bed.engine_ok("rmi", f"localhost:5000/{image}", f"localhost/{image}")
    file = bed.home / "it is x.tar"
    shown = bed.ok("save", "-o", str(file), "--format", "table")
    digests = dict(line.split("\t")[:2] for line in bed.ok("save", "-o", str(file)).splitlines())
    assert [path.name for path in bed.home.glob("*.tar*")] == [file.name]

    # Podman itself takes only an archive with one name.
    assert bed.run("podman", "load", "-i", str(file)).returncode != 0
    pulls = [line.strip().removeprefix("podman  ").strip("`") for line in shown.splitlines() if "podman pull" in line]
    for name, pull in zip(("one:1", "two:2"), pulls, strict=True):
        pulled = bed.run("sh", "-c", pull)
        assert pulled.returncode == 0, pulled.stderr
        assert (
            bed.engine_ok("image", "inspect", "--format", "{{.Digest}}", pulled.stdout.strip()).strip() == digests[name]
        )
    file.unlink()

    piped = bed.run("sh", "-c", "localreg --engine podman save one | localreg --engine podman load")
    assert piped.stdout == f"localhost:5000/one:1\t{digests['one:1']}\texists\n"
