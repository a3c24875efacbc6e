"""A round must fit what a collector takes. PURE.

A hostile server can answer every handshake with a chain of fat certificates, a hostile resolver every
question with addresses by the dozen, and a batch over the limit would be refused and lost: a censor
could silence a probe with it. So a round that does not fit gives up what is least telling, step by
step, until it does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

from .observation import MOST_OBSERVATIONS, Observation, Phase, Round
from .stage import DnsDetail, HttpDetail, TlsDetail

# As many addresses of one answer as are dialled; of a late one, enough to be another answer.
_ANSWERS, _LATE, _LATE_ANSWERS = 4, 2, 1


def fit(rnd: Round, fits: Callable[[Round], bool]) -> Round:
    """The round as it is if it `fits`, else with as little left out as helps: the certificates
    above the leaf, the leaf's names, every certificate; then of DNS answers all but the first
    addresses; then of redirects all but the host."""
    whole = replace(rnd, observations=_countable(rnd.observations))
    for step in (_whole, _leaf_alone, _leaf_without_names, _no_certificates, _few_answers, _hosts_alone):
        slimmer = replace(whole, observations=tuple(map(step, whole.observations)))
        if fits(slimmer):
            break
        whole = slimmer
    return slimmer


def _countable(seen: tuple[Observation, ...]) -> tuple[Observation, ...]:
    """As many as a round may hold: of the platforms', the later attempts go first."""
    if len(seen) <= MOST_OBSERVATIONS:
        return seen
    ranked = sorted(range(len(seen)), key=lambda at: (seen[at].phase is Phase.MAIN, seen[at].attempt))
    return tuple(seen[at] for at in sorted(ranked[:MOST_OBSERVATIONS]))


def _whole(seen: Observation) -> Observation:
    return seen


def _leaf_alone(seen: Observation) -> Observation:
    return replace(seen, tls=replace(seen.tls, chain=seen.tls.chain[:1])) if seen.tls else seen


def _leaf_without_names(seen: Observation) -> Observation:
    return replace(seen, tls=_nameless(seen.tls)) if seen.tls else seen


def _nameless(detail: TlsDetail) -> TlsDetail:
    return replace(detail, chain=tuple(replace(c, names=()) for c in detail.chain))


def _no_certificates(seen: Observation) -> Observation:
    return replace(seen, tls=replace(seen.tls, chain=())) if seen.tls else seen


def _few_answers(seen: Observation) -> Observation:
    return replace(seen, dns=_brief(seen.dns)) if seen.dns else seen


def _brief(detail: DnsDetail) -> DnsDetail:
    late = tuple(replace(answer, answers=answer.answers[:_LATE_ANSWERS]) for answer in detail.late[:_LATE])
    return replace(detail, answers=detail.answers[:_ANSWERS], cnames=(), late=late)


def _hosts_alone(seen: Observation) -> Observation:
    return replace(seen, http=_pathless(seen.http)) if seen.http else seen


def _pathless(detail: HttpDetail) -> HttpDetail:
    return replace(detail, location=_host(detail.location), refresh=_host(detail.refresh))


def _host(url: str | None) -> str | None:
    if url is None:
        return None
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/" if parts.netloc else f"{parts.scheme}:"
