"""What a probe sees at a moment: a story's events, its own ways, and chance. PURE.

`World.sees` decides, `World.round` makes a wire record of it, `World.body` makes the same record's bytes
without building it: a nation takes thousands of batches a second, of which all but a name, a time and a
place are one of some dozens of templates. A test holds that both are the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from probe.wire.codec import encode, rfc3339
from probe.wire.exchange import Heartbeat, Presence
from probe.wire.observation import SCHEMA, Batch, Round

from .chance import draw, secret
from .population import Probe, populate
from .story import OF_A_PLATFORM, OF_THE_LINE, UNHEARD, Event, Story, What
from .templates import Seen, template

AGENT = "reachwatch-nation/1"
HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Touch:
    """An event as one probe meets it: when it begins and ends for this one."""

    what: What
    begins: float
    ends: float
    platforms: frozenset[str]
    leaks: float
    rate_kbps: float
    words: str


@dataclass(frozen=True)
class World:
    """A story with its people in it. Times are seconds since the story began."""

    story: Story
    seed: int
    probes: tuple[Probe, ...]
    touches: dict[str, tuple[Touch, ...]]

    @classmethod
    def of(cls, story: Story, seed: int, scale: float = 1.0) -> World:
        """Populate a story, and settle once for all whom which event touches."""
        probes = populate(story, seed, scale)
        return cls(story, seed, probes, {one.name: tuple(_touches(story, seed, one)) for one in probes})

    def is_up(self, probe: Probe, at: float) -> bool:
        """Whether its people have it on. The share moves evenly from hour to hour, so nobody's probes go
        off in one stroke, which would be what a shutdown looks like."""
        local_h = (self.story.began + at + probe.utc_offset) / HOUR_S % 24
        hour = int(local_h)
        online = self.story.probes.online
        share = online[hour] + (local_h - hour) * (online[(hour + 1) % 24] - online[hour])
        return probe.sleepiness < share

    def is_heard(self, probe: Probe, at: float) -> bool:
        """Whether what it sends would arrive."""
        return not any(t.what in UNHEARD and t.begins <= at < t.ends for t in self.touches[probe.name])

    def heard_again(self, probe: Probe, at: float) -> float:
        """When what it has to send at `at` arrives at the earliest."""
        ends = [t.ends for t in self.touches[probe.name] if t.what in UNHEARD and t.begins <= at < t.ends]
        return max(ends, default=at)

    def sees(self, probe: Probe, at: float, number: int) -> Seen:
        """What its round of this number, begun at `at`, is like."""
        active = [t for t in self.touches[probe.name] if t.begins <= at < t.ends]
        line = self._line(probe, active)
        if line is not What.OK:
            return Seen(tuple((name, What.OK) for name in self.story.platforms), line)
        found = tuple(
            (name, self._platform(probe, name, at, number, active)) for name in self.story.platforms
        )
        every = self.story.probes.speed_every
        # Probes start at different rounds, so that speeds are not compared by all of a nation at once.
        with_speed = bool(every) and (number + int(probe.phase_s)) % every == 0
        rate_kbps = next((t.rate_kbps for t in active if t.what is What.THROTTLE), 0.0)
        return Seen(found, with_speed=with_speed, rate_kbps=rate_kbps)

    def round(self, probe: Probe, at: float, number: int) -> Round | None:
        """The round as a record; None where the probe is off."""
        if not self.is_up(probe, at):
            return None
        rnd = template(self.sees(probe, at, number)).rnd
        return replace(
            rnd,
            round_id=self._round_id(probe, number),
            started_at=datetime.fromtimestamp(self.theirs(probe, at), UTC),
            network=probe.place,
        )

    def batch(self, probe: Probe, at: float, number: int, sequence: int) -> Batch | None:
        """The batch that carries it, as a record; None where the probe is off."""
        rnd = self.round(probe, at, number)
        if rnd is None:
            return None
        return Batch(schema=SCHEMA, probe=probe.probe_id, sequence=sequence, agent=AGENT, rounds=(rnd,))

    def body(self, probe: Probe, at: float, number: int, sequence: int) -> bytes:
        """`encode` of that batch, byte for byte, of a probe that is up."""
        made = template(self.sees(probe, at, number))
        started = rfc3339(datetime.fromtimestamp(self.theirs(probe, at), UTC))
        head = (
            f'{{"schema":"{SCHEMA}","probe":"{probe.probe_id}","sequence":{sequence},"agent":"{AGENT}",'
            f'"rounds":[{{"round_id":"{self._round_id(probe, number)}","started_at":"{started}",'
            f'"duration_s":{made.rnd.duration_s},'
            f'"network":{{"country":"{probe.place.country}","asn":{probe.place.asn}}},'
        )
        return b"".join((head.encode(), made.tail, b"]}"))

    def heartbeat(self, probe: Probe, at: float, state: Presence = Presence.ALIVE) -> bytes:
        """Its word that it is there, or that it is leaving."""
        sent_at = datetime.fromtimestamp(self.theirs(probe, at), UTC)
        return encode(
            Heartbeat(schema=SCHEMA, probe=probe.probe_id, state=state, sent_at=sent_at, network=probe.place)
        )

    def theirs(self, probe: Probe, at: float) -> float:
        """The moment by the probe's own clock, in Unix seconds."""
        return round(self.story.began + at + probe.skew_s, 3)

    def _round_id(self, probe: Probe, number: int) -> str:
        return secret(self.seed, probe.name, "round", number).hex()[:32]

    def _line(self, probe: Probe, active: Iterable[Touch]) -> What:
        # A silence is a dead line: what is measured in it says so, when it can be told at last.
        what = next((t.what for t in active if t.what in OF_THE_LINE), What.OK)
        if what in (What.SILENCE, What.OK):
            return What.CONTROLS_FAIL if what is What.SILENCE or probe.has_broken_controls else What.OK
        return what

    def _platform(self, probe: Probe, name: str, at: float, number: int, active: Sequence[Touch]) -> What:
        lie = probe.lie
        if lie and lie.begins <= at < lie.ends and (not lie.platforms or name in lie.platforms):
            return lie.claims
        for touch in active:
            if touch.what in OF_A_PLATFORM and name in touch.platforms:
                if touch.leaks and draw(touch.words, probe.name, name, number) < touch.leaks:
                    continue
                return touch.what
        ways = self.story.probes
        chance = ways.flaky_rate if probe.is_flaky else ways.noise
        return What.GLITCH if draw(self.seed, "noise", probe.name, name, number) < chance else What.OK


def _touches(story: Story, seed: int, probe: Probe) -> Iterator[Touch]:
    for index, event in enumerate(story.event):
        words = f"{seed}/event/{index}"
        if not _is_meant(event, probe) or draw(words, probe.name) >= event.efficacy:
            continue
        begins = event.begins + event.stagger * _turn_of(story, event, probe)
        if begins < event.ends:
            platforms = frozenset(event.platforms or story.platforms)
            rate_kbps = event.rate_kbps or 0.0
            yield Touch(event.what, begins, event.ends, platforms, event.leaks, rate_kbps, words)


def _is_meant(event: Event, probe: Probe) -> bool:
    return (
        (not event.countries or probe.country in event.countries)
        and (not event.networks or probe.network.asn in event.networks)
        and (probe.network.mobile or not event.mobile_only)
    )


def _turn_of(story: Story, event: Event, probe: Probe) -> int:
    """Which of an event's networks this is, in the order in which they are reached."""
    if event.networks:
        return event.networks.index(probe.network.asn)
    country = next(country for country in story.country if country.code == probe.country)
    return country.network.index(probe.network)
