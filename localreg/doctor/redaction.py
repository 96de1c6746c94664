"""Replaces what a report must not tell: names of people, machines, registries and images, paths, addresses, secrets."""

from __future__ import annotations

import contextlib
import getpass
import ipaddress
import os
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

from localreg.doctor.check import NotPossibleError
from localreg.doctor.scene import Scene
from localreg.errors import LocalregError
from localreg.oci.credentials import CredentialStores
from localreg.oci.reference import find_reference
from localreg.registry.container import Registry
from localreg.registry.defaults import DEFAULT_NAME, default_volume
from localreg.system.address import without_password
from localreg.tunnels.ls import list_tunnels_to

_SECRET = re.compile(r"SECRET|PASSWORD|PASSWD|TOKEN|ACCESSKEY|_KEY\b|CREDENTIAL")
"""The names of variables with a value that is never shown."""
_MOST_REPOSITORIES = 1000
_PUBLIC = frozenset(
    (
        *("app", "busybox", "alpine", "container", "containers", "default", "docker", "engine", "image", "images"),
        *("library", "localhost", "localreg", "podman", "registry", "repository", "root", "tag", "tags", "volume"),
    )
)
"""Names that tell nothing of anyone, and words that the report itself needs."""
_SYSTEM = ("/bin", "/dev", "/etc", "/opt", "/proc", "/run", "/sbin", "/sys", "/usr", "/var")
_PATH = re.compile(r"(?<![\w/.:-])/[^\s`'\",;:()]+")
_HOME = re.compile(r"/(?:home|Users)/[^/\s`'\",;:()]+|/root(?![\w.-])")
_ADDRESS = re.compile(
    r"(?<![\w.])(?:\d{1,3}(?:\.\d{1,3}){3}|\[?[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7}\]?)(?![\w.])"
)
_IMAGE = re.compile(r"(?<![\w.-])((?:localhost|127\.0\.0\.1):\d+)/[^\s`'\",;()]+")
_HOST = re.compile(
    r"""(?<=//)[\w.-]+ | (?<=@)[\w.-]+            # in a URL, or after a user
    | (?<![\w./-])[\w-]+(?:\.[\w-]+)+(?=/\w)     # before a repository
    | (?<![\w./-])[a-z][\w-]*(?:\.[\w-]+)*(?=:\d{2,5}\b)  # before a port
    """,
    re.VERBOSE | re.IGNORECASE,
)
_NAMED = re.compile(r"\b(container|context|connection|registry|volume|network|user|tag|repository) `([^`]+)`")
_TOKEN = re.compile(r"(?<![\w:/+=-])[\w+/=-]{32,}(?![\w+/=-])")
_DIGEST = re.compile(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}")
_KEPT = frozenset({DEFAULT_NAME, default_volume(DEFAULT_NAME), "default"})
_HOSTS = frozenset({"localhost", "docker.io", "registry-1.docker.io", "index.docker.io", "github.com"})


def redactor_for(scene: Scene) -> Redactor:
    """The redactor for a report on a registry.

    Args:
        scene: Has the names and the secrets that are known.
    """
    return Redactor({**_people(), **_machines(), **_of_registry(scene), **_repositories(scene), **_tunnels(scene.name)})


class Redactor:
    """Replaces known names, then all that looks like a name of somebody's.

    Args:
        known: By each known name or secret, the word that stands for it.
    """

    def __init__(self, known: Mapping[str, str]) -> None:
        self._known = known
        longest_first = sorted(known, key=len, reverse=True)
        self._pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)") if known else None

    def __call__(self, line: str) -> str:
        """A line as it can be published."""
        line = without_password(line)
        home = os.environ.get("HOME", "").rstrip("/")
        line = line.replace(home, "~") if home not in ("", "/") else line
        line = _HOME.sub("~", line)
        if self._pattern is not None:
            line = self._pattern.sub(lambda found: self._known[found[0]], line)
        line = _IMAGE.sub(r"\1/IMAGE", line)
        line = _NAMED.sub(lambda found: f"{found[1]} `{found[2] if found[2] in _KEPT else found[1].upper()}`", line)
        line = _DIGEST.sub(r"\1", line)
        line = _HOST.sub(lambda found: found[0] if found[0] in _HOSTS or _is_loopback(found[0]) else "HOST", line)
        line = _ADDRESS.sub(lambda found: "ADDRESS" if _is_told(found[0]) else found[0], line)
        line = _TOKEN.sub("SECRET", line)
        return _PATH.sub(lambda found: _shown_path(found[0]), line)


def _shown_path(path: str) -> str:
    if path.startswith(_SYSTEM) or path.count("/") == 1:
        return path
    return f"/.../{Path(path).name}"


def _is_loopback(text: str) -> bool:
    try:
        return ipaddress.ip_address(text.strip("[]")).is_loopback
    except ValueError:
        return False


def _is_told(text: str) -> bool:
    """It is an address that tells of a machine."""
    try:
        address = ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified)


def _people() -> dict[str, str]:
    names = {Path(os.environ.get("HOME", "/")).name}
    with contextlib.suppress(KeyError, OSError):
        names.add(getpass.getuser())
    return _standing("USER", names)


def _machines() -> dict[str, str]:
    name = socket.gethostname()
    return _standing("HOST", {name, name.partition(".")[0]})


def _of_registry(scene: Scene) -> dict[str, str]:
    found = _standing("NAME", {scene.name})
    registry = scene.known_registry
    if registry is None:
        return found
    secrets = {value for name, value in registry.container.environment.items() if _SECRET.search(name.upper())}
    return {**found, **_standing("SECRET", secrets), **_standing("IMAGE", _images(registry)), **_login(registry)}


def _images(registry: Registry) -> Iterator[str]:
    image = find_reference(registry.container.image)
    if image is not None and image.basename != "registry":
        yield registry.container.image
    if registry.storage is not None:
        yield registry.storage


def _login(registry: Registry) -> dict[str, str]:
    login = CredentialStores().find(registry.location) if registry.location else None
    return {} if login is None else {**_standing("USER", {login.user}), **_standing("SECRET", {login.secret})}


def _repositories(scene: Scene) -> dict[str, str]:
    """The names of the repositories and of their parts."""
    names: set[str] = set()
    with contextlib.suppress(LocalregError, NotPossibleError):
        for repository in islice(scene.client.iter_repositories(), _MOST_REPOSITORIES):
            names |= {repository, *repository.split("/")}
            names |= {tag for tag in scene.client.find_tags(repository) if not tag[:1].isdigit() and tag != "latest"}
    return _standing("IMAGE", names)


def _tunnels(registry: str) -> dict[str, str]:
    hosts: set[str] = set()
    with contextlib.suppress(LocalregError, OSError):
        hosts = {part for spec in list_tunnels_to(registry) for part in re.split(r"[@:/]+", spec.host)}
    return _standing("HOST", hosts)


def _standing(word: str, names: Iterable[str]) -> dict[str, str]:
    return {name: word for name in names if len(name) > 1 and name.lower() not in _PUBLIC and not name.isdigit()}
