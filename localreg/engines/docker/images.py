"""The images of a Docker daemon."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import docker.auth
import docker.errors
import requests

from localreg.engines.common.events import iter_load, iter_pull, iter_push
from localreg.engines.common.logins import for_engine
from localreg.engines.common.messages import DISK_FULL, PROBED, WANTS_LOGIN, check_answer
from localreg.engines.common.values import read_image
from localreg.engines.docker.connection import Connection, docker_errors, said
from localreg.engines.plain_http import PlainHttp
from localreg.engines.values import Image, Progress
from localreg.errors import ImageNotFoundError, InUseError, InvalidArchiveError, RegistryError
from localreg.oci.access import Credentials


class DockerImages:
    """Docker's image store."""

    def __init__(self, connection: Connection, plain_http: PlainHttp) -> None:
        self._connection = connection
        self._client = connection.client
        self._plain_http = plain_http

    def find_image(self, reference: str) -> Image | None:
        """Find an image as Docker does."""
        with docker_errors(f"look for image `{reference}`"):
            try:
                found: Mapping[str, Any] = self._client.inspect_image(reference)  # type: ignore[no-untyped-call]
            except docker.errors.NotFound:
                return None
            except docker.errors.APIError as exc:
                if exc.status_code == requests.codes.bad_request:
                    # Docker rejects the name as invalid, so it has no such image.
                    return None
                raise
        return read_image(found)

    def list_images(self) -> list[Image]:
        """List all images that have a tag."""
        with docker_errors("list images"):
            ids = [entry["Id"] for entry in self._client.images() if entry.get("RepoTags")]
        found = (self.find_image(image_id) for image_id in ids)
        return [image for image in found if image is not None and image.references]

    def load_archive(self, archive: Path) -> tuple[Image, ...]:
        """Load a docker-archive, streamed from disk."""
        with docker_errors(f"load `{archive}`"), archive.open("rb") as data:
            try:
                events = self._connection.patient.load_image(data)  # type: ignore[no-untyped-call]
                names = list(iter_load(events))
            except docker.errors.APIError as exc:
                if DISK_FULL.search(str(exc.explanation)):
                    raise
                raise InvalidArchiveError(f"Docker found no image in `{archive}`", details=said(exc)) from exc
        images = tuple(image for image in map(self.find_image, names) if image is not None)
        if not images:
            raise InvalidArchiveError(f"Docker found no image in `{archive}`")
        return images

    def tag_image(self, image: str, reference: str) -> None:
        """Tag an image."""
        repository, _, tag = reference.rpartition(":")
        with docker_errors(f"tag image `{image}`"):
            try:
                self._client.tag(image, repository, tag)
            except docker.errors.NotFound as exc:
                raise ImageNotFoundError(f"Docker has no image `{image}`", details=said(exc)) from exc

    def untag_image(self, reference: str) -> None:
        """Remove a tag."""
        with docker_errors(f"untag image `{reference}`"):
            try:
                self._client.remove_image(reference)
            except docker.errors.NotFound:
                return
            except docker.errors.APIError as exc:
                if exc.status_code == requests.codes.conflict:
                    raise InUseError(f"image `{reference}` is in use", details=said(exc)) from exc
                raise

    def check_plain_http(self, registry: str) -> None:
        """Check Docker's configuration."""
        self._plain_http.check(registry)

    def reach_registry(self, registry: str, *, plain_http: bool) -> None:
        """Have Docker ask a registry for an image that does not exist."""
        del plain_http
        with docker_errors(f"ask {registry}"), self._cured(registry):
            try:
                # An empty login keeps the SDK from asking a credential helper.
                self._client.inspect_distribution(f"{registry}/{PROBED}", auth_config={})  # type: ignore[no-untyped-call]
            except docker.errors.APIError as exc:
                check_answer(registry, "\n".join(said(exc)))

    def push_image(
        self,
        reference: str,
        *,
        plain_http: bool,  # noqa: ARG002 -- Docker decides
        login: Credentials | None = None,
    ) -> Iterator[Progress]:
        """Push an image."""
        with docker_errors(f"push `{reference}`"), self._cured(reference):
            try:
                # An empty login keeps the SDK from asking a credential helper, which may be slow or missing.
                yield from self._push(reference, {} if login is None else for_engine(login))
            except RegistryError as exc:
                wants_login = login is None and any(map(WANTS_LOGIN.search, exc.details))
                stored = _stored_login(reference) if wants_login else {}
                if not stored:
                    raise
                yield from self._push(reference, stored)

    def _push(self, reference: str, login: Mapping[str, Any]) -> Iterator[Progress]:
        events = self._connection.patient.push(reference, stream=True, decode=True, auth_config=dict(login))
        yield from iter_push(events, reference)

    def pull_image(
        self,
        reference: str,
        *,
        plain_http: bool,  # noqa: ARG002 -- Docker decides
        login: Credentials | None = None,
    ) -> Iterator[Progress]:
        """Pull an image."""
        with docker_errors(f"pull `{reference}`"), self._cured(reference):
            try:
                known = _stored_login(reference) if login is None else for_engine(login)
                events = self._connection.patient.pull(reference, stream=True, decode=True, auth_config=known)
                yield from iter_pull(events, reference)
            except docker.errors.APIError as exc:
                yield from iter_pull(iter([{"error": str(exc.explanation)}]), reference)

    @contextlib.contextmanager
    def _cured(self, reference: str) -> Iterator[None]:
        """Add the cure to an error if Docker expected TLS."""
        try:
            yield
        except RegistryError as exc:
            raise self._plain_http.with_cure(exc, reference.partition("/")[0]) from exc


def _stored_login(reference: str) -> dict[str, Any]:
    """The credentials of `docker login` for a registry; empty if they cannot be read, or a credential helper fails."""
    registry, _ = docker.auth.resolve_repository_name(reference)
    unreadable = (docker.errors.DockerException, ValueError, TypeError, AttributeError)
    with contextlib.suppress(*unreadable), warnings.catch_warnings(action="ignore"):
        found = docker.auth.resolve_authconfig(docker.auth.load_config(), registry)
        return dict(found or {})
    return {}
