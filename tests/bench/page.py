"""The figures as a page of the docs."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from bench.compare import Row
from bench.listing import REPOSITORIES, SAMPLE, TAGS

from localreg import __version__

HEADINGS = ("case", "localreg", "peer", "compared", "target", "met")

_HOW = f"""\
`make bench` wrote this page; it fails when a target is missed. Each figure is the median of at least five runs, with
the least and the most behind it; localreg and its peer took turns on the same machine, so what counts is how they
compare, not the seconds. Every run is a whole process, from its start to its end.

- The engines run in the sandbox of `make test`, with nothing else in them; `--engine` tells localreg which one.
- A first `push` is of an image with a random layer that neither the registry nor the engine has ever seen, for both
  sides. `podman push` has `--tls-verify=false`, without which it refuses.
- `up` starts from nothing; its peer is `run -d -p 127.0.0.1:5000:5000` and curl, which asks for `/v2/` every 50 ms.
- `ls` shows all columns of {REPOSITORIES * TAGS:,} distinct images in a table. `skopeo inspect` is run for {SAMPLE} of
  the tags, spread over the repositories, and its time is scaled up to all. Memory is the most that was resident.
- The far side of a `tunnel` is a network namespace with an sshd of its own, where skopeo pushes the same kind of image
  through the tunnel and through `ssh -N -R`. What has no peer is the most of all rounds.
"""


def render(rows: Sequence[Row]) -> str:
    """The whole page."""
    facts = [f"| {name} | {value} |" for name, value in {**_machine(), **_versions()}.items()]
    lines = [line(row.cells()) for row in rows]
    return "\n".join(
        [
            "# Benchmarks",
            "",
            _HOW,
            line(HEADINGS),
            line(["---"] * len(HEADINGS)),
            *lines,
            "",
            f"Measured on {datetime.now(UTC):%Y-%m-%d} on:",
            "",
            "| | |",
            "|---|---|",
            *facts,
            "",
        ]
    )


def line(cells: Sequence[str]) -> str:
    """A row of a table."""
    return f"| {' | '.join(cells)} |"


def _machine() -> Mapping[str, str]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processors": str(os.cpu_count()),
        "memory": f"{memory / 2**30:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "Python": platform.python_version(),
    }


def _versions() -> Mapping[str, str]:
    return {
        "localreg": __version__,
        "Docker": _said("docker", "version", "--format", "{{.Server.Version}}"),
        "Podman": _said("podman", "--version").split()[-1],
        "skopeo": _said("skopeo", "--version").split()[2],
        "Distribution": _said(os.environ["LOCALREG_TEST_REGISTRY"], "--version").split()[-1],
    }


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
