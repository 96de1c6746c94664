"""Clients that push to a registry and delete from it without pause, and know what they were told is there."""

from __future__ import annotations

import hashlib
import json
import random
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import urllib3

from localreg.oci.manifest import MANIFEST_TYPES, OCI_INDEX, OCI_MANIFEST

_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_ATTEMPTS = 5


def layer(number: int) -> bytes:
    """One of the layers that all clients share."""
    return random.Random(number).randbytes(10_000)


class BusyClient(threading.Thread):
    """Pushes images and indexes to its own repository, overwrites tags and deletes manifests, until it is stopped.

    It skips layers that the registry says it has, as engines do.

    Attributes:
        told: The digest of each tag that the registry confirmed and that was not deleted since.
        pushes: How many manifests were stored, and how long each push took, in seconds.
        refused: How often the registry refused a manifest because a layer or a child was gone.
        failure: What ended it early.
    """

    def __init__(self, base_url: str, repository: str, *, layers: int = 60, seed: int = 0) -> None:
        super().__init__(daemon=True)
        self._pool = urllib3.connectionpool.connection_from_url(base_url)
        self._repository = repository
        self._layers = layers
        self._random = random.Random(seed)
        self._ended = threading.Event()
        self.told: dict[str, str] = {}
        self.pushes: list[float] = []
        self.refused = 0
        self.failure: BaseException | None = None

    def end(self) -> None:
        """Stop it after what it is doing."""
        self._ended.set()
        self.join()

    def run(self) -> None:
        """Push and delete."""
        try:
            while not self._ended.is_set():
                if self.told and self._random.random() < 0.25:
                    self._delete_manifest(self._random.choice(list(self.told.values())))
                else:
                    self._push(f"t{self._random.randrange(8)}")
        except BaseException as exc:  # noqa: BLE001 -- the test looks at it
            self.failure = exc

    def broken(self) -> list[str]:
        """The tags that cannot be read byte for byte, of those that the registry confirmed."""
        return [tag for tag, digest in self.told.items() if not self._is_whole(tag, digest)]

    def _push(self, tag: str) -> None:
        began = time.monotonic()
        numbers = [self._random.randrange(self._layers) for _ in range(self._random.randint(1, 4))]
        nonce = self._random.random()
        for _ in range(_ATTEMPTS):
            if self._random.random() < 0.2:
                children = [self._put_image("", [number], [nonce, number]) for number in numbers]
                content = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children}
                stored = None if None in children else self._put_manifest(tag, content)
            else:
                stored = self._put_image(tag, numbers, nonce)
            if stored:
                self.pushes.append(time.monotonic() - began)
                self.told[tag] = stored["digest"]
                return
            self.refused += 1
        raise AssertionError(f"{self._repository}:{tag} was refused {_ATTEMPTS} times")

    def _put_image(self, tag: str, numbers: Sequence[int], nonce: object) -> dict[str, Any] | None:
        config = json.dumps({"os": "linux", "architecture": "amd64", "nonce": nonce}).encode()
        return self._put_manifest(
            tag,
            {
                "schemaVersion": 2,
                "mediaType": OCI_MANIFEST,
                "config": self._put_blob(config, _CONFIG),
                "layers": [self._put_blob(layer(number), _LAYER) for number in numbers],
            },
        )

    def _put_blob(self, data: bytes, media_type: str) -> dict[str, Any]:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        path = f"/v2/{self._repository}/blobs"
        if self._pool.request("HEAD", f"{path}/{digest}").status != 200:
            begun = self._pool.request("POST", f"{path}/uploads/")
            place = begun.headers["Location"]
            put = self._pool.request("PUT", f"{place}&digest={digest}", body=data)
            assert put.status == 201, (put.status, put.data)
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def _put_manifest(self, tag: str, content: Mapping[str, Any]) -> dict[str, Any] | None:
        """Store a manifest; None if the registry refuses it because a part of it is gone."""
        data = json.dumps(content).encode()
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        put = self._pool.request(
            "PUT",
            f"/v2/{self._repository}/manifests/{tag or digest}",
            body=data,
            headers={"Content-Type": str(content["mediaType"])},
        )
        if put.status == 400 and b"UNKNOWN" in put.data:
            return None
        assert put.status == 201, (put.status, put.data)
        return {"mediaType": content["mediaType"], "digest": digest, "size": len(data)}

    def _delete_manifest(self, digest: str) -> None:
        gone = self._pool.request("DELETE", f"/v2/{self._repository}/manifests/{digest}")
        assert gone.status == 202, (gone.status, gone.data)
        self.told = {tag: known for tag, known in self.told.items() if known != digest}

    def _is_whole(self, reference: str, digest: str) -> bool:
        accept = {"Accept": ", ".join(MANIFEST_TYPES)}
        got = self._pool.request("GET", f"/v2/{self._repository}/manifests/{reference}", headers=accept)
        if got.status != 200 or f"sha256:{hashlib.sha256(got.data).hexdigest()}" != digest:
            return False
        content = json.loads(got.data)
        if "manifests" in content:
            return all(self._is_whole(child["digest"], child["digest"]) for child in content["manifests"])
        return all(self._has(part["digest"]) for part in (content["config"], *content["layers"]))

    def _has(self, digest: str) -> bool:
        got = self._pool.request("GET", f"/v2/{self._repository}/blobs/{digest}")
        return got.status == 200 and f"sha256:{hashlib.sha256(got.data).hexdigest()}" == digest
