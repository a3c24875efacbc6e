"""TLS served directly: a floor, renewal without a restart, and no half-written pair ever served."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509

from collector import app
from collector.certificate import Certificate
from collector.config import Config, Tls
from probe.wire.settings import ConfigError
from tests.authority import Authority

CA = Authority("a test's")
NAME = "collector.example"


def renewed(pair: Path, folder: Path) -> Path:
    """Another certificate in the pair's place, as a renewal puts it there; where it was issued."""
    issued = CA.issue([NAME], folder / "issued")
    part = pair.with_suffix(".new")
    part.write_bytes(issued.read_bytes())
    part.replace(pair)
    return issued


def serial_in(pem: bytes) -> int:
    return x509.load_pem_x509_certificates(pem)[0].serial_number


async def shown(port: int) -> int:
    """The serial number of the certificate that a new connection is shown, and checks."""
    trusting = ssl.create_default_context(cadata=CA.pem().decode())
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting, server_hostname=NAME)
    found: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    with suppress(ConnectionError, ssl.SSLError):
        await writer.wait_closed()
    return x509.load_der_x509_certificate(found).serial_number


async def soon(port: int, serial: int) -> bool:
    """Whether that certificate is shown within some seconds."""
    for _ in range(100):
        if await shown(port) == serial:
            return True
        await asyncio.sleep(0.05)
    return False


async def fetched(metrics: str) -> str:
    async with aiohttp.ClientSession() as client, client.get(f"{metrics}/metrics") as response:
        return await response.text()


@asynccontextmanager
async def serving(certificate: Certificate) -> AsyncIterator[int]:
    server = await asyncio.start_server(lambda _, w: w.close(), "127.0.0.1", 0, ssl=certificate.context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_a_renewed_pair_is_shown_to_new_connections_and_a_half_of_one_never(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    pair = tmp_path / "pair.pem"
    first = serial_in(renewed(pair, tmp_path).read_bytes())
    certificate = Certificate(Tls(certificate_file=str(pair), key_file=str(pair)))
    async with serving(certificate) as port:
        assert await shown(port) == first
        pem = renewed(pair, tmp_path).read_bytes()
        certificate.look()
        assert await shown(port) == serial_in(pem)
        for broken in (b"", pem[:100], pem[: pem.index(b"-----BEGIN CERT") + 300], b"junk"):
            pair.write_bytes(broken)
            certificate.look()
            assert (await shown(port), certificate.is_current) == (serial_in(pem), False)
        last = serial_in(renewed(pair, tmp_path).read_bytes())
        certificate.look()
        assert (await shown(port), certificate.is_current) == (last, True)
    said = [record.message.split()[0] for record in caplog.records if record.name.startswith("reachwatch")]
    assert said == ["certificate_renewed", "certificate_kept", "certificate_renewed"]


def test_a_certificate_is_not_taken_before_its_key_is_there_too(tmp_path: Path) -> None:
    old, new = CA.issue([NAME], tmp_path), CA.issue([NAME], tmp_path)
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(old.read_bytes())
    key.write_bytes(old.read_bytes())
    certificate = Certificate(Tls(certificate_file=str(chain), key_file=str(key)))
    chain.write_bytes(new.read_bytes())
    certificate.look()
    assert not certificate.is_current
    key.unlink()
    certificate.look()
    assert not certificate.is_current
    key.write_bytes(new.read_bytes())
    certificate.look()
    assert certificate.is_current
    away = chain.rename(tmp_path / "away.pem")
    certificate.look()
    assert not certificate.is_current
    away.rename(chain)
    certificate.look()
    assert certificate.is_current


def test_bad_files_are_one_line(tmp_path: Path) -> None:
    one, other = CA.issue([NAME], tmp_path), CA.issue([NAME], tmp_path)
    junk = tmp_path / "junk"
    junk.write_bytes(b"junk")
    for chain, key, message in (
        (tmp_path / "none", one, f"tls.certificate_file: {tmp_path}/none: No such file or directory"),
        (one, tmp_path, f"tls.key_file: {tmp_path}: Is a directory"),
        (junk, one, f"tls.certificate_file: {junk}: not certificates in PEM"),
        (one, junk, f"tls.key_file: {junk}: not a key in PEM without a password"),
        (one, other, f"tls.key_file: {other}: not the key of {one}"),
    ):
        with pytest.raises(ConfigError) as caught:
            Certificate(Tls(certificate_file=str(chain), key_file=str(key)))
        assert str(caught.value) == message


async def test_a_collector_serves_tls_of_1_2_and_later_and_takes_a_renewed_pair_while_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "CERTIFICATE_S", 0.05)
    pair = tmp_path / "pair.pem"
    first = serial_in(renewed(pair, tmp_path).read_bytes())
    config = Config(
        data_dir=str(tmp_path / "data"),
        listen="127.0.0.1:0",
        metrics_listen="127.0.0.1:0",
        tls=Tls(certificate_file=str(pair), key_file=str(pair)),
    )
    stop, addresses = asyncio.Event(), asyncio.Queue[tuple[str, str]]()
    async with asyncio.TaskGroup() as group:
        group.create_task(app.serve(config, stop, lambda *both: addresses.put_nowait(both)))
        main, metrics = await addresses.get()
        assert (main.partition(":")[0], metrics.partition(":")[0]) == ("https", "http")
        port = int(main.rpartition(":")[2])
        assert await shown(port) == first
        too_old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        too_old.check_hostname, too_old.verify_mode = False, ssl.CERT_NONE
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            too_old.minimum_version = too_old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(ssl.SSLError):
            await asyncio.open_connection("127.0.0.1", port, ssl=too_old)
        second = serial_in(renewed(pair, tmp_path).read_bytes())
        assert await soon(port, second)
        assert "\nreachwatch_tls_certificate_last_reload_successful 1.0" in await fetched(metrics)
        stop.set()
