"""Archives that Docker, Podman and skopeo write, pushed and loaded as files: the image that comes back is the same."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

from support.engines.real import Bed, docker_alone, rootless_podman_alone

IMAGE = "localhost/app:1"
OTHER = "localhost/team/other:2"


def with_images(bed: Bed, folder: Path) -> Bed:
    folder.chmod(0o777)
    bed.add_image(IMAGE, folder, can_run=False)
    bed.add_image(OTHER, folder, can_run=False)
    bed.up()
    return bed


def comes_back(bed: Bed, reference: str, *, as_: str) -> None:
    """What the registry has is the engine's image."""
    known = bed.engine_ok("image", "inspect", "--format", "{{.Id}}", reference)
    bed.ok("pull", as_)
    assert bed.engine_ok("image", "inspect", "--format", "{{.Id}}", f"localhost:5000/{as_}") == known
    bed.engine_ok("rmi", f"localhost:5000/{as_}")


@docker_alone
def test_docker_save(bed: Bed, folder: Path) -> None:
    with_images(bed, folder)
    both, one = folder / "both.tar", folder / "one.tar.gz"
    bed.engine_ok("save", "-o", str(both), IMAGE, OTHER)
    assert [line.partition("@")[0] for line in bed.ok("push", str(both)).splitlines()] == [
        "localhost:5000/app:1",
        "localhost:5000/team/other:2",
    ]
    comes_back(bed, IMAGE, as_="app:1")
    comes_back(bed, OTHER, as_="team/other:2")
    # The same archive makes the same image.
    bed.run("bash", "-c", f"docker save {IMAGE} | gzip > {one}")
    (first,) = json.loads(bed.ok("push", str(one), "--as", "again", "--json"))["results"]
    assert (first["source"], first["reference"]) == (str(one), "localhost:5000/again:1")
    assert first["digest"] in bed.ok("ls", "app:1", "--format", "plain")
    piped = bed.run("bash", "-c", f"docker save {IMAGE} | localreg --engine docker load --as piped:3")
    assert piped.stdout.splitlines() == [f"localhost:5000/piped:3\t{first['digest']}\tnew"]


@rootless_podman_alone
def test_podman_save_and_skopeo(bed: Bed, folder: Path) -> None:
    with_images(bed, folder)
    docker, oci, several = folder / "docker.tar", folder / "oci.tar", folder / "several.tar"
    bed.engine_ok("save", "-o", str(docker), IMAGE)
    bed.engine_ok("save", "--format", "oci-archive", "-o", str(oci), IMAGE)
    bed.engine_ok("save", "-m", "-o", str(several), IMAGE, OTHER)
    assert bed.ok("load", "-i", str(docker), "-q") == "localhost:5000/app:1\n"
    comes_back(bed, IMAGE, as_="app:1")
    # Podman writes another config for this format, so that it is another image.
    with tarfile.open(oci) as tar:
        (entry,) = json.load(tar.extractfile("index.json"))["manifests"]  # type: ignore[arg-type]  # it is a file
    assert bed.ok("push", str(oci), "--as", "oci") == f"localhost:5000/oci:1@{entry['digest']}\n"
    assert bed.ok("push", str(several), "-q").splitlines() == ["localhost:5000/app:1", "localhost:5000/team/other:2"]
    comes_back(bed, OTHER, as_="team/other:2")
    # What skopeo copies from the registry returns to it with the same digest, from all that is a layout.
    copy = ("skopeo", "copy", "-q", "--src-tls-verify=false", "docker://localhost:5000/oci:1")
    layout, archive, old = folder / "layout", folder / "archive.tar", folder / "old.tar"
    for target in (f"oci:{layout}:mine/a:1", f"oci-archive:{archive}:mine/b:1", f"docker-archive:{old}:mine/c:1"):
        assert bed.run(*copy, target).returncode == 0
    pinned = bed.ok("push", str(layout), str(archive), str(old)).splitlines()
    assert pinned[:2] == [f"localhost:5000/mine/{name}:1@{entry['digest']}" for name in "ab"]
    bed.engine_ok("pull", "-q", f"docker-archive:{old}")
    comes_back(bed, "mine/c:1", as_="mine/c:1")
