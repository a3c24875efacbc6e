"""``reachwatch-collector import ooni``: every kind of file, every kind of bad line, as a shell sees it."""

from __future__ import annotations

import contextlib
import gzip
import json
import subprocess
import sys
from functools import partial
from operator import add
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector import cli
from collector.foreign import form
from collector.foreign.files import pieces
from collector.foreign.importing import load_platforms
from collector.foreign.ooni import host_of, named_after
from collector.foreign.suppose import reading_of
from collector.foreign.written import document, line
from probe.verdict import judge
from probe.wire.codec import DecodeError, decode, encode
from probe.wire.observation import Round

from .measurements import BOGON, REAL, SILENCE, Json, connect, control, fine, get, query, shake, v04, v05

FINE = v05("https://x.com/", **fine("x.com"), helper=control(REAL), blocking=False, accessible=True)
OLD = v04("https://www.youtube.com/", **fine("www.youtube.com"), blocking=False, accessible=True)
LIED = v05(
    "https://x.com/",
    queries=[query("x.com", BOGON), query("x.com", REAL, by="doh")],
    tcp_connect=[connect(BOGON, SILENCE), connect(REAL)],
    tls_handshakes=[shake("x.com", REAL)],
    requests=[get("https://x.com/", 200)],
    helper=control(REAL),
    blocking="dns",
    accessible=False,
)
ELSEWHERE = v05("https://www.example.org/", **fine("www.example.org"), blocking=False, accessible=True)
OTHER_TEST = {"test_name": "telegram", "test_keys": {}}


def lines(*measurements: Json) -> bytes:
    return b"".join(json.dumps(m).encode() + b"\n" for m in measurements)


def imported(capsys: pytest.CaptureFixture[str], *argv: str | Path) -> tuple[int, list[str], list[str]]:
    status = cli.main(["import", "ooni", *map(str, argv)])
    said = capsys.readouterr()
    return status, said.out.splitlines(), said.err.splitlines()


FORMS: dict[str, bytes] = {
    "lines": lines(FINE, LIED),
    "lines_without_an_end": lines(FINE, LIED).rstrip(),
    "lines_gzip": gzip.compress(lines(FINE, LIED)),
    "two_gzip_members": gzip.compress(lines(FINE)) + gzip.compress(lines(LIED)),
    "array": json.dumps([FINE, LIED]).encode(),
    "array_over_lines": json.dumps([FINE, LIED], indent=2).encode(),
    "array_on_one_line_longer_than_a_measurement": b"["
    + b" " * form.MAX_BYTES
    + json.dumps([FINE, LIED]).encode()[1:],
    "array_gzip": gzip.compress(json.dumps([FINE, LIED]).encode()),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_file_gives_the_same_lines(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "measurements"
    file.write_bytes(FORMS[name])
    status, out, err = imported(capsys, file)
    start = "2023-12-17T15:04:05Z PK AS17557    x.com                     "
    assert out == [
        f"{start}ooni: blocking=false accessible=true          reachwatch: ok (if online) "
        "X answers, with a valid certificate: the web page.",
        f"{start}ooni: blocking=dns accessible=false           reachwatch: unreachable dns(weak) "
        "(if online and repeated) This home's name server answers falsely for x.com; whether it is the "
        "home's own filter or the provider's cannot be told from here.",
    ]
    assert (status, err) == (
        0,
        ["1 files, 2 web_connectivity measurements: 2 read, 0 of other hosts, 0 bad; 0 of other tests"],
    )


@pytest.mark.parametrize("indent", [None, 2])
def test_a_single_measurement_is_a_file_too(
    indent: int | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "one.json"
    file.write_text(json.dumps(OLD, indent=indent))
    status, out, _ = imported(capsys, file)
    assert status == 0
    assert len(out) == 1
    assert "www.youtube.com" in out[0]
    assert "reachwatch: ok (if online)" in out[0]


def test_what_shows_no_line_is_not_judged_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "one.jsonl"
    file.write_bytes(lines(v05("https://x.com/", blocking=False, accessible=True)))
    _, out, _ = imported(capsys, file)
    assert out[0].endswith("reachwatch: insufficient (nothing in it shows that the line was up)")


def test_bad_lines_are_counted_and_named_and_the_rest_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mixed.jsonl"
    deep = b'{"test_name": "web_connectivity", "x": ' + b"[" * 5000 + b"]" * 5000 + b"}\n"
    file.write_bytes(
        lines(FINE)
        + b'{"test_name": "web_conn\n'
        + b"\n"
        + b"\xff\xfe\n"
        + deep
        + lines({**FINE, "probe_asn": "17557x"}, ELSEWHERE, OTHER_TEST)
        + b"[]\n7\n"
        + lines(LIED)
    )
    status, out, err = imported(capsys, file)
    assert [text.split("reachwatch: ")[1].split()[0] for text in out] == ["ok", "unreachable"]
    assert status == 1
    assert err[0] == (
        "1 files, 4 web_connectivity measurements: 2 read, 1 of other hosts, 6 bad; 1 of other tests"
    )
    assert [text.removeprefix(f"{file}:").partition(":")[0] for text in err[1:6]] == ["2", "4", "5", "6", "9"]
    assert err[4] == f"{file}:6: $.probe_asn: not AS and a number"
    assert err[6:] == ["and 1 more bad"]


def test_a_line_too_long_is_one_bad_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collector.foreign.files.MAX_BYTES", 20_000)
    file = tmp_path / "long.jsonl"
    file.write_bytes(b'{"x": "' + b"y" * 90_000 + b'"}\n' + lines(FINE))
    status, out, err = imported(capsys, file)
    assert (status, len(out)) == (1, 1)
    assert err[1:] == [f"{file}:1: over 20000 bytes"]


def test_an_array_keeps_what_is_good_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "array.json"
    file.write_text(json.dumps([FINE, None, LIED]))
    status, out, err = imported(capsys, file)
    assert (status, len(out)) == (1, 2)
    assert err[1] == f"{file}:[1]: $: Input should be an object"


BROKEN: dict[str, tuple[bytes, int, str]] = {
    "gzip_cut": (gzip.compress(lines(FINE) * 40)[:-4], 40, "the gzip data ends early"),
    "gzip_broken": (gzip.compress(lines(FINE))[:-8] + b"\x00" * 8, 1, "broken gzip data"),
    "array_cut": (json.dumps([FINE], indent=1).encode()[:-5], 0, "not JSON"),
    "array_too_deep": (b"[" * 100_000, 0, "nested too deeply"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_one_bad_piece_and_the_next_file_is_read(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken, good = tmp_path / "broken", tmp_path / "good"
    data, kept, said = BROKEN[name]
    broken.write_bytes(data)
    good.write_bytes(lines(FINE))
    status, out, err = imported(capsys, broken, good)
    assert status == 1
    assert len(out) == kept + 1
    assert [said in text for text in err[1:]] == [True]


def test_a_missing_file_is_named_and_the_others_are_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = tmp_path / "good"
    good.write_bytes(lines(FINE))
    status, out, err = imported(capsys, tmp_path / "none", good)
    assert (status, len(out)) == (1, 1)
    assert err[1:] == [f"{tmp_path / 'none'}: No such file or directory"]


def test_nothing_read_is_no_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "empty"
    empty.write_bytes(b"")
    assert imported(capsys, empty)[0] == 1


def test_any_host_reads_the_others_too_and_an_address_is_no_host(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "m.jsonl"
    file.write_bytes(lines(ELSEWHERE, v05("https://198.51.100.7/")))
    assert imported(capsys, file)[1] == []
    status, out, err = imported(capsys, file, "--any-host")
    assert status == 0
    assert ["www.example.org" in text and "reachwatch: ok" in text for text in out] == [True]
    assert "1 read, 1 of other hosts" in err[0]


def test_json_holds_both_conclusions_and_a_round_that_can_be_judged_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, kept = tmp_path / "m.jsonl", tmp_path / "kept.jsonl"
    file.write_bytes(lines(LIED))
    _, out, _ = imported(capsys, file, "--json", "--output", kept)
    assert kept.read_text().splitlines() == out
    (text,) = out
    found = json.loads(text)
    assert (found["verdict"]["status"], found["verdict"]["reasons"][0]["rule"]) == (
        "unreachable",
        "dns.home_or_provider",
    )
    flags = (found["gate_assumed"], found["line_up_by"], found["repetition_assumed"])
    assert flags == (True, "test_helper", True)
    assert found["ooni"] == {
        "blocking": "dns",
        "accessible": False,
        "dns_consistency": None,
        "test_version": "0.5.28",
        "report_id": LIED["report_id"],
        "measurement_uid": None,
        "input": "https://x.com/",
    }
    again = decode(Round, json.dumps(found["round"]).encode())
    assert [v.status for v in judge(again)] == ["insufficient"], "nothing supposed is kept"


def test_the_same_measurement_has_the_same_round_id(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "m.jsonl"
    file.write_bytes(lines(FINE, LIED, FINE))
    ids = [json.loads(text)["round"]["round_id"] for text in imported(capsys, file, "--json")[1]]
    assert ids[0] == ids[2] != ids[1]


def test_an_output_that_is_there_is_not_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "m.jsonl"
    file.write_bytes(lines(FINE))
    status, _, err = imported(capsys, file, "--output", file)
    assert (status, err) == (2, [f"reachwatch-collector: --output {file}: File exists"])
    assert file.read_bytes() == lines(FINE)


def test_a_folder_without_platforms_is_one_line_and_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, err = imported(capsys, tmp_path / "m", "--platforms", tmp_path)
    assert (status, len(err)) == (2, 1)
    assert "no platform files there; name their folder with --platforms" in err[0]


@pytest.mark.slow
def test_a_reader_that_has_seen_enough_ends_it_without_a_word(tmp_path: Path) -> None:
    file = tmp_path / "m.jsonl"
    file.write_bytes(lines(*[FINE] * 3000))
    command = f"{sys.executable} -W error -m collector import ooni {file} | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60)
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""


@pytest.mark.slow
def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "m.jsonl"
    file.write_bytes(lines(FINE))
    command = f"{sys.executable} -W error -m collector import ooni {file} > /dev/full"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (
        1,
        "reachwatch-collector: cannot write: No space left on device\n",
    )


# Whatever is in a file: it is a reading, or exactly our error.

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
ANY_JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
WHOLE = [FINE, OLD, LIED, v05("http://x.com/", requests=[get("http://x.com/", 302, "http://[")])]


def read_as_the_command_does(data: bytes) -> None:
    found = form.read(data)
    if found is None:
        return
    host = host_of(found)
    platform = next((p for p in load_platforms(None) if p.owns(host)), None)
    reading = reading_of(found, platform or named_after(host), host, data, known=platform is not None)
    assert decode(Round, encode(reading.round)) == reading.round
    assert line(reading).isprintable()
    assert json.loads(document(reading))["source"] == "ooni"


@given(ANY_JSON)
def test_any_json_is_a_reading_or_our_error(value: Any) -> None:
    with contextlib.suppress(DecodeError):
        read_as_the_command_does(json.dumps(value).encode())


@given(st.sampled_from(WHOLE), st.data())
def test_a_measurement_with_anything_changed_is_a_reading_or_our_error(whole: Json, data: Any) -> None:
    changed = json.loads(json.dumps(whole))
    for _ in range(data.draw(st.integers(1, 3))):
        place: Any = changed if data.draw(st.booleans()) else changed["test_keys"]
        while isinstance(place, (dict, list)) and place:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = data.draw(st.sampled_from(keys))
            if not isinstance(place[key], (dict, list)) or data.draw(st.integers(0, 3)) == 0:
                old = place[key]
                grown = st.text(max_size=40).map(partial(add, old)) if isinstance(old, str) else ANY_JSON
                place[key] = data.draw(ANY_JSON | grown)
                break
            place = place[key]
        if not isinstance(changed.get("test_keys"), dict):
            break
    with contextlib.suppress(DecodeError):
        read_as_the_command_does(json.dumps(changed).encode())


@given(st.binary(max_size=300))
def test_any_bytes_are_pieces_or_problems(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "any"
    for content in (data, b"\x1f\x8b" + data, b"[" + data):
        file.write_bytes(content)
        for piece in pieces(file):
            assert piece.problem is not None or piece.data
