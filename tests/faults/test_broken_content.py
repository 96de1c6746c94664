"""What a full disk or a kill broke in the registry, and what is not an image."""

from __future__ import annotations

from pathlib import Path

import pytest
import urllib3
from support.engines.real import Bed, docker_alone
from support.faults.table import Fault, fault
from support.registries.writer import OCI_CONFIG, Writer

from localreg.oci.manifest import DOCKER_MANIFEST, EMPTY_CONFIG, EMPTY_CONFIG_TYPE, OCI_MANIFEST

URL = "http://127.0.0.1:5000"
BLOBS = "/var/lib/registry/docker/registry/v2/blobs"


@pytest.fixture
def pushed(bed: Bed, folder: Path) -> Bed:
    bed.add_image("localhost/app:1", folder, can_run=False, ballast=bytes(range(256)) * 4000)
    bed.up()
    bed.push("localhost/app:1")
    return bed


def within(bed: Bed, script: str) -> None:
    """Run a script in the registry's container."""
    bed.engine_ok("exec", "registry", "/bin/busybox", "sh", "-c", script)


def file_of(digest: str) -> str:
    encoded = digest.removeprefix("sha256:")
    return f"{BLOBS}/sha256/{encoded[:2]}/{encoded}/data"


def find_digests() -> tuple[str, str]:
    """The digests of the manifest and of its one layer."""
    accept = {"Accept": f"{DOCKER_MANIFEST}, {OCI_MANIFEST}"}
    answer = urllib3.request("GET", f"{URL}/v2/app/manifests/1", headers=accept)
    return answer.headers["Docker-Content-Digest"], answer.json()["layers"][0]["digest"]


def run_hint(bed: Bed, said: str) -> None:
    """Run the command of the hint, with localreg on this bed."""
    (hint,) = (line.removeprefix("hint: ") for line in said.splitlines() if line.startswith("hint: "))
    result = bed.run("sh", "-c", hint.replace("localreg push", f"localreg --engine {bed.engine} push"))
    assert result.returncode == 0, result.stderr


@fault("broken-layer-push", "push -q localhost/app:1", code="registry-failed", facts=["{digest}", "0 bytes", "{file}"])
def test_a_layer_that_was_cut(pushed: Bed, shown: Fault) -> None:
    before, layer = find_digests()
    pushed.engine_ok("rmi", "localhost:5000/app:1")
    within(pushed, f": >{file_of(layer)}")
    shown.by(pushed, digest=layer, file=file_of(layer))
    said = pushed.refused(6, "push", "localhost/app:1")
    run_hint(pushed, said)
    assert find_digests() == (before, layer)
    # A cut whose length the engine takes over.
    within(pushed, f"busybox truncate -s 700 {file_of(layer)}")
    run_hint(pushed, pushed.refused(6, "push", "localhost/app:1"))
    assert find_digests() == (before, layer)


@fault("broken-manifest-push", "push -q localhost/app:1", code="registry-failed", facts=["manifest", "{blobs}"])
def test_a_manifest_that_a_full_disk_left_empty(pushed: Bed, shown: Fault) -> None:
    before, _ = find_digests()
    within(pushed, f": >{file_of(before)}")
    shown.by(pushed, blobs=BLOBS)
    assert "app\t1\t\t" in pushed.ok("ls")
    run_hint(pushed, pushed.refused(6, "push", "localhost/app:1"))
    assert find_digests()[0] == before


@fault("pull-artifact", "pull art:text", code="image-not-found", facts=["`localhost:5000/art:text`", "not an image"])
def test_an_artifact_is_not_an_image(bed: Bed, shown: Fault) -> None:
    bed.up()
    writer = Writer(URL)
    manifest = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": "application/x.text"}
    config = writer.blob("art", EMPTY_CONFIG, EMPTY_CONFIG_TYPE)
    text = writer.blob("art", b"hello", "text/plain")
    writer.manifest("art", "text", {**manifest, "config": config, "layers": [text]})
    shown.by(bed)
    attested = writer.blob("art", b'{"os": "unknown", "rootfs": {"type": "layers", "diff_ids": []}}', OCI_CONFIG)
    statement = writer.blob("art", b"{}", "application/vnd.in-toto+json")
    writer.manifest("art", "attestation", {**manifest, "config": attested, "layers": [statement]})
    said = bed.localreg("pull", "art:attestation")
    assert said.returncode != 0
    assert "reach" not in said.stderr


@docker_alone
@fault("archive-ends-early", "up --image-archive {archive}", code="invalid-archive", facts=["`{archive}` ends early"])
def test_an_archive_that_ends_early(bed: Bed, folder: Path, registry_archive: Path, shown: Fault) -> None:
    archive = folder / "registry.tar"
    archive.write_bytes(registry_archive.read_bytes()[:5_000_000])
    archive.chmod(0o644)
    shown.by(bed, archive=archive)
