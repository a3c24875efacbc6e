"""Whatever a round holds, it is judged; and what cannot matter does not."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from probe.verdict import Status, judge
from probe.verdict.rules import RULES
from probe.wire.exchange import PeerView
from probe.wire.failure import Failure
from probe.wire.observation import Gate, GateState, Observation, Phase, Round
from probe.wire.scrub import scrub
from probe.wire.stage import Met, Resolver, Sent
from tests.rounds import (
    CONTROL_ADDRESS,
    CONTROL_SIX,
    FAR_TTL,
    HOME,
    OTHER_X_ADDRESS,
    RESOLVER,
    X_ADDRESS,
    X_SIX,
    a_round,
    controls,
    dns,
    elsewhere,
    failed,
    innocuous,
    late,
    packets,
    path,
    peers,
    reached,
    shown,
    transfer,
)

from .of_names import BLOCK_PAGE, INJECTED, LIE
from .stories import CASES

DIALLED = [X_ADDRESS, OTHER_X_ADDRESS, X_SIX, BLOCK_PAGE, INJECTED]
ADDRESSES = st.sampled_from(DIALLED)
ANSWERS = st.lists(st.sampled_from([*DIALLED, LIE]), max_size=2)
TARGETS = st.sampled_from(["x/web", "x/media", "x/plain"])
ATTEMPTS = st.integers(1, 3)
TTLS = st.sampled_from([None, 52, FAR_TTL, 64, 101])
SERVERS = st.sampled_from([RESOLVER, HOME, "45.90.28.17", "2400:adc0:1::1"])
DNS_FAILURES = st.sampled_from([None, None, *(f for f in Failure if f.startswith("dns_"))])
FAILURES = st.sampled_from([f for f in Failure if not f.startswith("dns_")])
CERTIFICATES = st.builds(
    shown, st.sampled_from(["x.com", "*.twimg.com", "block.example"]), system_trusted=st.booleans()
)
HOPS = st.builds(
    "{}/{} {}".format,
    st.sampled_from(list(Met)),
    st.sampled_from(list(Met)),
    st.sampled_from([1, 3, 13]),
)

LOOKUPS = st.builds(
    lambda target, who, answers, **how: [dns(target, who, *answers, **how)],
    TARGETS,
    st.sampled_from(list(Resolver)),
    ANSWERS,
    failure=DNS_FAILURES,
    kind=st.sampled_from(["A", "AAAA"]),
    server=SERVERS,
    ttl=TTLS,
    late=st.lists(st.builds(lambda answers, ttl: late(*answers, ttl=ttl or 64), ANSWERS, TTLS), max_size=1),
)
ARRIVED = st.builds(
    reached,
    TARGETS,
    ADDRESSES,
    status=st.sampled_from([200, 302, 403, 503]),
    location=st.sampled_from([None, "https://block.example/", "http://[", "https://x.com/"]),
    body_bytes=st.sampled_from([0, 900]),
    handshake_s=st.sampled_from([0.05, 2.0]),
)
BROKEN = st.builds(failed, TARGETS, ADDRESSES, FAILURES) | st.builds(
    failed, TARGETS, ADDRESSES, st.just(Failure.TLS_UNKNOWN_AUTHORITY), tls=CERTIFICATES
)
Walk = list[Observation]
AS: list[Callable[[Walk], Walk]] = [list, list, innocuous, elsewhere]
WALKS = st.builds(lambda turn, walk: turn(walk), st.sampled_from(AS), ARRIVED | BROKEN)
PATHS = st.builds(
    lambda sent, hops: path("x/web", sent, *hops), st.sampled_from(list(Sent)), st.lists(HOPS, max_size=4)
)
PACKETS = st.builds(
    lambda ttls: packets("x/web", *ttls), st.lists(st.sampled_from([50, 64, 101]), max_size=2)
)
TRANSFERS = st.builds(
    transfer,
    st.sampled_from(["x/web", "x/media", "foreign/one.example"]),
    st.sampled_from([128.0, 900.0, 9000.0]),
    rtt_s=st.sampled_from([None, 0.0, 0.05, 0.3]),
)
SOMETHING = LOOKUPS | WALKS | (PATHS | PACKETS | TRANSFERS).map(lambda seen: [seen])
ONCE = st.builds(lambda attempt, seen: [replace(o, attempt=attempt) for o in seen], ATTEMPTS, SOMETHING)
# The same again: what happens once is no event, so that little else would be said.
OFTEN = SOMETHING.map(lambda seen: [replace(o, attempt=n) for n in (1, 2, 3) for o in seen])
# Beside what some rule speaks of, so that every one of them is met.
STORIES = st.sampled_from([list(story.seen) for story in CASES.values()])
SEEN = st.builds(
    lambda story, more: story + [o for part in more for o in part],
    STORIES,
    st.lists(ONCE | OFTEN, max_size=5),
)
PEERS = st.lists(
    st.builds(peers, st.integers(0, 9), votes=st.integers(0, 30), failing=st.integers(0, 9)), max_size=1
)


def timed(observations: Iterable[Observation]) -> list[Observation]:
    """No two things begin at the same moment of a monotonic clock."""
    return [replace(o, start_s=round(number * 0.01, 6)) for number, o in enumerate(observations)]


def as_stored(seen: Iterable[Observation], gate: Gate | None = None) -> Round:
    """A round on a line with both families."""
    both = (CONTROL_ADDRESS, CONTROL_SIX)
    rnd = a_round(*seen, gate=gate, before=controls(Phase.BEFORE, both), after=controls(Phase.AFTER, both))
    return replace(rnd, observations=tuple(timed(rnd.observations)))


@settings(max_examples=300)
@given(SEEN, PEERS)
def test_any_round_is_judged_and_every_verdict_gives_its_reasons(seen: Walk, views: list[PeerView]) -> None:
    (verdict,) = judge(as_stored(seen), peers=views)
    assert verdict.status.is_known
    assert verdict.reasons
    assert (verdict.scope is None) == (verdict.status is Status.INSUFFICIENT)
    assert not verdict.mechanisms or verdict.status not in (Status.OK, Status.INSUFFICIENT)


@settings(max_examples=300)
@given(SEEN, PEERS, st.booleans())
def test_the_rules_of_failures_are_not_missed_where_nothing_failed(
    seen: Walk, views: list[PeerView], as_it_was: bool
) -> None:
    """They are not asked then; asked all the same, they would have had nothing to say."""
    some = seen if as_it_was else [o for o in seen if o.failure is None]
    all_asked = [replace(rule, of_failure=False) for rule in RULES]
    assert judge(as_stored(some), peers=views) == judge(as_stored(some), all_asked, peers=views)


@given(SEEN, PEERS, st.sampled_from([s for s in GateState if s is not GateState.ONLINE]))
def test_where_the_gate_failed_nothing_is_said_of_anybody(
    seen: Walk, views: list[PeerView], state: GateState
) -> None:
    gate = Gate(state=state, controls=3, passed_before=3, passed_after=0)
    (verdict,) = judge(as_stored(seen, gate), peers=views)
    assert verdict.status is Status.INSUFFICIENT
    assert verdict.mechanisms == ()


@settings(max_examples=200)
@given(SEEN, st.integers(0, 2**32))
def test_the_order_in_which_things_were_recorded_does_not_matter(seen: Walk, seed: int) -> None:
    rnd = as_stored(seen)
    shuffled = list(rnd.observations)
    random.Random(seed).shuffle(shuffled)
    assert judge(replace(rnd, observations=tuple(shuffled))) == judge(rnd)


@settings(max_examples=200)
@given(SEEN)
def test_what_leaves_the_machine_is_judged_as_it_was_there(seen: Walk) -> None:
    """Scrubbing takes the names of a home's own devices, and with them no evidence."""
    rnd = as_stored(seen)
    assert judge(scrub(rnd, ["198.51.100.200", "2400:adc0:9::1"])) == judge(rnd)
