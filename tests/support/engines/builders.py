"""What is built in tests, and a `docker` that can build."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from support.engines.images import static_busybox

DOCKERFILE = """\
FROM scratch AS base
COPY busybox /bin/busybox
ARG WHO=nobody
LABEL who=$WHO

FROM base AS ready
LABEL stage=ready
"""
STEP = """\
FROM scratch
COPY busybox /bin/busybox
RUN {options} ["/bin/busybox", "sh", "-c", "{script}"]
"""


def write_dockerfile(folder: Path) -> None:
    """A Dockerfile of two stages that runs nothing."""
    program = folder / "busybox"
    program.write_bytes(static_busybox())
    program.chmod(0o755)
    (folder / "Dockerfile").write_text(DOCKERFILE)


def write_step(folder: Path, script: str, *, options: str = "") -> None:
    """Instead of it, one with a step that runs a script of busybox's shell.

    Args:
        folder: What is built.
        script: In a JSON string.
        options: Of `RUN`.
    """
    (folder / "Dockerfile").write_text(STEP.format(script=script, options=options))


def builder_path() -> str:
    """A PATH on which the first `docker` can build: it has buildx, or BuildKit inside as before release 23."""
    folders = os.environ["PATH"].split(os.pathsep)
    capable = next((folder for folder in folders if _can_build(Path(folder, "docker"))), None)
    assert capable is not None, "no `docker` here can build: install docker-buildx"
    return os.pathsep.join([str(Path(sys.executable).parent), capable, *folders])


def _can_build(docker: Path) -> bool:
    if not docker.exists():
        return False
    said, buildx = (
        subprocess.run([docker, *words], capture_output=True, text=True, check=False)
        for words in (["--version"], ["buildx", "version"])
    )
    version = re.match(r"Docker version (\d+)\.", said.stdout)
    return version is not None and (int(version[1]) < 23 or buildx.returncode == 0)
