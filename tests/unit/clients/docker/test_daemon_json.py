"""daemon.json with entries of localreg, and without them again: byte for byte as it was."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localreg.clients.docker.daemon_json import KEY, is_set, list_owned, plan_entries, record_of
from localreg.errors import ConfigError

LOOPBACK = ("127.0.0.0/8", "::1/128")
LAN = (*LOOPBACK, "192.0.2.1:5000")
OTHER = (*LOOPBACK, "192.0.2.1:5001")

SHAPES = {
    "no file": None,
    "empty": "",
    "a line of space": " \n",
    "empty object": "{}",
    "empty object with a space": "{ }\n",
    "empty object over two lines": "{\n}\n",
    "one line": '{"log-driver":"json-file","log-opts":{"max-size":"10m","max-file":"3"}}',
    "one line with spaces": '{ "data-root": "/data/docker" }\n',
    "tabs": '{\n\t"exec-opts": ["native.cgroupdriver=systemd"],\n\t"log-opts": {\n\t\t"max-size": "100m"\n\t}\n}\n',
    "four spaces, no last newline": '{\n    "ipv6": true,\n    "storage-opts": [\n        "dm.fs=xfs"\n    ]\n}',
    "an indented last brace": '{\n   "log-opts": {\n     "max-size":  "100m"\n    },\n   "ipv6": false\n }\n',
    "windows": '{\r\n  "builder": {\r\n    "gc": {"enabled": true}\r\n  },\r\n  "experimental": false\r\n}\r\n',
    "a mark of the byte order": '\ufeff{\n  "dns": ["10.0.0.2"]\n}\n',
    "a list of others": '{\n  "insecure-registries": ["registry.test", "https://other.test"],\n  "debug": true\n}\n',
    "a list of others, line by line": '{\n  "insecure-registries" : [\n    "a.test:80" ,\n    "b.test"\n  ]\n}\n',
    "one of others, line by line": '{"insecure-registries":[\n\t"a.test:80"\n]}',
    "an empty list": '{\n  "insecure-registries": [],\n  "registry-mirrors": ["https://mirror.test"]\n}\n',
    "an empty list with a space": '{"insecure-registries": [ ]}',
    "null": '{"insecure-registries": null}',
    "with a range of localreg's": '{"insecure-registries": ["127.0.0.0/8"]}',
    "a key twice": '{"debug": true, "insecure-registries": ["a.test"], "insecure-registries": ["b.test"]}',
    "an entry twice": '{"insecure-registries": ["a.test", "a.test"]}',
    "characters of many kinds": '{"labels": ["owner=Zo\u00eb \\u00e9", "x\\"y"], "proxies": {"http-proxy": "http://p:1/"}}\n',
    "a large number": '{"shutdown-timeout": 123456789012345678901234567890, "x": 1.0E+2}',
}
"""As daemon.json looks on real machines, and beyond."""


def write(path: Path, text: str | None) -> bytes | None:
    if text is None:
        return None
    path.write_bytes(text.encode())
    return path.read_bytes()


def make(path: Path, name: str, wanted: Sequence[str]) -> None:
    for change in plan_entries(path, name, wanted):
        change.make()


def content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def entries(path: Path) -> list[str]:
    found: list[str] = json.loads(path.read_bytes().decode("utf-8-sig"))[KEY]
    return found


@pytest.mark.parametrize("text", SHAPES.values(), ids=SHAPES)
def test_all_comes_back_to_the_byte(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "daemon.json"
    before = write(path, text)
    make(path, "lan", LAN)
    once = content(path)
    assert set(LAN) <= set(entries(path))
    assert plan_entries(path, "lan", LAN) == ()
    make(path, "other", OTHER)
    assert {*LAN, *OTHER} <= set(entries(path))
    make(path, "other", ())
    assert content(path) == once
    make(path, "other", OTHER)
    make(path, "lan", ())
    assert (set(LAN) <= set(entries(path)), set(OTHER) <= set(entries(path))) == (False, True)
    make(path, "other", ())
    assert content(path) == before
    assert [left for left in tmp_path.iterdir() if left != path] == []


@pytest.mark.parametrize("text", [text for text in SHAPES.values() if text], ids=[n for n, t in SHAPES.items() if t])
def test_all_else_stays_where_it_is(tmp_path: Path, text: str) -> None:
    path = tmp_path / "daemon.json"
    write(path, text)
    make(path, "lan", LAN)
    after = json.loads(path.read_bytes().decode("utf-8-sig"))
    before = json.loads(text.removeprefix("\ufeff")) if text.strip() else {}
    added = [entry for entry in LAN if entry not in (before.get(KEY) or [])]
    assert after == {**before, KEY: [*(before.get(KEY) or []), *added]}


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '"x"',
        "{}{}",
        '{"debug": true,}',
        '{"debug": true} // mine',
        '{"insecure-registries": "a.test"}',
        '{"insecure-registries": [1]}',
        '{"insecure-registries": ["a",]}',
        '{"x": NaN}',
        '{"a" "b"}',
        "{1: 2}",
        "[" * 100_000,
        b"\xff\xfe{\x00}\x00",
    ],
    ids=lambda text: str(text)[:30],
)
def test_a_file_that_is_not_valid_is_left_alone(tmp_path: Path, text: str | bytes) -> None:
    path = tmp_path / "daemon.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError, match=r"daemon\.json"):
        plan_entries(path, "lan", LAN)


def test_an_entry_of_others_is_not_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "daemon.json"
    before = write(path, '{"insecure-registries": ["192.0.2.1:5000", "::1/128"]}')
    make(path, "lan", LAN)
    assert list_owned(path, "lan") == ["127.0.0.0/8"]
    make(path, "lan", ())
    assert content(path) == before


def test_entries_move_with_the_port(tmp_path: Path) -> None:
    path = tmp_path / "daemon.json"
    before = write(path, SHAPES["tabs"])
    make(path, "lan", LAN)
    make(path, "lan", OTHER)
    assert entries(path) == [*OTHER]
    make(path, "lan", ())
    assert content(path) == before


def test_a_user_may_edit_the_file_in_between(tmp_path: Path) -> None:
    path = tmp_path / "daemon.json"
    write(path, SHAPES["tabs"])
    make(path, "lan", LAN)
    text = path.read_text()
    path.write_text(
        text.replace('"127.0.0.0/8"', '\n\t\t"mine.test",\n\t\t"127.0.0.0/8"').replace(
            "{\n\t", '{\n\t"debug": true,\n\t', 1
        )
    )
    make(path, "lan", ())
    found = json.loads(path.read_text())
    assert (found[KEY], found["debug"]) == (["mine.test"], True)
    assert list(tmp_path.iterdir()) == [path]


def test_entries_that_a_user_removed_are_not_localregs_any_longer(tmp_path: Path) -> None:
    path = tmp_path / "daemon.json"
    write(path, "{}")
    make(path, "lan", LAN)
    path.write_text('{"insecure-registries": []}')
    assert list_owned(path, "lan") == []
    make(path, "lan", ())
    assert path.read_text() == '{"insecure-registries": []}'
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_a_user_removed_stays_away(tmp_path: Path) -> None:
    path = tmp_path / "daemon.json"
    make(path, "lan", LAN)
    path.unlink()
    make(path, "lan", ())
    assert list(tmp_path.iterdir()) == []


def test_a_record_that_is_broken_tells_nothing(tmp_path: Path) -> None:
    path = tmp_path / "daemon.json"
    make(path, "lan", LAN)
    record_of(path).write_text("[")
    before = content(path)
    make(path, "lan", ())
    assert content(path) == before


@pytest.mark.parametrize(("text", "expected"), [(None, False), ('{"insecure-registries": []}', True), ("{}", False)])
def test_whether_others_set_the_list(tmp_path: Path, text: str | None, *, expected: bool) -> None:
    path = tmp_path / "daemon.json"
    write(path, text)
    assert is_set(path) is expected
    make(path, "lan", LAN)
    assert is_set(path) is expected


def test_a_running_docker_is_given_a_list_to_forget_by(tmp_path: Path) -> None:
    path = tmp_path / "daemon.json"
    write(path, '{"debug": true}')
    make(path, "lan", LAN)
    first, last, _ = plan_entries(path, "lan", ())
    assert json.loads(first.after or b"") == {"debug": True, KEY: [*LOOPBACK]}
    assert last.after == b'{"debug": true}'
    make(path, "lan", LOOPBACK)
    assert len(plan_entries(path, "lan", ())) == 2


@pytest.mark.parametrize("text", SHAPES.values(), ids=SHAPES)
def test_a_run_that_is_killed_between_two_writes_is_finished_by_the_next(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "daemon.json"
    before = write(path, text)
    for end in range(4):
        for change in plan_entries(path, "lan", LAN)[:end]:
            change.make()
        make(path, "lan", LAN)
        assert set(LAN) <= set(entries(path))
        for change in plan_entries(path, "lan", ())[:end]:
            change.make()
        make(path, "lan", ())
        assert (content(path), record_of(path).exists()) == (before, False)
    # Killed while it added, and then taken back.
    for end in range(4):
        for change in plan_entries(path, "lan", LAN)[:end]:
            change.make()
        make(path, "lan", ())
        assert (content(path), record_of(path).exists()) == (before, False)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
LISTS = st.none() | st.lists(st.sampled_from([*LAN, "a.test", "[::1]:1"]), max_size=4)
OBJECTS = st.builds(
    lambda first, own, last: {**first, **own, **last},
    st.dictionaries(st.text(), VALUES, max_size=3),
    st.dictionaries(st.just(KEY), LISTS, max_size=1),
    st.dictionaries(st.text().filter(lambda key: key != KEY), VALUES, max_size=3),
)


@given(
    value=OBJECTS,
    indent=st.sampled_from([None, 0, 2, 4, "\t"]),
    newline=st.sampled_from(["\n", "\r\n"]),
    mark=st.sampled_from(["", "\ufeff"]),
    around=st.tuples(st.sampled_from(["", " ", "\n"]), st.sampled_from(["", "\n", "\r\n\r\n"])),
    separators=st.sampled_from([None, (",", ":"), (" ,\t", " :  ")]),
    turns=st.lists(st.sampled_from(["lan", "other"]), max_size=4),
)
def test_any_object_comes_back_to_the_byte(
    *,
    value: dict[str, Any],
    indent: int | str | None,
    newline: str,
    mark: str,
    around: tuple[str, str],
    separators: tuple[str, str] | None,
    turns: list[str],
) -> None:
    text = json.dumps(value, indent=indent, separators=separators, ensure_ascii=False).replace("\n", newline)
    before = (mark + around[0] + text + around[1]).encode("utf-8", errors="replace")
    with TemporaryDirectory() as folder:
        path = Path(folder, "daemon.json")
        path.write_bytes(before)
        for name in turns:
            make(path, name, {"lan": LAN, "other": OTHER}[name])
        for name in ("lan", "other"):
            make(path, name, ())
        assert path.read_bytes() == before
