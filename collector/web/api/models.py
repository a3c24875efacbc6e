"""What the API answers, as types: the served document is made of them, and answers are held to them. PURE.

Keys are stable within a version. Times are RFC 3339 in UTC. Null is "not known" or "not so", never 0.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema, with_config
from typing_extensions import TypedDict  # pydantic wants it up to Python 3.11

from collector.detect.incidents import Cause, Phase, Scope
from collector.detect.network import Condition
from collector.web.ledger import Entry

_CLOSED = with_config({"extra": "forbid"})

Moment = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
Number = Annotated[int, Field(ge=0)]
Ratio = Annotated[float, Field(ge=0, le=1)]
Said = Annotated[
    Condition,
    Field(
        description="The detector's word. `suspected` is possible and no more; `insufficient` means that too "
        "few can judge, and never that all is well."
    ),
]


@_CLOSED
class StageCounts(TypedDict):
    """Observations of one stage in the window."""

    succeeded: Number
    failed: Number


@_CLOSED
class PlatformState(TypedDict):
    """One platform from one place now. Of `votes` prefixes `failing` failed by their newest vote; `ratio` is
    the share that reaches it. Statuses and mechanisms count rounds, stages observations. `newest_at` is the
    minute of the newest round."""

    condition: Said
    score: Annotated[float, Field(description="The evidence against chance, in nats (CUSUM).")]
    throttling: Annotated[Condition, Field(description="The same word on how fast it comes.")]
    votes: Number
    failing: Number
    ratio: Ratio | None
    statuses: dict[str, int]
    mechanisms: dict[str, int]
    stages: dict[str, StageCounts]
    newest_at: Moment | None


@_CLOSED
class CountryState(TypedDict):
    """One country now. Networks by AS number, then platform; where few prefixes voted on one it is left out.
    `silence` is the detector's word on probes that fell silent without a goodbye, nationwide or on mobile
    networks."""

    probes: Number
    silence: Condition
    platforms: dict[str, PlatformState]
    networks: dict[str, dict[str, PlatformState]]


@_CLOSED
class State(TypedDict):
    """What is so now. Votes count for `window_s` seconds up to `at`; conditions are as of `until`, the end
    of the last round that the detector has examined (null before its first)."""

    at: Moment
    window_s: float
    until: Moment | None
    countries: dict[str, CountryState]


@_CLOSED
class SeriesRow(TypedDict):
    """Armed votes on one platform in one round, which began at `at`: of the country, of one network, or of
    all networks of few prefixes together (`other`). Of `prefixes` homes `failing` failed; `weight` counts
    them by what each vote is worth (a new key's is 0), and `failing_ratio` rests on it, in a country each
    network at its share of users. `networks` had votes enough. Where `measure` is `speed` it is each home's
    newest word, within an hour, on how fast the platform comes, and failing is who is held back:
    `times_slower` than unrelated objects in the median of those."""

    at: Moment
    measure: Literal["reach", "speed"]
    platform: str
    scope: Literal["country", "network", "other"]
    asn: int | None
    condition: Said | None
    score: float | None
    prefixes: Number
    failing: Number | None
    weight: float
    failing_weight: float
    failing_ratio: Ratio | None
    networks: Number | None
    world_failing_ratio: Ratio | None
    times_slower: float | None


@_CLOSED
class Series(TypedDict):
    """A country's rounds, each `round_s` seconds long, from `since` up to `until`, oldest first. What is not
    there had no votes: a gap, and never well."""

    country: str
    since: Moment
    until: Moment
    round_s: float
    rows: list[SeriesRow]
    next: Annotated[Moment | None, Field(description="`from` for the rest, where this is not all.")]


@_CLOSED
class Between(TypedDict):
    """Something happened between two moments."""

    after: Moment
    before: Moment


@_CLOSED
class WorstNetwork(TypedDict):
    """One network's worst round in an incident."""

    asn: Number
    failing: Number
    prefixes: Number
    confirmed: bool


@_CLOSED
class SmallNetworks(TypedDict):
    """Networks of few prefixes, together."""

    count: Number
    failing: Number
    prefixes: Number


@_CLOSED
class Slowness(TypedDict):
    """How slow it is to `probes`: so many times slower than unrelated objects on the same line."""

    probes: Number
    times_slower: float
    bits_per_second: float
    extreme: bool


@_CLOSED
class IncidentPart(TypedDict):
    """One platform in an incident. `stage` and `failure` say how most fail, `agreeing_ratio` how many do.
    `networks` and `small_networks` are those in trouble, of `networks_heard` that had votes enough.
    `national` is when the nation failed and not only single networks; of what is `unheard` nobody who could
    tell was heard after `ended`."""

    platform: str
    phase: Phase
    scope: Scope
    cause: Cause
    began: Between
    ended: Between | None
    national: Between | None
    unheard: bool
    confirmed_at: Moment | None
    failing: Number
    prefixes: Number
    networks: list[WorstNetwork]
    small_networks: SmallNetworks
    networks_heard: Number
    stage: str | None
    failure: str | None
    agreeing_ratio: Ratio | None
    mechanisms: list[str]
    world_failing_ratio: Ratio | None
    slow: Slowness | None


@_CLOSED
class RevisionSaid(TypedDict):
    """Which word on the incident this is, and what was new in it."""

    number: Annotated[int, Field(ge=1)]
    at: Moment
    reason: str
    withdrawn: bool
    superseded_by: str | None


@_CLOSED
class Incident(TypedDict):
    """One published word on an incident: the same that webhooks and feeds carry. `country` is ``*`` where a
    platform fails everywhere. `claim` is the whole of it in one sentence, with all that qualifies it; it
    and a revision's `reason` are in the collector's language. `url` is its page, null where the collector was
    not told its own address."""

    schema: Literal["reachwatch/incident/1"]
    id: str
    url: str | None
    country: str
    phase: Phase | Literal["withdrawn"]
    scope: Scope
    cause: Cause
    began: Between
    ended: Between | None
    claim: str
    parts: list[IncidentPart]
    release: str | None
    revision: RevisionSaid


@_CLOSED
class Incidents(TypedDict):
    """The last word on each incident, newest first."""

    incidents: list[Incident]
    next: Annotated[str | None, Field(description="`cursor` for the rest, where this is not all.")]


@_CLOSED
class IncidentTold(TypedDict):
    """Everything that was ever published on one incident, oldest first. Nothing is edited: the last holds."""

    id: str
    revisions: list[Incident]


@_CLOSED
class Ledger(TypedDict):
    """What was disrupted, as of `at`: confirmed, not taken back, and no platform's own outage. By whom is not
    said: `causes` tells what is shown of why. One entry per country, platform and half-year."""

    at: Moment
    entries: list[Entry]


@_CLOSED
class EvidenceFile(TypedDict):
    """An incident's evidence bundle. `sha256` is of `evidence` as canonical JSON."""

    schema: Literal["reachwatch-evidence/1"]
    sha256: str
    evidence: dict[str, Any]


class Document(TypedDict):
    """An OpenAPI document."""

    openapi: str
    info: dict[str, Any]
    paths: dict[str, Any]


@_CLOSED
class Problem(TypedDict):
    """Why there is no answer (RFC 9457). Where a parameter is to blame, `detail` begins with its name."""

    type: Literal["about:blank"]
    title: str
    status: int
    detail: str
