"""A round that a stranger may have: the facts are there, and what would lead to a home is not."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from collector.foreign.blurred import blurred
from collector.foreign.exported import measurements_of
from probe.verdict import Verdict, judge
from probe.wire.codec import encode
from probe.wire.observation import Round
from probe.wire.stage import Certificate, DnsDetail, HttpDetail, Resolver, Stage, TlsDetail
from tests import golden
from tests.rounds import X_ADDRESS, a_round, dns, fine, reached

AT = datetime(2023, 12, 17, 10, 10, tzinfo=UTC)
NAME = "f" * 32
STRANGER = "198.51.100.253"


def of(rnd: Round) -> Round:
    return blurred(rnd, at=AT, name=NAME)


def keys_of(rnd: Round, verdicts: Iterable[Verdict]) -> list[Any]:
    told = measurements_of(rnd, country="PK", asn=1, verdicts=verdicts)
    return [measurement["test_keys"] for _, measurement in told]


@pytest.mark.parametrize("name", sorted(golden.names()))
def test_every_round_of_the_lab_says_as_much_and_nothing_closer_than_a_tenth_of_a_second(name: str) -> None:
    rnd = golden.read(name)
    shown = of(rnd)
    assert (shown.round_id, shown.started_at) == (NAME, AT)
    assert len(shown.observations) == len(rnd.observations)
    times = [at for o in shown.observations for at in (o.start_s, o.duration_s)]
    assert {round(at, 1) - at for at in [shown.duration_s, *times]} == {0.0}
    both = [keys_of(one, judge(rnd)) for one in (rnd, shown)]
    for before, after in zip(*both, strict=True):
        for key in ("blocking", "accessible", "dns_experiment_failure", "http_experiment_failure"):
            assert before[key] == after[key], "what is left out changes no conclusion"


def one(rnd: Round, stage: Stage) -> object:
    shown = next(o for o in of(rnd).observations if o.stage is stage and o.target == "x/web")
    return shown.dns or shown.tls or shown.http


def test_the_resolver_of_the_home_s_own_is_left_out_and_ours_is_not() -> None:
    rnd = a_round(dns("x/web", "system", X_ADDRESS), *fine("x/web"))
    asked = replace(rnd.observations[-1], stage=Stage.DNS, target="x/web", http=None)
    for resolver, server in ((Resolver.SYSTEM, None), (Resolver.PROVIDER, None), (Resolver.DOH, STRANGER)):
        detail = DnsDetail(
            resolver=resolver, query_type="A", server=STRANGER, answers=(X_ADDRESS,), ip_ttl=61
        )
        found = one(replace(rnd, observations=(replace(asked, dns=detail),)), Stage.DNS)
        assert isinstance(found, DnsDetail)
        assert (found.server, found.answers, found.ip_ttl) == (server, (X_ADDRESS,), None)


def test_a_chain_that_this_machine_alone_trusts_is_left_out() -> None:
    own = Certificate(
        subject="CN=anna-laptop", issuer="CN=anna-laptop", not_before=AT, not_after=AT, spki_sha256="0" * 64
    )
    rnd = a_round(*reached("x/web", X_ADDRESS))
    for trusted in (True, False, None):
        detail = TlsDetail(chain=(own,), verify_error="unknown authority", system_trusted=trusted)
        seen = tuple(replace(o, tls=detail) if o.stage is Stage.TLS else o for o in rnd.observations)
        assert (b"anna-laptop" in encode(of(replace(rnd, observations=seen)))) == (trusted is not True)


def test_of_where_a_redirect_leads_the_host_is_enough() -> None:
    url, far = "https://x.com/robots.txt", "https://block.example/subscriber/4711"
    rnd = a_round(*reached("x/web", X_ADDRESS))
    last = rnd.observations[-1]
    for hop, shown in ((0, url), (1, "https://x.com/")):
        detail = HttpDetail(url=url, status=302, location=far, refresh="http://[")
        found = one(
            replace(
                rnd, observations=(replace(last, stage=Stage.HTTP, target="x/web", hop=hop, http=detail),)
            ),
            Stage.HTTP,
        )
        assert isinstance(found, HttpDetail)
        assert (found.url, found.location, found.refresh) == (shown, "https://block.example/", "")


def test_the_way_and_the_packets_are_not_in_it() -> None:
    shown = json.loads(encode(of(golden.read("sni_reset"))))
    assert not {"path", "packets", "transfer", "tcp"} & {key for o in shown["observations"] for key in o}
