"""The command: what it says, with a collector and without one, to whatever it is given."""

from __future__ import annotations

import json
import os
import stat
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import aiohttp
import pytest

from collector.admin import asking, local
from collector.store import open_store
from collector.store.base import Seen
from probe.wire.exchange import Presence
from probe.wire.version import __version__
from tests.batches import NOW, ingest, someone
from tests.collector.admin.conftest import Admin, serving

ME = someone(1)
TAG = "0123456789abcdef"


@pytest.fixture
def store(data: Path) -> Path:
    """A store with two keys, one of them heard from, and a batch."""
    opened = open_store(f"sqlite://{data}")
    opened.enrol(ME.probe_id, ME.public_key, NOW)
    opened.enrol(someone(2).probe_id, someone(2).public_key, NOW + 1)
    opened.see([Seen(probe=ME.probe_id, at=NOW, state=Presence.ALIVE, country="PK", asn=17557, prefix=TAG)])
    opened.ingest([ingest(ME)])
    opened.close()
    return data


def test_keys_are_listed_for_eyes_and_for_programs(store: Path, admin: Admin) -> None:
    when = "2026-11-24T06:00:00Z"
    line = f"{ME.probe_id}  {when}  {when}  PK  17557  {TAG}  -  -  fine"
    assert admin("keys", "--country", "pk") == (0, [line], [])
    _, lines, _ = admin("keys", "--json")
    assert [json.loads(text)["country"] for text in lines] == ["PK", None]
    assert admin("keys", "--country", "DE") == (0, [], [])


def test_a_key_and_the_prefix_it_stands_in_are_put_aside_and_released(store: Path, admin: Admin) -> None:
    def state() -> str:
        return admin("keys", "--country", "PK")[1][0].split()[-1]

    for subject in (ME.probe_id, TAG):
        assert admin("quarantine", subject.upper(), "--reason", "it lies")[0] == 0
        assert state() == "quarantined"
        assert admin("quarantine", subject)[::2] == (
            1,
            [f"reachwatch-collector: {subject} is in quarantine already"],
        )
        (held,) = admin("quarantined")[1]
        assert (held.split()[0], held.endswith("it lies")) == (subject, True)
        assert admin("release", subject)[0] == 0
        assert state() == "fine"
        assert admin("release", subject)[::2] == (
            1,
            [f"reachwatch-collector: {subject} is not in quarantine"],
        )
    assert (admin("quarantined")[1], len(admin("quarantined", "--all")[1])) == ([], 2)


def test_of_a_prefix_it_says_how_many_stand_there_and_how_long_it_holds(store: Path, admin: Admin) -> None:
    _, _, (note,) = admin("quarantine", TAG)
    assert "keys heard from last under this tag: 1." in note
    assert "until midnight UTC" in note


HOSTILE = [
    (["quarantine", "x"], 2, "'x' is neither a key (32 hex digits) nor a prefix tag (16)"),
    (["quarantine", "f" * 32], 1, f"no such key: {'f' * 32}"),
    (["quarantine", "'; DROP TABLE probes; --"], 2, "is neither a key"),
    (["quarantine", "a" * 100_000], 2, "is neither a key"),
    (["quarantine", "\x1b[2J"], 2, r"'\x1b[2j' is neither a key"),
    (["quarantine", TAG, "--reason", "two\nlines"], 2, "--reason: is one line of at most 200 printable"),
    (["quarantine", TAG, "--reason", "x" * 201], 2, "--reason: is one line"),
    (["quarantine", TAG, "--since", "yesterday"], 2, "--since: 'yesterday' is not a time with its zone"),
    (["quarantine", TAG, "--since", "2001-01-01T00:00:00Z"], 1, "(72 hours ago) is not judged again"),
    (["quarantine", TAG, "--since", "9999-01-01T00:00:00Z"], 1, "--since: 9999-01-01T00:00:00Z is still"),
    (["quarantine", TAG, "--since", "1901-01-01T00:00:00Z"], 1, "is not judged again"),
    (["release", "x"], 2, "is neither a key"),
    (["keys", "--country", "Pakistan"], 2, "'PAKISTAN' is not a country of two letters"),
    (["keys", "--country", "P\n"], 2, "is not a country of two letters"),
    (["tokens", "issue", "--label", "\x00"], 2, "--label: is one line of at most 200 printable"),
    (["tokens", "issue", "--uses", "0"], 2, "--uses: is from 1 to 1000000"),
    (["tokens", "issue", "--uses", "-1"], 2, "--uses: is from 1 to 1000000"),
    (["tokens", "issue", "--days", "inf"], 2, "--days: is more than 0 and at most 36500"),
    (["tokens", "issue", "--days", "nan"], 2, "--days: is more than 0"),
    (["tokens", "revoke", "x"], 2, "'x' is not a token's name"),
    (["tokens", "revoke", "f" * 12], 1, f"no such token: {'f' * 12}"),
    (["backup", "/nowhere/at/all"], 1, "No such file or directory"),
    (["backup", "/proc/x"], 1, "/proc/x"),
    (["restore", "/nowhere"], 1, "/nowhere: No such file or directory"),
    (["restore", "/dev/null"], 1, "/dev/null: is no copy of a collector's store"),
]  # fmt: skip


@pytest.mark.parametrize(("argv", "status", "said"), HOSTILE)
def test_what_cannot_be_done_is_one_line(
    store: Path, admin: Admin, argv: list[str], status: int, said: str
) -> None:
    found, out, err = admin(*argv)
    assert (found, out) == (status, [])
    assert len(err) == 1
    assert said in err[0]
    assert len(err[0]) < 300
    assert "another" not in err[0]
    assert err[0].isprintable()


def test_a_mistyped_folder_is_said_and_not_made(data: Path, admin: Admin) -> None:
    said = f"reachwatch-collector: data_dir: {data}/reachwatch.sqlite: No such file or directory"
    assert admin("keys") == (2, [], [said])
    assert not data.exists()


def test_a_damaged_store_is_named_with_status_1(store: Path, admin: Admin) -> None:
    assert admin("check")[0] == 0
    opened = open_store(f"sqlite://{store}")
    opened._db.execute("UPDATE segments SET data = x'00'")  # type: ignore[attr-defined]
    opened.close()
    status, (said,), _ = admin("check")
    assert (status, said.split(":")[0]) == (1, "segment 1 (1 batches)")


def test_a_store_is_restored_and_what_was_there_put_aside(store: Path, admin: Admin, tmp_path: Path) -> None:
    copy = str(tmp_path / "copy")
    assert admin("backup", copy)[0] == 0
    status, _, err = admin("restore", copy)
    assert (status, err[-1].split(": ")[-1]) == (1, "there is a store already; --force puts it aside")
    status, out, err = admin("restore", copy, "--force")
    assert (status, out) == (0, [f"restored into {store}"])
    assert (store / err[-1].split("/")[-1] / "reachwatch.sqlite").is_file()
    assert len(admin("keys")[1]) == 2


def test_the_socket_of_a_collector_that_is_no_more_does_not_stand_in_the_way(
    store: Path, admin: Admin
) -> None:
    local.listen(store).close()
    assert (store / local.SOCKET).is_socket()
    assert len(admin("keys")[1]) == 2
    local.listen(store).close()


def test_a_process_that_uses_the_folder_and_hears_nothing_is_said(store: Path, admin: Admin) -> None:
    with closing(open_store(f"sqlite://{store}")):
        status, _, (said,) = admin("keys")
    assert status == 1
    assert "another collector uses this folder" in said
    assert f"(no collector hears on {store}/admin.sock)" in said


def test_the_socket_is_its_owners_alone_and_who_may_not_is_told(admin: Admin) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        open_store(f"sqlite://{folder}").close()
        with closing(local.listen(folder)) as ear:
            ear.listen()
            assert stat.S_IMODE((folder / local.SOCKET).stat().st_mode) == 0o600
            (folder / local.SOCKET).chmod(0)
            with somebody_else():
                status, _, err = admin("keys", "--data-dir", name)
    assert (status, err) == (1, [f"reachwatch-collector: {folder}/admin.sock: Permission denied"])


@contextmanager
def somebody_else() -> Iterator[None]:
    """Not root, who may everything."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(before)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"", "broke off before it had answered"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "broke off before it had answered"),
        (b'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n["note", "hmm"]', "broke off before it had answered"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "broke off before it had answered"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}\n", "broke off before it had answered"),
        (b'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n["end"]\n', "broke off before it had answered"),
        (b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", "is another program or another release (404)"),
        (b"SSH-2.0-OpenSSH\r\n", "broke off before it had answered"),
    ],
)
def test_an_answer_without_its_end_is_not_taken_for_one(
    store: Path, admin: Admin, answer: bytes, said: str
) -> None:
    with closing(local.listen(store)) as ear:
        ear.listen()

        def once() -> None:
            with closing(ear.accept()[0]) as connection:
                connection.recv(65_536)
                connection.sendall(answer)

        thread = threading.Thread(target=once)
        thread.start()
        status, _, err = admin("compact")
        thread.join()
    assert status == 1
    assert said in err[-1]


async def ends(client: aiohttp.ClientSession, name: str, body: bytes, version: str = __version__) -> str:
    headers = {local.VERSION_HEADER: version}
    async with client.post(f"http://x/order/{name}", data=body, headers=headers) as response:
        end, status, why = json.loads((await response.text()).splitlines()[-1])
    assert (end, status) == ("end", 1)
    return str(why)


@pytest.mark.slow
async def test_what_is_no_order_is_refused_by_the_collector_too(data: Path) -> None:
    async with serving(data):
        connector = aiohttp.UnixConnector(str(data / local.SOCKET))
        async with aiohttp.ClientSession(connector=connector) as client:
            assert await ends(client, "format", b"{}") == "'format' is nothing that can be ordered"
            assert (
                await ends(client, "keys", b"{")
                == "$: not JSON: Expecting property name enclosed in double quotes at character 1"
            )
            assert await ends(client, "keys", b'{"all": 1}') == "$.all: unknown key"
            assert "neither a key" in await ends(client, "quarantine", b'{"subject": "x"}')
            assert "absolute path" in await ends(client, "backup", b'{"file": "copy"}')
            assert await ends(client, "keys", b" " * 99_999) == "an order of more than 16384 bytes"
            said = await ends(client, "keys", b"{}", "0.0.1")
            assert said == f"the collector that runs is {__version__}, this command 0.0.1"


@pytest.mark.slow
async def test_the_socket_goes_with_the_collector_and_a_folder_with_a_long_name_is_served_without_one(
    data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(data):
        assert (data / local.SOCKET).is_socket()
    assert not (data / local.SOCKET).exists()
    async with serving(data / ("x" * 120)):
        pass
    assert "admin_socket_failed" in caplog.text


def test_who_ordered_it_is_a_short_printable_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "ann\x1b[2J" + "x" * 500)
    assert asking.who() == ("ann[2J" + "x" * 500)[:64]
    monkeypatch.delenv("SUDO_USER")
    assert asking.who()


def test_a_folder_whose_name_is_too_long_for_a_socket_is_worked_on_without_one(
    tmp_path: Path, admin: Admin
) -> None:
    folder = tmp_path / ("x" * 120)
    open_store(f"sqlite://{folder}").close()
    assert admin("keys", "--data-dir", str(folder)) == (0, [], [])
