"""`save` with a real engine: the lines that it prints work, and `load` reads what comes through a pipe."""

from __future__ import annotations

import pytest
from support.archive_readers import fill
from support.engines.real import Bed, rootless_podman_alone


@rootless_podman_alone
@pytest.mark.parametrize("names", [["one/image", "two/tags"], ["docker/types"], ["two/platforms"]])
def test_what_it_prints_works_as_typed(bed: Bed, names: list[str]) -> None:
    bed.up()
    fill("http://127.0.0.1:5000")
    file = bed.home / "it is x.tar"
    shown = bed.ok("save", "-o", str(file), "--format", "table", *names)
    saved = bed.ok("save", "-o", str(file), *names).splitlines()
    assert [path.name for path in bed.home.glob("*.tar*")] == [file.name]

    commands = [line.strip().removeprefix("podman  ").strip("`") for line in shown.splitlines() if "`podman" in line]
    for command, line in zip(commands, saved, strict=True):
        done = bed.run("sh", "-c", command)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        digest = bed.engine_ok("image", "inspect", "--format", "{{.Digest}}", done.stdout.split()[-1]).strip()
        assert digest == line.split("\t")[1] or names == ["two/platforms"]
    file.unlink()
    assert "cannot write `/etc/x.tar`: permission denied" in bed.refused(1, "save", "-o", "/etc/x.tar", *names)

    piped = bed.run("sh", "-c", f"localreg --engine podman save {names[0]} | localreg --engine podman load")
    assert {line.split("\t")[2] for line in piped.stdout.splitlines()} == {"exists"}, piped.stderr
