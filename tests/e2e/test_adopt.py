"""A registry that another tool created, on a real engine."""

from __future__ import annotations

import json
from pathlib import Path

from support import schemas
from support.engines.real import REGISTRY_IMAGE, Bed, on_every_engine

from localreg.oci.ping import is_ready
from localreg.system.waiting import wait_until

K3D = {"app": "k3d", "k3d.role": "registry", "k3d.cluster": "", "k3d.version": "v5.9.0"}


@on_every_engine
def test_the_registry_of_k3d_is_used_and_stays(bed: Bed, folder: Path) -> None:
    bed.add_image("localhost/app:1", folder)
    labels = [f"--label={name}={value}" for name, value in K3D.items()]
    bed.engine_ok("run", "-d", "--name", "k3d-registry", *labels, "-p", "127.0.0.1:5005:5000", REGISTRY_IMAGE)
    assert wait_until(lambda: is_ready("http://127.0.0.1:5005"), seconds=20)

    listed = schemas.check("status-all", bed.ok("status", "--all", "--json"))["registries"]
    (found,) = [found for found in listed if found["name"] == "k3d-registry"]
    assert (found["maker"], found["created_by_localreg"], found["location"]) == ("k3d", False, "localhost:5005")
    assert "created by k3d, not by localreg" in bed.ok("--name", "k3d-registry", "status", "--format", "table")

    adopted = {"LOCALREG_NAME": "k3d-registry"}
    assert bed.ok("push", "localhost/app:1", "-q", env=adopted) == "localhost:5005/app:1\n"
    assert bed.ok("ls", "-q", env=adopted) == "localhost:5005/app:1\n"
    assert json.loads(bed.ok("du", "--json", env=adopted))
    assert "KO_DOCKER_REPO=localhost:5005\n" in bed.ok("env", "--shell", "bash", env=adopted)
    assert bed.ok("logs", env=adopted)

    for command in ("down", "gc"):
        assert "k3d-registry" in bed.refused(5, command, env=adopted)
    assert is_ready("http://127.0.0.1:5005")
