"""The options of `up` that describe the registry, as a person types them."""

from __future__ import annotations

import ipaddress
import re
import shlex
from pathlib import Path

from localreg.errors import UsageError
from localreg.oci.reference import looks_like_image_id, parse_reference
from localreg.registry.container import RegistryOptions

_VERSION = 4
_VOLUME_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")


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
        return "127.0.0.1"
    try:
        address = ipaddress.ip_address(text.strip("[]"))
    except ValueError as exc:
        raise UsageError(f"`{text}` is no IP address", hint="localreg up --host 127.0.0.1") from exc
    if address.version != _VERSION:
        # A reference could not name it: older engines know no such domain.
        raise UsageError(
            f"`{text}` is an IPv6 address, which image references cannot name", hint="localreg up --host 127.0.0.1"
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
                f"`{text}` is neither a volume's name nor a path", hint="localreg up --volume localreg-images"
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
