"""The agent's reader of records: whatever it is given, it says what pydantic says of it."""

from __future__ import annotations

import json
import subprocess
import sys
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.config import Config
from probe.wire import codec, reader
from probe.wire.codec import DecodeError, decode, encode
from probe.wire.exchange import PeerView, Receipt, Refused
from probe.wire.failure import Failure
from probe.wire.observation import SCHEMA, Batch
from probe.wire.platform_file import PlatformFile, RoleTable
from tests.rounds import X_ADDRESS, a_round, dns, failed, fine

NOW = datetime(2026, 12, 1, 15, 4, tzinfo=UTC)
ROUND = a_round(
    *fine("x/web"),
    dns("x/media", "system", failure=Failure.DNS_NXDOMAIN),
    *failed("x/web", X_ADDRESS, Failure.TLS_RESET),
)
RECORDS = (
    Batch(schema=SCHEMA, probe="a" * 32, sequence=7, agent="test", rounds=(ROUND,)),
    Receipt(
        schema=SCHEMA,
        server_time=NOW,
        probe="a" * 32,
        sequence=7,
        peers=(PeerView(platform="x", countries=3, votes=9, failing=8),),
    ),
    Refused(code="bad_signature", path="$", message="no", server_time=NOW),
    Config(),
    PlatformFile(
        name="x", title="X", hosts=("x.com",), role=(RoleTable(name="web", urls=("https://x.com/",)),)
    ),
)

VALUES: st.SearchStrategy[object] = st.sampled_from(
    [None, True, False, 0, 1, -1, 2, 70_000, 2**70, 10**400, 0.0, 0.5, -0.5, 1e300, "", "x", "x" * 300, "1",
     "any", "tls", "No Word", "::1", "999.1.1.1", "https://x.com/", "2026-12-01T15:04:00Z",
     "2026-12-01T15:04:00", "2026-13-01T15:04:00Z", [], ["x"], [1], [[]], {}, {"url": "https://x.com/"}]
)  # fmt: skip


def places(shape: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in what a record is written as."""
    inner = shape.items() if isinstance(shape, dict) else enumerate(shape) if isinstance(shape, list) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


@st.composite
def changed(draw: st.DrawFn) -> tuple[type, bytes]:
    """A record in which something is another value, is missing, or is too much."""
    record = draw(st.sampled_from(RECORDS))
    shape = deepcopy(codec.plain(record, whole=draw(st.booleans())))
    *way, last = draw(st.sampled_from(places(shape)[1:]))
    holder = shape
    for step in way:
        holder = holder[step]
    match draw(st.sampled_from(["another", "missing", "more"])):
        case "missing":
            del holder[last]
        case "more" if isinstance(holder, dict):
            holder["more"] = draw(VALUES)
        case _:
            holder[last] = draw(VALUES)
    return type(record), json.dumps(shape).encode()


def verdict(kind: type, data: bytes, by: codec.Validate) -> object:
    """The record, or where and why there is none."""
    try:
        return decode(kind, data, by)
    except DecodeError as error:
        return error.path, error.message


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_what_is_written_is_read(record: object) -> None:
    assert decode(type(record), encode(record), reader.validate) == record


@given(changed())
def test_of_any_change_it_says_what_pydantic_says(case: tuple[type, bytes]) -> None:
    kind, data = case
    ours, theirs = verdict(kind, data, reader.validate), verdict(kind, data, codec.validate)
    if isinstance(ours, tuple) and "datetime" in ours[1]:
        return  # of moments it takes RFC 3339's form alone, where pydantic knows a dozen
    if isinstance(theirs, tuple) or isinstance(ours, tuple):
        assert ours == theirs
    else:
        assert encode(ours) == encode(theirs)


def test_the_agent_never_imports_pydantic() -> None:
    used = (
        "import sys, probe.cli, probe.agent; from probe.config import *; from probe.upload import _refusal;"
        "load_platforms(load(None, {}, {})); assert _refusal(sys.stdin.buffer.read())[0];"
        "print([name for name in sys.modules if 'pydantic' in name])"
    )
    refused = encode(RECORDS[2])
    done = subprocess.run([sys.executable, "-c", used], input=refused, capture_output=True, check=True)
    assert done.stdout == b"[]\n"
