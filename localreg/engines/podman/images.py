"""The images of a Podman service."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import podman.errors
import requests

from localreg.engines.common.logins import header_of
from localreg.engines.common.messages import DISK_FULL, PROBED, check_answer, transfer_error
from localreg.engines.common.values import list_image, read_image
from localreg.engines.podman.connection import NEVER, Connection, podman_errors, quoted, said
from localreg.engines.podman.events import iter_pull_with_bytes, iter_transfer
from localreg.engines.values import EngineInfo, Image, Progress
from localreg.errors import ImageNotFoundError, InUseError, InvalidArchiveError
from localreg.oci.access import Credentials

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
                return self._find_list(reference) if self._is_list(reference) else None

    def _is_list(self, reference: str) -> bool:
        """Whether it is a manifest list."""
        try:
            self._connection.get(f"/manifests/{quoted(reference)}/exists")
        except podman.errors.APIError as exc:
            if exc.response is None:
                raise
            # Podman returns 500 for an image.
            return False
        return True

    def _find_list(self, reference: str) -> Image | None:
        """Find a manifest list without an image for this platform, which Podman does not find as an image."""
        name = reference if ":" in reference.rpartition("/")[2] else f"{reference}:latest"
        entries = self._connection.get("/images/json", params={"all": "true"}).json()
        for entry in entries:
            names = entry.get("RepoTags") or ()
            if any(f"/{each}".endswith(f"/{name}") for each in names) or entry["Id"].startswith(reference):
                found = self._connection.get(f"/manifests/{quoted(reference)}/json").json()
                parts = {part.get("digest") for part in found.get("manifests") or ()}
                return list_image(entry, size=sum(other["Size"] for other in entries if other.get("Digest") in parts))
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
            # By the name of a manifest list, `/images/` would delete the list's image for this platform.
            kind = "manifests" if self._is_list(reference) else "images"
            try:
                self._connection.delete(f"/{kind}/{quoted(reference)}")
            except podman.errors.APIError as exc:
                if exc.status_code == requests.codes.conflict:
                    raise InUseError(f"image `{reference}` is in use", details=said(exc)) from exc
                raise

    def check_plain_http(self, registry: str) -> None:
        """Do nothing: Podman is told with each push and pull."""

    def reach_registry(self, registry: str, *, plain_http: bool) -> None:
        """Have Podman search a registry for the tags of an image that does not exist."""
        params = {"term": f"{registry}/{PROBED}", "listTags": "true", **({"tlsVerify": "false"} if plain_http else {})}
        with podman_errors(f"ask {registry}"):
            try:
                self._connection.get("/images/search", params=params)
            except podman.errors.APIError as exc:
                if exc.response is None:
                    raise
                check_answer(registry, "\n".join(said(exc)))

    def push_image(self, reference: str, *, plain_http: bool, login: Credentials | None = None) -> Iterator[Progress]:
        """Push an image; of a manifest list all images, of which Podman otherwise pushes only this platform's."""
        params = {"quiet": "false", **({"tlsVerify": "false"} if plain_http else {})}
        name = quoted(reference)
        path = f"/images/{name}/push"
        with podman_errors(f"push `{reference}`"):
            if self._is_list(reference):
                path, params = f"/manifests/{name}/registry/{name}", {**params, "all": "true"}
        yield from self._transfer(f"push `{reference}`", path, params, reference, login)

    def pull_image(self, reference: str, *, plain_http: bool, login: Credentials | None = None) -> Iterator[Progress]:
        """Pull an image."""
        params = {"reference": reference, **({"tlsVerify": "false"} if plain_http else {})}
        if _version(self._info.version) >= _FIRST_WITH_PULL_BYTES:
            params["compatMode"] = "true"
        yield from self._transfer(f"pull `{reference}`", "/images/pull", params, reference, login)

    def _transfer(
        self, doing: str, path: str, params: Mapping[str, str], reference: str, login: Credentials | None
    ) -> Iterator[Progress]:
        headers = {} if login is None else header_of(login)
        with podman_errors(doing):
            try:
                response = self._connection.post(path, params=params, headers=headers, stream=True, timeout=NEVER)
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
