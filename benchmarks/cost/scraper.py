"""What Prometheus would do with a blackbox exporter: scraper.py.

For each line on standard input, a JSON list of URLs on loopback, all are asked for at once, and a line of
JSON says how long that took, in seconds, and what the exporter says of each handshake.
"""

import asyncio
import json
import re
import sys
import time
from urllib.parse import urlsplit

_TLS_S = re.compile(r'(?m)^probe_http_duration_seconds\{phase="tls"\} (\S+)$')


async def scrape(url: str) -> str:
    """One probe's metrics; one that did not succeed ends the benchmark."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(f"GET {parts.path}?{parts.query} HTTP/1.0\r\nHost: {parts.netloc}\r\n\r\n".encode())
    text = (await reader.read()).decode()
    writer.close()
    if "\nprobe_success 1" not in text:
        raise RuntimeError(f"{url} did not succeed: {text}")
    return text


async def main() -> None:
    """Until standard input ends."""
    for line in sys.stdin:
        urls, began_s = json.loads(line), time.monotonic()
        texts = await asyncio.gather(*map(scrape, urls))
        wall_s = time.monotonic() - began_s
        tls_s = [float(found) for text in texts for found in _TLS_S.findall(text) if float(found)]
        print(json.dumps({"wall_s": wall_s, "endpoints_s": wall_s, "tls_s": tls_s}), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
