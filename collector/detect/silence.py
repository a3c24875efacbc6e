"""Who has fallen silent without a word: a country's probes, minute by minute. PURE.

A probe says every minute that it is there, and says so when it leaves; what was there and is heard no more
is *lost*. A network that loses most of its homes within three minutes is *dark*, and a country is where
networks that have nothing to do with each other go dark together. Nothing is said where nobody else is
heard either: then it is we who are deaf, or were away.

What cannot be told while it lasts: a line that is cut and a way to us that is cut are silent alike. What
the lost measured meanwhile comes when they are back and says which it was (`told`); machines that measured
nothing were off.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from .ballots import Ballot, Count, Place, Standing, at_home, counted_homes, homes
from .cells import CONNECTIVITY
from .likelihood import surprise
from .nation import capped_weights
from .network import ALARMED, Condition
from .spans import Span
from .thresholds import PAUSE_S, Thresholds

BEAT_S = 60.0  # how often a probe says that it is there
HOURS_A_WEEK = 168

Homes = Mapping[str, Mapping[int, Sequence[tuple[Ballot, float]]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dark:
    """A network that fell silent. `since` is the minute of the first heartbeat that did not come, `seen_at`
    the one after which that was known. `homes` of `of` were lost at its worst, which is `surprise` nats
    from chance. `silent` are those that are lost still, by one probe each, `back` counts those that were."""

    since: int
    seen_at: int
    of: int
    homes: int
    surprise: float
    silent: tuple[str, ...]
    back: int = 0
    back_minutes: int = 0

    @property
    def back_share(self) -> float:
        """The share of those lost that are heard again."""
        return self.back / (self.back + len(self.silent))

    @property
    def share(self) -> float:
        """The share of the network that was silent at its worst."""
        return self.homes / self.of


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One silence of a country, in minutes since the Unix epoch. `over` is the first in which it was over.
    `lost` counts its homes, `networks` those that had enough of them there; `told` has the last word of each
    on its line from while it was silent, by its probe."""

    since: int
    confirmed: int | None = None
    nationwide: bool = False
    beyond_mobile: bool = False
    over: int | None = None
    lost: int = 0
    networks: int = 0
    told: Mapping[str, bool] = field(default_factory=dict)

    def was_heard_elsewhere(self, limits: Thresholds) -> bool:
        """Whether the lines of most were well while we did not hear them: what was cut is the way to us."""
        well = sum(self.told.values())
        return well >= limits.told_homes and 2 * well > max(len(self.told), self.lost)

    def was_never_told_of(self, minute: int, limits: Thresholds) -> bool:
        """Whether nobody has measured anything while silent, long after it was over."""
        return self.over is not None and minute - self.over >= limits.told_minutes and not self.told


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """A country. `condition` is of the nation or its mobile networks, not of a single network; `deaf_at` the
    last minute in which we heard nobody; `event` the last there was. Hazards are the chance to fall silent
    within a minute on any day: of a day, and by hour of the week."""

    condition: Condition = Condition.INSUFFICIENT
    deaf_at: int = 0
    networks: Mapping[int, Dark] = field(default_factory=dict)
    event: Event | None = None
    hazard: float = 0.0
    hazards: Mapping[int, float] = field(default_factory=dict)

    @property
    def is_alarmed(self) -> bool:
        """Whether something goes on, be it in one network."""
        return self.event is not None and self.event.over is None

    def is_sure_alone(self, one: Dark, limits: Thresholds) -> bool:
        """Whether one network's silence is sure without any other's."""
        return one.of >= limits.silent_homes and one.surprise >= limits.silence_h

    @property
    def lost(self) -> int:
        """How many homes are silent now."""
        return sum(len(dark.silent) for dark in self.networks.values())


@dataclass(frozen=True, slots=True)
class Minute:
    """Who was there, at the end of a minute. A ballot is of a probe that was there two pauses ago, and
    fails if it was lost since; `there` has been heard since then, `fresh` just now."""

    number: int
    ballots: Mapping[str, Mapping[int, Sequence[Ballot]]]
    there: frozenset[str]
    fresh: frozenset[str]


def heard_between(first: int, last: int) -> tuple[float, float]:
    """All that minutes `first` to `last` are about: spans last heard from after the one moment and begun by
    the other, in Unix seconds."""
    return (first + 1) * 60.0 - 2 * PAUSE_S, (last + 1) * 60.0


def minute_of(spans: Collection[Span], number: int, limits: Thresholds) -> Minute:
    """Minute `number`, of the spans that reach into the six minutes before its end."""
    at = (number + 1) * 60.0
    begun = [span for span in spans if span.first_at <= at]
    there = frozenset(span.probe for span in begun if span.last_at > at - PAUSE_S)
    before = at - 2 * PAUSE_S
    ballots: dict[str, dict[int, list[Ballot]]] = {}
    for span in begun:
        if span.first_at <= before - limits.steady_s and span.last_at > before:
            lost = span.probe not in there and not span.said_bye
            ballot = Ballot(probe=span.probe, at=min(span.last_at, at), prefix=span.prefix, failed=lost)
            ballots.setdefault(span.country, {}).setdefault(span.asn, []).append(ballot)
    fresh = frozenset(span.probe for span in begun if span.last_at > at - limits.heard_s)
    return Minute(number, ballots, there, fresh)


def advance(
    watches: Mapping[str, Watch],
    minute: Minute,
    standings: Mapping[str, Standing],
    shares: Mapping[str, Mapping[int, float]],
    mobile: Collection[int],
    limits: Thresholds,
    abroad: Sequence[float] = (),
) -> dict[str, Watch]:
    """Every country's watch after a minute, which must be the next. `mobile` are the ASNs of mobile
    networks, `shares` users' shares by country and ASN; `abroad` is what `heard` gives of countries that
    are not in the minute, where it is about one country alone."""
    there = homes_of(minute, standings, limits)
    shares_heard = heard(there, minute, limits)
    after = {}
    for country in sorted({*watches, *there}):
        others = [*abroad, *(share for other, share in shares_heard.items() if other != country)]
        here = there.get(country, {})
        hears = _hears(here, others, mobile, minute, limits)
        before = watches.get(country, Watch())
        if here and not hears:
            before = replace(before, deaf_at=minute.number)
        elif minute.number - before.deaf_at <= 2 * PAUSE_S // 60:
            hears = set()  # who is not back yet is none that was lost
        counts = {asn: counted_homes(some, limits) for asn, some in here.items()}
        place = _Place(minute, here, counts, hears, shares.get(country, {}), mobile, limits)
        after[country] = place.after(before)
    return after


def homes_of(minute: Minute, standings: Mapping[str, Standing], limits: Thresholds) -> Homes:
    """Those that count, by country and ASN: one ballot a home, in one network of one country, and none of
    keys that weigh nothing yet."""
    said = {
        Place(country, asn, CONNECTIVITY): some
        for country, networks in sorted(minute.ballots.items())
        for asn, some in sorted(networks.items())
    }
    found: dict[str, dict[int, Sequence[tuple[Ballot, float]]]] = {}
    for place, some in homes(at_home(said, standings, limits), standings, limits).items():
        if some:
            found.setdefault(place.country, {})[place.asn] = some
    return found


def heard(there: Homes, minute: Minute, limits: Thresholds) -> dict[str, float]:
    """The share of the homes that were there that was heard just now, by country; without countries that
    are too small to say."""
    shares = {}
    for country, networks in there.items():
        fresh = [ballot.probe in minute.fresh for some in networks.values() for ballot, _ in some]
        if len(fresh) >= limits.least_votes:
            shares[country] = sum(fresh) / len(fresh)
    return shares


def _hears(
    here: Mapping[int, Sequence[tuple[Ballot, float]]],
    abroad: Sequence[float],
    mobile: Collection[int],
    minute: Minute,
    limits: Thresholds,
) -> set[int]:
    """The networks that we would hear, because we hear others: most countries abroad, or else their
    neighbours, all that are not going dark themselves or, of phones, the fixed lines and the other way
    round."""
    if abroad and median(abroad) >= limits.heard_share:
        return set(here)
    lit = {asn for asn, some in here.items() if _lost(some) < limits.dark_share}

    def is_heard(others: Iterable[int]) -> bool:
        fresh = [ballot.probe in minute.fresh for other in others for ballot, _ in here[other]]
        return len(fresh) >= limits.least_votes and sum(fresh) / len(fresh) >= limits.heard_share

    return {
        asn
        for asn in here
        if is_heard(lit - {asn}) or is_heard(o for o in here if (o in mobile) != (asn in mobile))
    }


def _lost(some: Sequence[tuple[Ballot, float]]) -> float:
    return sum(ballot.failed for ballot, _ in some) / len(some)


@dataclass(frozen=True, slots=True)
class _Place:
    """One country in one minute; of `hears` we know that we would hear them."""

    minute: Minute
    homes: Mapping[int, Sequence[tuple[Ballot, float]]]
    counts: Mapping[int, Count]
    hears: Collection[int]
    weights: Mapping[int, float]
    mobile: Collection[int]
    limits: Thresholds

    def after(self, before: Watch) -> Watch:
        hazard = self._hazard(before)
        networks = {asn: self._still(dark) for asn, dark in before.networks.items()}
        for asn in self.counts.keys() & self.hears:
            fallen = self._fallen(asn, hazard)
            if fallen is not None:
                known = networks.get(asn)
                networks[asn] = fallen if known is None else self._deeper(known, fallen)
        networks = {asn: dark for asn, dark in sorted(networks.items()) if not self._is_over(dark)}
        after = self._learnt(before) if not networks and self.counts.keys() == self.hears else before
        word = self._word(networks, before.condition)
        return replace(after, condition=word, networks=networks, event=self._event(before, networks, word))

    def _hazard(self, before: Watch) -> float:
        known = before.hazards.get(self._hour, before.hazard)
        return min(self.limits.hazard_most, max(self.limits.hazard_least, known))

    @property
    def _hour(self) -> int:
        return self.minute.number // 60 % HOURS_A_WEEK

    def _learnt(self, before: Watch) -> Watch:
        """The hazards with an ordinary minute more; a count spans three."""
        there = sum(one.votes for one in self.counts.values())
        if not there:
            return before
        now = sum(one.failing for one in self.counts.values()) / there / (PAUSE_S / 60)
        hour = before.hazards.get(self._hour, before.hazard)
        slow, fast = self.limits.hazard_hour_minutes, self.limits.hazard_day_minutes
        return replace(
            before,
            hazard=round(before.hazard + (now - before.hazard) / fast, 9),
            hazards={**before.hazards, self._hour: round(hour + (now - hour) / slow, 9)},
        )

    def _fallen(self, asn: int, hazard: float) -> Dark | None:
        """The network as one that went dark in these minutes, if it did."""
        one = self.counts[asn]
        if one.votes < self.limits.least_votes or one.share < self.limits.dark_share:
            return None
        lost = sorted((ballot.at, ballot.probe) for ballot, _ in self.homes[asn] if ballot.failed)
        chance = 1 - (1 - hazard) ** (PAUSE_S / 60)
        rare = surprise(int(one.failing), round(one.votes), chance, self.limits.rho_silence)
        if rare < self.limits.silence_h / 2:
            return None
        return Dark(
            # Of the first heartbeat that did not come, but for one in ten that may have gone by itself.
            since=math.ceil(lost[len(lost) // 10][0] / BEAT_S),
            seen_at=self.minute.number,
            of=one.prefixes,
            homes=one.failing_prefixes,
            surprise=round(rare, 3),
            silent=tuple(sorted(probe for _, probe in lost)),
        )

    def _deeper(self, known: Dark, fallen: Dark) -> Dark:
        """What goes on, with who was lost since; its worst minute is kept."""
        worst = max(known, fallen, key=lambda one: (one.surprise, one.homes))
        silent = tuple(sorted({*known.silent, *fallen.silent}))
        return replace(
            known, of=worst.of, homes=worst.homes, surprise=worst.surprise, silent=silent, back_minutes=0
        )

    def _still(self, dark: Dark) -> Dark:
        silent = tuple(probe for probe in dark.silent if probe not in self.minute.there)
        after = replace(dark, silent=silent, back=dark.back + len(dark.silent) - len(silent))
        is_back = after.back_share >= self.limits.back_share
        return replace(after, back_minutes=dark.back_minutes + 1 if is_back else 0)

    def _is_over(self, dark: Dark) -> bool:
        return (
            dark.back_minutes >= self.limits.back_minutes
            or self.minute.number - dark.seen_at > self.limits.forget_minutes
        )

    def _word(self, networks: Mapping[int, Dark], before: Condition) -> Condition:
        """What is to be said of the country, or of its mobile networks if that is more."""
        word = self._judged(networks, self.counts.keys() | networks.keys(), before)
        mobile = {asn for asn in (*self.counts, *networks) if asn in self.mobile}
        other = self._judged(networks, mobile, before)
        return max(word, other, key=list(Condition).index)

    def _judged(self, networks: Mapping[int, Dark], asns: Collection[int], before: Condition) -> Condition:
        limits = self.limits
        dark = {asn: one for asn, one in networks.items() if asn in asns}
        homes = {asn: dark[asn].of if asn in dark else self.counts[asn].prefixes for asn in asns}
        share = self._share(dark, homes)
        if before in ALARMED and len(dark) >= limits.nation_networks and share >= limits.suspect_share:
            least = before
        elif sum(homes.values()) < limits.silent_homes:
            return Condition.INSUFFICIENT
        else:
            least = Condition.OK if self.hears else Condition.INSUFFICIENT
        newest = max((one.seen_at for one in dark.values()), default=0)
        together = [one for one in dark.values() if newest - one.seen_at <= limits.dark_together_minutes]
        score = sum(min(one.surprise, limits.dark_most * limits.silence_h) for one in together)
        if len(together) < limits.nation_networks or share < limits.suspect_share:
            return least
        many = len(homes) >= limits.many_networks
        confirms = (
            score >= limits.silence_h
            and sum(one.homes for one in together) >= limits.nation_prefixes
            and share >= (limits.many_share if many else limits.nation_share)
        )
        if confirms or least is Condition.CONFIRMED:
            return Condition.CONFIRMED
        return Condition.SUSPECTED if score >= limits.silence_h / 2 else least

    def _share(self, dark: Mapping[int, Dark], homes: Mapping[int, int]) -> float:
        """The silent share of some networks, each by its weight."""
        known = {asn: self.weights.get(asn) for asn, n in homes.items() if n >= self.limits.least_votes}
        known |= {asn: self.weights.get(asn) for asn in dark}
        capped = capped_weights(known, self.limits.network_cap)
        return sum(capped[asn] * one.share for asn, one in dark.items())

    def _event(self, before: Watch, networks: Mapping[int, Dark], word: Condition) -> Event | None:
        alone = [one for one in networks.values() if before.is_sure_alone(one, self.limits)]
        if not (alone or word in ALARMED):
            return self._ended(before)
        newest = max(one.seen_at for one in networks.values())
        together = self.limits.dark_together_minutes
        begun = min(one.since for one in networks.values() if newest - one.seen_at <= together)
        known = before.event if before.event and before.is_alarmed else Event(since=begun)
        sure = bool(alone) or word is Condition.CONFIRMED
        large = {asn for asn, one in self.counts.items() if one.votes >= self.limits.least_votes}
        return replace(
            known,
            since=min(known.since, begun),
            confirmed=self.minute.number if known.confirmed is None and sure else known.confirmed,
            nationwide=known.nationwide or word in ALARMED,
            beyond_mobile=known.beyond_mobile or self._is_beyond_mobile(networks),
            lost=max(known.lost, sum(len(one.silent) + one.back for one in networks.values())),
            networks=max(known.networks, len(large | networks.keys())),
        )

    def _ended(self, before: Watch) -> Event | None:
        """The last event; its end is the first minute of those in which enough were back."""
        if before.event is None or not before.is_alarmed:
            return before.event
        over = self.minute.number - self.limits.back_minutes + 1
        return replace(before.event, over=max(over, before.event.since + 1))

    def _is_beyond_mobile(self, networks: Mapping[int, Dark]) -> bool:
        """Whether fixed networks are dark too, and not just one small one by chance."""
        dark = {asn: one for asn, one in networks.items() if asn not in self.mobile}
        homes = {
            asn: dark[asn].of if asn in dark else self.counts[asn].prefixes
            for asn in {*self.counts, *networks}
            if asn not in self.mobile
        }
        return bool(dark) and self._share(dark, homes) >= self.limits.suspect_share


def told(watch: Watch, ballots: Mapping[int, Iterable[Ballot]]) -> Watch:
    """A country's watch once a round is complete: `ballots` are on the lines, by ASN. What the silent say
    of the time in which they were silent comes by another way, or late; both are heard here."""
    if watch.event is None or not watch.is_alarmed:
        return watch
    said = dict(watch.event.told)
    for asn, dark in watch.networks.items():
        silent = frozenset(dark.silent)
        for ballot in ballots.get(asn, ()):
            if ballot.probe in silent and ballot.at >= (dark.seen_at + 1) * 60:
                said[ballot.probe] = not ballot.failed
    return replace(watch, event=replace(watch.event, told=dict(sorted(said.items()))))
