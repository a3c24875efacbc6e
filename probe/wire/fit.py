"""A round must fit what a collector takes. PURE.

A hostile server can answer every handshake with a chain of fat certificates, and a batch over the
limit would be refused and lost: a censor could silence a probe with it. So a round that does not
fit gives up what is least telling, step by step, until it does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .observation import Observation, Round
from .stage import TlsDetail


def fit(rnd: Round, fits: Callable[[Round], bool]) -> Round:
    """The round as it is if it `fits`, else with as little left out as helps: the certificates
    above the leaf, the leaf's names, then every certificate."""
    for step in (_whole, _leaf_alone, _leaf_without_names, _no_certificates):
        slimmer = replace(rnd, observations=tuple(_changed(o, step) for o in rnd.observations))
        if fits(slimmer):
            break
    return slimmer


def _changed(seen: Observation, step: Callable[[TlsDetail], TlsDetail]) -> Observation:
    return replace(seen, tls=step(seen.tls)) if seen.tls else seen


def _whole(detail: TlsDetail) -> TlsDetail:
    return detail


def _leaf_alone(detail: TlsDetail) -> TlsDetail:
    return replace(detail, chain=detail.chain[:1])


def _leaf_without_names(detail: TlsDetail) -> TlsDetail:
    return replace(detail, chain=tuple(replace(c, names=()) for c in detail.chain[:1]))


def _no_certificates(detail: TlsDetail) -> TlsDetail:
    return replace(detail, chain=())
