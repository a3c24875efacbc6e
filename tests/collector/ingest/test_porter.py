"""Who is let in: by mode, by token, by work that is this key's and of these days."""

from __future__ import annotations

from itertools import count

import pytest

from collector.config import Door
from collector.ingest.admit import Code, Newcomer, Refusal
from collector.ingest.porter import DAY_S, Porter
from probe.wire.work import Wanted, Work, solved
from tests.collector.conftest import Clock

KEY = b"k" * 32


def asked(porter: Porter, newcomer: Newcomer) -> Wanted:
    """What it is refused with."""
    refusal = porter.refused(newcomer)
    assert isinstance(refusal, Refusal)
    assert refusal.code is Code.WORK_REQUIRED
    assert refusal.work is not None
    return refusal.work


def worked(wanted: Wanted) -> Newcomer:
    return Newcomer(KEY, work=solved(wanted, KEY, count()))


@pytest.mark.parametrize(
    ("mode", "token", "code"),
    [
        ("open", None, None),
        ("token", None, Code.ENTRY_CLOSED),
        ("work", None, Code.WORK_REQUIRED),
        ("open", "t", None),
        ("token", "t", None),
        ("work", "t", None),
    ],
)
def test_a_token_goes_everywhere_and_nothing_only_where_it_is_open(
    mode: str, token: str | None, code: Code | None
) -> None:
    refusal = Porter(Door(mode=mode), Clock()).refused(Newcomer(KEY, token))  # type: ignore[arg-type]
    assert (refusal.code if refusal else None) == code


def test_work_is_good_until_the_next_day_is_over() -> None:
    clock = Clock()
    porter = Porter(Door(mode="work", work_bits=6), clock)
    newcomer = worked(asked(porter, Newcomer(KEY)))
    assert porter.refused(newcomer) is None
    clock.now += DAY_S
    assert porter.refused(newcomer) is None
    clock.now += DAY_S
    assert porter.refused(newcomer) is not None


def test_too_little_another_keys_and_another_collectors_are_not_enough() -> None:
    porter, other = (Porter(Door(mode="work", work_bits=12), Clock()) for _ in range(2))
    wanted = asked(porter, Newcomer(KEY))
    enough = worked(wanted)
    assert porter.refused(enough) is None
    assert enough.work is not None
    few = next(w for n in count() if (w := Work(challenge=wanted.challenge, nonce=n)).bits(KEY) < 12)
    assert asked(porter, Newcomer(KEY, work=few)) == wanted
    assert asked(porter, Newcomer(b"o" * 32, work=enough.work)) == wanted
    assert asked(porter, worked(asked(other, Newcomer(KEY)))) == wanted
