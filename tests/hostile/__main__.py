"""``python -m tests.hostile [SECONDS]``: five minutes of everything at once, into docs/hostile-hour.md."""

from __future__ import annotations

import asyncio
import os
import platform
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from .hour import AGAIN_S, EVERY_S, HONEST, Hour, hour

PAGE = Path(__file__).parents[2] / "docs" / "hostile-hour.md"
SECONDS = 300.0


def main(seconds: float) -> int:
    """0 when it lives and its memory came back."""
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
        found = asyncio.run(hour(Path(folder), seconds))
    text = _written(found)
    PAGE.write_text(text, encoding="utf-8")
    print(text)
    return int(not found.is_alive or found.after_mib > 1.1 * found.before_mib)


def _written(found: Hour) -> str:
    attacks = "".join(
        f"| {name} | {', '.join(f'{count} of {status}' for status, count in sorted(answers.items()))} |\n"
        for name, answers in sorted(found.attacks.items())
    )
    refused = ", ".join(f"{reason} {count}" for reason, count in found.refused.most_common())
    seen = sum(n for answers in found.attacks.values() for s, n in answers.items() if s[:1] in "45")
    api = next((line.strip() for line in found.api.splitlines() if "generated" in line), "no word")
    return f"""# A hostile hour in {found.seconds / 60:.0f} minutes

Written by `make hostile` on {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores, Linux \
{platform.release()}, Python {platform.python_version()}; attackers, honest homes and the collector share \
them. All at once: a flood of signed replays from 200 prefixes, sent at twice what the collector takes
({found.rate:.0f} a second); 500 senders of a byte a second; bombs of 40 MB in 40 KB, of nesting, of brotli;
forgeries; replays; bodies that hypothesis thought of; and schemathesis over the API. Beside them {HONEST} \
honest homes send a round every {EVERY_S:.0f} s each, and ask again after {AGAIN_S:.0f} s where they are \
told to.

- The collector {"lives" if found.is_alive else "**is gone**"}.
- Honest homes: {len(found.took)} rounds, every one taken, {found.first / len(found.took):.1%} at the first \
asking. To the receipt: p50 {found.quantile(0.5):.2f} s, p99 {found.quantile(0.99):.2f} s, at most \
{found.quantile(1.0):.2f} s.
- Resident memory: {found.before_mib:.0f} MiB before, {found.most_mib:.0f} at most, {found.after_mib:.0f} \
after ({found.after_mib / found.before_mib - 1:+.1%}).
- Refusals: {sum(found.refused.values())} counted, {seen} met by the attackers ({refused}).
- The API: {api}.

| attack | answers |
|---|---|
{attacks}"""


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS))
