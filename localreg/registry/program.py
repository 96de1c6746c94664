"""An image built around a Distribution program on this machine, in case the registry's own image cannot be pulled.

It has the layout of the official image: `/bin/registry`, `/entrypoint.sh`, the configuration in
`/etc/docker/registry/config.yml`, the data in `/var/lib/registry`, port 5000.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from localreg.oci.archive.write import ImageFile, written_archive
from localreg.registry.container import CONTAINER_PORT, DATA_FOLDER
from localreg.system.programs import output_of

REPOSITORY = "localhost/localreg-registry"
VERSION_LABEL = "org.opencontainers.image.version"
PROGRAM_LABEL = "localreg.program"

_PROGRAMS = ("registry", "docker-registry")
_VERSION = re.compile(r"github\.com/(?:docker|distribution)/distribution\S*\s+v?(\S+)")
_SECONDS = 10.0
_LITTLE_ENDIAN = 1
_PT_INTERP = 3
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_CONFIG = "etc/docker/registry/config.yml"
_APPLETS = ("sh", "cat", "dirname", "du", "find", "ls", "mkdir", "mv", "rm", "rmdir", "stat", "touch", "wget")

_CONFIGURATION = f"""\
version: 0.1
log:
  fields:
    service: registry
storage:
  cache:
    blobdescriptor: inmemory
  filesystem:
    rootdirectory: {DATA_FOLDER}
http:
  addr: :{CONTAINER_PORT}
  headers:
    X-Content-Type-Options: [nosniff]
health:
  storagedriver:
    enabled: true
    interval: 10s
    threshold: 3
""".encode()

_ENTRYPOINT = b"""\
#!/bin/sh
set -e
case "$1" in
    *.yaml|*.yml) set -- registry serve "$@" ;;
    serve|garbage-collect|help|-*) set -- registry "$@" ;;
esac
exec "$@"
"""


@dataclass(frozen=True, slots=True)
class RegistryProgram:
    """A Distribution program on this machine."""

    path: Path
    version: str
    """As the program reports it, such as `2.8.3+ds1`."""

    @property
    def image(self) -> str:
        """The name of the image around it; a tag cannot contain a `+`."""
        tag = re.sub(r"[^\w.-]", "-", self.version.partition("+")[0], flags=re.ASCII).lstrip(".-")
        return f"{REPOSITORY}:{tag[:128] or 'unknown'}"

    def digest(self) -> str:
        """Identifies this build of the program."""
        with self.path.open("rb") as program:
            return f"sha256:{hashlib.file_digest(program, 'sha256').hexdigest()}"


def find_registry_program() -> RegistryProgram | None:
    """The Distribution program on PATH; another program with its name is skipped."""
    for name in _PROGRAMS:
        found = shutil.which(name)
        path = Path(found).resolve() if found else None
        # Its file is inspected first, so that a script with that name is never run.
        if path and _find_libraries(path) is not None and (version := _find_version(path)):
            return RegistryProgram(path, version)
    return None


def _find_version(program: Path) -> str | None:
    found = _VERSION.search(output_of(str(program), "--version", seconds=_SECONDS) or "")
    return found.group(1) if found else None


def _find_libraries(program: Path) -> tuple[Path, ...] | None:
    """The loader and the shared libraries of a program; None if it is not a Linux program, or one is missing."""
    try:
        loader = _find_loader(program)
    except (OSError, ValueError, struct.error):
        return None
    if not loader:
        return ()
    # Only the loader knows which file it uses for a name, and it can list them.
    listed = output_of(loader, "--list", str(program), seconds=_SECONDS)
    if listed is None or "not found" in listed:
        return None
    found = re.findall(r"(?:=>\s+|^\s+)(/\S+) \(0x", listed, re.MULTILINE)
    return tuple(Path(path) for path in dict.fromkeys([loader, *found]))


def _find_loader(program: Path) -> str:
    """The dynamic loader of an ELF file; empty if it is static.

    See elf(5): the program headers, and the one of the type PT_INTERP.

    Raises:
        ValueError: it is not an ELF file for this machine's kind of processor.
    """
    with program.open("rb") as file:
        start = file.read(64)
        if start[:5] != b"\x7fELF\x02" or start[5] != _LITTLE_ENDIAN or sys.byteorder != "little":
            raise ValueError("not a 64-bit ELF file in this machine's byte order")
        offset, size, count = *struct.unpack_from("<Q", start, 32), *struct.unpack_from("<HH", start, 54)
        file.seek(offset)
        headers = file.read(size * count)
        for kind, place, length in (struct.unpack_from("<I4xQ16xQ", headers, number * size) for number in range(count)):
            if kind == _PT_INTERP:
                file.seek(place)
                return file.read(length).rstrip(b"\0").decode()
    return ""


@contextlib.contextmanager
def image_around(program: RegistryProgram) -> Iterator[Path]:
    """Write a docker-archive with a minimal image around the program; it lasts as long as the context."""
    files = [
        ImageFile("bin/registry", program.path.resolve(), mode=0o755),
        ImageFile(_CONFIG, _CONFIGURATION),
        *(
            ImageFile(str(path).removeprefix("/"), path.resolve(), mode=0o755)
            for path in _find_libraries(program.path) or ()
        ),
    ]
    if _CERTIFICATES.exists():
        files.append(ImageFile(str(_CERTIFICATES).removeprefix("/"), _CERTIFICATES.resolve()))
    entrypoint = ["/bin/registry", "serve"]
    busybox = shutil.which("busybox")
    if busybox is not None and _find_libraries(Path(busybox)) == ():
        files.append(ImageFile("bin/busybox", Path(busybox).resolve(), mode=0o755))
        files += [ImageFile(f"bin/{applet}", link="busybox", mode=0o777) for applet in _APPLETS]
        files.append(ImageFile("entrypoint.sh", _ENTRYPOINT, mode=0o755))
        entrypoint = ["/entrypoint.sh"]
    config = {
        "Entrypoint": entrypoint,
        "Cmd": [f"/{_CONFIG}"],
        "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        "ExposedPorts": {f"{CONTAINER_PORT}/tcp": {}},
        "Volumes": {DATA_FOLDER: {}},
        "Labels": {
            "org.opencontainers.image.title": "Distribution, packed by localreg from a program of this machine",
            VERSION_LABEL: program.version,
            PROGRAM_LABEL: program.digest(),
        },
    }
    with written_archive(files, config=config, name=program.image) as archive:
        yield archive
