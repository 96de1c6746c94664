"""The options that describe a registry: how each is read and checked, and how a label keeps them."""

from __future__ import annotations

import ipaddress
import json
import re
import shlex
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from localreg.command_line import CommandLine
from localreg.errors import InvalidReferenceError, UsageError
from localreg.oci.reference import looks_like_image_id, parse_reference, qualified
from localreg.registry.defaults import DEFAULT_HOST

_VERSION = 4
_VOLUME_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+", re.ASCII)
"""What Docker takes as a container's name; Podman takes that too."""


class PullPolicy(StrEnum):
    """When the registry's own image is pulled."""

    MISSING = "missing"
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class RegistryOptions:
    """What describes a registry; None where it was left to localreg."""

    port: int | None = None
    host: str | None = None
    image: str | None = None
    volume: str | None = None
    """A volume's name, or the absolute path of a folder."""
    ephemeral: bool | None = None

    def over(self, other: RegistryOptions) -> RegistryOptions:
        """These, and where one is None the other's."""
        mine, theirs = asdict(self), asdict(other)
        return RegistryOptions(**{key: theirs[key] if value is None else value for key, value in mine.items()})

    def differing(self, actual: RegistryOptions) -> tuple[str, ...]:
        """The names of the options that were asked for here and are something else in `actual`."""
        asked, found = asdict(self), asdict(actual)
        if self.image and actual.image and _is_same_image(self.image, actual.image):
            found["image"] = self.image
        return tuple(name for name, value in asked.items() if value is not None and value != found[name])

    def to_json(self) -> str:
        """Without what is None, keys sorted: the value of a label."""
        return json.dumps({key: value for key, value in asdict(self).items() if value is not None}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | None) -> RegistryOptions:
        """What `to_json` wrote; unknown keys of a later release are passed over, garbage counts as nothing."""
        try:
            values = json.loads(text or "{}")
        except ValueError:
            return cls()
        if not isinstance(values, dict):
            return cls()
        kinds = {"port": int, "host": str, "image": str, "volume": str, "ephemeral": bool}
        return cls(**{key: values[key] for key, kind in kinds.items() if type(values.get(key)) is kind})


def _is_same_image(one: str, other: str) -> bool:
    """Both name the same image; an ID is nobody's name."""
    try:
        return qualified(parse_reference(one)) == qualified(parse_reference(other))
    except InvalidReferenceError:
        return one == other


def check_name(name: str) -> None:
    """Refuse what an engine would not take as a container's name.

    Raises:
        UsageError: it is none.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"`{name}` is no container's name: at least two letters, digits, `_`, `.` or `-`, no mark first",
            hint=CommandLine("--name", "team", "up"),
        )


def read_options(
    *, port: int | None, host: str | None, image: str | None, volume: str | None, ephemeral: bool
) -> RegistryOptions:
    """Check what was typed.

    Raises:
        UsageError: a value is none, or two exclude each other.
    """
    if ephemeral and volume is not None:
        raise UsageError("--ephemeral keeps nothing, so it does not go with --volume")
    if image is not None:
        check_image(image)
    return RegistryOptions(
        port=port,
        host=None if host is None else read_host(host),
        image=image,
        volume=None if volume is None else read_volume(volume),
        ephemeral=ephemeral or None,
    )


def check_image(text: str) -> None:
    """Refuse what is neither a reference nor an image's whole ID.

    Raises:
        InvalidReferenceError: the grammar does not accept it.
    """
    if not looks_like_image_id(text):
        parse_reference(text)


def read_host(text: str) -> str:
    """The address to publish on.

    Raises:
        UsageError: it is no IPv4 address.
    """
    if text == "localhost":
        return DEFAULT_HOST
    try:
        address = ipaddress.ip_address(text.strip("[]"))
    except ValueError as exc:
        raise UsageError(f"`{text}` is no IP address", hint=CommandLine("up", "--host", "127.0.0.1")) from exc
    if address.version != _VERSION:
        # A reference could not name it: older engines know no such domain.
        raise UsageError(
            f"`{text}` is an IPv6 address, which image references cannot name",
            hint=CommandLine("up", "--host", "127.0.0.1"),
        )
    return str(address)


def read_volume(text: str) -> str:
    """A volume's name as it is, a folder as an absolute path; like `docker run -v`, a `/` tells them apart.

    Raises:
        UsageError: it is neither, or there is no such folder.
    """
    if "/" not in text and text not in (".", "..", "~"):
        if not _VOLUME_NAME.fullmatch(text):
            raise UsageError(
                f"`{text}` is neither a volume's name nor a path", hint=CommandLine("up", "--volume", "localreg-images")
            )
        return text
    try:
        folder = Path(text).expanduser().absolute()
    except RuntimeError as exc:
        raise UsageError(f"`{text}` is in nobody's home: there is no such user") from exc
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"`{folder}` is no folder")
    if not folder.is_dir():
        raise UsageError(f"there is no folder `{folder}`", hint=f"mkdir -p {shlex.quote(str(folder))}")
    if ":" in str(folder.resolve()):
        raise UsageError(f"`{folder.resolve()}` has a `:` in it, which engines take for the end of a path")
    return str(folder.resolve())
