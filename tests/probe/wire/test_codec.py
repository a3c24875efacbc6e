"""The codec: what was encoded is decoded, everything else is refused with its place, and nothing
but `DecodeError` ever comes out."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from collector.admin.local import NAMES
from probe.wire import codec
from probe.wire.codec import MAX_BYTES, DecodeError, decode, encode
from probe.wire.exchange import Enrolment, Heartbeat, Receipt, Refused
from probe.wire.failure import Failure, Owner
from probe.wire.observation import SCHEMA, Batch, GateState, Round
from probe.wire.stage import Stage
from tests.rounds import X_ADDRESS, a_round, dns, failed, fine

ROUND = a_round(
    *fine("x/web"),
    dns("x/media", "system", failure=Failure.DNS_NXDOMAIN),
    *failed("x/web", X_ADDRESS, Failure.TLS_RESET),
)
BATCH = encode(Batch(schema=SCHEMA, probe="a" * 32, sequence=7, agent="test", rounds=(ROUND,)))


def swapped(old: str, new: str) -> bytes:
    text = BATCH.decode()
    assert old in text
    return text.replace(old, new, 1).encode()


def test_a_round_survives_the_wire_unchanged() -> None:
    assert decode(Round, encode(ROUND)) == ROUND


def test_encoding_is_canonical() -> None:
    assert encode(decode(Batch, BATCH)) == BATCH


DEEP = swapped('"agent":"test"', '"agent":' + "[" * 20 + "]" * 20)
TWICE = swapped('"agent":"test"', '"agent":"test","agent":"other"')
INFINITE = swapped('"duration_s":3.0', '"duration_s":1e999')

REFUSED: dict[str, tuple[bytes, str, str]] = {
    "nothing": (b"", "$", "not JSON"),
    "not JSON": (b"hello", "$", "not JSON"),
    "truncated": (BATCH[:-20], "$", "not JSON"),
    "not UTF-8": (BATCH.replace(b"test", b"\xff\xfe"), "$", "not UTF-8"),
    "a list": (b"[]", "$", "object"),
    "nested deeply": (b"[" * 100_000, "$", "nested too deeply"),
    "nested a little too deeply": (DEEP, "$.agent" + "[0]" * 15, "nested deeper"),
    "a key twice": (TWICE, "$", "duplicate key 'agent'"),
    "an unknown key": (swapped('"agent":"test"', '"agent":"test","ip":"203.0.113.9"'), "$.ip", "unknown key"),
    "a missing key": (swapped('"agent":"test",', ""), "$.agent", "missing"),
    "another schema": (swapped("reachwatch/1", "reachwatch/9"), "$.schema", "reachwatch/1"),
    "a NUL": (swapped('"test"', '"te\\u0000st"'), "$.agent", "control character"),
    "NaN": (swapped('"duration_s":3.0', '"duration_s":NaN'), "$", "NaN is not JSON"),
    "infinity by another name": (INFINITE, "$.rounds[0].duration_s", "finite"),
    "a number as text": (swapped('"sequence":7', '"sequence":"7"'), "$.sequence", "integer"),
    "a truth as a number": (swapped('"sequence":7', '"sequence":true'), "$.sequence", "integer"),
    "a negative sequence": (swapped('"sequence":7', '"sequence":-7'), "$.sequence", "greater"),
    "a number of 5000 digits": (swapped('"sequence":7', '"sequence":' + "7" * 5000), "$", "number too long"),
    "a long name": (swapped('"test"', '"' + "x" * 300 + '"'), "$.agent", "255"),
    "a time without zone": (swapped("15:04:00.000Z", "15:04:00"), "$.rounds[0]", "zone"),
    "a failure without owner": (swapped('"owner":"resolver",', ""), "$.rounds[0].observations[9]", "owner"),
    "too many bytes": (b" " * (MAX_BYTES + 1), "$", "over"),
}  # fmt: skip


@pytest.mark.parametrize("story", REFUSED)
def test_what_is_no_batch_is_refused_with_its_place(story: str) -> None:
    data, path, message = REFUSED[story]
    with pytest.raises(DecodeError) as caught:
        decode(Batch, data)
    assert caught.value.path == path
    assert message in caught.value.message


@given(st.binary(max_size=400), st.sampled_from([Batch, Round, Enrolment, Heartbeat, Receipt, Refused]))
def test_any_bytes_decode_or_raise_exactly_our_error(data: bytes, kind: type) -> None:
    with pytest.raises(DecodeError):
        decode(kind, data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(JSON, st.sampled_from(["probe", "sequence", "agent", "rounds", "schema"]))
def test_any_value_in_any_field_decodes_or_raises_exactly_our_error(value: object, key: str) -> None:
    data = json.dumps({**json.loads(BATCH), key: value}).encode()
    with contextlib.suppress(DecodeError):
        assert isinstance(decode(Batch, data), Batch)


def test_an_unknown_word_survives_as_itself_and_counts_as_unknown() -> None:
    newer = swapped('"stage":"tls"', '"stage":"quic"').replace(b'"online"', b'"eclipse"')
    newer = newer.replace(b'"failure":"ssl_failed_handshake"', b'"failure":"quic_timeout"')
    rnd = decode(Batch, newer).rounds[0]
    assert {o.stage for o in rnd.observations} >= {Stage("quic")}
    assert rnd.gate.state == "eclipse"
    assert (rnd.gate.state.is_known, rnd.gate.state.label) == (False, "unknown")
    assert Stage("quic") is not Stage.TLS
    assert encode(decode(Batch, newer)) == newer


@pytest.mark.parametrize("word", ["", "Upper", "with space", "x" * 41, "semi;colon", "9th"])
def test_what_is_no_word_is_no_member(word: str) -> None:
    with pytest.raises(ValueError, match="not a valid"):
        GateState(word)


def test_every_failure_has_an_owner_and_unknown_ones_blame_nobody_else() -> None:
    assert all(failure.owner in set(Owner) for failure in Failure)
    assert Failure("invented_yesterday").owner is Owner.LOCAL


@given(st.text())
def test_what_the_quick_look_lets_through_has_no_control_character(text: str) -> None:
    written = json.dumps({text: [text]}, ensure_ascii=False).encode(errors="surrogatepass")
    assert not codec._is_printable(written) or text.isprintable()


@pytest.mark.parametrize("kind", [Batch, Enrolment, Heartbeat, Receipt, Refused, *NAMES.values()])
def test_no_record_has_a_part_that_could_hold_just_anything(kind: type[object]) -> None:
    schema = TypeAdapter(kind).json_schema()
    assert _depth(schema, schema) <= codec.MAX_DEPTH


def _depth(node: dict[str, Any], schema: dict[str, Any]) -> int:
    """How deep a value may nest; fails on what is not bounded (and never ends on what holds itself)."""
    if "$ref" in node:
        return _depth(schema["$defs"][node["$ref"].rpartition("/")[2]], schema)
    either = node.get("anyOf", [])
    within = [*node.get("properties", {}).values(), *node.get("prefixItems", [])]
    within += [node["items"]] if "items" in node else []
    if node.get("type") == "object":
        assert node["additionalProperties"] is False
    elif not either and node.get("type") != "array":
        assert "const" in node or node["type"] in {"string", "integer", "number", "boolean", "null"}
    return max(
        [_depth(one, schema) for one in either] + [1 + _depth(one, schema) for one in within], default=1
    )
