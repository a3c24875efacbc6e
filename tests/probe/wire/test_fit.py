"""Whatever a hostile server shows, a round stays within what a collector takes."""

from __future__ import annotations

import random
from dataclasses import replace
from ipaddress import IPv6Address

from probe.wire.codec import encode
from probe.wire.fit import fit
from probe.wire.observation import MOST_OBSERVATIONS, Observation, Phase, Round
from probe.wire.stage import Certificate, HttpDetail, LateAnswer, Stage, TlsDetail
from tests.rounds import CERTIFICATE, X_ADDRESS, a_round, dns, fine, observed

LIMIT = 20_000


def fits(rnd: Round) -> bool:
    return len(encode(rnd)) <= LIMIT


def fat(seed: int, names: int = 16) -> Certificate:
    letters = random.Random(seed)
    words = ["".join(letters.choices("abcdefghij", k=255)) for _ in range(names + 2)]
    return replace(CERTIFICATE, subject=words[0], issuer=words[1], names=tuple(words[2:]))


def shown(*chains: tuple[Certificate, ...]) -> Round:
    seen: list[Observation] = [
        observed(Stage.TLS, "x/web", address=X_ADDRESS, tls=TlsDetail(chain=chain)) for chain in chains
    ]
    return a_round(*fine("x/web"), *seen)


def chains(rnd: Round) -> list[tuple[Certificate, ...]]:
    return [o.tls.chain for o in rnd.observations if o.tls is not None][1:]


def test_a_round_that_fits_is_left_alone() -> None:
    rnd = shown((fat(1),))
    assert fit(rnd, fits) == rnd


def test_the_certificates_above_the_leaf_go_first() -> None:
    leaf = fat(1, names=1)
    rnd = fit(shown(*[(leaf, fat(2), fat(3), fat(4))] * 4), fits)
    assert fits(rnd)
    assert chains(rnd) == [(leaf,)] * 4


def test_then_the_leafs_names_and_then_every_certificate() -> None:
    some = fit(shown(*[(fat(n),) for n in range(8)]), fits)
    assert {len(chain[0].names) for chain in chains(some)} == {0}
    many = fit(shown(*[(fat(n),) for n in range(60)]), fits)
    assert set(chains(many)) == {()}


def told(seed: int) -> Observation:
    """A lookup that was answered five times, by whoever wants it to be long."""
    draw = random.Random(seed)
    addresses = [str(IPv6Address(draw.getrandbits(128))) for _ in range(80)]
    late = [LateAnswer(rcode="NOERROR", after_s=0.1, answers=tuple(addresses[n::5])) for n in range(1, 5)]
    lookup = dns("x/web", "system", *addresses[::5], kind="AAAA", late=late)
    assert lookup.dns is not None
    names = tuple("".join(draw.choices("abcdefghij", k=255)) for _ in range(16))
    return replace(lookup, dns=replace(lookup.dns, cnames=names))


def test_then_of_dns_answers_all_but_what_tells_them_apart() -> None:
    """A resolver that may answer as it likes could otherwise silence a probe."""
    rnd = fit(a_round(*fine("x/web"), *(told(n) for n in range(30))), fits)
    assert fits(rnd)
    details = [o.dns for o in rnd.observations if o.dns and o.dns.late]
    assert {(len(d.answers), len(d.cnames), len(d.late), len(d.late[0].answers)) for d in details} == {
        (4, 0, 2, 1)
    }


def test_then_of_redirects_all_but_the_host() -> None:
    pages = [
        HttpDetail(url="http://x.com/", status=302, location=f"http://block{n}.example/{told(n).host * 30}")
        for n in range(70)
    ]
    seen = [observed(Stage.HTTP, "x/plain", address=X_ADDRESS, http=page) for page in pages]
    rnd = fit(a_round(*seen), fits)
    assert {o.http.leads_to for o in rnd.observations if o.http and o.http.location} == {
        f"block{n}.example" for n in range(70)
    }
    assert all(len(o.http.location) < 30 for o in rnd.observations if o.http and o.http.location)


def test_a_round_holds_so_many_observations_and_the_last_attempts_go_first() -> None:
    tried = [observed(Stage.TCP, "x/web", address=X_ADDRESS, attempt=1 + n % 8) for n in range(6000)]
    rnd = fit(a_round(*tried), lambda _: True)
    assert len(rnd.observations) == MOST_OBSERVATIONS
    assert max(o.attempt for o in rnd.observations) == 6
    assert {o.phase for o in rnd.observations} == set(Phase)


def test_the_failures_themselves_are_never_left_out() -> None:
    rnd = shown(*[(fat(n),) * 8 for n in range(60)])
    assert len(fit(rnd, lambda _: False).observations) == len(rnd.observations)
