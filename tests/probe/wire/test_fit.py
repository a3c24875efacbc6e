"""Whatever a hostile server shows, a round stays within what a collector takes."""

from __future__ import annotations

import random
from dataclasses import replace

from probe.wire.codec import encode
from probe.wire.fit import fit
from probe.wire.observation import Observation, Round
from probe.wire.stage import Certificate, Stage, TlsDetail
from tests.rounds import CERTIFICATE, X_ADDRESS, a_round, fine, observed

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


def test_the_failures_themselves_are_never_left_out() -> None:
    rnd = shown(*[(fat(n),) * 8 for n in range(60)])
    assert len(fit(rnd, lambda _: False).observations) == len(rnd.observations)
