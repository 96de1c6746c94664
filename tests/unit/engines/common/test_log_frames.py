from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localreg.engines.common.log_frames import iter_log_chunks
from localreg.engines.values import LogChunk
from localreg.errors import EngineLostError

frames = st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=40)), max_size=8)


def encode(parts: list[tuple[int, bytes]]) -> bytes:
    return b"".join(struct.pack(">BxxxL", stream, len(data)) + data for stream, data in parts)


def joined(chunks: list[LogChunk]) -> dict[str, bytes]:
    return {
        stream: b"".join(chunk.data for chunk in chunks if chunk.stream == stream) for stream in ("stdout", "stderr")
    }


@given(frames, st.lists(st.integers(min_value=1, max_value=30)))
def test_however_the_bytes_are_cut_the_streams_are_the_same(parts: list[tuple[int, bytes]], cuts: list[int]) -> None:
    data = encode(parts)
    pieces = []
    for cut in cuts:
        pieces.append(data[:cut])
        data = data[cut:]
    chunks = list(iter_log_chunks([*pieces, data]))
    assert joined(chunks) == {
        "stdout": b"".join(content for stream, content in parts if stream == 1),
        "stderr": b"".join(content for stream, content in parts if stream == 2),
    }
    assert all(chunk.data for chunk in chunks)


@given(st.binary(min_size=1, max_size=20), st.integers(min_value=1, max_value=27))
def test_bytes_that_end_within_a_frame_are_an_error(content: bytes, missing: int) -> None:
    data = encode([(1, content)])
    with pytest.raises(EngineLostError):
        list(iter_log_chunks([data[: max(len(data) - missing, 1)]]))


def test_output_is_handed_on_before_its_frame_is_complete() -> None:
    chunks = iter_log_chunks(iter([encode([(1, b"abcdef")])[:10], b"cdef"]))
    assert next(chunks) == LogChunk("stdout", b"ab")
