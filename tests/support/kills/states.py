"""An engine on which there is also what is not localreg's, and the states that a command can begin with."""

from __future__ import annotations

import contextlib
import shutil
import signal
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from support.clients.own_machine import trust
from support.engines.api import EngineApi
from support.engines.real import REGISTRY_IMAGE, TESTER_RUNTIME, Bed

from localreg.clients.docker.client import Docker
from localreg.clients.port import Machine
from localreg.oci.manifest import DOCKER_MANIFEST, OCI_MANIFEST

KEPT = "localhost/kept:1"
"""One more name of the registry's image: not localreg's, and what makes it quick to load again."""
DOCKERS_FOLDER = Path("/etc/docker")
NAMES = (REGISTRY_IMAGE, "docker.io/library/registry:2.8.3")


@dataclass(frozen=True)
class Yard:
    """An engine on which there is also what is not localreg's."""

    bed: Bed
    folder: Path
    """That everybody can read."""

    @property
    def drop_in(self) -> Path:
        return self.bed.home / ".config/containers/registries.conf.d/50-localreg.conf"

    def has(self, container: str, port: int) -> bool:
        """Whether a container runs that publishes this port."""
        return any(
            f"/{container}" in found["Names"] and port in [published.get("PublicPort") for published in found["Ports"]]
            for found in self.api.get("/containers/json")
        )

    def remove_images(self, *names: str) -> None:
        for name in names:
            self.api.change("DELETE", f"/images/{name}")

    @property
    def api(self) -> EngineApi:
        return self.bed.api


Prepare = Callable[[Yard, int], None]
"""Makes the state that a command begins with; told whose turn it is of several."""


def no_registry(yard: Yard, _turn: int = 0) -> None:
    for container in ("registry", "registry.replaced"):
        yard.api.change("DELETE", f"/containers/{container}?force=1&v=1")
    yard.api.change("DELETE", "/volumes/localreg-registry")


def no_image(yard: Yard, _turn: int = 0) -> None:
    no_registry(yard)
    yard.remove_images(*NAMES)


def a_registry(yard: Yard, _turn: int) -> None:
    yard.bed.up()


def an_image_of_two_names(yard: Yard, _turn: int) -> None:
    """In the registry, in the engine its own name alone."""
    if not yard.has("registry", 5000):
        yard.bed.up()
        yard.bed.push("localhost/app:1", name="app:2")
        yard.bed.push("localhost/other:1", name="app:0")
    _copy_tag("app", "2", "1")
    yard.remove_images("localhost:5000/app:1")


def a_pushed_image(yard: Yard, turn: int) -> None:
    an_image_of_two_names(yard, turn)
    yard.api.name_image("localhost/app:1", "localhost:5000/app:1")


def another_image_of_that_name(yard: Yard, turn: int) -> None:
    an_image_of_two_names(yard, turn)
    _copy_tag("app", "0", "1")


def _copy_tag(repository: str, source: str, target: str) -> None:
    place = f"http://127.0.0.1:5000/v2/{repository}/manifests"
    asked = urllib.request.Request(f"{place}/{source}", headers={"Accept": f"{OCI_MANIFEST}, {DOCKER_MANIFEST}"})
    with urllib.request.urlopen(asked) as answer:
        headers = {"Content-Type": answer.headers["Content-Type"]}
        put = urllib.request.Request(f"{place}/{target}", answer.read(), headers, method="PUT")
    with urllib.request.urlopen(put):
        pass


PORTS = (5001, 5000)


def the_other_port(yard: Yard, turn: int) -> None:
    """There already, but for the first time and after a failure."""
    if not yard.has("registry", PORTS[1 - turn]):
        yard.bed.ok("up", "--recreate", "--port", str(PORTS[1 - turn]))
        yard.bed.push("localhost/app:1")


def no_configuration(yard: Yard, _turn: int) -> None:
    shutil.rmtree(yard.bed.home / ".config", ignore_errors=True)


def foreign_configuration(yard: Yard, _turn: int) -> None:
    """An entry of somebody else's in our file, and files beside it."""
    no_configuration(yard, 0)
    yard.bed.run("mkdir", "-p", str(yard.drop_in.parent))
    for name in (yard.drop_in.name, "60-company.conf", f".{yard.drop_in.name}.swp"):
        path = yard.drop_in.with_name(name)
        path.write_text(f'# {name}\n[[registry]]\nlocation = "{name}.example.com"\n')
        shutil.chown(path, yard.bed.uid, yard.bed.uid)


def our_configuration(yard: Yard, _turn: int) -> None:
    foreign_configuration(yard, 0)
    yard.bed.ok("podman-fix", "--location", "localhost:5000")


def our_configuration_alone(yard: Yard, _turn: int) -> None:
    no_configuration(yard, 0)
    yard.bed.ok("podman-fix", "--location", "localhost:5000")


def dockers_configuration(yard: Yard, _turn: int) -> None:
    """A file of others, which Docker has read."""
    _trust_docker(yard)
    shutil.rmtree(DOCKERS_FOLDER / "certs.d", ignore_errors=True)
    (DOCKERS_FOLDER / "daemon.json").write_text('{\n\t"shutdown-timeout": 14\n}')


def our_dockers_configuration(yard: Yard, _turn: int) -> None:
    dockers_configuration(yard, 0)
    _trust_docker(yard, "192.0.2.1:5009")


def _trust_docker(yard: Yard, *locations: str) -> None:
    """As `trust` and `untrust` do: a run of the program takes longer."""
    trust(Docker(Machine(yard.bed.environment, open_docker=yard.bed.opened)), *locations)


def no_service(_yard: Yard, _turn: int) -> None:
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or ())
        if "system service" in line and "/localreg/" in line:
            process.send_signal(signal.SIGKILL)
    shutil.rmtree(TESTER_RUNTIME / "localreg", ignore_errors=True)


@contextlib.contextmanager
def opened_yard(bed: Bed, folder: Path) -> Iterator[Yard]:
    """Put there what is not localreg's; the registry's image is there afterwards as it was."""
    bed.add_image("localhost/app:1", folder)
    bed.add_image("localhost/other:1", folder)
    bed.api.name_image(REGISTRY_IMAGE, KEPT)
    bed.engine_ok("volume", "create", "precious")
    bed.engine_ok("run", "-d", "--name", "bystander", "-v", "precious:/data", "localhost/app:1")
    # A service that outlives its run is there before: it is not what a killed one left.
    bed.ok("status", "--all")
    yard = Yard(bed, folder)
    daemon_json = DOCKERS_FOLDER / "daemon.json"
    before = daemon_json.read_bytes() if daemon_json.exists() else None
    yield yard
    if bed.program == "docker":
        bed.ok("untrust", "docker")
        shutil.rmtree(DOCKERS_FOLDER / "certs.d", ignore_errors=True)
        if before is not None:
            daemon_json.write_bytes(before)
        else:
            daemon_json.unlink(missing_ok=True)
    no_image(yard)
    for name in NAMES:
        yard.api.name_image(KEPT, name)
