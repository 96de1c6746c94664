"""The registry's container: its labels, and the options that they hold.

The engine has the only state: a registry's options are in the labels of its container, never in a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from localreg.engines.common.ports import LOCALHOST, leads_to
from localreg.engines.port import ContainerRuntime
from localreg.engines.values import (
    AnonymousMount,
    Container,
    ContainerState,
    HostPathMount,
    Mount,
    PublishedPort,
    VolumeMount,
)
from localreg.errors import ConflictError, ContainerNotFoundError, RegistryUnreachableError, UsageError
from localreg.oci.reference import Reference, find_reference, registry_reference
from localreg.registry.defaults import DEFAULT_NAME
from localreg.registry.options import RegistryOptions
from localreg.system.address import Address
from localreg.system.command_line import CommandLine

CONTAINER_PORT = 5000
DATA_FOLDER = "/var/lib/registry"
_ROOT_DIRECTORY = "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY"

_STATES = {
    ContainerState.CREATED: "created, but never started",
    ContainerState.REMOVING: "being removed",
    ContainerState.EXITED: "stopped",
}
"""What a state is called, if that is not the engines' own word."""

SCHEMA = "1"
SCHEMA_LABEL = "localreg.schema"
NAME_LABEL = "localreg.name"
ASKED_LABEL = "localreg.asked"
OPTIONS_LABEL = "localreg.options"
HELPER_LABEL = "localreg.helper"
"""Its value is the name of the registry that it helps."""


def replaced_name(name: str) -> str:
    """The name of a registry's old container while a new one takes its place."""
    return f"{name}.replaced"


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry's container, ours or one that the user started by hand."""

    container: Container

    @property
    def is_ours(self) -> bool:
        """It has the label, so localreg created it."""
        return is_ours(self.container.labels)

    @property
    def seems_one(self) -> bool:
        """Its container tells that it is a registry: localreg's label, the name of the image, or the place of images.

        The image of Distribution has a volume at that place.
        """
        is_helper = HELPER_LABEL in self.container.labels
        return not is_helper and (self.is_ours or self.data is not None or self.has_registrys_image)

    @property
    def has_registrys_image(self) -> bool:
        """Its image is called `registry`."""
        image = find_reference(self.container.image)
        return image is not None and image.basename == "registry"

    @property
    def state(self) -> str:
        """The state of its container, such as `stopped`."""
        return _STATES.get(self.container.state, str(self.container.state))

    @property
    def state_clause(self) -> str:
        """The same with a verb, such as `is stopped`."""
        return f"{'was' if self.container.state is ContainerState.CREATED else 'is'} {self.state}"

    @property
    def options(self) -> RegistryOptions:
        """The options that took effect; empty if localreg did not create the registry."""
        return RegistryOptions.from_json(self.container.labels.get(OPTIONS_LABEL))

    @property
    def asked(self) -> RegistryOptions:
        """The options that the user gave."""
        return RegistryOptions.from_json(self.container.labels.get(ASKED_LABEL))

    @property
    def published(self) -> PublishedPort | None:
        """The address where the registry's port is published; of several ports, the one that registries use."""
        ports = sorted(self.container.ports, key=lambda port: port.container_port != CONTAINER_PORT)
        return ports[0] if ports else None

    @property
    def data(self) -> Mount | None:
        """The mount that its images are stored on."""
        return next((mount for mount in self.container.mounts if mount.target == DATA_FOLDER), None)

    @property
    def root_directory(self) -> str:
        """The folder in the container that it stores its images in, as far as the container's environment tells."""
        return self.container.environment.get(_ROOT_DIRECTORY, DATA_FOLDER)

    @property
    def storage(self) -> str | None:
        """The volume or the host's folder with its images; None for an anonymous volume."""
        return None if self.data is None else storage_of(self.data)

    @property
    def storage_phrase(self) -> str | None:
        """The same for a sentence: `volume NAME`, or the path."""
        return f"volume {self.storage}" if isinstance(self.data, VolumeMount) else self.storage

    @property
    def location(self) -> str | None:
        """The registry's part of a reference, such as `localhost:5000`; None without a published port."""
        return None if self.published is None else location_of(self.published)

    def get_location(self) -> str:
        """The registry's part of a reference.

        Raises:
            ConflictError: no port is published.
        """
        if self.location is None:
            raise ConflictError(
                f"container `{self.container.name}` publishes no port, so nothing can reach a registry in it",
                hint=CommandLine("--name", "OTHER", "up"),
            )
        return self.location

    def is_named_by(self, host: str) -> bool:
        """References that begin with this host and port, such as `127.0.0.1:5000`, lead to this registry."""
        return self.published is not None and any(
            leads_to(host, port)
            for port in self.container.ports
            if port.container_port == self.published.container_port
        )

    def reference_of(self, image: Reference) -> Reference:
        """The complete reference of an image in this registry.

        It begins with the registry's location. If the image names this registry by another loopback address, that
        stays, because engines accept it.

        Raises:
            ConflictError: no port is published.
        """
        location, named = self.get_location(), image.registry
        if named is not None and Address(image.host, 0).is_loopback and self.is_named_by(named):
            location = named
        return registry_reference(image, registry=location)

    @property
    def lost_its_port(self) -> bool:
        """The engine runs it without the port that it was created with."""
        return self.is_ours and self.container.is_running and self.published is None

    @property
    def speaks_plain_http(self) -> bool:
        """It has no certificate: engines must be told to use plain HTTP for it."""
        return not self.options.tls

    @property
    def url(self) -> str | None:
        """Where this machine reaches it; None without a published port, or on the loopback of a remote engine.

        It has the published address, never a name, which may lead to another registry.
        """
        address = None if self.published is None else self.published.from_host
        return None if address is None else url_of(address, tls=not self.speaks_plain_http)

    def get_url(self) -> str:
        """Where this machine reaches it.

        Raises:
            RegistryUnreachableError: this machine cannot reach it.
        """
        if self.published is None:
            raise RegistryUnreachableError(
                f"container `{self.container.name}` publishes no port", hint=CommandLine("up")
            )
        if self.url is None:
            raise RegistryUnreachableError(
                f"the registry listens on {self.published.bound} of the engine's machine, not of this one",
                hint=CommandLine("up", "--recreate", "--host", "ADDRESS", "--tls", "--auth"),
            )
        return self.url

    @property
    def only_volume_tells(self) -> bool:
        """This machine cannot reach it; localreg created it, so that what it serves is in its volume."""
        return self.url is None and self.is_ours


def url_of(address: Address, *, tls: bool) -> str:
    """The URL of a registry at this address."""
    return f"{'https' if tls else 'http'}://{address}"


def storage_of(mount: Mount) -> str | None:
    """The volume or the host's folder, as for `up --volume`; None for an anonymous volume."""
    match mount:
        case VolumeMount(volume=volume):
            return volume
        case HostPathMount(path=path):
            return path
        case AnonymousMount():
            return None


def location_of(published: PublishedPort) -> str:
    """The registry's part of a reference for a published port: `localhost` if that name leads to it."""
    return location_at(published.bound)


def location_at(bound: Address) -> str:
    """The registry's part of a reference for the address that a registry listens on."""
    return f"localhost:{bound.port}" if bound.host in LOCALHOST or bound.is_wildcard else str(bound)


def host_of(registry: Registry, reference: Reference) -> str:
    """The registry's part of a reference to this registry: its own if it has one, else the registry's location.

    Raises:
        UsageError: it names another registry.
        ConflictError: no port is published.
    """
    location = registry.get_location()
    if reference.registry is None:
        return location
    if registry.is_named_by(reference.registry):
        return reference.registry
    raise UsageError(
        f"`{reference}` names registry `{reference.registry}`, not registry `{registry.container.name}` (`{location}`)",
        hint=CommandLine("ls", reference.repository),
    )


def is_ours(labels: Mapping[str, str]) -> bool:
    """These are the labels of something that localreg created."""
    return SCHEMA_LABEL in labels


def labels_of(name: str, *, asked: RegistryOptions, options: RegistryOptions) -> dict[str, str]:
    """The labels of a registry's container; they hold no secret."""
    return {**volume_labels(name), ASKED_LABEL: asked.to_json(), OPTIONS_LABEL: options.to_json()}


def volume_labels(name: str) -> dict[str, str]:
    """The labels of a volume that localreg creates for the registry of this name."""
    return {SCHEMA_LABEL: SCHEMA, NAME_LABEL: name}


def find_registry(engine: ContainerRuntime, name: str) -> Registry | None:
    """The container of that name, registry or not."""
    container = engine.find_container(name)
    return None if container is None else Registry(container)


def get_registry(engine: ContainerRuntime, name: str) -> Registry:
    """The container of that name, running or not.

    Raises:
        ContainerNotFoundError: there is none.
    """
    registry = find_registry(engine, name)
    if registry is None:
        message = "no registry is running" if name == DEFAULT_NAME else f"registry `{name}` does not exist"
        raise ContainerNotFoundError(message, hint=CommandLine("up"))
    return registry


def seems_none(registry: Registry) -> str:
    """The sentence for a container that does not seem to be a registry."""
    container = registry.container
    return f"container `{container.name}` does not seem to be a registry: it runs {container.image}"


def start_command(registry: Registry, *, engine: str) -> str:
    """The command that starts a stopped registry; localreg starts only its own."""
    container = registry.container
    if container.state is ContainerState.PAUSED:
        return f"{engine} unpause {container.name}"
    return CommandLine("up") if registry.is_ours else f"{engine} start {container.name}"
