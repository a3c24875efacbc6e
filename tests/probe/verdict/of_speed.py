"""Stories about how fast things come."""

from __future__ import annotations

from probe.wire.observation import Observation
from tests.rounds import OTHER_X_ADDRESS, X_ADDRESS, dns, fine, innocuous, reached, times, transfer

from .story import MEDIA, Story

WEB, CONTROL = "x/web", "foreign/one.example"
WELL = [*fine(WEB), *MEDIA]


def compared(
    theirs: tuple[float, ...],
    others: tuple[float, ...] = (20_000.0, 16_000.0, 24_000.0),
    *,
    rtt_s: float | None = 0.05,
    others_rtt_s: float = 0.05,
) -> list[Observation]:
    """Transfers in turn, in kbit/s, on a line that reaches everything."""
    return [
        *WELL,
        *(transfer(WEB, kbps, rtt_s=rtt_s) for kbps in theirs),
        *(transfer(CONTROL, kbps, rtt_s=others_rtt_s) for kbps in others),
    ]


def handshakes(theirs_s: tuple[float, ...], others_s: tuple[float, ...]) -> list[Observation]:
    """How long they take under the platform's name and under another, attempt by attempt."""
    return [
        dns(WEB, "system", X_ADDRESS),
        *(
            o
            for attempt, seconds in enumerate(theirs_s, 1)
            for o in times(1, reached(WEB, X_ADDRESS, handshake_s=seconds), first=attempt)
        ),
        *(
            o
            for attempt, seconds in enumerate(others_s, 1)
            for o in times(1, innocuous(reached(WEB, X_ADDRESS, handshake_s=seconds)), first=attempt)
        ),
        *MEDIA,
    ]


CASES = {
    "throttle.extreme": Story(says="throttled: throttle likely", seen=compared((128.0, 330.0, 540.0))),
    "throttle.ceiling": Story(
        says="throttled: throttle likely", seen=compared((128.0, 130.0, 140.0), (800.0, 900.0, 1000.0))
    ),
    "throttle.handshake": Story(
        says="throttled: throttle likely", seen=handshakes((2.0, 2.5, 3.0), (0.1, 0.12, 0.11))
    ),
}

ALSO = {
    "a shaper in whose queue a round trip seems long, beside an earlier one that was not": (
        "throttle.extreme",
        Story(
            says="throttled: throttle likely",
            seen=[*compared((128.0, 130.0, 140.0), rtt_s=0.6), *reached(WEB, OTHER_X_ADDRESS)],
        ),
    ),
}

INNOCENT = {
    "a line that is slow for everything": Story(
        says="ok", seen=compared((128.0, 130.0, 140.0), (150.0, 130.0, 500.0))
    ),
    "a way that is crowded: slow, and by another measure each time": Story(
        says="ok", seen=compared((120.0, 180.0, 250.0), (1200.0, 1400.0, 1600.0))
    ),
    "a way that is narrow: level, and no slower than ways are": Story(
        says="ok", seen=compared((900.0, 950.0, 1000.0), (5000.0, 5500.0, 6000.0))
    ),
    "one slow transfer of three": Story(says="ok", seen=compared((128.0, 9000.0, 8000.0))),
    "one fast transfer of three": Story(says="ok", seen=compared((128.0, 130.0, 9000.0))),
    "two slow transfers and no third": Story(says="ok", seen=compared((128.0, 130.0))),
    "two unrelated transfers and no third": Story(
        says="ok", seen=compared((128.0, 130.0, 140.0), (20_000.0, 16_000.0))
    ),
    "an unrelated transfer that is slow as well": Story(
        says="ok", seen=compared((128.0, 130.0, 140.0), (20_000.0, 16_000.0, 200.0))
    ),
    "a slower way that is fast enough for video": Story(
        says="ok", seen=compared((2000.0, 2100.0, 2200.0), (90_000.0, 90_000.0, 90_000.0))
    ),
    "a distant server: 64 KiB in three round trips of 200 ms": Story(
        says="ok", seen=compared((5e5, 5e5, 5e5), rtt_s=0.2)
    ),
    "a distant server on a line that loses packets": Story(
        says="ok",
        seen=compared((220.0, 240.0, 260.0), (2200.0, 2400.0, 2600.0), rtt_s=0.2, others_rtt_s=0.02),
    ),
    "a machine that cannot tell how far away a server is": Story(
        says="ok", seen=compared((128.0, 130.0, 140.0), rtt_s=None)
    ),
    "objects that are gone": Story(
        says="ok",
        seen=[*compared(()), *(transfer(WEB, 128.0, status=404) for _ in range(3))],
    ),
    "one long handshake of three": Story(says="ok", seen=handshakes((2.0, 0.1, 3.0), (0.1, 0.12, 0.11))),
    "two long handshakes and no third": Story(says="ok", seen=handshakes((2.0, 2.5), (0.1, 0.12, 0.11))),
    "long handshakes beside two under another name": Story(
        says="ok", seen=handshakes((2.0, 2.5, 3.0), (0.1, 0.12))
    ),
    "handshakes that are long under every name": Story(
        says="ok", seen=handshakes((2.0, 2.5, 3.0), (2.1, 2.2, 2.0))
    ),
    "handshakes that are longer by less than a person could feel": Story(
        says="ok", seen=handshakes((0.2, 0.21, 0.2), (0.1, 0.12, 0.11))
    ),
}
