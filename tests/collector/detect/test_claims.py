"""What is claimed in public: true to the rounds, never surer than they are, never about one home."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from random import Random
from typing import Any

import pytest

from collector.detect.claims import describe
from collector.detect.incidents import WORLD, Cause, Incident, Part, Phase, Scope, Slowness, Witnesses
from collector.detect.revisions import Revision, revised
from collector.detect.sentences import reason, sentence, title
from collector.detect.thresholds import DEFAULT
from probe.wire.version import __version__
from tests.collector.detect.homes import FIRST, Story, homes, world
from tests.collector.voices import ENGLISH, FOUND

PART = Part(
    platform="x",
    phase=Phase.CONFIRMED,
    since=FIRST,
    confirmed=FIRST + 2,
    scope=Scope.NATION,
    cause=Cause.LIKELY_BLOCKING,
    broke="tls tls_reset_error",
    agreeing=0.93,
    world=0.01,
    networks={
        17557: Witnesses(failing=20, of=21, confirmed=True),
        45669: Witnesses(failing=18, of=19, confirmed=True),
        9541: Witnesses(failing=3, of=4),
    },
    networks_heard=4,
)
SAID = Revision(
    number=2,
    at=(FIRST + 3) * 300 + 16,
    reason="cause x likely_blocking",
    incident=Incident(id="pk-20231217T1000Z", country="PK", parts=(PART,)),
    release="0.1.0",
)
VERSIONS = "detector 0.1.0, rules 0.1.0"


SLOW = replace(
    PART, cause=Cause.THROTTLING, broke="throttled", agreeing=1.0, slow=Slowness(38, 57.14, 140_213, True)
)


def with_part(**changes: Any) -> Revision:
    return replace(SAID, incident=replace(SAID.incident, parts=(replace(PART, **changes),)))


def together(*parts: Part) -> Revision:
    return replace(SAID, incident=replace(SAID.incident, parts=parts))


def said(revision: Revision) -> str:
    return sentence(revision, ENGLISH)


def test_a_claim_says_how_many_where_since_when_and_why() -> None:
    assert said(SAID) == (
        "nation-scale disruption of X in Pakistan: at worst 41 of 44 probes on 3 of 4 networks, 44 prefixes; "
        "began between 09:55 and 10:05 UTC on 2023-12-17; likely blocking at the TLS stage; " + VERSIONS
    )


def test_what_is_suspected_reads_possible_and_so_does_what_was_never_confirmed() -> None:
    unsure = {"cause": Cause.DISRUPTION, "confirmed": None}
    suspected = with_part(phase=Phase.SUSPECTED, **unsure)
    assert said(suspected).startswith("possible nation-scale disruption of X in Pakistan")
    assert title(suspected, ENGLISH.words) == "Possible nation-scale disruption of X in Pakistan"
    dismissed = said(with_part(phase=Phase.DISMISSED, ended=FIRST + 5, **unsure))
    assert dismissed.startswith("possible nation-scale")
    assert "never confirmed; well again by 10:30 UTC on 2023-12-17; cause unknown" in dismissed


def test_a_platform_that_is_merely_suspected_is_possibly_meant() -> None:
    other = replace(PART, platform="youtube", phase=Phase.SUSPECTED, confirmed=None, cause=Cause.DISRUPTION)
    text = said(together(PART, other))
    assert text.startswith(
        "nation-scale disruption of X, possibly also YouTube, in Pakistan: at worst 41 of 44"
    )
    assert "at worst 41 of 44 probes on 3 of 4 networks" in text, "said once where it is the same"
    fewer = replace(other, networks={1: Witnesses(failing=3, of=9)})
    assert "at worst 41 of 44 probes (X) and 3 of 9 probes (YouTube) on" in said(together(PART, fewer))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"cause": Cause.DISRUPTION}, "cause unknown"),
        (
            {"cause": Cause.BLOCKING_CONFIRMED, "artefacts": ("dns", "tls")},
            "blocking shown by forged or missing names, the handshake broken for this name",
        ),
        ({"ended": FIRST + 83, "phase": Phase.ENDED}, "well again by 17:00 UTC on 2023-12-17"),
        ({"ended": FIRST + 83, "phase": Phase.ENDED, "unheard": True}, "was heard after 17:00 UTC on"),
        ({"national": FIRST + 100}, "on 2023-12-17; nation-scale by 18:25 UTC on 2023-12-17; likely"),
        ({"national": FIRST + 2}, "10:05 UTC on 2023-12-17; likely blocking"),
        ({"since": FIRST + 168}, "began between 2023-12-17 23:55 and 2023-12-18 00:05 UTC"),
        (
            {"networks": {1: Witnesses(failing=9, of=9)}},
            "at worst 9 of 9 probes on 1 of 4 networks, 9 prefixes",
        ),
        ({"networks_heard": 0}, "at worst 41 of 44 probes on 3 of 3 networks, 44"),
        (
            {"networks": {1: Witnesses(failing=9, of=9)}, "networks_heard": 1},
            "at worst 9 of 9 probes on 1 of 1 network, 9",
        ),
        (
            {"networks": {1: Witnesses(failing=1, of=1)}},
            "at worst 1 of 1 probes on 1 of 4 networks, 1 prefix;",
        ),
    ],
)
def test_what_differs_is_said_otherwise(changes: dict[str, Any], expected: str) -> None:
    assert expected in said(with_part(**changes))


ONE = {1: Witnesses(failing=9, of=9, confirmed=True)}
OTHERS = {2: Witnesses(failing=9, of=9, confirmed=True), 3: Witnesses(failing=1, of=9)}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"networks": ONE}, "Disruption of X on one network in Pakistan"),
        ({"networks": ONE | OTHERS}, "Disruption of X on 2 networks in Pakistan"),
        ({"networks": OTHERS, "cause": Cause.THROTTLING}, "Throttling of X on one network in Pakistan"),
        (
            {"networks": {3: OTHERS[3]}, "phase": Phase.SUSPECTED, "confirmed": None},
            "Possible disruption of X on one network in Pakistan",
        ),
        (
            {"networks": ONE, "platform": "connectivity"},
            "Disruption of connectivity on one network in Pakistan",
        ),
    ],
)
def test_what_is_on_single_networks_says_on_how_many_that_is_sure(
    changes: dict[str, Any], expected: str
) -> None:
    one = with_part(scope=Scope.NETWORK, **changes)
    assert title(one, ENGLISH.words) == expected
    assert said(one).startswith(expected[0].lower() + expected[1:])


def test_a_nations_title_does_not_take_with_it_what_is_on_single_networks_or_not_sure() -> None:
    alone = replace(PART, platform="facebook", scope=Scope.NETWORK)
    unsure = replace(PART, platform="youtube", phase=Phase.SUSPECTED, confirmed=None)
    assert title(together(PART, alone, unsure), ENGLISH.words) == (
        "Nation-scale disruption of X, on single networks also Facebook, possibly also YouTube, in Pakistan"
    )
    assert title(together(replace(alone, networks=ONE), unsure), ENGLISH.words) == (
        "Disruption of Facebook, possibly also YouTube, on one network in Pakistan"
    )


def test_a_country_that_has_no_name_is_called_by_its_code() -> None:
    nowhere = replace(SAID, incident=replace(SAID.incident, country="XQ"))
    assert title(nowhere, ENGLISH.words) == "Nation-scale disruption of X in XQ"


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        ("confirmed", "confirmed"),
        ("ended; scope nation", "over; now: nation-scale"),
        ("joined facebook,youtube", "also Facebook and YouTube"),
        (
            "cause x likely_blocking; moved late_data",
            "X: likely blocking; late data moved its beginning or its end",
        ),
        ("see quarantine pk-2", "a quarantine: see pk-2"),
        ("nothing late_data", "late data: nothing was wrong"),
        ("cause other_app some_new_cause", "other app: some new cause"),
        ("late data: see pk_2", "late data: see pk_2"),  # as the first release stored it
        ("", ""),
    ],
)
def test_why_it_was_said_again_is_told_in_the_catalogues_words(stored: str, told: str) -> None:
    assert reason(replace(SAID, reason=stored), ENGLISH.words) == told


def test_the_page_of_an_incident_is_named_where_the_collectors_own_address_is_known() -> None:
    assert describe(SAID, FOUND)["url"] == "https://reach.example/incident/pk-20231217T1000Z"


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_has_words(cause: Cause) -> None:
    assert "_" not in said(with_part(cause=cause, artefacts=("tls",)))


def test_a_platform_that_fails_everywhere_is_told_by_the_worlds_rate() -> None:
    part = replace(
        PART, networks={}, scope=Scope.WORLD, cause=Cause.PLATFORM_OUTAGE, world=0.42, platform="instagram"
    )
    everywhere = replace(SAID, incident=replace(SAID.incident, country=WORLD, parts=(part,)))
    assert said(everywhere).startswith(
        "outage of Instagram in many countries: 42% of votes failed in the mean over countries; began"
    )


def test_what_was_withdrawn_says_so_first_and_has_no_other_phase() -> None:
    taken_back = replace(SAID, withdrawn=True, reason="nothing late_data")
    assert said(taken_back).startswith("withdrawn (late data: nothing was wrong); what had been said: ")
    assert title(taken_back, ENGLISH.words).startswith("Withdrawn: nation-scale")
    assert describe(taken_back, ENGLISH)["phase"] == "withdrawn"


def test_a_release_that_is_not_known_is_not_made_up() -> None:
    before = replace(SAID, release="")
    assert "detector" not in said(before)
    assert describe(before, ENGLISH)["release"] is None


def test_the_description_is_json_with_the_counts_that_the_claim_rests_on() -> None:
    told = json.loads(json.dumps(describe(SAID, ENGLISH), allow_nan=False))
    (part,) = told.pop("parts")
    assert told == {
        "schema": "reachwatch/incident/1",
        "id": "pk-20231217T1000Z",
        "url": None,
        "country": "PK",
        "phase": "confirmed",
        "scope": "nation",
        "cause": "likely_blocking",
        "began": {"after": "2023-12-17T09:55:00.000Z", "before": "2023-12-17T10:05:00.000Z"},
        "ended": None,
        "claim": said(SAID),
        "release": "0.1.0",
        "revision": {
            "number": 2,
            "at": "2023-12-17T10:15:16.000Z",
            "reason": "X: likely blocking",
            "withdrawn": False,
            "superseded_by": None,
        },
    }
    assert (part["failing"], part["prefixes"]) == (41, 44)
    assert (part["stage"], part["failure"]) == ("tls", "tls_reset_error")
    assert part["confirmed_at"] == "2023-12-17T10:15:00.000Z"
    assert (part["agreeing_ratio"], part["world_failing_ratio"]) == (0.93, 0.01)


def test_a_network_of_few_prefixes_is_counted_and_never_named() -> None:
    (part,) = describe(SAID, ENGLISH)["parts"]
    assert [one["asn"] for one in part["networks"]] == [17557, 45669]
    assert part["small_networks"] == {"count": 1, "failing": 3, "prefixes": 4}
    assert "9541" not in json.dumps(describe(SAID, ENGLISH))


def test_a_revision_says_which_release_said_it() -> None:
    (revision,) = revised({}, [SAID.incident], 9.0, 0, 0)
    assert revision.release == __version__


@pytest.mark.parametrize("seed", range(12))
def test_the_true_beginning_lies_between_the_two_moments_that_are_said(seed: int) -> None:
    """Homes measure all through a round, and the event begins anywhere in one."""
    chance = Random(seed)
    began = 2 + seed / 12
    everybody = [*homes("PK", 5, 8), *world()]
    phases = {home.probe: chance.random() for home in everybody}
    story = Story(homes=everybody, seed=seed, noise=0.01)
    told = story.told(8, lambda home, n, _: home.country == "PK" and n + phases[home.probe] >= began)
    (incident,) = (one for one in told.books[-1] if one.country == "PK")
    (revision,) = revised({}, [incident], 9.0, 0, 0)
    between = describe(revision, ENGLISH)["began"]
    after, before = (datetime.fromisoformat(between[end]).timestamp() for end in ("after", "before"))
    assert after <= (FIRST + began) * DEFAULT.round_s <= before


def test_throttling_is_called_so_with_what_was_measured() -> None:
    assert said(together(SLOW)) == (
        "nation-scale throttling of X in Pakistan: at worst 41 of 44 probes on 3 of 4 networks, 44 prefixes; "
        "began between 09:55 and 10:05 UTC on 2023-12-17; "
        f"extreme: X comes at 140 kbit/s, unrelated sites 57.1 times as fast (medians); {VERSIONS}"
    )
    (part,) = describe(together(SLOW), ENGLISH)["parts"]
    assert (part["stage"], part["failure"]) == (None, None)
    assert part["slow"] == {"probes": 38, "times_slower": 57.14, "bits_per_second": 140_213, "extreme": True}


def test_what_is_only_partly_throttling_is_not_called_so() -> None:
    fails = replace(PART, platform="youtube", cause=Cause.DISRUPTION)
    assert "disruption of X and YouTube" in said(together(SLOW, fails))


def test_handshakes_held_back_have_no_rate_to_tell() -> None:
    assert "; handshakes held back; " in said(together(replace(SLOW, slow=None)))
