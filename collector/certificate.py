"""The certificate that TLS is served with, and its successors, which renewal puts into its place.

A pair is tried in a context of its own before a connection gets it: a renewal writes two files, one after
the other, and who looks in between finds what does not belong together. Until it does, the old pair stays.
"""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

from cryptography import x509

from probe.wire.settings import ConfigError

from .config import Tls

log = logging.getLogger("reachwatch.collector")

Stamp = tuple[tuple[int, int, int], ...]


class Certificate:
    """Opens the pair, and opens it again where `look` finds other files. Raises `ConfigError`.

    `context` is for the listener, for as long as it listens. `not_after` is when the first certificate of the
    chain to end does, in Unix seconds; `is_current` whether what is served is what the files say.
    """

    def __init__(self, tls: Tls) -> None:
        self._tls = tls
        self._stamp = _stamp(tls)
        self._latest, self.not_after = opened(tls)
        self.is_current = True
        self.context = self._latest
        # Called for every handshake, whether or not the client names a host.
        self.context.sni_callback = self._put_latest

    def look(self) -> None:
        """Take what the files hold now, if it is something else and can be used. Said once on breaking."""
        stamp = _stamp(self._tls)
        if stamp == self._stamp:
            self.is_current = True
            return
        try:
            self._latest, self.not_after = opened(self._tls)
        except ConfigError as error:
            if self.is_current:
                log.error("certificate_kept error=%s", error)
            self.is_current = False
            return
        log.info("certificate_renewed")
        self._stamp, self.is_current = stamp, True

    def _put_latest(self, handshake: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        handshake.context = self._latest


def opened_where_set(tls: Tls) -> Certificate | None:
    """The pair, where TLS is served here; raises `ConfigError`."""
    return Certificate(tls) if tls.certificate_file else None


def opened(tls: Tls) -> tuple[ssl.SSLContext, float]:
    """A context with the pair, and when the first certificate of the chain ends; raises `ConfigError`."""
    chain = _read(tls.certificate_file, "tls.certificate_file")
    _read(tls.key_file, "tls.key_file")
    try:
        certificates = x509.load_pem_x509_certificates(chain)
    except ValueError:
        raise ConfigError(f"tls.certificate_file: {tls.certificate_file}: not certificates in PEM") from None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 9325, 3.1.1; Debian's Python sets no floor
    try:
        # Without a password given, OpenSSL would ask for one at the terminal, and wait.
        context.load_cert_chain(tls.certificate_file, tls.key_file, password="")
    except OSError as error:  # OpenSSL's own among them
        raise ConfigError(_refused(tls, error)) from None
    return context, min(one.not_valid_after_utc.timestamp() for one in certificates)


def _read(file: str, setting: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise ConfigError(f"{setting}: {file}: {error.strerror or error}") from None


def _refused(tls: Tls, error: OSError) -> str:
    if not isinstance(error, ssl.SSLError):  # gone since it was read
        return f"tls: {error.strerror or error}"
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"tls.key_file: {tls.key_file}: not the key of {tls.certificate_file}"
    if error.reason:
        return f"tls.certificate_file: {tls.certificate_file}: {error.reason.lower().replace('_', ' ')}"
    return f"tls.key_file: {tls.key_file}: not a key in PEM without a password"


def _stamp(tls: Tls) -> Stamp:
    """What changes with the files: they are replaced, written over, or linked to others."""
    found = []
    for file in (tls.certificate_file, tls.key_file):
        try:
            status = Path(file).stat()
        except OSError:
            continue
        found.append((status.st_ino, status.st_mtime_ns, status.st_size))
    return tuple(found)
