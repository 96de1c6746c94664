"""`doctor` on real engines: with everything in order, with faults that it cures, and with several at once."""

from __future__ import annotations

import json
from typing import Any

from support import schemas
from support.engines.real import REGISTRY_IMAGE, Bed, docker_alone, rootless_podman_alone

IMAGE = "localhost:5000/team/app:1"


def files(bed: Bed) -> str:
    """All that is in the registry's volume."""
    return bed.engine_ok("exec", "registry", "busybox", "find", "/var/lib/registry")


def findings(bed: Bed, *arguments: str, **env: str) -> dict[str, list[dict[str, Any]]]:
    """What is found, by the name of the check; it is a problem."""
    result = bed.localreg("doctor", *arguments, "--json", env=env)
    assert result.returncode == 8, result.stderr
    checks = schemas.check("doctor", result.stdout)["checks"]
    return {check["name"]: check["findings"] for check in checks if check["findings"]}


def test_everything_works(bed: Bed) -> None:
    bed.up()
    bed.api.name_image(REGISTRY_IMAGE, IMAGE)
    bed.push(IMAGE)
    bed.ok("podman-fix")
    before = files(bed)
    engine = "Docker" if bed.program == "docker" else "Podman"
    out = bed.ok("doctor", "--format", "table")
    assert out.startswith(f"Everything works: registry 2.8.3 at localhost:5000, {engine} ")
    assert out.count("\n") == 1
    assert files(bed) == before, "a check left something behind"
    checks = json.loads(bed.ok("doctor", "--json"))["checks"]
    assert {check["name"] for check in checks if check["state"] == "not needed"} == {"certificate", "tunnels"}
    bed.ok("podman-fix", "--remove")


@rootless_podman_alone
def test_what_is_safe_is_cured(bed: Bed) -> None:
    bed.up()
    bed.engine_ok("stop", "registry")
    assert set(findings(bed)) == {"registry", "trust"}
    out = bed.ok("doctor", "--fix", "--format", "table")
    assert out.startswith("Everything works: registry 2.8.3 at localhost:5000, Podman ")
    assert "\n  ran  localreg --engine podman up\n" in out
    bed.api.name_image(REGISTRY_IMAGE, IMAGE)
    bed.engine_ok("push", IMAGE)
    bed.ok("podman-fix", "--remove")


@docker_alone
def test_several_faults_are_each_told(bed: Bed) -> None:
    bed.up()
    bed.api.name_image(REGISTRY_IMAGE, IMAGE)
    bed.push(IMAGE)
    bed.engine_ok("create", "--name", "registry.gc", "--label", "localreg.helper=registry", REGISTRY_IMAGE)
    layer = "find /var/lib/registry -path '*/blobs/*/data' -size +1000k -exec rm {} +"
    bed.engine_ok("exec", "registry", "busybox", "sh", "-c", layer)
    bed.engine_ok("update", "--restart", "no", "registry")
    found = findings(bed, "registry", "tags", "leftovers", "config", LOCALREG_PORT="many")
    assert set(found) == {"registry", "tags", "leftovers", "config"}
    assert "`team/app:1`" in found["tags"][0]["what"]
    assert "is missing" in found["tags"][0]["details"][0]
    assert found["leftovers"][0]["safe"] is True
    report = bed.localreg("doctor", "--report").stdout
    assert "tags        problem: 1 tag is broken" in report
    assert "team" not in report
