"""The figures as a page of the docs."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bench.compare import Row
from bench.listing import REPOSITORIES, SAMPLE, TAGS

from localreg import __version__

HEADINGS = ("case", "localreg", "peer", "compared", "target", "met")

_HEAD = """\
# Benchmarks

`make bench` wrote this page; it fails when a target is missed. Each figure is the median of at least five runs, with
the least and the most behind it; localreg and its peer took turns on the same machine, so what counts is how they
compare, not the seconds. Every run is a whole process, from its start to its end. What has no peer is the most of all
runs. The engines run in the sandbox of `make test`, with nothing else in them; `--engine` tells localreg which one.
"""


@dataclass(frozen=True, slots=True)
class Section:
    """What is measured together."""

    title: str
    how: str = ""


SECTIONS = {
    "start-up": Section("Start-up"),
    "ls": Section(
        "List",
        f"""\
`ls` shows all columns of {REPOSITORIES * TAGS:,} distinct images in a table. `skopeo inspect` is run for {SAMPLE} of
the tags, spread over the repositories, and its time is scaled up to all. Memory is the most that was resident.
""",
    ),
    "push": Section(
        "Push",
        """\
A first `push` is of an image with a random layer that neither the registry nor the engine has ever seen, for both
sides. `podman push` has `--tls-verify=false`, without which it refuses.
""",
    ),
    "up": Section(
        "Up",
        """\
`up` starts from nothing; its peer is `run -d -p 127.0.0.1:5000:5000` and curl, which asks for `/v2/` every 50 ms.
""",
    ),
    "tunnel": Section(
        "Tunnel",
        """\
The far side is a network namespace with an sshd of its own, where skopeo pushes an image with a random layer through
the tunnel and through `ssh -N -R`. The minute of waiting for the far side is the first, in which it is tried most.
""",
    ),
}


def update(page: str, case: str, rows: Sequence[Row]) -> str:
    """The page with what was measured now; the other sections stay, each with the machine that it was measured on.

    Args:
        page: As it was; empty for a new one.
        case: One of `SECTIONS`.
        rows: All of that case.
    """
    _, *parts = re.split(r"^## (.+)\n", page, flags=re.MULTILINE)
    texts = dict(zip(parts[::2], (text.strip() for text in parts[1::2]), strict=True))
    texts[SECTIONS[case].title] = _text(SECTIONS[case], rows)
    known = [(section.title, texts[section.title]) for section in SECTIONS.values() if section.title in texts]
    return "\n".join([_HEAD, *(f"## {title}\n\n{text}\n" for title, text in known)])


def _text(section: Section, rows: Sequence[Row]) -> str:
    how = [section.how] if section.how else []
    table = [line(HEADINGS), line(["---"] * len(HEADINGS)), *(line(row.cells()) for row in rows)]
    versions = ", ".join(f"{name} {version}" for name, version in _versions().items())
    measured = [f"Measured on {datetime.now(UTC):%Y-%m-%d}: {_machine()};", f"{versions}."]
    return "\n".join([*how, *table, "", *measured])


def line(cells: Sequence[str]) -> str:
    """A row of a table."""
    return f"| {' | '.join(cells)} |"


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    system = f"{platform.system()} {platform.release()}, {platform.machine()}"
    return f"{os.cpu_count()} processors, {memory / 2**30:.0f} GiB, {system}"


def _versions() -> Mapping[str, str]:
    return {
        "Python": platform.python_version(),
        "localreg": __version__,
        "Docker": _said("docker", "version", "--format", "{{.Server.Version}}"),
        "Podman": _said("podman", "--version").split()[-1],
        "skopeo": _said("skopeo", "--version").split()[2],
        "Distribution": _said(os.environ["LOCALREG_TEST_REGISTRY"], "--version").split()[-1],
    }


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
