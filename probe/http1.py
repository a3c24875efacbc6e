"""One HTTP/1.1 exchange (RFC 9112) on a stream: the probe's only way to speak HTTP.

The HTTP stage, DNS over HTTPS and the upload all use it. h11 parses; what is ours is the bound
on everything a hostile server can send, and that the head survives when the body breaks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from math import inf

import h11

from .net import Stream

# Sites of the platforms send heads of 10 KB and more: a low limit here is a false failure there.
MAX_HEAD_BYTES = 65_536
# A browser's words: on a cleartext line the agent should not stand out (and no site answers better
# to a stranger). Firefox ESR's, as of 2026.
USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


class InvalidResponse(Exception):
    """The peer answered with something that is not HTTP, or with a head over the limit."""


class ClosedEarly(Exception):
    """The peer ended the connection before the response was complete."""


class Exchange:
    """A request and its response. `status` and `headers` are set as soon as the head is in.

    `keep` leaves the connection open for another, where `may_go_on` says that it can be.
    `timed_bytes` of the body came in the `timed_s` seconds, by `clock`, after its first piece; after
    `enough_s` of them no more is waited for.
    """

    def __init__(
        self,
        stream: Stream,
        *,
        max_body_bytes: int,
        keep: bool = False,
        enough_s: float = inf,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream
        self._max_body_bytes = max_body_bytes
        self._keep = keep
        self._enough_s = enough_s
        self._clock = clock
        self._first_at: float | None = None
        self.timed_bytes, self.timed_s = 0, 0.0
        self._machine = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.body = b""

    async def run(
        self,
        method: str,
        host: str,
        path: str,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> None:
        """Send the request, read the response up to the body limit.

        Raises `InvalidResponse`, `ClosedEarly`, or `OSError` and `ssl.SSLError` from the stream.
        """
        fields = [("Host", host), ("User-Agent", USER_AGENT), ("Accept", "*/*"), *headers]
        if body:
            fields.append(("Content-Length", str(len(body))))
        if not self._keep:
            fields.append(("Connection", "close"))
        request = self._machine.send(h11.Request(method=method, target=path, headers=fields))
        content = self._machine.send(h11.Data(data=body)) if body else b""
        self._machine.send(h11.EndOfMessage())
        await self._stream.write((request or b"") + (content or b""))
        try:
            while not await self._advance():
                pass
        except h11.RemoteProtocolError as error:
            raise InvalidResponse(str(error)) from None

    @property
    def may_go_on(self) -> bool:
        """Whether request and response are over, and the other side keeps the connection open."""
        machine = self._machine
        return machine.our_state is machine.their_state is h11.DONE and not machine.trailing_data[0]

    async def _advance(self) -> bool:
        """Take one event; True once the response is complete or long enough."""
        event = self._machine.next_event()
        if event is h11.NEED_DATA:
            data = await self._stream.read()
            if not data and not self._ends_by_closing():
                raise ClosedEarly
            self._machine.receive_data(data)
        elif isinstance(event, h11.Response):
            self.status = event.status_code
            self.headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in event.headers}
        elif isinstance(event, h11.Data):
            self._take(bytes(event.data))
        enough = len(self.body) >= self._max_body_bytes or self.timed_s >= self._enough_s
        return isinstance(event, h11.EndOfMessage) or enough

    def _take(self, data: bytes) -> None:
        now = self._clock()
        self.body += data
        if self._first_at is None:
            self._first_at = now
        else:
            self.timed_bytes += len(data)
            self.timed_s = now - self._first_at

    def _ends_by_closing(self) -> bool:
        """Whether the body's end is the connection's end (RFC 9112, section 6.3, item 8)."""
        if self.status is None:
            return False
        return not {"content-length", "transfer-encoding"} & self.headers.keys()
