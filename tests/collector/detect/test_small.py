"""Networks of few homes in a bundle: which they are, and that nothing in it says their number."""

from __future__ import annotations

from collector.detect.ballots import Ballot, Place
from collector.detect.fold import State
from collector.detect.incidents import Incident
from collector.detect.saved import Settled
from collector.detect.small import FIRST_PRIVATE, Aliases, aliases, shares_of
from collector.detect.spans import Span

START = Settled(state=State(number=1), book=())
NOTHING = Incident(id="pk-1", country="PK", parts=())


def said(asn: int, *tags: str) -> tuple[Place, list[Ballot]]:
    ballots = [Ballot(probe=f"probe of {tag}", at=0.0, prefix=tag, failed=False) for tag in tags]
    return Place("PK", asn, "x"), ballots


def there(asn: int, tag: str, first: float, last: float) -> Span:
    return Span(
        probe=f"probe of {tag}",
        country="PK",
        asn=asn,
        first_at=first,
        last_at=last,
        said_bye=False,
        prefix=tag,
    )


def numbered(*rounds: tuple[Place, list[Ballot]], spans: tuple[Span, ...] = ()) -> Aliases:
    return aliases(START, rounds, spans, NOTHING, 3)


def test_a_network_keeps_its_number_where_enough_homes_spoke_in_one_round() -> None:
    assert numbered(said(7, "a", "b"), said(7, "c"), said(8, "d", "e", "f")) == {7: FIRST_PRIVATE}


def test_a_home_that_has_another_tag_every_day_is_no_second_home() -> None:
    days = tuple(there(7, f"tag {day}", day * 86_400.0, (day + 1) * 86_400.0 - 60) for day in range(5))
    together = tuple(there(8, f"tag {n}", 0.0, 60.0) for n in range(3))
    assert numbered(spans=(*days, *together)) == {7: FIRST_PRIVATE}


def test_the_order_of_their_numbers_is_not_in_it() -> None:
    assert numbered(said(1, "z"), said(2, "a")) == {2: FIRST_PRIVATE, 1: FIRST_PRIVATE + 1}


def test_a_share_that_names_a_network_is_the_mean_of_the_small_ones() -> None:
    names = {1: FIRST_PRIVATE, 2: FIRST_PRIVATE + 1}
    shares = shares_of({1: 0.3, 2: 0.1, 3: 0.5, 4: 0.1}, {1, 2, 3}, names)
    assert shares == {FIRST_PRIVATE: 0.2, FIRST_PRIVATE + 1: 0.2, 3: 0.5}
