"""Writes docs/compatibility.md from the results of `make matrix`; with `--failed RUN` it prints the tests that failed.

Each run has result files of pytest, of which a later one replaces what an earlier one says of the same test, and a file
with the releases. It exits with 1 if a test failed on a stable release of Debian and `matrix.toml` does not explain it.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from xml.etree import ElementTree as ET

TESTS = Path(__file__).parent
PATH = TESTS.parent / "docs" / "compatibility.md"
RESULTS = TESTS.parent / ".cache" / "matrix"
EXPLAINED = TESTS / "matrix.toml"

SUITES = {"contract": "contract", "e2e": "end to end", "faults": "faults"}
_DEBIAN = {
    "bookworm": "12",
    "trixie": "13",
    "sid": "sid",
    "sid-containerd": "sid",
    "experimental": "experimental",
}
"""The runs, and what they run on."""
STABLE = ("bookworm", "trixie")
_BEDS = {
    "docker": ("Docker", "docker.io", ""),
    "podman-rootful": ("Podman", "podman", ", rootful"),
    "podman-rootless": ("Podman", "podman", ", rootless"),
    "none": ("Python", "python3", ", no engine"),
}
"""What the first column calls each bed, and the package with its release."""

_HEAD = """\
# Compatibility

`make matrix` writes this page. It runs three suites on the engines of four releases of Debian: the contract that each
engine must keep, the commands from end to end, and the [faults](reference/faults.md). Each release runs in a sandbox of
its own, with its own Python, OpenSSH and skopeo. A number counts the tests that passed. A test that uses two engines
counts for both; the last rows count the tests that use no engine, such as those of the pipelines.

Debian 12 and 13 do not move: a failure there that is not [explained](#differences) fails the run. Sid and experimental
move, so their failures are only reported. `make test`, which runs before each change, uses the machine's own release.
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a test in a run."""

    name: str
    """As pytest takes it: `tests/e2e/test_rm.py::test_...`."""
    beds: tuple[str, ...]
    passed: bool

    @property
    def suite(self) -> str:
        return self.name.split("/")[1]


@dataclass(frozen=True, slots=True)
class Run:
    """All results of one run."""

    name: str
    outcomes: Sequence[Outcome]
    day: str
    releases: Mapping[str, str]
    """Of Debian's packages `docker.io`, `podman` and `python3`."""

    def row_name(self, bed: str) -> str:
        """What a bed is called in the first column."""
        kind, package, who = _BEDS[bed]
        store = ", containerd store" if self.name.endswith("containerd") else ""
        return f"{kind} {self.releases[package]}{who}{store}"


@dataclass(frozen=True, slots=True)
class Difference:
    """Failures that are known."""

    runs: Sequence[str]
    tests: Sequence[str]
    """Patterns of the shell for the names of tests."""
    because: str

    def explains(self, run: Run, outcome: Outcome) -> bool:
        return run.name in self.runs and any(fnmatch(outcome.name, f"*{_literal(pattern)}") for pattern in self.tests)


def _literal(pattern: str) -> str:
    """A pattern in which the brackets of a parameter stand for themselves."""
    return pattern.replace("[", "[[]")


def read_run(name: str, folder: Path = RESULTS) -> Run | None:
    """The results of a run; None if there are none."""
    files = sorted(folder.glob(f"{name}.*.xml"), key=lambda path: int(path.suffixes[-2][1:]))
    if not files:
        return None
    found: dict[str, Outcome] = {}
    for file in files:
        found |= {outcome.name: outcome for outcome in _outcomes(file)}
    started = ET.parse(files[-1]).getroot().find("testsuite")
    return Run(
        name,
        list(found.values()),
        started.get("timestamp", "")[:10] if started is not None else "",
        dict(re.findall(r"^(\S+) ([\d.]+)", (folder / f"{name}.releases").read_text(), re.MULTILINE)),
    )


def _outcomes(file: Path) -> Iterator[Outcome]:
    for case in ET.parse(file).getroot().iter("testcase"):
        properties = [(found.get("name"), found.get("value") or "") for found in case.iter("property")]
        yield Outcome(
            f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}",
            tuple(value for name, value in properties if name == "bed"),
            passed=not any(case.find(bad) is not None for bad in ("failure", "error", "skipped")),
        )


def read_differences(path: Path = EXPLAINED) -> list[Difference]:
    """The failures that are explained."""
    return [Difference(**entry) for entry in tomllib.loads(path.read_text()).get("difference", [])]


def unexplained(run: Run, differences: Sequence[Difference]) -> list[Outcome]:
    """The failures of a run that nothing explains."""
    failed = [outcome for outcome in run.outcomes if not outcome.passed]
    return [outcome for outcome in failed if not any(known.explains(run, outcome) for known in differences)]


def render(runs: Sequence[Run], differences: Sequence[Difference]) -> str:
    """The page."""
    heads = ["engine", "Debian", *SUITES.values(), "run on"]
    rows = [
        heads,
        ["---"] * len(heads),
        *(row for bed in _BEDS for run in runs for row in _rows(run, bed, differences)),
    ]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"{_HEAD}\n{table}\n\n## Differences\n\n{_explanations(runs, differences)}"


def _rows(run: Run, bed: str, differences: Sequence[Difference]) -> Iterator[list[str]]:
    mine = [outcome for outcome in run.outcomes if bed in outcome.beds]
    if mine:
        cells = [_cell(run, [one for one in mine if one.suite == suite], differences) for suite in SUITES]
        yield [run.row_name(bed), _DEBIAN[run.name], *cells, run.day]


def _cell(run: Run, outcomes: Sequence[Outcome], differences: Sequence[Difference]) -> str:
    if not outcomes:
        return ""
    counted = Counter(outcome.passed for outcome in outcomes)
    new = len({outcome.name for outcome in outcomes} & {outcome.name for outcome in unexplained(run, differences)})
    known = counted[False] - new
    return str(counted[True]) + (f", {known} explained" if known else "") + (f", **{new} failed**" if new else "")


def _explanations(runs: Sequence[Run], differences: Sequence[Difference]) -> str:
    parts = []
    for known in differences:
        by_run: Mapping[str, list[str]] = {
            _where(run): names
            for run in runs
            if (names := [one.name for one in run.outcomes if not one.passed and known.explains(run, one)])
        }
        if by_run:
            names = sorted({re.sub(r".*::|\[.*", "", name) for found in by_run.values() for name in found})
            listed = ", ".join(f"`{name}`" for name in names)
            parts.append(f"- {', '.join(by_run)}: {known.because.strip()}\n  Tests: {listed}.\n")
    left = [
        f"- {_where(run)}, not explained: {', '.join(f'`{one.name}`' for one in failed)}.\n"
        for run in runs
        if (failed := unexplained(run, differences))
    ]
    return "".join([*parts, *left]) or "All tests passed.\n"


def _where(run: Run) -> str:
    return f"Debian {_DEBIAN[run.name]}" + (", containerd store" if run.name.endswith("containerd") else "")


def main(arguments: Sequence[str]) -> int:
    if arguments:
        run = read_run(arguments[1])
        sys.stdout.writelines(f"{one.name}\n" for one in (run.outcomes if run else ()) if not one.passed)
        return 0
    runs = [run for name in _DEBIAN if (run := read_run(name))]
    differences = read_differences()
    PATH.write_text(render(runs, differences))
    bad = [(run, outcome) for run in runs for outcome in unexplained(run, differences)]
    sys.stderr.writelines(f"{run.name}: {outcome.name}\n" for run, outcome in bad)
    return 1 if any(run.name in STABLE for run, _ in bad) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
