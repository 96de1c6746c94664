"""An image made around a Distribution program of this machine, where the registry's own image cannot be pulled.

The layout is the official image's: `/bin/registry`, `/entrypoint.sh`, the configuration in
`/etc/docker/registry/config.yml`, the data in `/var/lib/registry`, port 5000.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from localreg.archive import ImageFile, written_archive

REPOSITORY = "localhost/localreg-registry"
VERSION_LABEL = "org.opencontainers.image.version"
PROGRAM_LABEL = "localreg.program"

_PROGRAMS = ("registry", "docker-registry")
_VERSION = re.compile(r"github\.com/(?:docker|distribution)/distribution\S*\s+v?(\S+)")
_SECONDS = 10
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_CONFIG = "etc/docker/registry/config.yml"
_APPLETS = ("sh", "cat", "du", "find", "ls", "rm", "rmdir", "stat", "wget")

_CONFIGURATION = b"""\
version: 0.1
log:
  fields:
    service: registry
storage:
  cache:
    blobdescriptor: inmemory
  filesystem:
    rootdirectory: /var/lib/registry
http:
  addr: :5000
  headers:
    X-Content-Type-Options: [nosniff]
health:
  storagedriver:
    enabled: true
    interval: 10s
    threshold: 3
"""

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
        """What the image around it is called; a tag cannot hold a `+`."""
        return f"{REPOSITORY}:{self.version.partition('+')[0]}"

    def digest(self) -> str:
        """Tells this build of the program from any other."""
        with self.path.open("rb") as program:
            return f"sha256:{hashlib.file_digest(program, 'sha256').hexdigest()}"


def find_registry_program() -> RegistryProgram | None:
    """The Distribution program on PATH; a program of that name which is something else is passed over."""
    for name in _PROGRAMS:
        path = shutil.which(name)
        if path is not None and (version := _version_of(path)) and _libraries(path) is not None:
            return RegistryProgram(Path(path), version)
    return None


def _version_of(path: str) -> str | None:
    found = _VERSION.search(_output_of(path, "--version") or "")
    return found.group(1) if found else None


def _output_of(*command: str) -> str | None:
    """What a program prints; None where it fails, hangs or cannot be run."""
    try:
        result = subprocess.run(  # noqa: S603 -- programs that PATH names, with fixed arguments
            command, capture_output=True, text=True, check=True, timeout=_SECONDS, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return result.stdout


def _libraries(program: str) -> list[Path] | None:
    """The loader and the shared libraries of a program; none of a static one; None where it is no Linux program."""
    with Path(program).open("rb") as file:
        if file.read(4) != b"\x7fELF":
            return None
    listed = _output_of("ldd", program) or ""
    return [Path(found) for found in re.findall(r"(?:=>\s+|^\s+)(/\S+) \(0x", listed, re.MULTILINE)]


@contextlib.contextmanager
def image_around(program: RegistryProgram) -> Iterator[Path]:
    """A docker-archive with a minimal image around the program, for as long as the context lasts."""
    files = [
        ImageFile("bin/registry", program.path.resolve(), mode=0o755),
        ImageFile(_CONFIG, _CONFIGURATION),
        *(
            ImageFile(str(path).removeprefix("/"), path.resolve(), mode=0o755)
            for path in _libraries(str(program.path)) or ()
        ),
    ]
    if _CERTIFICATES.exists():
        files.append(ImageFile(str(_CERTIFICATES).removeprefix("/"), _CERTIFICATES.resolve()))
    entrypoint = ["/bin/registry", "serve"]
    busybox = shutil.which("busybox")
    if busybox is not None and _libraries(busybox) == []:
        files.append(ImageFile("bin/busybox", Path(busybox).resolve(), mode=0o755))
        files += [ImageFile(f"bin/{applet}", link="busybox", mode=0o777) for applet in _APPLETS]
        files.append(ImageFile("entrypoint.sh", _ENTRYPOINT, mode=0o755))
        entrypoint = ["/entrypoint.sh"]
    config = {
        "Entrypoint": entrypoint,
        "Cmd": [f"/{_CONFIG}"],
        "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        "ExposedPorts": {"5000/tcp": {}},
        "Volumes": {"/var/lib/registry": {}},
        "Labels": {
            "org.opencontainers.image.title": "Distribution, packed by localreg from a program of this machine",
            VERSION_LABEL: program.version,
            PROGRAM_LABEL: program.digest(),
        },
    }
    with written_archive(files, config=config, name=program.image) as archive:
        yield archive
