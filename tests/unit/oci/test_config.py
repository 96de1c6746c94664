from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.registries.shelf import RUNS, STEPS

from localreg.oci.config import HistoryEntry, ImageConfig, parse_config
from localreg.oci.manifest import Platform

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


def test_all_parts_of_a_config_are_read() -> None:
    found = parse_config(
        json.dumps(
            {
                "os": "linux",
                "architecture": "arm64",
                "created": "2026-11-01T08:00:00+01:00",
                "config": RUNS,
                "history": [*STEPS, {"comment": "by hand", "author": "me"}],
            }
        ).encode()
    )
    assert (found.platform, found.created) == (Platform("linux", "arm64"), datetime(2026, 11, 1, 7, tzinfo=UTC))
    assert (found.entrypoint, found.command) == (("/sbin/tini", "--"), ("/srv/app/api", "--listen", ":8080"))
    assert (found.environment[1], found.user, found.working_folder) == ("APP_HOME=/srv/app", "1000:1000", "/srv/app")
    assert (found.ports, found.volumes, found.stop_signal) == (("8080/tcp", "9090/tcp"), ("/srv/data",), "SIGINT")
    assert list(found.labels) == ["org.opencontainers.image.revision", "org.opencontainers.image.source"]
    assert [step.is_empty for step in found.history] == [False, True, True, False, False, False]
    assert found.history[1] == HistoryEntry(datetime(2026, 10, 1, 8, tzinfo=UTC), 'CMD ["/bin/sh"]', is_empty=True)
    assert (found.history[-1].comment, found.history[-1].author, found.history[-1].created) == ("by hand", "me", None)


@pytest.mark.parametrize("data", [b"", b"null", b"[]", b"\xff", b'"text"', b"[" * 100_000])
def test_what_is_not_a_config_is_empty(data: bytes) -> None:
    assert parse_config(data) == ImageConfig()


@given(
    st.dictionaries(st.sampled_from(["config", "history", "created", "os", "architecture"]), JSON),
    st.dictionaries(st.sampled_from([*RUNS]), JSON),
)
def test_a_part_of_another_type_is_empty_or_text(config: dict[str, object], runs: dict[str, object]) -> None:
    for content in (config, {**config, "config": runs}, {**config, "history": [runs, config]}):
        found = parse_config(json.dumps(content).encode())
        texts = [*found.entrypoint, *found.command, *found.environment, *found.ports, *found.volumes]
        texts += [found.user, found.working_folder, found.stop_signal, *found.labels, *found.labels.values()]
        texts += [step.created_by for step in found.history]
        assert all(isinstance(text, str) for text in texts)
