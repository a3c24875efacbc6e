"""How often one address may ask, and that nobody can be found by what is kept of it."""

from __future__ import annotations

import pytest

from collector.limit import Limiter, Places

KEY = b"k" * 32


def test_so_many_at_once_and_then_as_fast_as_the_bucket_fills() -> None:
    limiter = Limiter(60, KEY)
    assert [limiter.wait_s("192.0.2.1", 0.0) for _ in range(60)] == [0.0] * 60
    assert limiter.wait_s("192.0.2.1", 0.0) == pytest.approx(1.0)
    assert limiter.wait_s("192.0.2.1", 0.75) == pytest.approx(0.25)
    assert limiter.wait_s("192.0.2.1", 1.0) == 0.0
    assert limiter.wait_s("192.0.2.1", 1.0) > 0
    assert limiter.wait_s("192.0.2.2", 1.0) == 0.0, "another address is another's"


def test_a_bucket_holds_no_more_than_a_minute_s() -> None:
    limiter = Limiter(2, KEY)
    limiter.wait_s("192.0.2.1", 0.0)
    assert [limiter.wait_s("192.0.2.1", 9_999.0) > 0 for _ in range(3)] == [False, False, True]


def test_a_clock_that_is_set_back_takes_nothing_away() -> None:
    limiter = Limiter(2, KEY)
    limiter.wait_s("192.0.2.1", 1000.0)
    assert [limiter.wait_s("192.0.2.1", 0.0) > 0 for _ in range(2)] == [False, True]


def test_a_line_with_ipv6_is_one_address_and_an_ipv4_one_in_ipv6_is_itself() -> None:
    limiter = Limiter(1, KEY)
    assert limiter.wait_s("2001:db8::1", 0.0) == 0.0
    assert limiter.wait_s("2001:db8::ffff:2", 0.0) > 0
    assert limiter.wait_s("2001:db8:0:1::1", 0.0) == 0.0
    assert limiter.wait_s("::ffff:192.0.2.1", 0.0) == 0.0
    assert limiter.wait_s("192.0.2.1", 0.0) > 0
    assert limiter.wait_s("::ffff:192.0.2.2", 0.0) == 0.0


@pytest.mark.parametrize("address", ["", "fe80::1%eth0", "not an address", "1" * 5000])
def test_whatever_stands_for_an_address_is_counted(address: str) -> None:
    limiter = Limiter(1, KEY)
    assert [limiter.wait_s(address, 0.0) > 0 for _ in range(2)] == [False, True]


def test_a_flood_of_addresses_does_not_make_it_grow_and_pushes_out_who_was_quiet_longest() -> None:
    limiter = Limiter(1, KEY, most=10)
    for number in range(500):
        limiter.wait_s(f"192.0.2.{number % 250}", 0.0)
    assert len(limiter._buckets) == 10
    assert limiter.wait_s("192.0.2.249", 0.0) > 0


def test_no_address_is_kept_and_under_another_key_the_table_is_another() -> None:
    one, other = Limiter(1, KEY), Limiter(1, b"o" * 32)
    for limiter in (one, other):
        limiter.wait_s("192.0.2.1", 0.0)
    assert b"192.0.2.1" not in next(iter(one._buckets))
    assert set(one._buckets).isdisjoint(other._buckets)


def test_none_is_refused_where_there_is_no_limit() -> None:
    limiter = Limiter(0, KEY)
    assert {limiter.wait_s("192.0.2.1", 0.0) for _ in range(1000)} == {0.0}
    assert not limiter._buckets


def test_an_address_holds_so_many_places_and_all_together_no_more_than_there_are() -> None:
    places = Places(3, 2, b"key")
    first, second = places.take("2001:db8::1"), places.take("2001:db8::2")
    assert first is not None
    assert first == second, "one line has a whole /64"
    assert places.take("2001:db8::3") is None
    assert places.take("192.0.2.1") is not None
    assert (places.take("192.0.2.2"), places.taken) == (None, 3)
    places.give_back(first)
    assert places.take("192.0.2.2") is not None


def test_nothing_is_remembered_of_who_holds_no_place() -> None:
    places = Places(3, 0, b"key")
    held = [places.take("192.0.2.1") for _ in range(3)]
    for who in held:
        assert who is not None
        assert b"192" not in who
        places.give_back(who)
    assert not places._taken
