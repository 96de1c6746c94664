"""What scripts read is what the JSON Schemas of the reference say, on real engines."""

from __future__ import annotations

from pathlib import Path

from support import schemas
from support.engines.builders import builder_path, write_dockerfile
from support.engines.real import Bed, rootless_podman_alone


@rootless_podman_alone
def test_what_every_command_says_fits_its_schema(bed: Bed, folder: Path) -> None:
    bed.add_image("localhost/app:1", folder)
    write_dockerfile(folder)
    results = {
        name: schemas.check(name, bed.ok(*arguments.split(), "--json", env={"PATH": builder_path()}))
        for name, arguments in (
            ("up", "up --podman-fix"),
            ("tag", "tag localhost/app:1"),
            ("push", "push localhost/app:1"),
            ("build", f"build {folder} -t team/built"),
            ("status", "status"),
            ("status-all", "status --all"),
            ("ls", "ls"),
            ("pull", "pull app:1"),
            ("rm", "rm app:1"),
            ("podman-fix", "podman-fix --remove"),
            ("logs", "logs --tail 1"),
            ("down", "down --volumes"),
        )
    }
    assert results["status"]["engine"]["name"] == bed.engine
    assert results["ls"]["images"][0]["digest"] == results["pull"]["results"][0]["digest"]
    assert results["rm"]["results"][0]["removed_from"] == ["registry", bed.engine]
    assert schemas.check("stderr", bed.refused(4, "ls", "--json"))["error"]["code"] == "container-not-found"
