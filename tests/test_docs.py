"""The docs say what the program does."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import archive_page
import checks_page
import cli_reference
import explain_page
import fault_page
import man_page
import plain_http_page
import pytest
from support import schemas

from localreg import errors
from localreg.cli.command_list import GROUPS
from localreg.doctor.checks import CHECKS
from localreg.explain.find import EXPLANATIONS
from localreg.settings import SETTINGS

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

MAN_CHECKS = {
    "man": ["man", "--warnings=w", "-E", "UTF-8", "-l", "-Tutf8", "-Z"],
    "groff": ["groff", "-man", "-ww", "-z"],
    "mandoc": ["mandoc", "-T", "lint", "-W", "warning"],
}
"""Programs that show manual pages, and how they say what is wrong with one."""


def test_the_reference_of_the_command_line_is_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert cli_reference.PATH.read_text() == cli_reference.render()


def test_the_table_of_what_reads_archives_is_up_to_date() -> None:
    page = archive_page.PATH.read_text()
    assert page == archive_page.render(page)


def test_the_table_of_who_uses_plain_http_is_up_to_date() -> None:
    page = plain_http_page.PATH.read_text()
    assert page == plain_http_page.render(page)


def test_the_errors_of_others_are_up_to_date() -> None:
    page = explain_page.PATH.read_text()
    assert page == explain_page.render(page)
    assert {known.name for group in explain_page.GROUPS.values() for known in group} == {
        known.name for known in EXPLANATIONS
    }


def test_the_man_page_is_up_to_date() -> None:
    assert man_page.PATH.read_text() == man_page.render()


@pytest.mark.parametrize("program", [name for name in MAN_CHECKS if shutil.which(name)] or ["none is here"])
def test_the_man_page_is_shown_without_a_warning(program: str) -> None:
    command = MAN_CHECKS.get(program)
    if command is None:
        return
    shown = subprocess.run([*command, man_page.PATH], capture_output=True, text=True, check=True)
    assert shown.stderr == ""
    assert program != "mandoc" or shown.stdout == ""


def variables_read() -> Iterator[str]:
    """The variables of the environment that the code names where it reads one."""
    for path in (ROOT / "localreg").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Attribute(value=read, attr="get"), args=[ast.Constant(value=str(name)), *_]):
                    pass
                case ast.Subscript(value=read, slice=ast.Constant(value=str(name))):
                    pass
                case _:
                    continue
            if ast.unparse(read).endswith("environ"):
                yield name


def test_every_variable_that_is_read_is_documented() -> None:
    page = (ROOT / "docs/reference/environment.md").read_text()
    read = {*variables_read(), "CONTAINER_HOST", "DOCKER_HOST"}
    assert len(read) > 10
    assert [name for name in sorted(read) if f"`{name}`" not in page] == []


def test_the_errors_on_the_page_of_faults_are_up_to_date() -> None:
    page = fault_page.PATH.read_text()
    assert page == fault_page.render(page)


def test_every_fault_that_a_test_shows_is_on_the_page_once() -> None:
    shown = [fault.case for fault, _ in fault_page.list_faults()]
    assert len(shown) > 100
    assert sorted(fault_page.named_on(fault_page.PATH.read_text())) == sorted(shown)


def test_every_error_on_the_page_of_faults_has_its_meaning_and_what_to_do() -> None:
    errors_on_page, _, _ = fault_page.PATH.read_text().partition("\n## Not an error\n")
    sections = errors_on_page.split("\n### ")[1:]
    assert len(sections) > 40
    for section in sections:
        assert re.search(r"<!-- shows: .*<!-- end -->\n.*\n[A-Za-z`].*\.\n\n- ", section, re.DOTALL), section


def test_every_picture_is_shown_somewhere() -> None:
    shown = "".join(page.read_text() for page in PAGES)
    pictures = [path.name for path in (ROOT / "docs/screens").glob("*.svg")]
    assert pictures
    assert [name for name in pictures if f"screens/{name})" not in shown] == []


def test_every_fault_that_is_seen_on_a_terminal_has_its_screens() -> None:
    faults = [fault for fault, _ in fault_page.list_faults()]
    kept = [f"faults/{path.stem}" for path in (fault_page.TESTS / "screens/faults").glob("*.txt")]
    assert sorted(fault.screen for fault in faults if fault.screen) == sorted(kept)
    assert {fault.kept for fault in faults} == {"docker", "podman-rootless", "whatever is there", None}


@pytest.mark.parametrize("command", [name for commands in GROUPS.values() for name in commands])
def test_the_list_of_commands_says_what_the_command_says(command: str) -> None:
    summary = next(commands[command] for commands in GROUPS.values() if command in commands)
    said = " ".join(cli_reference.help_of(command).split("\n\n")[1].split())
    assert said.rstrip(".").startswith(summary) or summary.startswith(said.rstrip(".").partition(":")[0])


def test_every_error_code_is_documented() -> None:
    page = (ROOT / "docs/reference/exit-codes.md").read_text()
    found = [errors.LocalregError]
    for error in found:
        found += error.__subclasses__()
    for error in found:
        assert f"| {error.exit_code} | `{error.code}` |" in page, f"{error.__name__} is missing"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_setting_is_documented() -> None:
    page = (ROOT / "docs/reference/settings.md").read_text()
    for setting in SETTINGS:
        row = next(
            line for line in page.splitlines() if line.startswith(f"| `{setting.name}` | `{setting.variable}` |")
        )
        assert row.endswith("| yes |") is setting.in_project


COMMANDS = [" ".join(words) for words in cli_reference.names_in_full()]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_readme_and_on_the_page_on_output(command: str) -> None:
    assert re.search(rf"^\|.*`{command}\b", (ROOT / "README.md").read_text(), re.MULTILINE)
    plain = (ROOT / "docs/reference/output.md").read_text().partition("| keys |")[0]
    assert re.search(rf"^\| [^|]*`{command}`", plain, re.MULTILINE)


@pytest.mark.parametrize("schema", sorted(path.stem for path in schemas.FOLDER.glob("*.json")))
def test_every_schema_and_its_keys_are_on_the_page_on_output(schema: str) -> None:
    page = (ROOT / "docs/reference/output.md").read_text()
    assert f"(schema/{schema}.json)" in page
    command = (
        schema.replace("status-all", "status --all")
        .replace("load-check", "load --check")
        .replace("trust-list", "trust --list")
        .replace("tunnel-", "tunnel ")
        .replace("connect-network", "connect network")
        .replace("doctor-explain", "doctor explain")
        .replace("doctor-", "doctor --")
        .replace("auth-", "auth ")
    )
    if schema in ("common", "stderr"):
        return
    described = schemas.load(schema)
    while "$ref" in described:
        described = schemas.load(described["$ref"].removesuffix(".json"))
    row = re.search(rf"^\| [^|]*`{command}`[^|]* \|(.*)\|$", page.partition("| keys |")[2], re.MULTILINE)
    assert row
    assert [key for key in described["properties"] if key != "schema_version" and f"`{key}`" not in row[1]] == []


def test_the_table_of_checks_is_up_to_date() -> None:
    page = checks_page.PATH.read_text()
    assert page == checks_page.render(page)
    assert [check.name for check in CHECKS if f"\n- `{check.name}` " not in page] == []


def test_every_page_is_named_on_the_first() -> None:
    first = (ROOT / "docs/index.md").read_text()
    pages = [path.relative_to(ROOT / "docs") for path in (ROOT / "docs").glob("*/*.md")]
    assert [str(page) for page in pages if f"({page})" not in first] == []


def test_the_readme_has_the_table_of_supported_releases() -> None:
    page = (ROOT / "docs/reference/support.md").read_text()
    table = re.search(r"^(?:\|.*\n)+", page, re.MULTILINE)
    assert table
    assert table[0] in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_the_cells_of_tables_are_short(page: Path) -> None:
    rows = [line for line in page.read_text().splitlines() if line.startswith("|")]
    cells = [cell for row in rows for cell in row.strip("|").split(" | ")]
    assert [cell for cell in cells if len(cell.split()) > 25] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_sentence_begins_with_what_it_is_about(page: Path) -> None:
    prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    blocks = (" ".join(block.split()) for block in prose.split("\n\n"))
    assert [
        found for block in blocks for found in re.findall(r"(?:^|[.:!] |\| |- )(?:What|Where|Of|None) .{20}", block)
    ] == []
