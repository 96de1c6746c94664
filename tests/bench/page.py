"""The figures as a page of the docs."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bench import archive, gc
from bench.compare import Row
from bench.listing import MORE_REPOSITORIES, REPOSITORIES, SAMPLE, TAGS

from localreg import __version__

HEADINGS = ("case", "localreg", "peer", "compared", "target", "met")

_HEAD = """\
# Benchmarks

`make bench` writes this page and fails if a target is missed. Each figure is the median of three runs or more, followed
by the lowest and the highest in parentheses. localreg and its peer take turns on the same machine: compare the two
figures and ignore the seconds. Each run is a whole process, from start to exit. A case without a peer shows its worst
run. The engines run in the sandbox of `make test` with nothing else in them, and `--engine` tells localreg which one to
use.
"""


@dataclass(frozen=True, slots=True)
class Section:
    """A group of cases that are measured together."""

    title: str
    how: str = ""
    headings: tuple[str, ...] = HEADINGS


SECTIONS = {
    "start-up": Section("Start-up"),
    "ls": Section(
        "List",
        f"""\
`ls` shows a table with all columns for {REPOSITORIES * TAGS:,} distinct images on Docker. `folder` is root, who can
read the registry's volume; `exec` is a user who can only use Docker, for whom a shell in the container reads it. The
earlier build asked the registry over HTTP alone, and did not show when a tag was pushed. `skopeo inspect` runs for
{SAMPLE} of the tags, spread over the repositories, and its time is scaled up to all of them. Memory is the peak
resident size.
""",
    ),
    "gc": Section(
        "Collect garbage",
        f"""\
A dry run looks at {MORE_REPOSITORIES * TAGS:,} distinct images, with the volume read as a folder and by a shell in the
container (`exec`), without the start of Python. Its peer is Distribution's own program on the same folder. The other
cases are pushes of three clients without pause, with one `gc` after another beside them and without any.
""",
    ),
    "gc-strategies": Section(
        "Ways to collect garbage beside pushes",
        f"""\
Three clients push, overwrite and delete without pause for {gc.SECONDS} seconds. Their images share 60 layers, their
indexes share children, and some images are signed. Beside them the strategy collects again and again. At the end, every
tag is read byte for byte. `collections` counts those that found waste: nothing is waste in its first five seconds.
`refused` counts the pushes that the registry refused, and that the client began anew. `not whole for` is the longest
time for which a tag missed a layer that came back. [Garbage collection](explanation/garbage-collection.md) explains the
strategies.
""",
        gc.HEADINGS,
    ),
    "archive": Section(
        "Save, load and copy",
        f"""\
A registry has {archive.IMAGES} images of {archive.LAYERS} layers, which share nothing: 2 GB. `save` writes one archive
and waits for the disk; `skopeo copy` writes one for each image, and `skopeo sync` a folder. `load` and `copy` begin
with an empty registry.
""",
    ),
    "push": Section(
        "Push",
        """\
A first `push` sends an image with a random layer that is new to the registry and to the engine, for localreg and for
its peer. `podman push` runs with `--tls-verify=false`, because it refuses plain HTTP otherwise.
""",
    ),
    "up": Section(
        "Up",
        """\
`up` creates a new registry. Its peer is `run -d -p 127.0.0.1:5000:5000`, then curl on `/v2/` every 50 ms until it
answers.
""",
    ),
    "doctor": Section(
        "Doctor",
        """\
`doctor` makes all its checks of a registry with one image, with everything in order. The target has on top of it what
`podman info` takes, which is the answer of the slowest client here.
""",
    ),
    "tunnel": Section(
        "Tunnel",
        """\
The remote machine is a network namespace with its own sshd. There, skopeo pushes an image with a random layer through
the tunnel and through `ssh -N -R`. Waiting is measured in its first minute, when the tunnel retries most often.
""",
    ),
}


def update(page: str, case: str, rows: Sequence[Row]) -> str:
    """Replace one section of the page; the others stay as they were, each with the machine it was measured on.

    Args:
        page: The page so far; empty for a new one.
        case: One of `SECTIONS`.
        rows: All rows of that case.
    """
    _, *parts = re.split(r"^## (.+)\n", page, flags=re.MULTILINE)
    texts = dict(zip(parts[::2], (text.strip() for text in parts[1::2]), strict=True))
    texts[SECTIONS[case].title] = _text(SECTIONS[case], rows)
    known = [(section.title, texts[section.title]) for section in SECTIONS.values() if section.title in texts]
    return "\n".join([_HEAD, *(f"## {title}\n\n{text}\n" for title, text in known)])


def _text(section: Section, rows: Sequence[Row]) -> str:
    how = [section.how] if section.how else []
    table = [line(section.headings), line(["---"] * len(section.headings)), *(line(row.cells()) for row in rows)]
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
