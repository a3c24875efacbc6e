"""The volunteer's own addresses never leave, however somebody wrote them."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.verdict import judge
from probe.wire.address import is_bogon, prefix_of
from probe.wire.codec import encode
from probe.wire.failure import Failure
from probe.wire.observation import Observation
from probe.wire.scrub import REPLACEMENT, scrub, written
from probe.wire.stage import Hop, HttpDetail, LateAnswer, Met, PathDetail, Sent, Stage, TlsDetail
from tests.rounds import CERTIFICATE, X_ADDRESS, a_round, dns, fine, observed

OWN = "203.0.113.77"
ADDRESSES = st.ip_addresses(v=4, network="198.51.100.0/24") | st.ip_addresses(v=6, network="2001:db8::/32")


def redirected(location: str) -> Observation:
    detail = HttpDetail(url="http://x.com/", status=302, location=location)
    return observed(Stage.HTTP, "x/plain", address=X_ADDRESS, http=detail)


def location_after(location: str, own: str = OWN) -> str:
    rnd = scrub(a_round(redirected(location)), [own])
    (http,) = (o.http for o in rnd.observations if o.target == "x/plain")
    assert http is not None
    assert http.location is not None
    return http.location


@given(ADDRESSES, st.data(), st.sampled_from(["path", "host", "issuer", "name", "cname", "error"]))
def test_no_form_of_an_own_address_is_in_what_leaves(
    own: IPv4Address | IPv6Address, data: st.DataObject, place: str
) -> None:
    form = data.draw(st.sampled_from(sorted(written(own))))
    web = fine("x/web")
    lookup, tls, http = web[0], web[3], web[4]
    assert lookup.dns is not None
    assert http.http is not None
    changed = {
        "path": [replace(http, http=replace(http.http, location=f"https://block.example/a/{form}/b"))],
        "host": [replace(http, http=replace(http.http, location=f"https://{form}.isp.example/"))],
        "issuer": [replace(tls, tls=TlsDetail(chain=(replace(CERTIFICATE, issuer=f"CN={form}"),)))],
        "name": [replace(tls, tls=TlsDetail(chain=(replace(CERTIFICATE, names=(f"{form}.isp.example",)),)))],
        "cname": [replace(lookup, dns=replace(lookup.dns, cnames=(f"c-{form}.isp.example",)))],
        "error": [replace(tls, tls=TlsDetail(verify_error=f"for {form}"))],
    }[place]
    sent = encode(scrub(a_round(*changed), [str(own)])).decode().lower()
    assert form.lower() not in sent
    assert str(own) not in sent


FORMS = {
    "203.0.113.77": (
        "203.0.113.77 203-0-113-77 203_0_113_77 77.113.0.203 77-113-0-203 203.000.113.077 "
        "3405803853 cb00714d CB00714D 203%2e0%2e113%2e77 203%2D0%2D113%2D77 "
        "::ffff:cb00:714d 2002:cb00:714d:: 64:ff9b::cb00:714d"
    ),
    "2001:db8::7d": (
        "2001:db8::7d 2001:DB8::7D 2001-db8--7d 2001%3adb8%3a%3a7d 2001:db8:0:0:0:0:0:7d "
        "2001:0db8:0000:0000:0000:0000:0000:007d 20010db800000000000000000000007d "
        "d.7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2 "
        "42540766411282592856903984951653826685 "
        "2001:0db8::007d 2001:db8:0::7d 2001%3ADB8%3A0%3A%3A7d 2001_db8__7d"
    ),
}


@pytest.mark.parametrize(
    ("own", "form"), [(own, form) for own, forms in FORMS.items() for form in forms.split()]
)
def test_each_way_a_block_page_may_write_an_address_is_found(own: str, form: str) -> None:
    named = observed(
        Stage.TLS,
        "x/web",
        address=X_ADDRESS,
        tls=TlsDetail(verify_error=f"not valid for host-{form}.isp.example"),
    )
    sent = encode(scrub(a_round(named), [own])).decode()
    assert form not in sent
    assert REPLACEMENT in sent


def test_the_public_address_behind_a_nat_is_taken_out_of_a_redirects_path_though_nobody_knows_it() -> None:
    assert location_after("http://block.isp.example/ip/198.51.100.23/x.com") == (
        f"http://block.isp.example/ip/{REPLACEMENT}/x.com"
    )
    assert "2001:db8" not in location_after("http://block.isp.example/ip/2001:db8:1::9/x")


@pytest.mark.parametrize(
    ("location", "left"),
    [
        ("http://203.0.113.77/x", "http://address/x"),
        ("http://203-0-113-77.isp.example/", "http://address.isp.example/"),
        ("http://198-51-100-23.portal.isp.example/", "http://address.portal.isp.example/"),
        ("http://[2001:db8::9]:8080/x", "http://[2001:db8::9]:8080/x"),
        ("http://isp.example/198%2E51%2E100%2E23", f"http://isp.example/{REPLACEMENT}"),
        ("http://isp.example/2001-db8--9/", f"http://isp.example/{REPLACEMENT}/"),
        ("http://isp.example/new--page/../12:34:56", "http://isp.example/new--page/../12:34:56"),
        ("mailto:a@198.51.100.23", f"mailto:a@{REPLACEMENT}"),
        ("/login", "/login"),
        ("https:[x]", "https:[x]"),
        ("foo:////[x", REPLACEMENT),
        ("http://[", REPLACEMENT),
        ("http://isp.example:99999/", REPLACEMENT),
    ],
)
def test_a_redirect_keeps_its_scheme_host_and_path_and_no_visitors_address(location: str, left: str) -> None:
    assert location_after(location) == left


OPENINGS = st.sampled_from(["http://", "https:", "mailto:", "foo:////", "//", ""])
PIECES = st.sampled_from(
    [OWN, "203-0-113-77", "[", "]", "/", "x.com", "@", ":", "?", "#", "::1", "99999"]
) | st.text(max_size=2)


@given(st.tuples(OPENINGS, st.lists(PIECES, max_size=5).map("".join)).map("".join))
def test_whatever_a_redirect_said_the_scrubbed_round_can_be_judged(location: str) -> None:
    rnd = a_round(*fine("x/web"), redirected(location), replace(redirected(location), attempt=2))
    scrubbed = scrub(rnd, [OWN])
    assert OWN not in encode(scrubbed).decode()
    judge(scrubbed)


def test_a_redirects_query_never_survives_whoever_recorded_it() -> None:
    assert location_after("http://block.isp.example/p?client=198.51.100.23") == "http://block.isp.example/p"


def test_a_block_pages_own_address_is_evidence_and_stays() -> None:
    assert location_after("http://10.10.34.35/blocked") == "http://10.10.34.35/blocked"


def test_the_homes_router_is_not_named_and_the_isps_resolver_is() -> None:
    home = replace(dns("x/web", "system", X_ADDRESS))
    assert home.dns is not None
    router = replace(home, dns=replace(home.dns, server="192.168.1.1"))
    seen = [o.dns.server for o in scrub(a_round(router, home), []).observations if o.dns]
    assert seen == [None, "203.0.113.53"]


def test_a_bogon_answer_stays_and_an_answer_that_is_the_volunteers_own_goes() -> None:
    lie = dns("x/web", "system", "10.10.34.35", OWN, failure=Failure.DNS_BOGON)
    (seen,) = (o.dns for o in scrub(a_round(lie), [OWN]).observations if o.dns)
    assert seen is not None
    assert seen.answers == ("10.10.34.35",)


def test_an_observation_on_an_own_address_is_dropped() -> None:
    rnd = a_round(observed(Stage.TCP, "x/web", address=OWN), observed(Stage.TCP, "x/web", address=X_ADDRESS))
    assert [o.address for o in scrub(rnd, [OWN]).observations if o.target == "x/web"] == [X_ADDRESS]


def test_scrubbing_a_clean_round_changes_nothing() -> None:
    rnd = a_round(*fine("x/web"))
    assert scrub(rnd, ["198.18.0.7"]) == rnd


def test_a_resolver_in_the_homes_own_network_is_not_named() -> None:
    """Routers name themselves to the home by the public IPv6 address they were given."""
    lookup = dns("x/web", "system", X_ADDRESS)
    assert lookup.dns is not None
    servers = ["2400:adc1:2:3::1", "2400:adc1:2:ff::53", "2400:adc1:77::53"]
    rnd = a_round(*(replace(lookup, dns=replace(lookup.dns, server=server)) for server in servers))
    seen = [o.dns.server for o in scrub(rnd, ["2400:adc1:2:3:4:5:6:7"]).observations if o.dns]
    assert seen == [None, None, "2400:adc1:77::53"]


def test_whatever_answers_on_the_homes_own_link_is_as_good_as_the_volunteers_own() -> None:
    own, router = "2400:adc1:2:3:4:5:6:7", "2400:adc1:2:3::1"
    lie = dns("x/web", "system", router, "2400:adc1:2:4::1", kind="AAAA")
    rnd = scrub(a_round(lie, observed(Stage.TCP, "x/web", address=router)), [own])
    assert [o.dns.answers for o in rnd.observations if o.dns] == [("2400:adc1:2:4::1",)]
    assert router not in {o.address for o in rnd.observations}


def test_a_name_that_a_resolver_leads_to_spells_no_visitors_address() -> None:
    lookup = dns("x/web", "system", X_ADDRESS)
    assert lookup.dns is not None
    names = ("39-32-10-1.block.example", "x.com.cdn.example")
    rnd = scrub(a_round(replace(lookup, dns=replace(lookup.dns, cnames=names))), [])
    assert [o.dns.cnames for o in rnd.observations if o.dns] == [
        ("address.block.example", "x.com.cdn.example")
    ]


def test_what_a_redirect_led_to_holds_no_address_either() -> None:
    """It was written by a server that knows the visitor's."""
    page = HttpDetail(url="https://203-0-113-9.x.com/from/203.0.113.9", status=200)
    seen = observed(Stage.HTTP, "x/web", address=X_ADDRESS, http=page, hop=1)
    rnd = scrub(a_round(replace(seen, host="203-0-113-9.x.com")), [])
    (left,) = (o for o in rnd.observations if o.hop)
    assert left.http is not None
    assert (left.host, left.http.url) == ("address.x.com", f"https://address.x.com/from/{REPLACEMENT}")


@pytest.mark.parametrize(
    "text",
    [
        *("10.10.34.35", "127.0.0.1", "0.0.0.0", "100.64.1.1", "192.0.2.1", "224.0.0.1"),
        *("::1", "fe80::1", "fec0::1", "ff02::1", "4000::1", "not"),
        # An IPv4 address inside: translated (RFC 6052), mapped, compatible (RFC 4291), 6to4 (RFC 3056).
        *("64:ff9b::192.168.1.1", "::ffff:192.168.1.1", "::192.168.1.1", "2002:c0a8:101::1"),
    ],
)
def test_no_public_service_lives_at(text: str) -> None:
    assert is_bogon(text)


@pytest.mark.parametrize("text", ["104.244.42.1", "2a03:2880::1", "64:ff9b::68f4:2a01"])
def test_a_public_service_may_live_at(text: str) -> None:
    assert not is_bogon(text)


@given(st.ip_addresses())
def test_a_prefix_is_the_same_for_all_its_addresses(address: IPv4Address | IPv6Address) -> None:
    prefix, length = prefix_of(str(address)).split("/")
    assert int(length) == (24 if ip_address(prefix).version == 4 else 48)
    assert prefix_of(prefix) == prefix_of(str(address))


def test_late_answers_lose_the_volunteers_address_and_the_providers_resolver_is_never_named() -> None:
    late = LateAnswer(rcode="NOERROR", after_s=0.1, answers=(OWN, X_ADDRESS))
    lookup = dns("x/web", "provider", X_ADDRESS)
    assert lookup.dns is not None
    rnd = scrub(a_round(replace(lookup, dns=replace(lookup.dns, late=(late,)))), [OWN])
    (seen,) = (o.dns for o in rnd.observations if o.dns)
    assert (seen.server, seen.late[0].answers) == (None, (X_ADDRESS,))


def test_hops_of_the_home_are_unnamed_and_the_providers_routers_named_by_network_alone() -> None:
    routers = ["192.168.1.1", "203.0.113.1", "203.99.163.7", "100.64.3.1", OWN, "2400:adc1:2:3::1"]
    hops = tuple(Hop(ttl=n, met=Met.EXPIRED, router=router) for n, router in enumerate(routers, 1))
    seen = observed(Stage.PATH, "x/web", address=X_ADDRESS, path=PathDetail(sent=Sent.SYN, hops=hops))
    rnd = scrub(a_round(seen), [OWN])
    (path,) = (o.path for o in rnd.observations if o.path)
    assert [hop.router for hop in path.hops] == [None, None, "203.99.163.0", None, None, "2400:adc1:2::"]
    (near,) = (o.path for o in scrub(a_round(seen), [OWN, "2400:adc1:2:9::7"]).observations if o.path)
    assert near.hops[-1].router is None, "the network is the volunteer's own"


def test_a_page_that_redirects_by_itself_is_scrubbed_as_a_redirect_is() -> None:
    page = HttpDetail(url="http://x.com/", status=200, refresh=f"http://block.example/{OWN}/page")
    rnd = scrub(a_round(observed(Stage.HTTP, "x/plain", address=X_ADDRESS, http=page)), [])
    assert [o.http.refresh for o in rnd.observations if o.http and o.http.refresh] == [
        f"http://block.example/{REPLACEMENT}/page"
    ]
