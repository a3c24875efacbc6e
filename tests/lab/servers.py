"""The configurations of the lab's real servers: nginx, unbound and dnsmasq, and their certificates.

What a censor shows in place of a site waits on a port of its own; a scenario only leads there.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from tests.authority import DAY, Authority

from . import world
from .names import DOH_PORT

LARGE_BYTES = 300 << 10


class Port(IntEnum):
    """Where the answers of censors, homes and ailing platforms wait."""

    PAGE_200 = 8200
    PAGE_META = 8280
    PAGE_302 = 8302
    PAGE_303 = 8303
    PAGE_307 = 8307
    PAGE_HTTPS = 8443
    PORTAL = 8080
    MITM_SELF_SIGNED = 9441
    MITM_OTHER_CA = 9442
    MITM_WRONG_NAME = 9443
    INTERCEPTION = 9444
    SITE_403 = 9403
    SITE_429 = 9429
    SITE_5XX = 9503
    SITE_CAPTCHA = 9440
    SITE_CAPTCHA_PLAIN = 9480
    SITE_ASTRAY = 9481
    SITE_ROUND = 9445
    SITE_UNTRUSTED = 9451
    SITE_EXPIRED = 9452
    SITE_WRONG_NAME = 9453


PAGE = "<html><head><title>Surf Safely</title></head><body>This site is blocked by order.</body></html>"
CAPTCHA = "<html><head><title>Just a moment...</title></head><body>Are you human?</body></html>"
_SITES = {
    Port.SITE_403: (403, "Forbidden"),
    Port.SITE_429: (429, "Too many requests"),
    Port.SITE_5XX: (503, "Over capacity"),
    Port.SITE_CAPTCHA: (403, CAPTCHA),
    Port.SITE_ROUND: (302, "https://$host/again"),
}
_PLAIN_SITES = {
    Port.SITE_CAPTCHA_PLAIN: (403, CAPTCHA),
    Port.SITE_ASTRAY: (302, "http://"),
}


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM files, key and chain together, by what they are for."""

    ca: Path
    owners: dict[str, Path]
    expired: dict[str, Path]
    hosts: dict[str, Path]
    self_signed: Path
    other_ca: Path
    home_ca: Path


def certificates(folder: Path) -> Certificates:
    """Issue all that the lab shows. One certificate per owner: no control can speak for a platform."""
    folder.mkdir(parents=True, exist_ok=True)
    lab, national, home = (Authority(name) for name in ("Lab CA", "National Root CA", "Home Shield CA"))
    ca = folder / "ca.pem"
    ca.write_bytes(lab.pem())
    owners = {o.name: lab.issue(o.hosts, folder) for o in (*world.OWNERS, *world.DOMESTIC)}
    alone = [world.DOH_NAME, *(isp.block_host for isp in world.ISPS.values())]
    alone += [platform.neighbour[0] for platform in world.PLATFORMS.values()]
    every = [host for owner in (*world.OWNERS, *world.DOMESTIC) for host in owner.hosts]
    platforms = [host for platform in world.PLATFORMS.values() for host in platform.hosts]
    return Certificates(
        ca,
        owners,
        {p.name: lab.issue(p.hosts, folder, valid=(-30 * DAY, -2 * DAY)) for p in world.PLATFORMS.values()},
        {host: lab.issue([host], folder) for host in alone},
        _self_signed(folder),
        national.issue(platforms, folder),
        home.issue([*every, world.DOH_NAME], folder),
    )


def _self_signed(folder: Path) -> Path:
    file = folder / "self-signed.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-days", "10", "-subj", "/CN=gateway", "-keyout", file, "-out", folder / "self-signed.crt"],
        check=True, capture_output=True,
    )  # fmt: skip
    file.write_bytes(file.read_bytes() + (folder / "self-signed.crt").read_bytes())
    return file


def documents(folder: Path) -> None:
    """The files every site has, of the sizes such files have."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "robots.txt").write_text("User-agent: *\n" + "Disallow: /search/realtime\n" * 55)
    (folder / "favicon.ico").write_bytes(bytes(range(256)) * 4)
    (folder / "large").write_bytes(bytes(range(256)) * (LARGE_BYTES // 256))


def nginx(folder: Path, name: str, servers: Iterable[str]) -> str:
    """A whole nginx.conf; `name` keeps several apart in one folder."""
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f" {kind}_temp_path {folder}/{name}-{kind};\n" for kind in kinds)
    return (
        "daemon off;\nuser root;\nworker_processes 1;\n"
        f"pid {folder}/{name}.pid;\nerror_log {folder}/{name}.log;\n"
        "events { worker_connections 1024; }\n"
        # Small records, so that a response cut off midway has been read to there.
        f"http {{\n access_log off;\n ssl_buffer_size 1k;\n"
        f" root {folder}/www;\n default_type text/html;\n{temporary}" + "".join(servers) + "}\n"
    )


def internet(certs: Certificates) -> Iterator[str]:
    """All foreign sites, and each platform's own troubles."""
    yield _anybody(certs.hosts[world.PLATFORMS["x"].neighbour[0]])
    for owner in world.OWNERS:
        where = list(world.all_addresses(owner))
        if owner.name == "x":
            where += world.all_addresses(world.X_ON_CLOUDFLARE)
        yield _site(where, owner.hosts, certs.owners[owner.name])
    forward = f"location /dns-query {{ proxy_pass http://127.0.0.1:{DOH_PORT}; }}"
    yield _server(_tls_on(world.DOH), forward, pem=certs.hosts[world.DOH_NAME])
    for platform in world.PLATFORMS.values():
        host, where_neighbour = platform.neighbour
        yield _site(where_neighbour, [host], certs.hosts[host])
        for port, (status, text) in _SITES.items():
            yield _server(
                _wildcard(port, tls=True), f"return {status} '{text}';",
                names=platform.hosts, pem=certs.owners[platform.name],
            )  # fmt: skip
        wrong = ((Port.SITE_EXPIRED, certs.expired[platform.name]), (Port.SITE_WRONG_NAME, certs.hosts[host]))
        for port, pem in (*wrong, (Port.SITE_UNTRUSTED, certs.self_signed)):
            yield _server(_wildcard(port, tls=True), _SERVES, names=platform.hosts, pem=pem)
    for port, (status, text) in _PLAIN_SITES.items():
        yield _server(_wildcard(port), f"return {status} '{text}';")


def provider(isp: world.Isp, certs: Certificates) -> Iterator[str]:
    """A provider's block pages, forged certificates and caches."""
    yield _site(isp.block_page, [isp.block_host], certs.hosts[isp.block_host], cleartext=_page())
    yield _server(_wildcard(Port.PAGE_200), _page())
    meta = f'<html><head><meta http-equiv="refresh" content="0; url=http://{isp.block_host}/"></head></html>'
    yield _server(_wildcard(Port.PAGE_META), f"return 200 '{meta}';")
    for port, status in ((Port.PAGE_302, 302), (Port.PAGE_303, 303), (Port.PAGE_307, 307)):
        yield _server(_wildcard(port), f"return {status} http://{isp.block_host}/;")
    yield _server(_wildcard(Port.PAGE_HTTPS), f"return 302 https://{world.BLOCK_PAGE_SITE}/;")
    forged = (
        (Port.MITM_SELF_SIGNED, certs.self_signed),
        (Port.MITM_OTHER_CA, certs.other_ca),
        (Port.MITM_WRONG_NAME, certs.hosts[isp.block_host]),
    )
    for port, pem in forged:
        yield _server(_wildcard(port, tls=True), _page(), pem=pem)
    for platform in world.PLATFORMS.values():
        where = [world.cache_address(isp, host, family) for host in platform.hosts for family in (4, 6)]
        yield _site(where, platform.hosts, certs.owners[platform.name])


def domestic(certs: Certificates) -> Iterator[str]:
    """The country's own sites."""
    for owner in world.DOMESTIC:
        yield _site(list(world.all_addresses(owner)), owner.hosts, certs.owners[owner.name])


def router(certs: Certificates) -> Iterator[str]:
    """What a home can do to itself: a login page, a filter that opens TLS."""
    yield _server(_wildcard(Port.PORTAL), f"return 302 http://{world.ROUTER}/login;")
    yield _server([f"{world.ROUTER}:80"], "return 200 'Please log in.';")
    yield _server(_wildcard(Port.INTERCEPTION, tls=True), "return 200 'Checked.';", pem=certs.home_ca)


def before_collector(pem: Path) -> Iterator[str]:
    """TLS at both of the collector's addresses, whichever name is shown."""
    forward = f"location / {{ proxy_pass http://{world.COLLECTOR}:8460; }}"
    yield _server(_tls_on((world.COLLECTOR, world.COLLECTOR_ELSEWHERE)), forward, pem=pem)


_LEADS_TO_TLS = (
    "location = /success.txt { default_type text/plain; return 200 'success\\n'; }\n"
    "  location / { return 301 https://$host$request_uri; }"
)
_SERVES = "location = /generate_204 { return 204; }\n  location / { try_files $uri /large =404; }"


def _page() -> str:
    return f"return 200 '{PAGE}';"


def _site(where: Sequence[str], names: Sequence[str], pem: Path, *, cleartext: str = _LEADS_TO_TLS) -> str:
    """A site on its own addresses, where it answers to any name."""
    plain = _server([f"{_bare(address)}:80" for address in where], cleartext, names=names)
    return plain + _server(_tls_on(where), _SERVES, names=names, pem=pem)


def _tls_on(where: Sequence[str]) -> list[str]:
    return [f"{_bare(address)}:443 ssl" for address in where]


def _bare(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _anybody(pem: Path) -> str:
    """With a wildcard socket nginx binds once, however many addresses have a site of their own."""
    return _server([*_wildcard(80), *_wildcard(443, tls=True)], "return 404;", pem=pem)


def _wildcard(port: int, *, tls: bool = False) -> list[str]:
    more = " ssl" if tls else ""
    return [f"{port}{more}", f"[::]:{port}{more}"]


def _server(listens: Iterable[str], body: str, *, names: Sequence[str] = (), pem: Path | None = None) -> str:
    lines = [f"listen {listen};" for listen in listens]
    if names:
        lines.append(f"server_name {' '.join(names)};")
    if pem:
        lines += [f"ssl_certificate {pem};", f"ssl_certificate_key {pem};"]
    return " server {\n  " + "\n  ".join([*lines, body]) + "\n }\n"


def unbound(isp: world.Isp, folder: Path) -> str:
    """A provider's resolver. It asks from its service address, which is how `whoami` finds it."""
    v4, v6 = isp.resolver
    return (
        'server:\n username: ""\n chroot: ""\n use-syslog: no\n pidfile: ""\n do-daemonize: no\n'
        " access-control: 0.0.0.0/0 allow\n access-control: ::/0 allow\n module-config: iterator\n"
        f" interface: {v4}\n interface: {v6}\n outgoing-interface: {v4}\n prefer-ip4: yes\n"
        f'forward-zone:\n name: "."\n forward-addr: {world.AUTHORITY[0]}\n'
        f'forward-zone:\n name: "{world.DOMESTIC_ZONE}"\n forward-addr: {world.DOMESTIC_AUTHORITY}\n'
        f'remote-control:\n control-enable: yes\n control-interface: "{folder}/unbound-{isp.name}.sock"\n'
        " control-use-cert: no\n"
    )


def dnsmasq(folder: Path) -> list[str]:
    """The home router's command line; it reads the files again when told to (SIGHUP)."""
    return [
        "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
        "--cache-size=0", "--user=root", "--pid-file=", "--log-facility=-", "--bind-interfaces",
        f"--listen-address={world.ROUTER}", f"--servers-file={folder}/upstream",
        f"--addn-hosts={folder}/filtered",
    ]  # fmt: skip
