"""The images of a Podman service."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import podman.errors
import requests

from localreg.engines.common.messages import DISK_FULL, transfer_error
from localreg.engines.common.values import read_image
from localreg.engines.podman.connection import NEVER, Connection, podman_errors, quoted, said
from localreg.engines.podman.events import iter_pull_with_bytes, iter_transfer
from localreg.engines.values import EngineInfo, Image, Progress
from localreg.errors import ImageNotFoundError, InUseError, InvalidArchiveError

_FIRST_WITH_PULL_BYTES = (4, 8)


class PodmanImages:
    """Podman's image store, through podman-py's HTTP client, because its managers lose messages."""

    def __init__(self, connection: Connection, info: EngineInfo) -> None:
        self._connection = connection
        self._info = info

    def find_image(self, reference: str) -> Image | None:
        """Find an image as Podman does."""
        if not reference:
            return None
        with podman_errors(f"look for image `{reference}`"):
            try:
                return read_image(self._connection.get(f"/images/{quoted(reference)}/json").json())
            except podman.errors.NotFound:
                return None

    def list_images(self) -> list[Image]:
        """List all images that have a tag."""
        with podman_errors("list images"):
            ids = [entry["Id"] for entry in self._connection.get("/images/json").json() if entry.get("RepoTags")]
        found = (self.find_image(image_id) for image_id in ids)
        return [image for image in found if image is not None and image.references]

    def load_archive(self, archive: Path) -> tuple[Image, ...]:
        """Load a docker-archive or an OCI archive, streamed from disk."""
        with podman_errors(f"load `{archive}`"), archive.open("rb") as data:
            try:
                names = self._connection.post("/images/load", data=data, timeout=NEVER).json().get("Names") or ()
            except podman.errors.APIError as exc:
                if exc.response is None or DISK_FULL.search(" ".join(said(exc))):
                    raise
                raise InvalidArchiveError(f"Podman found no image in `{archive}`", details=said(exc)) from exc
        images = tuple(image for image in map(self.find_image, names) if image is not None)
        if not images:
            raise InvalidArchiveError(f"Podman found no image in `{archive}`")
        return images

    def tag_image(self, image: str, reference: str) -> None:
        """Tag an image."""
        repository, _, tag = reference.rpartition(":")
        with podman_errors(f"tag image `{image}`"):
            try:
                self._connection.post(f"/images/{quoted(image)}/tag", params={"repo": repository, "tag": tag})
            except podman.errors.NotFound as exc:
                raise ImageNotFoundError(f"Podman has no image `{image}`", details=said(exc)) from exc

    def untag_image(self, reference: str) -> None:
        """Remove a tag; by its name, because removing the ID would remove all tags."""
        with podman_errors(f"untag image `{reference}`"):
            try:
                self._connection.delete(f"/images/{quoted(reference)}")
            except podman.errors.APIError as exc:
                if exc.status_code == requests.codes.conflict:
                    raise InUseError(f"image `{reference}` is in use", details=said(exc)) from exc
                raise

    def push_image(self, reference: str, *, plain_http: bool) -> Iterator[Progress]:
        """Push an image."""
        params = {"quiet": "false", **({"tlsVerify": "false"} if plain_http else {})}
        yield from self._transfer(f"push `{reference}`", f"/images/{quoted(reference)}/push", params, reference)

    def pull_image(self, reference: str, *, plain_http: bool) -> Iterator[Progress]:
        """Pull an image."""
        params = {"reference": reference, **({"tlsVerify": "false"} if plain_http else {})}
        if _version(self._info.version) >= _FIRST_WITH_PULL_BYTES:
            params["compatMode"] = "true"
        yield from self._transfer(f"pull `{reference}`", "/images/pull", params, reference)

    def _transfer(self, doing: str, path: str, params: Mapping[str, str], reference: str) -> Iterator[Progress]:
        with podman_errors(doing):
            try:
                response = self._connection.post(path, params=params, stream=True, timeout=NEVER)
            except podman.errors.APIError as exc:
                if exc.response is None:
                    raise
                raise transfer_error(reference, "\n".join(said(exc))) from exc
            with contextlib.closing(response):
                if params.get("compatMode"):
                    yield from iter_pull_with_bytes(response.iter_lines(), reference)
                else:
                    yield from iter_transfer(response.iter_lines(), reference)


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.partition("-")[0].split(".") if part.isdigit())
