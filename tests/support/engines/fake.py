"""An engine in memory. It obeys the same contract suite as the real ones (tests/contract)."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import select
import subprocess
import tarfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from localreg.engines.common.messages import check_answer, transfer_error
from localreg.engines.common.ports import published_port
from localreg.engines.files import ContainerFile
from localreg.engines.values import (
    AnonymousMount,
    Container,
    ContainerSpec,
    ContainerState,
    Endpoint,
    EngineInfo,
    Image,
    LogChunk,
    Mount,
    Progress,
    Stream,
    TransferState,
    Volume,
    VolumeMount,
)
from localreg.errors import (
    ContainerNotFoundError,
    EngineError,
    EngineLostError,
    ImageNotFoundError,
    InUseError,
    InvalidArchiveError,
    NameTakenError,
    NotFoundError,
    PortTakenError,
    RegistryError,
)
from localreg.oci.access import Credentials

LOG = (
    LogChunk("stdout", b"to stdout\n"),
    LogChunk("stderr", b"to stderr\n"),
    LogChunk("stdout", b"raw \xff byte\n"),
)
"""What a container says, as the test images do."""


@dataclass
class _Running:
    """What the fake knows of a container beyond what it tells."""

    spec: ContainerSpec
    container: Container
    stopped: threading.Event = field(default_factory=threading.Event)


class FakeEngine:
    """Both ports, in memory.

    Attributes:
        taken_ports: Ports that somebody else holds.
        registries: What each reachable registry has: location to reference to image.
        logins: What registries that require a login accept, by location.
        exits: An image that is in here ends at once with this code.
        files: What containers have at a path: a file or a folder of this machine, whose programs they run.
        files_in: The same of single containers, by name.
        put: What else they have: by the container, or the volume of it, and the path in the container.
        shell_less: Images without a shell.
        networks: The names of the networks.
        forgets_ports: A container whose port was taken once starts without it, as with Docker 29.
        lost: Every stream breaks, and every call fails, as when the engine is killed.
    """

    def __init__(self, info: EngineInfo | None = None) -> None:
        self._info = info or EngineInfo("docker", "0.0.0", "fake:")
        self._ids = itertools.count(1)
        self._containers: dict[str, _Running] = {}
        self._volumes: dict[str, Volume] = {}
        self._images: dict[str, Image] = {}
        self.taken_ports: set[int] = set()
        self.registries: dict[str, dict[str, Image]] = {}
        self.logins: dict[str, Credentials] = {}
        self.expecting_tls: set[str] = set()
        self.exits: dict[str, int] = {}
        self.files: dict[str, Path] = {}
        self.files_in: dict[str, dict[str, Path]] = {}
        self.put: dict[tuple[str, str], ContainerFile] = {}
        self.shell_less: set[str] = set()
        self.networks = {"bridge", "host", "none"}
        self.forgets_ports = False
        self.lost = threading.Event()
        self._closings = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """End the commands that run in containers; it can be used again."""
        self._closings += 1

    def info(self) -> EngineInfo:
        return self._info

    def is_answering(self) -> bool:
        return not self.lost.is_set()

    def add_image(
        self, *references: str, labels: Mapping[str, str] | None = None, image_id: str | None = None
    ) -> Image:
        """Put an image into the store."""
        image_id = image_id or f"sha256:{hashlib.sha256(' '.join(references).encode()).hexdigest()}"
        image = Image(image_id, (), 1000, datetime(2026, 1, 1, tzinfo=UTC), "linux/amd64", labels or {})
        self._images[image_id] = image
        for reference in references:
            self.tag_image(image_id, reference)
        return self._images[image_id]

    def spec_of(self, container_id: str) -> ContainerSpec:
        """What a container was created from."""
        return self._get(container_id).spec

    def find_container(self, name: str) -> Container | None:
        self._check()
        for running in self._containers.values():
            if name in (running.container.name, running.container.id):
                return running.container
        return None

    def list_containers(self) -> list[Container]:
        self._check()
        return [running.container for running in self._containers.values()]

    def create_container(self, spec: ContainerSpec) -> Container:
        self._check()
        if self.find_container(spec.name) is not None:
            raise NameTakenError(f"there is a container `{spec.name}` already")
        image = self.find_image(spec.image)
        if image is None:
            raise ImageNotFoundError(f"the engine has no image `{spec.image}`")
        if missing := set(spec.networks) - self.networks:
            raise NotFoundError(f"the engine has no network `{missing.pop()}`")
        if isinstance(spec.mount, VolumeMount):
            self.create_volume(spec.mount.volume, {})
        if isinstance(spec.mount, AnonymousMount):
            name = f"{next(self._ids):064x}"
            self._volumes[name] = Volume(name, {})
        mounts: list[Mount] = [spec.mount] if spec.mount else []
        if spec.volumes_from:
            mounts += self._get(spec.volumes_from).container.mounts
        container = Container(
            id=f"{next(self._ids):064x}",
            name=spec.name,
            image=spec.image,
            state=ContainerState.CREATED,
            labels=dict(spec.labels),
            ports=(published_port(spec.container_port, spec.publish.host, spec.publish.port, Endpoint("unix://fake")),)
            if spec.publish
            else (),
            mounts=tuple(mounts),
            started_at=None,
            finished_at=None,
            exit_code=None,
            removes_itself=spec.remove_when_stopped,
            restarts=spec.restart,
            environment=dict(spec.environment),
            image_id=image.id,
            command=spec.command or ("/image's own",),
            user=spec.user,
            # As a rootless Podman does: its own network is in no list.
            networks=("bridge", *spec.networks) if spec.networks or not self._info.joins_networks_when_created else (),
        )
        self._containers[container.id] = _Running(spec, container)
        return container

    def rename_container(self, container_id: str, name: str) -> None:
        running = self._get(container_id)
        if self.find_container(name) is not None:
            raise NameTakenError(f"there is a container `{name}` already")
        running.container = replace(running.container, name=name)

    def list_networks(self) -> list[str]:
        self._check()
        return sorted(self.networks)

    def connect_network(self, container_id: str, network: str) -> None:
        running = self._get(container_id)
        if network not in self.networks:
            raise NotFoundError(f"the engine has no network `{network}`")
        if not running.container.networks:
            raise EngineError("it is in a network of its own: invalid network mode")
        if network not in running.container.networks:
            running.container = replace(running.container, networks=(*running.container.networks, network))

    def disconnect_network(self, container_id: str, network: str) -> None:
        running = self._get(container_id)
        left = tuple(name for name in running.container.networks if name != network)
        running.container = replace(running.container, networks=left)

    def change(self, container_id: str, **values: Any) -> None:
        """Change what a container tells, such as its `environment`."""
        running = self._get(container_id)
        running.container = replace(running.container, **values)

    def start_container(self, container_id: str) -> None:
        running = self._get(container_id)
        if running.container.is_running:
            return
        running_ones = (other.spec for other in self._containers.values() if other.container.is_running)
        taken = self.taken_ports | {spec.publish.port for spec in running_ones if spec.publish}
        if running.spec.publish and running.spec.publish.port in taken:
            if self.forgets_ports:
                running.container = replace(running.container, ports=())
            raise PortTakenError("the port is taken")
        running.stopped.clear()
        running.container = replace(
            running.container, state=ContainerState.RUNNING, started_at=datetime.now(UTC), exit_code=None
        )
        if running.spec.image in self.exits:
            self._end(running, self.exits[running.spec.image])

    def stop_container(self, container_id: str, *, grace_seconds: int = 10) -> None:
        del grace_seconds
        running = self._get(container_id)
        if running.container.is_running:
            self._end(running, 0)

    def _end(self, running: _Running, code: int) -> None:
        running.container = replace(
            running.container, state=ContainerState.EXITED, exit_code=code, finished_at=datetime.now(UTC)
        )
        running.stopped.set()
        if running.spec.remove_when_stopped:
            self.remove_container(running.container.id)

    def remove_container(self, container_id: str, *, anonymous_volumes: bool = True) -> None:
        self._check()
        found = self.find_container(container_id)
        if found is None:
            return
        running = self._containers.pop(found.id)
        running.stopped.set()
        if anonymous_volumes and isinstance(running.spec.mount, AnonymousMount):
            self._volumes = {name: volume for name, volume in self._volumes.items() if len(name) != len(found.id)}

    def read_logs(
        self,
        container_id: str,
        *,
        follow: bool = False,
        tail: int | None = None,
        since: datetime | None = None,
        timestamps: bool = False,
        only: Stream | None = None,
    ) -> Iterator[LogChunk]:
        running = self._get(container_id)
        started = running.container.started_at
        chunks: tuple[LogChunk, ...] = LOG if started and (since is None or since <= started) else ()
        chunks = chunks if tail is None else chunks[len(chunks) - tail :] if tail else ()
        stamp = f"{started:%Y-%m-%dT%H:%M:%SZ} ".encode() if timestamps and started else b""
        for chunk in chunks:
            if only not in (None, chunk.stream):
                continue
            yield LogChunk(chunk.stream, stamp + chunk.data)
        while follow and not running.stopped.wait(0.01):
            self._check()

    def run_in_container(self, container_id: str, command: Sequence[str]) -> Iterator[bytes]:
        running = self._get(container_id)
        if not running.container.is_running:
            raise EngineError("the container is not running")
        if running.spec.image in self.shell_less:
            raise EngineError("the container has no shell")
        pipe, closings, began = subprocess.PIPE, self._closings, running.container.started_at
        words = [self._on_host(word, running.container) for word in command]
        process = subprocess.Popen(
            ["sh", "-c", '"$@"; exit $?', "sh", *words], stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe
        )
        with contextlib.ExitStack() as stack:
            stack.enter_context(process)
            stack.callback(process.kill)
            assert process.stdout is not None
            assert process.stderr is not None
            output = process.stdout.fileno()
            while True:
                while not select.select([output], [], [], 0.05)[0]:
                    now = self.find_container(container_id)
                    if now is None or not now.is_running or now.started_at != began:
                        raise EngineError("the container stopped")
                if not (data := os.read(output, 1 << 16)):
                    break
                yield data
                self._check()
                if self._closings != closings:
                    raise EngineLostError("the engine was closed")
            errors = process.stderr.read()
            process.wait()
        if process.returncode:
            raise EngineError(f"exit code {process.returncode}", details=errors.decode().splitlines())

    def _on_host(self, word: str, container: Container) -> str:
        files = {**self.files, **self.files_in.get(container.name, {})}
        return next((word.replace(path, str(here)) for path, here in files.items() if path in word), word)

    def put_files(self, container_id: str, folder: str, files: Mapping[str, ContainerFile]) -> None:
        for name, file in files.items():
            path = f"{folder}/{name}"
            here = Path(self._on_host(path, self._get(container_id).container))
            if str(here) == path:
                self.put[self._holder(container_id, path), path] = file
                continue
            here.parent.mkdir(parents=True, exist_ok=True)
            here.write_bytes(file.data)
            here.chmod(file.mode)

    def read_file(self, container_id: str, path: str) -> bytes | None:
        file = self.put.get((self._holder(container_id, path), path))
        here = Path(self._on_host(path, self._get(container_id).container))
        if file is None and str(here) != path and here.is_file():
            return here.read_bytes()
        return None if file is None else file.data

    def _holder(self, container_id: str, path: str) -> str:
        """The container, or the volume of it that the path is in."""
        container = self._get(container_id).container
        volumes = (mount for mount in container.mounts if isinstance(mount, VolumeMount))
        return next((mount.volume for mount in volumes if path.startswith(f"{mount.target}/")), container.id)

    def find_volume(self, name: str) -> Volume | None:
        self._check()
        return self._volumes.get(name)

    def list_volumes(self) -> list[Volume]:
        self._check()
        return list(self._volumes.values())

    def create_volume(self, name: str, labels: Mapping[str, str]) -> Volume:
        self._check()
        return self._volumes.setdefault(name, Volume(name, dict(labels)))

    def remove_volume(self, name: str) -> None:
        self._check()
        for running in self._containers.values():
            if isinstance(running.spec.mount, VolumeMount) and running.spec.mount.volume == name:
                raise InUseError(f"volume `{name}` is in use")
        self._volumes.pop(name, None)

    def find_image(self, reference: str) -> Image | None:
        self._check()
        for image in self._images.values():
            if reference in (*image.references, image.id, image.id.removeprefix("sha256:")):
                return image
        return None

    def list_images(self) -> list[Image]:
        self._check()
        return [image for image in self._images.values() if image.references]

    def load_archive(self, archive: Path) -> tuple[Image, ...]:
        self._check()
        try:
            with tarfile.open(archive) as tar:
                manifest = tar.extractfile("manifest.json")
                entries = json.load(manifest) if manifest else []
        except (tarfile.TarError, KeyError) as exc:
            raise InvalidArchiveError(f"no image in `{archive}`") from exc
        return tuple(self.add_image(*(entry["RepoTags"] or ())) for entry in entries)

    def tag_image(self, image: str, reference: str) -> None:
        found = self.find_image(image)
        if found is None:
            raise ImageNotFoundError(f"the engine has no image `{image}`")
        if reference not in found.references:
            self.untag_image(reference)
            self._images[found.id] = replace(found, references=(*found.references, reference))

    def untag_image(self, reference: str) -> None:
        found = self.find_image(reference)
        if found is None or reference not in found.references:
            return
        rest = tuple(name for name in found.references if name != reference)
        if not rest and any(running.spec.image in (found.id, reference) for running in self._containers.values()):
            raise InUseError(f"image `{reference}` is in use")
        if rest:
            self._images[found.id] = replace(found, references=rest)
        else:
            del self._images[found.id]

    def check_plain_http(self, registry: str) -> None:
        if registry in self.expecting_tls:
            raise RegistryError(f"Docker uses HTTPS for {registry}, which speaks plain HTTP", hint="allow it")

    def reach_registry(self, registry: str, *, plain_http: bool) -> None:
        del plain_http
        self._check()
        if registry not in self.registries:
            check_answer(registry, "dial tcp 127.0.0.1:5000: connect: connection refused")

    def push_image(self, reference: str, *, plain_http: bool, login: Credentials | None = None) -> Iterator[Progress]:
        del plain_http
        image = self.find_image(reference)
        if image is None:
            raise transfer_error(reference, "image not known")
        self._log_in(reference, login)
        layer = image.id.removeprefix("sha256:")[:12]
        yield Progress(layer, TransferState.RUNNING, 500, image.size)
        self._check()
        self._registry(reference)[reference] = image
        yield Progress(layer, TransferState.DONE)
        yield Progress(digest=image.id, state=TransferState.DONE)

    def pull_image(self, reference: str, *, plain_http: bool, login: Credentials | None = None) -> Iterator[Progress]:
        del plain_http
        self._check()
        self._log_in(reference, login)
        image = self._registry(reference).get(reference)
        if image is None:
            raise transfer_error(reference, "manifest unknown")
        layer = image.id.removeprefix("sha256:")[:12]
        yield Progress(layer, TransferState.RUNNING, 500, image.size)
        self._check()
        yield Progress(layer, TransferState.DONE)
        self._images.setdefault(image.id, replace(image, references=()))
        self.tag_image(image.id, reference)

    def _log_in(self, reference: str, login: Credentials | None) -> None:
        wanted = self.logins.get(reference.partition("/")[0])
        if wanted is not None and login != wanted:
            raise transfer_error(reference, "no basic auth credentials" if login is None else "401 Unauthorized")

    def _registry(self, reference: str) -> dict[str, Image]:
        location = reference.partition("/")[0]
        if location not in self.registries:
            raise transfer_error(reference, "dial tcp: connection refused")
        return self.registries[location]

    def _get(self, container_id: str) -> _Running:
        found = self.find_container(container_id)
        if found is None:
            raise ContainerNotFoundError(f"the engine has no container `{container_id}`")
        return self._containers[found.id]

    def _check(self) -> None:
        if self.lost.is_set():
            raise EngineLostError("the engine was lost")
