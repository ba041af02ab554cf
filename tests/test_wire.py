"""Messages on the pipe: what is sent arrives, and nothing else is taken for a message."""

import json
import multiprocessing
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sensecf_bench.engine.wire import VERSION, Message, decode, encode, receive, send

numbers = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="?"),
    hnp.unsigned_integer_dtypes(endianness="?"),
    hnp.floating_dtypes(endianness="?"),
)
arrays = hnp.arrays(numbers, hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=80, deadline=None)
@given(
    st.text(max_size=8),
    st.dictionaries(st.text(max_size=6), values, max_size=3),
    st.dictionaries(st.text(max_size=6), arrays, max_size=3),
)
def test_a_message_arrives_as_it_was_sent(kind, content, sent):
    message = decode(encode(Message(kind, content, sent)))
    assert message.kind == kind
    assert message.content == content
    assert list(message.arrays) == list(sent)
    for name, array in sent.items():
        arrived = message.arrays[name]
        assert arrived.shape == array.shape
        assert arrived.dtype == array.dtype.newbyteorder("<")
        np.testing.assert_array_equal(arrived, array)


@pytest.mark.parametrize(
    "array",
    [
        np.empty(0),
        np.empty((0, 3)),
        np.empty((3, 0)),
        np.array([True, False]),
        np.array([1, 2], dtype=">i4"),
        np.array([2**64 - 1], dtype=np.uint64),
        np.array([np.nan, np.inf, -0.0]),
        np.arange(6.0).reshape(2, 3).T,
        np.arange(10.0)[::3],
    ],
)
def test_unusual_arrays_arrive_whole(array):
    arrived = decode(encode(Message("rows", arrays={"a": array}))).arrays["a"]
    assert arrived.shape == array.shape
    assert arrived.tobytes() == array.astype(array.dtype.newbyteorder("<")).tobytes()


def test_arrays_keep_their_order_and_their_own_bytes():
    sent = {"b": np.arange(3, dtype=np.int8), "none": np.empty(0), "a": np.arange(4.0), "é": np.array([[True]])}
    arrived = decode(encode(Message("x", {}, sent))).arrays
    assert [(n, a.tolist()) for n, a in arrived.items()] == [(n, a.tolist()) for n, a in sent.items()]


def test_a_message_crosses_a_pipe():
    here, there = multiprocessing.Pipe()
    with here, there:
        send(here, Message("predict", {"text": "naïve ✓ 😀"}, {"rows": np.eye(2)}))
        message = receive(there)
        assert (message.kind, message.content) == ("predict", {"text": "naïve ✓ 😀"})
        np.testing.assert_array_equal(message.arrays["rows"], np.eye(2))
        here.close()
        with pytest.raises(EOFError):
            receive(there)


@pytest.mark.parametrize(
    "array",
    [
        np.array([None, 1], dtype=object),
        np.array(["a"]),
        np.array([b"a"]),
        np.array([1j]),
        np.array(["2020-01-01"], dtype="datetime64[D]"),
        np.zeros(2, dtype=[("a", "i4")]),
    ],
)
def test_only_numbers_travel(array):
    with pytest.raises(ValueError, match="only numeric arrays travel"):
        encode(Message("x", {}, {"a": array}))


@pytest.mark.parametrize("content", [{"a": object()}, {"a": {1, 2}}, {"a": np.float64}])
def test_only_plain_content_travels(content):
    with pytest.raises(TypeError, match="JSON"):
        encode(Message("x", content))


def written(**changes):
    header = {"version": VERSION, "kind": "x", "content": {}, "arrays": [["a", "<f8", [1]]], **changes}
    text = json.dumps(header).encode()
    return struct.pack("<I", len(text)) + text + np.ones(1).tobytes()


def test_the_layout_on_the_pipe_is_the_one_that_is_documented():
    message = decode(written())
    assert message.kind == "x"
    assert message.arrays["a"].tolist() == [1.0]


@pytest.mark.parametrize("version", [0, VERSION + 1, "1", None])
def test_another_version_is_refused(version):
    with pytest.raises(ValueError, match=f"protocol version {version}, expected {VERSION}"):
        decode(written(version=version))


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("<I", 9) + b"\xff\xfe not JSON",
        struct.pack("<I", 100) + b'{"version": 1',
        written(arrays=[["a", "|O", [1]]]),
        written(arrays=[["a", "<f8", [2]]]),
        written(arrays=[["a"]]),
    ],
)
def test_bytes_that_are_no_message_are_refused(data):
    with pytest.raises(ValueError, match=r"."):
        decode(data)


@pytest.mark.parametrize("data", [b"", b"\x02", struct.pack("<I", 2) + b"{}", struct.pack("<I", 2) + b"[]"])
def test_bytes_too_short_or_of_another_shape_are_refused_alike(data):
    try:
        decode(data)
    except ValueError:
        return
    pytest.fail("taken for a message")


def test_an_array_without_dimensions_keeps_its_shape():
    assert decode(encode(Message("x", {}, {"a": np.array(1.5)}))).arrays["a"].shape == ()


def test_what_arrives_cannot_be_altered_in_place():
    arrived = decode(written()).arrays["a"]
    with pytest.raises(ValueError, match="read-only"):
        arrived[0] = 2.0
