from __future__ import annotations

import re
from pathlib import Path

import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from localreg.clients.podman.entries import add_entries, list_marked, remove_entries, set_entries
from localreg.clients.podman.registries_conf import parse_entries
from localreg.errors import ConfigError

HERE = Path("50-localreg.conf")
BOTH = ["localhost:5000", "127.0.0.1:5000"]
THEIRS = '# theirs\n[[registry]]\nlocation = "example.com"\n'


def prefixes(text: str) -> list[str]:
    return [entry.prefix for entry in parse_entries(text, HERE)]


def test_the_text_is_what_podman_reads() -> None:
    header, _, entries = add_entries("", "registry", BOTH, HERE).partition("\n\n")
    assert re.fullmatch(r"# .*`localreg podman-fix --remove`.*", header)
    assert entries == (
        "[[registry]]\n"
        'location = "localhost:5000" # localreg: registry\n'
        "insecure = true\n"
        "\n"
        "[[registry]]\n"
        'location = "127.0.0.1:5000" # localreg: registry\n'
        "insecure = true\n"
    )


@pytest.mark.parametrize("before", [THEIRS, THEIRS.rstrip("\n"), THEIRS.replace("\n", "\r\n"), "# mine\r\n"])
def test_the_ends_of_the_lines_are_those_of_the_file(before: str) -> None:
    added = add_entries(before, "registry", BOTH, HERE)
    assert added.startswith(before)
    assert len({line.endswith("\r\n") for line in added.splitlines(keepends=True)}) == 1
    assert prefixes(added)[-2:] == BOTH


def test_setting_what_is_there_changes_nothing_wherever_it_stands() -> None:
    one = set_entries("", "one", ["localhost:5001"], HERE)
    both = set_entries(one, "two", ["localhost:5002"], HERE)
    assert set_entries(both, "one", ["localhost:5001"], HERE) == both
    assert set_entries(both, "two", ["localhost:5002"], HERE) == both
    assert set_entries(both, "two", [], HERE) == one


def test_a_moved_registry_leaves_the_others_entries() -> None:
    text = set_entries("", "one", ["localhost:5001"], HERE)
    text = set_entries(text, "two", ["localhost:5002"], HERE)
    text = set_entries(text, "one", ["localhost:5003"], HERE)
    assert prefixes(text) == ["localhost:5002", "localhost:5003"]


def test_a_name_that_begins_like_another_is_another() -> None:
    text = set_entries(set_entries("", "a", BOTH[:1], HERE), "a.b", BOTH[1:], HERE)
    assert [(entry.name, entry.location) for entry in list_marked(text, HERE)] == [("a", BOTH[0]), ("a.b", BOTH[1])]
    assert prefixes(remove_entries(text, "a", HERE)) == BOTH[1:]


def test_what_was_added_to_our_entry_stays_until_it_is_taken_back() -> None:
    text = add_entries(THEIRS, "registry", BOTH, HERE).replace(
        "insecure = true\n\n", "# a comment of mine\ninsecure = true  # why not\nunknown = 1\n\n", 1
    )
    assert set_entries(text, "registry", BOTH, HERE) == text
    assert remove_entries(text, "registry", HERE) == THEIRS + "# a comment of mine\n"


def test_an_entry_of_ours_that_was_turned_off_by_hand_is_written_anew() -> None:
    text = add_entries("", "registry", BOTH, HERE).replace("insecure = true", "insecure = false", 1)
    entries = parse_entries(set_entries(text, "registry", BOTH, HERE), HERE)
    assert [entry.allows_plain_http for entry in entries] == [True, True]


def test_mirrors_that_were_given_to_our_entry_go_with_it() -> None:
    text = add_entries(THEIRS, "registry", BOTH[:1], HERE) + '[[registry.mirror]]\nlocation = "mirror.example"\n'
    assert remove_entries(text, "registry", HERE) == THEIRS


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace(" # localreg", "    # localreg").replace(" = ", "="),
        lambda text: text.replace("[[registry]]", '  [[ "registry" ]]  # table'),
        lambda text: text.replace('location = "localhost', 'unknown = 1\nlocation = "localhost'),
        lambda text: text.replace("\n\n", "\n"),
    ],
)
def test_entries_are_found_again_after_a_formatter_was_there(edit: object) -> None:
    assert callable(edit)
    text = edit(add_entries(THEIRS, "registry", BOTH, HERE))
    rest = remove_entries(text, "registry", HERE)
    assert tomlkit.parse(rest).unwrap() == tomlkit.parse(THEIRS).unwrap()
    assert rest.splitlines()[0] == "# theirs"


def test_entries_that_changed_places_are_refreshed() -> None:
    whole = add_entries("", "registry", BOTH, HERE)
    header, first, second = whole.split("\n\n")
    text = f"{header}\n\n{second}\n{THEIRS}\n{first}\n"
    rest = remove_entries(text, "registry", HERE)
    assert rest.strip() == THEIRS.strip()


def test_what_only_looks_like_an_entry_is_left_alone() -> None:
    text = '[aliases]\nx = """\n[[registry]]\nlocation = "localhost:5000" # localreg: registry\n"""\n'
    assert remove_entries(text, "registry", HERE) == text
    with pytest.raises(ConfigError, match=f"`{HERE}`") as caught:
        remove_entries(add_entries(text, "registry", BOTH, HERE), "registry", HERE)
    assert "`# localreg: registry`" in str(caught.value.hint)


def test_a_mark_that_was_taken_away_makes_the_entry_somebody_elses() -> None:
    text = add_entries("", "registry", BOTH[:1], HERE).replace(" # localreg: registry", "")
    assert remove_entries(text, "registry", HERE) == text


@pytest.mark.parametrize(
    "text",
    [
        "registry = []\n",
        "registry = []",
        'registry = [{location = "example.com"}]\n',
        '[[Registry]]\nlocation = "example.com"\n',
        '[[registry]]\nlocation = "localhost:5000"\n',
        '[[registry]]\nprefix = "example.com"\nlocation = "localhost:5000"\n',
    ],
)
def test_entries_that_podman_would_refuse_beside_others_are_not_added(text: str) -> None:
    with pytest.raises(ConfigError, match=f"`{HERE}`") as caught:
        add_entries(text, "registry", BOTH, HERE)
    assert all(location in caught.value.message for location in BOTH)
    assert caught.value.details


words = st.text("abc xyz-.:#'é[]=", max_size=12)
comments = words.map(lambda text: f"# {text}\n")
mirrors = st.sampled_from(["", '\n[[registry.mirror]]\nlocation = "mirror.example"\n'])
tables = st.builds(
    lambda host, insecure, comment, mirror: (
        f'[[registry]]\n{comment}location = "{host}.example"  # theirs\ninsecure = {insecure}\n{mirror}'
    ),
    st.text("abcdefgh", min_size=1, max_size=8),
    st.sampled_from(["true", "false"]),
    st.just("") | comments,
    mirrors,
)
heads = st.lists(comments | st.sampled_from(["\n", 'short-name-mode = "permissive"\n']), max_size=1).map("".join)
tails = st.sampled_from(
    ["", "\n", "\n\n", "# end", '[aliases]\n"a" = "b"\n', "[[other]]\nx = '''\n# no comment\n'''\n", "\t\n"]
)


def write(head: str, body: list[str], tail: str, line_end: str) -> str:
    """A file; of two tables for the same host the second is left out, for they may contradict each other."""
    seen: set[str] = set()
    kept = []
    for part in body:
        host = part.partition('location = "')[2].partition('"')[0]
        if not host or host not in seen:
            kept.append(part)
        seen.add(host)
    return (head + "".join(kept) + tail).replace("\n", line_end)


files = st.builds(
    write, heads, st.lists(tables | comments | st.just("\n"), max_size=6), tails, st.sampled_from(["\n", "\r\n"])
)
locations = st.lists(st.sampled_from(["localhost:5000", "127.0.0.1:5000", "[::1]:5000"]), min_size=1, unique=True)


@settings(max_examples=300)
@given(files, locations)
def test_adding_and_taking_back_restores_every_byte(text: str, places: list[str]) -> None:
    added = add_entries(text, "registry", places, HERE)
    assert added.startswith(text)
    assert {entry.prefix for entry in parse_entries(added, HERE) if entry.allows_plain_http} >= set(places)
    assert set_entries(added, "registry", places, HERE) == added
    assert remove_entries(added, "registry", HERE) == (text if text.strip() else "")


@settings(max_examples=100)
@given(files, st.permutations(["one", "two", "three"]))
def test_sets_are_taken_back_in_any_order(text: str, order: list[str]) -> None:
    added = text
    for port, name in enumerate(["one", "two", "three"], 5001):
        added = add_entries(added, name, [f"localhost:{port}"], HERE)
    for name in order:
        added = remove_entries(added, name, HERE)
    assert added == (text if text.strip() else "")


@settings(max_examples=100)
@given(files, tables)
def test_what_was_written_behind_our_entries_stays(text: str, theirs: str) -> None:
    host = theirs.partition('location = "')[2].partition('"')[0]
    if host in text:
        return
    added = add_entries(text, "registry", BOTH, HERE) + "# behind\n" + theirs
    rest = remove_entries(added, "registry", HERE)
    assert rest.endswith("# behind\n" + theirs)
    assert rest.startswith(text)
    assert tomlkit.parse(rest).get("aliases") == tomlkit.parse(text).get("aliases")
