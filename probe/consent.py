"""What the volunteer agreed to: the text, the answer, and where the answer is kept.

Nothing leaves this machine for a collector without a yes to the text as it stands. A text that says
something else has a higher version, and is asked anew. PURE but for `read_answer` and `write_answer`.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

VERSION = 1

TEXT = """\
What you are asked to agree to (text 1)

What is measured. Every few minutes this machine asks for small pages of X, Facebook, Instagram and
YouTube and of unrelated sites, as a browser would: names, connections, encryption, answers. It never
logs in, never looks at what you do, and never listens to traffic that is not its own.

What is sent, to the collectors in your configuration and to nobody else: what was answered and when,
how long it took, which name servers answered, your network and country if you set them, and a
pseudonym, another one on each network you use where networks can be told apart (phones' hot spots and
mobile lines cannot). Once a minute it says that it is here. A collector sees the address that you come
from, as every site does.

What is not sent: your name, your account, your address as text, other devices, other traffic.

The risk. Your provider, and whoever it answers to, can see that this line contacts these sites and the
collector at regular times, with or without your yes to sending. In some countries that draws
attention, and asking for a blocked site, or telling others that it is blocked, may be dangerous or
forbidden. You know your country better than this text does: if in doubt, do not take part.

How to stop. `reachwatch-probe pause` and `resume`; `reachwatch-probe consent --no` measures for
yourself alone and drops what waits to be sent; `--without NAME` leaves a platform out; stopping the
agent stops everything. `reachwatch-probe forget` deletes what is kept on this machine, and the seed of
your pseudonyms. What a collector has by then it cannot take back: that stays there until its
operator's time for it is over, and evidence of a disruption that it published, in which nobody is
named, stays longer.
"""


class ConsentError(Exception):
    """The answer cannot be read or kept; the message names the path."""


class Standing(StrEnum):
    """How it stands with sending."""

    GIVEN = "given"
    REFUSED = "refused"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered to which text, when (Unix seconds), and which platforms are left out."""

    version: int
    given: bool
    at: float
    without: tuple[str, ...] = ()


def standing(answer: Answer | None, setting: str) -> Standing:
    """A configuration that says ``yes`` or ``no`` goes first: it was written for this machine, and an
    answer to another text is none. A no stays a no whatever the text."""
    if setting:
        return Standing.GIVEN if setting == "yes" else Standing.REFUSED
    if answer is None:
        return Standing.UNDECIDED
    if not answer.given:
        return Standing.REFUSED
    return Standing.GIVEN if answer.version == VERSION else Standing.UNDECIDED


def remaining(platforms: Iterable[str], answer: Answer | None) -> tuple[str, ...]:
    """The platforms that the volunteer has not left out; that holds whatever was said of sending."""
    left_out = answer.without if answer else ()
    return tuple(name for name in platforms if name not in left_out)


def read_answer(state_dir: Path) -> Answer | None:
    """The answer in ``consent.json``, None where there was none yet. Raises `ConsentError`: who has
    answered something that cannot be read has not agreed to anything."""
    path = state_dir / "consent.json"
    try:
        return _answer(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConsentError(f"{path}: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ConsentError(f"{path}: damaged; answer again (`reachwatch-probe consent`)") from None


def _answer(found: object) -> Answer:
    if not isinstance(found, dict) or not isinstance(found["given"], bool):
        raise ValueError
    without = found["without"]
    if not isinstance(without, list) or not all(isinstance(name, str) for name in without):
        raise ValueError
    return Answer(int(found["version"]), found["given"], float(found["at"]), tuple(without))


def write_answer(state_dir: Path, answer: Answer) -> None:
    """Keep it, whole or not at all. Raises `ConsentError`."""
    path = state_dir / "consent.json"
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=state_dir, prefix=f"{path.name}.", delete=False) as draft:
            json.dump(asdict(answer), draft)
            draft.flush()
            os.fsync(draft.fileno())
        Path(draft.name).replace(path)
    except OSError as error:
        raise ConsentError(f"{error.filename or path}: {error.strerror or error}") from None


def in_words(answer: Answer | None, how: Standing, when: str) -> str:
    """How it stands in one line; `when` is the moment of the answer."""
    if how is Standing.UNDECIDED:
        said = "the text has changed since" if answer else "not answered yet"
        return f"{said}: nothing is sent (`reachwatch-probe consent`)"
    sent = "rounds are sent" if how is Standing.GIVEN else "measured for this machine alone, nothing is sent"
    return f"{how}, {when}: {sent}{_left_out(answer.without if answer else ())}"


def _left_out(without: Sequence[str]) -> str:
    return f"; without {', '.join(without)}" if without else ""
