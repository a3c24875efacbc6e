"""Ten homes with real agents at one-minute rounds, a real collector, and what was said to whom and when.

    with nation(lab, folder) as homes:
        homes.event("sni_reset", ("x", "youtube"))

A key counts for nothing in its first day and a home without a past has no say, so the keys were enrolled
eight days ago and everybody has half an hour of clean rounds. Everything after that is real: agents,
censor, uploads, detection, webhooks. The clock is the world's.
"""

from __future__ import annotations

import base64
import json
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from collector.detector import LATE_S
from collector.store import open_store
from probe.wire.codec import decode
from probe.wire.observation import Batch
from tests.nation.chance import secret
from tests.nation.files import load
from tests.nation.world import World

from .namespace import python, running
from .network import Lab, probe_config
from .street import House, street

T = TypeVar("T")

STORY, SEED = Path(__file__).parent / "nation.toml", 4
ROUND_S = 60
MAIN, METRICS, RECEIVER = 8460, 8461, 8462
COUNTRY = "PK"
# What of the past came before the detector first looked counts at once; the rest is late, and waits.
READY_S = LATE_S + 2 * ROUND_S
ENROLLED_S = 8 * 86_400.0


@dataclass(frozen=True, slots=True)
class Word:
    """A revision as the receiver got it: published and received, in Unix seconds."""

    published: float
    received: float
    said: dict[str, Any]

    def is_of(self, platforms: Sequence[str], phase: str) -> bool:
        """Whether it says this of the nation, for one of these platforms at least: what one shows is soon
        shown of the other, and is no new word."""
        theirs = {part["platform"] for part in self.said["parts"] if part["phase"] == phase}
        return (
            self.said["country"] == COUNTRY
            and self.said["scope"] == "nation"
            and not self.said["revision"]["withdrawn"]
            and bool(theirs & set(platforms))
        )


@dataclass(frozen=True, slots=True)
class Measured:
    """A round as the collector has it: who, begun, how long it took, and received (Unix seconds)."""

    probe: str
    began: float
    took_s: float
    received: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One censorship, in Unix seconds: from when to when it was being switched on and off, and the words
    said of it. `page_bad` is when the state behind the page first had half of the votes failing."""

    scenario: str
    platforms: tuple[str, ...]
    on: tuple[float, float]
    off: tuple[float, float]
    first: Word
    suspected: Word
    confirmed: Word
    ended: Word
    page_bad: float | None


@dataclass
class Nation:
    """What runs, and what it said."""

    lab: Lab
    folder: Path
    probes: frozenset[str]
    beyond: subprocess.Popen[bytes] | None = None
    _read: int = 0
    notes: list[dict[str, Any]] = field(default_factory=list)

    def event(
        self, scenario: str, platforms: Sequence[str], *, after_s: float = 0.0, within_s: float = 420.0
    ) -> Event:
        """Switch it on so many seconds from now, wait until it is confirmed and told, switch it off and wait
        for the end. Raises `TimeoutError` with what was said instead."""
        time.sleep(after_s)
        on = self._switched(scenario, platforms)
        first = self._word(on[0], within_s, lambda word: bool(_named(word) & set(platforms)))
        suspected = self._word(
            on[0],
            within_s,
            lambda word: word.is_of(platforms, "suspected") or word.is_of(platforms, "confirmed"),
        )
        confirmed = self._word(on[0], within_s, lambda word: word.is_of(platforms, "confirmed"))
        # An event that ends within the round that made it sure would have been too short to be sure of.
        time.sleep(max(0.0, (confirmed.published // ROUND_S + 1) * ROUND_S - time.time()))
        off = self._switched("clean", None)
        ended = self._word(off[0], within_s, lambda word: word.is_of(platforms, "ended"))
        page = [
            note["at"]
            for note in self.notes
            if note["what"] == "page" and note["bad"] and note["platform"] in platforms and note["at"] > on[0]
        ]
        return Event(
            scenario=scenario, platforms=tuple(platforms), on=on, off=off, first=first, suspected=suspected,
            confirmed=confirmed, ended=ended, page_bad=min(page, default=None),
        )  # fmt: skip

    def rounds(self) -> list[Measured]:
        """Every round that the real agents have sent; asked when the collector is gone."""
        store = open_store(f"sqlite://{self.folder / 'data'}")
        try:
            return [
                Measured(batch.probe, rnd.started_at.timestamp(), rnd.duration_s, batch.received_at)
                for batch in store.batches()
                if batch.probe in self.probes
                for rnd in decode(Batch, batch.body).rounds
            ]
        finally:
            store.close()

    def until(self, found: Callable[[], T | None], within_s: float, what: str) -> T:
        """Read the notes until there is an answer; raises `TimeoutError`, and `RuntimeError` where nobody
        writes any more."""
        deadline = time.monotonic() + within_s
        while True:
            self._look()
            answer = found()
            if answer is not None:
                return answer
            if self.beyond is not None and self.beyond.poll() is not None:
                raise RuntimeError((self.folder / "beyond.log").read_text()[-2000:])
            if time.monotonic() > deadline:
                said = [note["said"]["claim"] for note in self.notes if note["what"] == "webhook"]
                raise TimeoutError(f"{what} was not said within {within_s:g} s; said was {said or 'nothing'}")
            time.sleep(0.1)

    def _switched(self, scenario: str, platforms: Sequence[str] | None) -> tuple[float, float]:
        began = time.time()
        self.lab.switch(scenario, platforms)
        return began, time.time()

    def _word(self, since: float, within_s: float, fits: Callable[[Word], bool]) -> Word:
        def found() -> Word | None:
            return next((word for word in self._words(since) if fits(word)), None)

        return self.until(found, within_s, "what is true")

    def _words(self, since: float) -> Iterator[Word]:
        for note in self.notes:
            if note["what"] == "webhook":
                published = datetime.fromisoformat(note["said"]["revision"]["at"]).timestamp()
                if published >= since:
                    yield Word(published, note["at"], note["said"])

    def _look(self) -> None:
        """Take in the lines that are whole; what a program says of its end is kept for who looks."""
        text = (self.folder / "beyond.log").read_bytes()
        whole = text.rfind(b"\n") + 1
        for line in text[self._read : whole].splitlines():
            if line.startswith(b"{"):
                self.notes.append(json.loads(line))
        self._read = max(self._read, whole)


def _named(word: Word) -> set[str]:
    return {part["platform"] for part in word.said["parts"]} if word.said["country"] == COUNTRY else set()


@contextmanager
def nation(lab: Lab, folder: Path) -> Iterator[Nation]:
    """Everybody there and with a say. Raises `TimeoutError` if that does not come to be."""
    world = World.of(load(str(STORY)), SEED)
    real = [probe for probe in world.probes if probe.country == COUNTRY]
    store = open_store(f"sqlite://{folder / 'data'}")
    for probe in world.probes:
        store.enrol(probe.probe_id, probe.identity.public_key, time.time() - ENROLLED_S)
    store.close()
    found = Nation(lab, folder, frozenset(probe.probe_id for probe in real))
    with ExitStack() as stack:
        houses = stack.enter_context(street(lab, len(real) // 2))
        collector = lab.collector.popen(
            *python("collector", "serve", "--config", str(_collector_config(folder))),
            log=folder / "collector.log",
        )
        stack.enter_context(running(collector))
        found.until(lambda: True if _is_up(lab) else None, READY_S, "a collector")
        words = (str(STORY), str(SEED), f"http://127.0.0.1:{MAIN}", f"http://127.0.0.1:{METRICS}")
        found.beyond = lab.collector.popen(
            *python("tests.lab.beyond", *words, str(RECEIVER)), log=folder / "beyond.log"
        )
        stack.enter_context(running(found.beyond))
        for house, probe in zip(houses, real, strict=True):
            assert house.isp.asn == probe.network.asn
            stack.enter_context(running(_agent(lab, house, folder, secret(SEED, probe.name))))
        found.until(lambda: _armed(found), READY_S, "that all homes have a say")
        yield found


def _armed(found: Nation) -> bool | None:
    return True if any(note["what"] == "armed" for note in found.notes) else None


def _is_up(lab: Lab) -> bool:
    done = lab.collector.run("curl", "-sfo", "/dev/null", f"http://127.0.0.1:{MAIN}/readyz", check=False)
    return done.returncode == 0


def _collector_config(folder: Path) -> Path:
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    (folder / "beyond.log").touch()
    path = folder / "collector.toml"
    path.write_text(
        f'listen = "0.0.0.0:{MAIN}"\nmetrics_listen = "127.0.0.1:{METRICS}"\n'
        f'data_dir = "{folder / "data"}"\n'
        f"[detection]\nround_s = {ROUND_S}\n"
        # The state is looked at four times a second, from one address.
        "[api]\nrequests_a_minute = 0\n"
        f'[[webhooks]]\nname = "newsroom"\nurl = "http://127.0.0.1:{RECEIVER}/"\n'
        f'secret = "whsec_{key}"\nphase = "suspected"\n'
    )
    return path


def _agent(lab: Lab, house: House, folder: Path, seed: bytes) -> Any:
    """An agent with this key, as shipped but for how often it measures."""
    state = folder / house.place.name
    config = probe_config(lab, state, isp=house.isp, shipped=True, interval_s=ROUND_S)
    key = state / "identity.key"
    key.touch(mode=0o600)
    key.write_bytes(seed)
    return house.place.popen(
        *python("probe", "start", "--config", str(config)), log=folder / f"{house.place.name}.log"
    )
