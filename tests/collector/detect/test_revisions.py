"""What is said again, and what is taken back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from collector.detect.incidents import Cause, Incident, Part, Phase, Scope, Witnesses
from collector.detect.revisions import Revision, revised
from collector.detect.saved import pack_revision, unpack_revision

PART = Part(platform="x", phase=Phase.CONFIRMED, since=100, confirmed=102, scope=Scope.NATION)
INCIDENT = Incident(id="pk-1", country="PK", parts=(PART,))
FIRST = Revision(number=1, at=0.0, reason="confirmed", incident=INCIDENT)


def again(*book: Incident, published: Revision = FIRST, first: int = 0, last_word: int = 0) -> list[Revision]:
    return list(revised({published.incident.id: published}, book, 9.0, first, last_word))


def with_part(**changes: object) -> Incident:
    return replace(INCIDENT, parts=(replace(PART, **changes),))  # type: ignore[arg-type]


def test_what_is_new_is_said() -> None:
    (new,) = revised({}, [INCIDENT], 9.0, 0, 0)
    assert (new.number, new.at, new.reason) == (1, 9.0, "confirmed")


def test_the_same_is_not_said_twice() -> None:
    assert again(INCIDENT) == []
    assert again(with_part(world=0.01, agreeing=0.9)) == [], "nor what nobody needs to hear again"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (with_part(phase=Phase.ENDED, ended=120), "ended"),
        (with_part(cause=Cause.LIKELY_BLOCKING), "cause x likely_blocking"),
        (with_part(scope=Scope.NETWORK), "scope network"),
        (with_part(since=99), "moved late_data"),
        (replace(INCIDENT, parts=(PART, replace(PART, platform="youtube"))), "joined youtube"),
    ],
)
def test_what_a_reader_would_want_to_know_is_said(changed: Incident, reason: str) -> None:
    (new,) = again(changed)
    assert (new.number, new.reason) == (2, reason)


def test_what_late_data_name_otherwise_points_to_its_heir_and_what_was_nothing_is_withdrawn() -> None:
    heir = replace(INCIDENT, id="pk-2", parts=(replace(PART, since=99),))
    old, new = sorted(again(heir), key=lambda one: one.incident.id)
    assert (old.withdrawn, old.superseded_by, old.number) == (True, "pk-2", 2)
    assert (new.withdrawn, new.number) == (False, 1)
    (nothing,) = again()
    assert (nothing.withdrawn, nothing.superseded_by) == (True, "")
    assert again(published=nothing) == [], "once"


def test_what_ended_before_anything_can_still_come_stands_as_it_is() -> None:
    over = replace(FIRST, incident=with_part(phase=Phase.ENDED, ended=120))
    assert again(published=over, first=121) == []
    assert again(published=over, first=120) != []


def test_counts_that_late_data_changed_are_said_once_before_nothing_can_change_them() -> None:
    over = replace(FIRST, incident=with_part(phase=Phase.ENDED, ended=120))
    more = with_part(phase=Phase.ENDED, ended=120, networks={1: Witnesses(failing=9, of=9)})
    assert again(more, published=over, first=100, last_word=119) == []
    (said,) = again(more, published=over, first=100, last_word=120)
    assert (said.reason, said.incident) == ("counts", more)
    assert again(more, published=said, first=100, last_word=120) == []
    assert again(over.incident, published=over, first=100, last_word=120) == []


def test_a_revision_survives_its_packing() -> None:
    assert unpack_revision(pack_revision(FIRST)) == FIRST
