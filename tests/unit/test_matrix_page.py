"""How `make matrix` counts results, and which failures it explains."""

from __future__ import annotations

from pathlib import Path

import matrix_page
import pytest
from matrix_page import Difference

TEST = "test_docker_alone[docker-5000]"
RESULT = """\
<testsuites><testsuite timestamp="2026-11-29T01:02:03">
<testcase classname="tests.e2e.test_rm" name="{test}"><properties><property name="bed" value="docker"/></properties>
{outcome}</testcase>
<testcase classname="tests.faults.test_files" name="test_two"><properties><property name="bed" value="podman-rootful"/>
<property name="bed" value="docker"/></properties></testcase>
</testsuite></testsuites>
"""


@pytest.fixture
def results(tmp_path: Path) -> Path:
    (tmp_path / "trixie.1.xml").write_text(RESULT.format(test=TEST, outcome="<failure/>"))
    (tmp_path / "trixie.releases").write_text("docker.io 26.1.5+dfsg1-9\npodman 5.4.2+ds1-2\npython3 3.13.5-1\n")
    return tmp_path


def page(folder: Path, *differences: Difference) -> str:
    run = matrix_page.read_run("trixie", folder)
    assert run
    return matrix_page.render([run], differences)


def test_a_failure_is_counted_and_named(results: Path) -> None:
    written = page(results)
    assert "| Docker 26.1.5 | 13 |  | 0, **1 failed** | 1 | 2026-11-29 |" in written
    assert "| Podman 5.4.2, rootful | 13 |  |  | 1 | 2026-11-29 |" in written
    assert f"`tests/e2e/test_rm.py::{TEST}`" in written


@pytest.mark.parametrize(
    ("known", "is_explained"),
    [
        (Difference(["trixie"], [TEST], "why."), True),
        (Difference(["trixie"], ["test_docker_alone*"], "why."), True),
        (Difference(["trixie"], ["test_rm.py::*"], "why."), True),
        (Difference(["bookworm"], [TEST], "why."), False),
        (Difference(["trixie"], ["test_docker"], "why."), False),
    ],
)
def test_a_failure_may_be_explained(results: Path, known: Difference, *, is_explained: bool) -> None:
    run = matrix_page.read_run("trixie", results)
    assert run
    assert bool(matrix_page.unexplained(run, [known])) is not is_explained
    assert ("| 0, 1 explained |" in page(results, known)) is is_explained


def test_a_later_result_of_a_test_replaces_the_first(results: Path) -> None:
    (results / "trixie.20.xml").write_text(RESULT.format(test=TEST, outcome=""))
    (results / "trixie.3.xml").write_text(RESULT.format(test=TEST, outcome="<error/>"))
    assert "| Docker 26.1.5 | 13 |  | 1 | 1 | 2026-11-29 |" in page(results)


def test_what_was_not_run_is_not_on_the_page(results: Path) -> None:
    assert matrix_page.read_run("bookworm", results) is None


def test_the_explanations_can_be_read() -> None:
    known = matrix_page.read_differences()
    names = {name for difference in known for name in difference.runs}
    assert names <= {"bookworm", "trixie", "sid", "sid-containerd", "experimental"}
