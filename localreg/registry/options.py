"""The options that describe a registry: how each is read and checked, and how a label keeps them."""

from __future__ import annotations

import ipaddress
import json
import re
import shlex
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from localreg.errors import InvalidReferenceError, UsageError
from localreg.oci.reference import looks_like_image_id, parse_reference, qualified
from localreg.registry.certificate_names import read_san
from localreg.registry.defaults import DEFAULT_HOST
from localreg.system.command_line import CommandLine

_VERSION = 4
_VOLUME_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+", re.ASCII)
"""A container name that Docker and Podman accept."""


class PullPolicy(StrEnum):
    """When the registry's own image is pulled."""

    MISSING = "missing"
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class RegistryOptions:
    """The options of a registry; None for a default."""

    port: int | None = None
    host: str | None = None
    image: str | None = None
    volume: str | None = None
    """A volume's name, or the absolute path of a folder."""
    ephemeral: bool | None = None
    tls: bool | None = None
    """False only where it was asked for: a registry without TLS has None."""
    san: tuple[str, ...] | None = None
    """More names and addresses for the certificate: lower case, sorted."""
    auth: bool | None = None
    """It requires a login. False only if that was asked for: a registry without a login has None."""

    def over(self, other: RegistryOptions) -> RegistryOptions:
        """These options, with the other's in place of None."""
        mine, theirs = asdict(self), asdict(other)
        return RegistryOptions(**{key: theirs[key] if value is None else value for key, value in mine.items()})

    def differing(self, actual: RegistryOptions) -> tuple[str, ...]:
        """The names of the options that are given here and differ in `actual`."""
        asked, found = asdict(self), asdict(actual)
        if self.image and actual.image and _is_same_image(self.image, actual.image):
            found["image"] = self.image
        found["tls"] = bool(found["tls"])
        found["auth"] = bool(found["auth"])
        return tuple(name for name, value in asked.items() if value is not None and value != found[name])

    @property
    def words(self) -> tuple[str, ...]:
        """The options of `up` that ask for these."""
        values = {"--port": self.port, "--host": self.host, "--image": self.image, "--volume": self.volume}
        # A name in a certificate means TLS as well.
        flags = {"ephemeral": self.ephemeral, "tls": None if self.tls and self.san else self.tls, "auth": self.auth}
        return (
            *(word for option, value in values.items() if value is not None for word in (option, str(value))),
            *(f"--{'' if given else 'no-'}{flag}" for flag, given in flags.items() if given is not None),
            *(word for name in self.san or () for word in ("--san", name)),
        )

    def to_json(self) -> str:
        """The value of a label: without None, keys sorted."""
        return json.dumps({key: value for key, value in asdict(self).items() if value is not None}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | None) -> RegistryOptions:
        """Read what `to_json` wrote; ignores unknown keys, which a later release may write, and invalid text."""
        try:
            values = json.loads(text or "{}")
        except ValueError:
            return cls()
        if not isinstance(values, dict):
            return cls()
        kinds = {"port": int, "host": str, "image": str, "volume": str, "ephemeral": bool, "tls": bool, "auth": bool}
        found = {key: values[key] for key, kind in kinds.items() if type(values.get(key)) is kind}
        names = values.get("san")
        return cls(**found, san=tuple(map(str, names)) if isinstance(names, list) else None)


def _is_same_image(one: str, other: str) -> bool:
    """Both names mean the same image; an ID equals only itself."""
    try:
        return qualified(parse_reference(one)) == qualified(parse_reference(other))
    except InvalidReferenceError:
        return one == other


def check_name(name: str) -> None:
    """Check the name of a registry, which is its container's name.

    Raises:
        UsageError: engines do not accept it.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"`{name}` is not a valid name: use two or more letters, digits, `_`, `.`, `-`; a letter or digit first",
            hint=CommandLine("--name", "team", "up"),
        )


def read_options(
    *,
    port: int | None,
    host: str | None,
    image: str | None,
    volume: str | None,
    ephemeral: bool,
    tls: bool | None = None,
    san: Iterable[str] = (),
    auth: bool | None = None,
) -> RegistryOptions:
    """Check and read the options of `up`.

    Raises:
        UsageError: a value is invalid, or two options exclude each other.
    """
    if ephemeral and volume is not None:
        raise UsageError("--ephemeral and --volume cannot be combined")
    if image is not None:
        check_image(image)
    names = tuple(sorted({read_san(name) for name in san})) or None
    if names and tls is False:
        raise UsageError("--san and --no-tls cannot be combined")
    return RegistryOptions(
        port=port,
        host=None if host is None else read_host(host),
        image=image,
        volume=None if volume is None else read_volume(volume),
        ephemeral=ephemeral or None,
        # A name in a certificate means nothing else.
        tls=True if names else tls,
        san=names,
        auth=auth,
    )


def check_image(text: str) -> None:
    """Check that the text is a reference or a whole image ID.

    Raises:
        InvalidReferenceError: it is neither.
    """
    if not looks_like_image_id(text):
        parse_reference(text)


def read_host(text: str) -> str:
    """The address to publish on.

    Raises:
        UsageError: it is not an IPv4 address.
    """
    if text == "localhost":
        return DEFAULT_HOST
    try:
        address = ipaddress.ip_address(text.strip("[]"))
    except ValueError as exc:
        raise UsageError(f"`{text}` is not an IP address", hint=CommandLine("up", "--host", "127.0.0.1")) from exc
    if address.version != _VERSION:
        # Older engines do not accept an IPv6 address in a reference.
        raise UsageError(
            f"`{text}` is an IPv6 address, which image references cannot contain",
            hint=CommandLine("up", "--host", "127.0.0.1"),
        )
    return str(address)


def read_volume(text: str) -> str:
    """Read a volume's name, or a folder as an absolute path; a `/` makes it a folder, as for `docker run -v`.

    Raises:
        UsageError: it is neither, or the folder does not exist.
    """
    if "/" not in text and text not in (".", "..", "~"):
        if not _VOLUME_NAME.fullmatch(text):
            raise UsageError(
                f"`{text}` is not a valid volume name or path", hint=CommandLine("up", "--volume", "localreg-images")
            )
        return text
    try:
        folder = Path(text).expanduser().absolute()
    except RuntimeError as exc:
        raise UsageError(f"`{text}`: the user after `~` does not exist") from exc
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"`{folder}` is not a folder")
    if not folder.is_dir():
        raise UsageError(f"folder `{folder}` does not exist", hint=f"mkdir -p {shlex.quote(str(folder))}")
    if ":" in str(folder.resolve()):
        raise UsageError(f"`{folder.resolve()}` contains a `:`, which engines read as the end of the path")
    return str(folder.resolve())
