"""The lab's trusted resolver: DNS over HTTPS (RFC 8484) on HTTP/1.1, forwarding to the authority.

Debian's unbound speaks DoH over HTTP/2 alone, and nginx of this release cannot stand between.

    python -m tests.lab.doh ADDRESS PEM AUTHORITY
"""

from __future__ import annotations

import ssl
import sys

import dns.asyncquery
import dns.message
from aiohttp import web

MEDIA_TYPE = "application/dns-message"


def application(authority: str) -> web.Application:
    """Forwards what it is asked, and says what the authority says."""

    async def query(request: web.Request) -> web.Response:
        question = dns.message.from_wire(await request.read())
        answer = await dns.asyncquery.udp(question, authority, timeout=2)
        return web.Response(body=answer.to_wire(), content_type=MEDIA_TYPE)

    app = web.Application()
    app.add_routes([web.post("/dns-query", query)])
    return app


def main(address: str, pem: str, authority: str) -> None:
    """Serve until killed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    web.run_app(application(authority), host=address, port=443, ssl_context=context, print=lambda *_: None)


if __name__ == "__main__":
    main(*sys.argv[1:])
