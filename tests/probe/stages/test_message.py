"""DNS messages: what dnspython writes is read as dnspython reads it, and what no message says is refused."""

from __future__ import annotations

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.stages.message import AnotherQuestion, Answer, Malformed, Query, read

NAMES = ("x.com", "X.com", "a.x.com", "b.example", "c.example.")
RECORDS = {
    "A": ("104.244.42.1", "10.0.0.1"),
    "AAAA": ("2001:db8::1", "::ffff:192.0.2.1", "::1"),
    "CNAME": ("a.x.com.", "b.example.", "x.com.", r"o\.d\"d\001.example."),
    "TXT": ('"hello"',),
    "SOA": ("a.x.com. b.example. 1 2 3 4 5",),
}
RRSETS = st.sampled_from(sorted(RECORDS)).flatmap(
    lambda kind: st.builds(
        lambda name, said: dns.rrset.from_text(name.rstrip(".") + ".", 60, "IN", kind, *said),
        st.sampled_from(NAMES),
        st.lists(st.sampled_from(RECORDS[kind]), min_size=1, max_size=1 if kind in ("CNAME", "SOA") else 3),
    )
)


def reply(query: Query) -> dns.message.Message:
    return dns.message.make_response(dns.message.from_wire(query.to_wire()))


def test_a_question_says_what_dnspython_would() -> None:
    query = Query("a_b.x.com", "AAAA", id=7)
    theirs = dns.message.make_query("a_b.x.com", "AAAA", id=7, use_edns=0, payload=1232)
    assert query.to_wire() == theirs.to_wire()


@given(st.lists(RRSETS, max_size=6), st.lists(RRSETS, max_size=2), st.sampled_from(["A", "AAAA"]))
def test_an_answer_is_read_as_dnspython_reads_it(
    answer: list[dns.rrset.RRset], authority: list[dns.rrset.RRset], kind: str
) -> None:
    query = Query("x.com", kind)
    message = reply(query)
    message.answer, message.authority = answer, authority
    wire = message.to_wire()
    theirs = dns.message.from_wire(wire)
    assert isinstance(theirs, dns.message.QueryMessage)
    ours = read(query, wire)
    try:
        chain = theirs.resolve_chaining()
    except dns.message.ChainTooLong:
        assert ours == Answer(0, truncated=False, circular=True)
        return
    cnames = [rdata.target.to_text(omit_final_dot=True) for rrset in chain.cnames for rdata in rrset]
    assert (list(ours.addresses), list(ours.cnames)) == ([r.address for r in chain.answer or ()], cnames)


@pytest.mark.parametrize("code", [0, 1, 2, 3, 5, 9, 16, 23])
def test_every_rcode_has_its_word(code: int) -> None:
    query = Query("x.com", "A")
    message = reply(query)
    message.set_rcode(dns.rcode.Rcode(code))
    said = read(query, message.to_wire()).said
    assert said == (dns.rcode.to_text(dns.rcode.Rcode(code)) if code < 11 else f"RCODE{code}")


def test_a_server_that_read_nothing_needs_no_question_and_any_other_does() -> None:
    query = Query("x.com", "A")
    message = reply(query)
    message.question = []
    message.set_rcode(dns.rcode.SERVFAIL)
    assert read(query, message.to_wire()).said == "SERVFAIL"
    message.set_rcode(dns.rcode.NXDOMAIN)
    with pytest.raises(AnotherQuestion):
        read(query, message.to_wire())


HEAD = b"\x00\x07\x80\x00\x00\x01\x00\x01\x00\x00\x00\x00"
ASKED = b"\x01x\x03com\x00\x00\x01\x00\x01"
RECORD = b"\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x68\xf4\x2a\x01"
BROKEN = {
    "nothing": b"",
    "a name that points at itself": HEAD + ASKED + b"\xc0\x17" + RECORD,
    "a name that points ahead": HEAD + ASKED + b"\xc0\x20" + RECORD,
    "a label of a kind nobody uses": HEAD + ASKED + b"\x41x\x00" + RECORD,
    "a name of 300 bytes": HEAD + ASKED + b"\x3f" + b"x" * 63 + (b"\x3f" + b"x" * 63) * 4 + b"\x00" + RECORD,
    "an address of three bytes": HEAD + ASKED + b"\xc0\x0c" + RECORD[:9] + b"\x03\x68\xf4\x2a",
    "more than a message": HEAD + ASKED + b"\xc0\x0c" + RECORD + b"!",
    "less than a message": HEAD + ASKED + b"\xc0\x0c" + RECORD[:-1],
}


@pytest.mark.parametrize("story", BROKEN)
def test_what_is_no_message_is_refused(story: str) -> None:
    with pytest.raises(Malformed):
        read(Query("x.com", "A", id=7), BROKEN[story])


def test_the_whole_of_what_is_broken_would_have_been_read() -> None:
    answer = read(Query("x.com", "A", id=7), HEAD + ASKED + b"\xc0\x0c" + RECORD)
    assert answer == Answer(0, truncated=False, addresses=("104.244.42.1",))


def test_an_answer_that_was_cut_says_so() -> None:
    query = Query("x.com", "A")
    message = reply(query)
    message.flags |= dns.flags.TC
    assert read(query, message.to_wire()).truncated
