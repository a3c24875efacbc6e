"""Histories: counted by round; a small network never stands alone; a bin is its worst round."""

from __future__ import annotations

from collector.detect.chronicle import CountryRound, NetworkRound
from collector.detect.network import Condition
from collector.web.pages.history import OTHER, Bin, History, worst
from collector.web.pages.plot import plot


def network(asn: int, failing: int, of: int, platform: str = "x", **broke: int) -> NetworkRound:
    ways = {how.replace("_", " ", 1): n for how, n in broke.items()}
    return NetworkRound(
        asn=asn, platform=platform, condition=Condition.OK, score=0.0, votes=of, failing=failing,
        prefixes=of, failing_prefixes=failing, broke=ways,
    )  # fmt: skip


def history(*rounds: tuple[NetworkRound, ...], min_prefixes: int = 5) -> History:
    found = History(0, len(rounds) - 1)
    told = [CountryRound(number=at, country="PK", networks=one) for at, one in enumerate(rounds)]
    found.add(told, min_prefixes)
    return found


def test_networks_add_up_to_the_platform() -> None:
    found = history((network(1, 2, 10), network(2, 5, 6)), (network(1, 0, 10),))
    assert found.platforms == {"x": {0: (7, 16), 1: (0, 10)}}


def test_a_small_network_is_counted_with_the_others_in_the_rounds_in_which_it_is_small() -> None:
    found = history((network(1, 1, 4), network(2, 1, 3)), (network(1, 0, 5), network(2, 0, 3)))
    assert found.networks == {(OTHER, "x"): {0: (2, 7), 1: (0, 3)}, (1, "x"): {1: (0, 5)}}


def test_the_largest_networks_stand_alone_the_largest_first_and_the_others_last() -> None:
    found = history((network(1, 0, 5), network(2, 0, 9), network(3, 1, 7), network(4, 1, 2)))
    assert list(found.largest(2).items()) == [
        ((2, "x"), {0: (0, 9)}),
        ((3, "x"), {0: (1, 7)}),
        ((OTHER, "x"), {0: (1, 7)}),
    ]


def test_a_bin_is_its_worst_round_and_none_where_nobody_voted() -> None:
    counts = {0: (0, 9), 1: (3, 9), 2: (4, 8), 5: (0, 4)}
    assert worst(counts, 0, 6, 3) == [Bin(0, 2, 4, 8), Bin(3, 5, 0, 4), Bin(6, 6, 0, 0)]


def test_a_round_of_too_few_homes_to_draw_hides_no_other() -> None:
    """Twenty of forty homes fail, and in the next round two are heard: the bin was drawn as a gap."""
    counts = {0: (20, 40), 1: (2, 2), 2: (1, 1), 3: (2, 2)}
    assert worst(counts, 0, 3, 2) == [Bin(0, 1, 20, 40), Bin(2, 3, 2, 2)]
    drawn = plot(History(0, 671, {"x": {600: (20, 40), 601: (2, 2)}}), ("x",), 300.0).lines[0].path
    assert drawn != ""


def test_a_picture_holds_few_bins_however_long_it_is() -> None:
    long = plot(History(0, 2015), ("x", "youtube"), 300.0)
    assert (len(long.rows), long.bins) == (84, 84)
    assert (long.begins, long.ends) == (0.0, 7 * 86_400.0)
    assert long.lines[0].path == ""


def test_ways_to_fail_are_in_causal_order_with_counts_for_each_platform() -> None:
    found = history(
        (network(1, 3, 9, tls_reset=2, dns_refused=1), network(1, 5, 9, "youtube", tls_reset=1, tls_eof=4)),
        (network(1, 1, 9, tls_reset=1),),
    )
    shown = plot(found, ("x", "youtube"), 300.0)
    assert [(one.stage, one.failure, dict(one.counts)) for one in shown.failures] == [
        ("dns", "refused", {"x": 1}),
        ("tls", "eof", {"youtube": 4}),
        ("tls", "reset", {"x": 3, "youtube": 1}),
    ]
    assert [one.failure for one in shown.most_frequent("youtube")] == ["eof", "reset"]


def test_what_is_not_a_platform_is_not_drawn_among_them() -> None:
    found = history((network(1, 0, 9), network(1, 20, 20, "connectivity", dns_refused=9)))
    shown = plot(found, ("x",), 300.0)
    assert (shown.most, shown.failures) == (9, [])
    assert [strip.platform for strip in shown.networks[0].strips] == ["x"]


def test_the_table_has_the_newest_first_and_a_bin_for_each_platform() -> None:
    shown = plot(history((network(1, 3, 9),), (network(1, 0, 9, "youtube"),)), ("x", "youtube"), 300.0)
    assert [(at, [(one.failing, one.of) for one in bins]) for at, bins in shown.rows] == [
        (300.0, [(0, 0), (0, 9)]),
        (0.0, [(3, 9), (0, 0)]),
    ]


def test_a_strip_says_its_newest_and_its_worst() -> None:
    (one,) = plot(history((network(1, 6, 9),), (network(1, 1, 9),)), ("x",), 300.0).networks
    assert one.asn == 1
    assert (one.strips[0].newest.failing, one.strips[0].worst.failing) == (1, 6)
