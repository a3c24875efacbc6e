"""Templates become text: the one place that knows the template engine, and how times are written."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from collector.config import Display
from collector.detect.words import Voice
from collector.web.zones import local

from .chart import LEVELS
from .now import Kind, Standing

# Beside each word a sign of its own, so that colour is never the only one.
SIGNS = {
    Kind.CONFIRMED: "✕",
    Kind.SUSPECTED: "?",
    Kind.PART: "◐",
    Kind.OUTAGE: "⊘",
    Kind.UNSETTLED: "!",
    Kind.OK: "✓",
    Kind.FEW: "…",
    Kind.NONE: "-",
}
_FORM = "%Y-%m-%d %H:%M"
_NB = "\u00a0"  # keeps a figure with its sign


class Renderer:
    """Templates with one language's words. `assets` are the addresses of the static files, by name."""

    def __init__(self, voice: Voice, display: Display, assets: Mapping[str, str]) -> None:
        self._t = words = voice.words
        self._templates = Environment(
            loader=PackageLoader("collector.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals.update(
            t=words,
            html=self.html,
            signs=SIGNS,
            counts=self.counts,
            when=self.when,
            between=self.between,
            clock=clock,
            hour=hour,
            duration=self.duration,
            moment=moment,
            percent=percent,
            number=number,
            levels=self._levels(),
            replay=display.replay,
            least=voice.min_prefixes,
            limits=voice.limits,
            address=voice.address,
            assets=assets,
        )
        self._templates.filters["opening"] = opening
        self._templates.filters["breaks"] = breaks
        self._templates.filters["titled"] = lambda platform: words.name("platform", platform)
        self._templates.filters["place"] = lambda country: words.name("name", country)

    def __call__(self, template: str, **values: object) -> str:
        """A template, filled in. Whatever is not markup of ours is escaped."""
        return self._templates.get_template(template).render(**values)

    def html(self, key: str, **values: object) -> Markup:
        """A text with markup of ours filled in."""
        return Markup(self._t.raw(key)).format_map(values)  # noqa: S704  # the catalogue is ours

    def _levels(self) -> list[str]:
        """What each level of a strip stands for."""
        first = self._t("country.scale0", to=percent(LEVELS[0]))
        return [first, *(self._t("country.scale", of=percent(share)) for share in LEVELS)]

    def counts(self, one: Standing) -> str:
        """A standing's numbers in words."""
        reached = one.of - one.failing
        if one.kind is Kind.NONE:
            return ""
        if one.kind is Kind.FEW:
            return self._t("counts.few", reached=reached, of=one.of) if one.of else self._t("counts.cannot")
        if not one.of:
            return self._t("counts.nobody")
        key = "counts.slow" if one.is_slow else "counts.fails" if one.failing else "counts.all"
        return self._t(key, failing=one.failing, of=one.of)

    def when(self, at: float, country: str = "") -> Markup:
        """A moment (Unix seconds) in UTC, and by the country's clocks where it has one time."""
        stamp = datetime.fromtimestamp(at, UTC)
        text = self._t("time.utc", at=f"{stamp:{_FORM}}")
        element = Markup('<time datetime="{}">{}</time>').format(f"{stamp:%Y-%m-%dT%H:%M:%SZ}", text)
        return element + self._there(local(country, at), stamp)

    def between(self, after: float, before: float, country: str = "") -> Markup:
        """Between two moments, the same way."""
        first, last = (datetime.fromtimestamp(at, UTC) for at in (after, before))
        until = f"{last:%H:%M}" if first.date() == last.date() else f"{last:{_FORM}}"
        text = self._t("time.between", after=f"{first:{_FORM}}", before=until)
        here, there = local(country, after), local(country, before)
        if here is None or there is None or here.utcoffset() == first.utcoffset():
            return Markup("{}").format(text)
        span = f"{here:{'%H:%M' if here.date() == first.date() else _FORM}}\u2013{there:%H:%M}"
        return Markup('{} <span class="there">({})</span>').format(text, self._t("time.there", at=span))

    def _there(self, here: datetime | None, stamp: datetime) -> Markup:
        if here is None or here.utcoffset() == stamp.utcoffset():
            return Markup("")
        text = f"{here:{'%H:%M' if here.date() == stamp.date() else _FORM}}"
        return Markup(' <span class="there">({})</span>').format(self._t("time.there", at=text))

    def duration(self, seconds: float) -> str:
        """So long, in minutes, hours or days."""
        minutes = round(seconds / 60)
        if minutes < 60:
            return self._t("duration.minutes", m=minutes)
        if minutes < 2880:
            return self._t("duration.hours", h=minutes // 60, m=minutes % 60)
        return self._t("duration.days", d=minutes // 1440, h=minutes % 1440 // 60)


def moment(text: str) -> float:
    """An RFC 3339 time in Unix seconds."""
    return datetime.fromisoformat(text).timestamp()


def clock(at: float) -> str:
    """A moment as short as a table's row can have it, in UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%m-%d %H:%M}"


def hour(at: float) -> str:
    """The same without the day."""
    return f"{datetime.fromtimestamp(at, UTC):%H:%M}"


def opening(sentence: str) -> str:
    """A sentence that stands alone begins with a capital."""
    return sentence[:1].upper() + sentence[1:]


def breaks(name: str) -> Markup:
    """A name that may be broken where its words end, and elsewhere only if it must."""
    return Markup("_<wbr>").join(name.split("_"))


def percent(share: float) -> str:
    """A share as a percentage, with a decimal only where it is small."""
    return f"{100 * share:.0f}{_NB}%" if share >= 0.1 or share == 0 else f"{100 * share:.2g}{_NB}%"


def number(value: float) -> str:
    """A number without decimals that say nothing."""
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"
