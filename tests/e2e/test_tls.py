"""A registry with TLS on real engines."""

from __future__ import annotations

import json
from pathlib import Path

import psutil
from support.engines.real import Bed

from localreg.registry.tls import FOLDER


def everything_to_see(bed: Bed) -> bytes:
    """What other programs and users of the engine are shown of the registry."""
    seen = [bed.engine_ok("inspect", "registry").encode(), bed.run(bed.program, "logs", "registry").stdout.encode()]
    for process in psutil.process_iter():
        for file in ("cmdline", "environ"):
            try:
                seen.append(Path(f"/proc/{process.pid}/{file}").read_bytes())
            except OSError:
                continue
    return b"\n".join(seen)


def test_a_registry_with_tls_does_what_one_without_does(bed: Bed, folder: Path) -> None:
    bed.add_image("localhost/app:1", folder)
    made = bed.localreg("up", "--tls", "--debug")
    assert (made.returncode, made.stdout) == (0, "localhost:5000\n"), made.stderr
    pushed = bed.ok("push", "localhost/app:1")
    bed.engine_ok("rmi", "-f", "localhost:5000/app:1", "localhost/app:1")
    assert bed.ok("pull", "app:1") == pushed
    assert bed.ok("ls", "-q") == "localhost:5000/app:1\n"
    assert bed.ok("url") == "https://127.0.0.1:5000\n"
    assert "app:1" in bed.run("localreg", "__complete", "--engine", bed.engine, "rm", "ap").stdout
    bed.ok("copy", "app:1", "app:2")
    bed.ok("rm", "app:2")
    bed.ok("gc")

    # Go's client, by the names of the certificate, with the authority that the engine's user is told.
    (folder / "ca.crt").write_text(json.loads(bed.ok("status", "--json"))["registry"]["tls"]["ca"])
    tags = bed.run("skopeo", "list-tags", f"--cert-dir={folder}", "docker://localhost:5000/app")
    assert json.loads(tags.stdout or "{}").get("Tags") == ["1"], tags.stderr

    with bed.opened() as engine:
        key = engine.read_file("registry", f"{FOLDER}/server.key")
        ca = bed.run("cat", f"{bed.home}/.local/share/localreg/ca/ca.key").stdout.encode()
    assert key is not None
    for secret in (key.splitlines()[1], ca.splitlines()[1]):
        assert secret not in everything_to_see(bed) + f"{made}".encode()

    # The engine starts it again without localreg.
    bed.engine_ok("restart", "-t", "1", "registry")
    assert bed.ok("up") == "localhost:5000\n"
    assert bed.ok("up", "--recreate", "--san", "registry.lan") == "localhost:5000\n"
    assert bed.ok("ls", "-q") == "localhost:5000/app:1\n"
    assert bed.ok("down") == "container registry\n"
    # Its container is gone, and a note beside its images is not.
    plain = bed.localreg("up")
    assert (plain.returncode, plain.stdout) == (0, "localhost:5000\n"), plain.stderr
    assert "the registry before this one had TLS" in plain.stderr
    assert bed.ok("ls", "-q") == "localhost:5000/app:1\n"
