"""Small images, written as docker-archives without an engine."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

SCRIPT = "echo to stdout; echo to stderr >&2; printf 'raw \\377 byte\\n'; exec sleep 1000"
CREATED = "2026-01-01T00:00:00Z"


def write_image(
    archive: Path,
    name: str,
    labels: Mapping[str, str],
    *,
    command: str = SCRIPT,
    ballast: bytes = b"",
    can_run: bool = True,
    created: str = CREATED,
    architecture: str = "amd64",
) -> None:
    """Write an image with a static busybox.

    Args:
        archive: Where.
        name: The image's complete name.
        labels: Make it differ from others.
        command: What it runs.
        ballast: Makes its layer large.
        can_run: It has busybox, whose size is not the same everywhere.
        created: When it says that it was made.
        architecture: What it says that it is for.
    """
    content = json.dumps(dict(labels)).encode()
    program = {"bin/busybox": static_busybox()} if can_run else {}
    layer = _layer({**program, "content": content, "ballast": ballast})
    digest = hashlib.sha256(layer).hexdigest()
    config = json.dumps(
        {
            "architecture": architecture,
            "os": "linux",
            "created": created,
            "config": {"Cmd": ["/bin/sh", "-c", command], "Env": ["PATH=/bin"], "Labels": dict(labels)},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        }
    ).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = [{"Config": config_name, "RepoTags": [name], "Layers": [f"{digest}.tar"]}]
    with tarfile.open(archive, "w") as tar:
        _add(tar, f"{digest}.tar", layer)
        _add(tar, config_name, config)
        _add(tar, "manifest.json", json.dumps(manifest).encode())


@functools.cache
def static_busybox() -> bytes:
    """The program: static, as there is no library for it in the images."""
    program = shutil.which("busybox")
    assert program is not None, "there is no busybox: run `make test`"
    asked = subprocess.run(["ldd", program], env={"LC_ALL": "C"}, capture_output=True, text=True, check=False)
    said = asked.stdout + asked.stderr
    assert "not a dynamic executable" in said or "statically linked" in said, f"{program} is not static: {said}"
    return Path(program).read_bytes()


def _layer(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, data in files.items():
            _add(tar, path, data)
        for applet in ("sh", "sleep", "echo", "cat"):
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return buffer.getvalue()


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), 0o755
    tar.addfile(member, io.BytesIO(data))
