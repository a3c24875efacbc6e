"""Admission: what may be stored, and for all else a code and the place."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from collector.ingest.admit import (
    LIVE_S,
    SPOOLED_S,
    Admitted,
    Code,
    Newcomer,
    Refusal,
    Request,
    admit_batch,
    admit_enrolment,
    admit_heartbeat,
    key_of,
)
from probe.wire.exchange import SIGNATURE_HEADER, Heartbeat
from probe.wire.observation import Network, Round
from tests.batches import CLEAN, NOW, at, batch, enrolment, heartbeat, signed, someone

ME, OTHER = someone(1), someone(2)
KEYS = {who.probe_id: who.public_key for who in (ME, OTHER)}


def aged(seconds: float) -> Round:
    return replace(CLEAN, started_at=at(-seconds))


def from_nowhere() -> Round:
    return replace(aged(5), network=Network(country="pk"))


def test_a_fresh_batch_of_an_enrolled_probe_is_admitted() -> None:
    admitted = admit_batch(signed(ME, batch(ME)), ME.public_key, NOW)
    assert isinstance(admitted, Admitted)
    assert admitted.batch.probe == ME.probe_id


@pytest.mark.parametrize("age_s", [0, LIVE_S, LIVE_S + 1, SPOOLED_S, -LIVE_S])
def test_a_round_may_have_waited_for_three_days_and_a_clock_be_ten_minutes_ahead(age_s: float) -> None:
    assert isinstance(admit_batch(signed(ME, batch(ME, aged(age_s))), ME.public_key, NOW), Admitted)


BATCHES: dict[str, tuple[Request, Code, str]] = {
    "no JSON": (signed(ME, b"{"), Code.MALFORMED, "$"),
    "a heartbeat": (signed(ME, heartbeat(ME)), Code.MALFORMED, "$.sequence"),
    "a key nobody enrolled": (signed(someone(9), batch(someone(9))), Code.UNKNOWN_PROBE, "Reachwatch-Probe"),
    "another key's signature": (signed(ME, batch(ME), by=OTHER), Code.BAD_SIGNATURE, SIGNATURE_HEADER),
    "no signature": (Request(batch(ME), ME.probe_id, ""), Code.BAD_SIGNATURE, SIGNATURE_HEADER),
    "a signature that is no base64": (
        Request(batch(ME), ME.probe_id, "%%"),
        Code.BAD_SIGNATURE,
        SIGNATURE_HEADER,
    ),
    "a body changed after signing": (
        replace(signed(ME, batch(ME)), body=batch(ME).replace(b'"PK"', b'"IN"')),
        Code.BAD_SIGNATURE,
        SIGNATURE_HEADER,
    ),
    "a batch for another probe": (signed(ME, batch(OTHER)), Code.WRONG_PROBE, "$.probe"),
    "a round from the future": (
        signed(ME, batch(ME, aged(-LIVE_S - 1))),
        Code.FUTURE,
        "$.rounds[0].started_at",
    ),
    "a second round too old": (
        signed(ME, batch(ME, aged(5), aged(SPOOLED_S + 1))),
        Code.TOO_OLD,
        "$.rounds[1].started_at",
    ),
    "a country that is none": (
        signed(ME, batch(ME, from_nowhere())),
        Code.BAD_COUNTRY,
        "$.rounds[0].network.country",
    ),
}


@pytest.mark.parametrize("story", BATCHES)
def test_refused(story: str) -> None:
    request, code, path = BATCHES[story]
    key = key_of(request, KEYS)
    refusal = key if isinstance(key, Refusal) else admit_batch(request, key, NOW)
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.path) == (code, path)
    assert refusal.message


def test_an_enrolment_signed_with_its_own_key_gives_the_key() -> None:
    assert admit_enrolment(signed(ME, enrolment(ME))) == Newcomer(ME.public_key, None)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (signed(ME, enrolment(ME), by=OTHER), Code.BAD_SIGNATURE),
        (replace(signed(ME, enrolment(ME)), probe=OTHER.probe_id), Code.WRONG_PROBE),
        (signed(ME, b"[]"), Code.MALFORMED),
        (signed(ME, enrolment(ME).replace(base64.b64encode(ME.public_key), b"!" * 44)), Code.MALFORMED),
    ],
)
def test_an_enrolment_is_refused_where_the_key_is_not_proven(request_: Request, code: Code) -> None:
    refusal = admit_enrolment(request_)
    assert isinstance(refusal, Refusal)
    assert refusal.code is code


@pytest.mark.parametrize(
    ("seconds", "code"), [(0, None), (LIVE_S, None), (LIVE_S + 1, Code.FUTURE), (-LIVE_S - 1, Code.TOO_OLD)]
)
def test_a_heartbeat_is_of_this_moment_or_refused(seconds: float, code: Code | None) -> None:
    outcome = admit_heartbeat(signed(ME, heartbeat(ME, sent_at=at(seconds))), ME.public_key, NOW)
    if code is None:
        assert isinstance(outcome, Heartbeat)
    else:
        assert isinstance(outcome, Refusal)
        assert (outcome.code, outcome.path) == (code, "$.sent_at")


def test_a_heartbeat_for_another_probe_is_refused() -> None:
    refusal = admit_heartbeat(signed(ME, heartbeat(OTHER)), ME.public_key, NOW)
    assert isinstance(refusal, Refusal)
    assert refusal.code is Code.WRONG_PROBE
