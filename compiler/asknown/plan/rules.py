"""Chooses the forms of matches and windows, from statistics of a sample."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from asknown.durations import spell
from asknown.model.nodes import FeatureView, Frame, PeriodFrame, WindowCall
from asknown.plan.nodes import FORMS, WINDOW_FORMS, Form, Match, Spine, WindowForm

DAY = 86_400_000_000
# If a bucket is this many times as long as the time between two rows of a key, nearly every moment finds a row in it.
SPACINGS_IN_A_BUCKET = 5
# The next buckets, for moments that found nothing, are this many times as wide: a pass reads all rows anyway.
WIDER = 30
# Up to this many candidate rows for each moment, a join with all of them costs least.
FEW_ROWS = 16
# From this many rows with one key and event time on, reading them again for each moment costs too much.
MANY_TIES = 1.5
# If the form is forced, keys have tiles from this many rows in the longest frame on, so that tests have tiles.
TILED_ROWS_FORCED = 2
# Bytes that an aggregate keeps of each value, or of each band if it keeps one value: of a number, of any other.
KEPT_OF_NUMBERS, KEPT_OF_OTHERS = 64, 256
# Aggregates that keep every value in memory. Engines sort the values of others that need them, and sorts spill.
KEEPING = ("count_distinct", "median", "quantile_cont", "quantile_disc")
# Bytes of a pair of a moment and a row while pairs are sorted.
PAIR = 256


@dataclass(frozen=True)
class PlanOptions:
    """Forms that a test or a benchmark forces on a plan. Every form gives the same results.

    ``forms`` names the form of a match by its view (``*``: of every view), ``window_form`` the form of all windows.
    """

    forms: Mapping[str, Form] = field(default_factory=dict)
    window_form: WindowForm | None = None

    def form_of(self, view: FeatureView) -> Form | None:
        """The form that is forced on the view's match, if any."""
        return self.forms.get(view.name, self.forms.get("*"))


@dataclass(frozen=True)
class Memory:
    """A limit of memory in bytes, and the greatest number of rows that the spine can have (None: unknown)."""

    limit: int
    moments: int | None


@dataclass(frozen=True)
class Sample:
    """Statistics from a sample of a view's rows. Times are in microseconds."""

    rows: int
    keys: int
    hottest: int  # rows of the key that has the most
    squares: int  # the sum of the squares of each key's number of rows
    times: int  # distinct pairs of key and event time
    span: int  # twice the time range of the middle half of the rows, because a few may be very late
    whole: bool  # the sample is the whole view

    @property
    def rows_of_a_rows_key(self) -> float:
        """Expected rows per key, weighted by rows (Σn²/Σn), so that one hot key counts.

        One key of 100 rows and ten keys of one row: (100² + 10 · 1²) / 110 = 91.
        """
        return self.squares / max(self.rows, 1)

    @property
    def rows_of_a_time(self) -> float:
        """The mean number of rows that share keys and event time."""
        return self.rows / max(self.times, 1)

    @property
    def spacing(self) -> int:
        """The typical time between two rows of one key."""
        return int(self.span / max(self.rows_of_a_rows_key, 1.0))


def choose_match(
    view: FeatureView, sample: Sample | None, *, forms: Sequence[str] = FORMS, forced: Form | None = None
) -> Match:
    """The form of the match of ``view``, among those that the engine has: ``forced``, or by the ``sample``.

    ``sample`` is None if nothing is known of the rows. The width of a bucket affects speed alone, never the result.
    """
    if forced is not None and forced in forms:
        match = Match(forced, "asked for", _widths(view, sample) if forced == "cascade" else ())
    elif "cascade" not in forms:
        match = _choose_portable(sample, forms)
    elif sample is None:
        match = _choose_blindly(view)
    else:
        match = _choose_by(view, sample)
    if match.form not in forms:
        match = replace(match, form="union")
    # The match of known_at among ties needs an as-of join.
    return replace(match, many_ties="asof" in forms and sample is not None and sample.rows_of_a_time > MANY_TIES)


def _choose_portable(sample: Sample | None, forms: Sequence[str]) -> Match:
    if sample is not None and sample.whole and sample.rows_of_a_rows_key <= FEW_ROWS:
        return Match("range", f"{_about(sample.rows_of_a_rows_key)} for a key: joining them all is cheap")
    if "asof" in forms:
        return Match("asof", "one sort of the rows")
    return Match("union", "rows and moments in one sort: the engine has no as-of join")


def _choose_blindly(view: FeatureView) -> Match:
    if view.ttl is not None:
        widths = _widths(view, None)
        return Match("cascade", f"nothing is known of the rows: buckets of {_spell(view, widths)}", widths)
    return Match("asof", "nothing is known of the rows, and there is no ttl")


def _choose_by(view: FeatureView, sample: Sample) -> Match:
    typical = sample.rows_of_a_rows_key
    if sample.whole and typical <= FEW_ROWS:
        return Match("range", f"{_about(typical)} for a key: joining them all is cheap")
    share = view.ttl / sample.span if view.ttl is not None and sample.span else 1.0
    if sample.whole:
        share = min(1.0, share)
    if view.ttl is not None and typical * share <= FEW_ROWS:
        why = f"{_about(typical * share)} within the ttl: buckets of its length find all"
        return Match("cascade", why, (view.ttl,))
    if typical * share <= FEW_ROWS:
        return Match("asof", f"{_about(typical * share)} for a moment: too few for buckets")
    widths = _widths(view, sample)
    every = spell(_round(sample.spacing))
    return Match("cascade", f"a row every {every} for a key: buckets of {_spell(view, widths)}", widths)


def _spell(view: FeatureView, widths: Sequence[int]) -> str:
    return ", then of ".join("the ttl" if width == view.ttl else spell(width) for width in widths)


def _about(rows: float) -> str:
    count = max(round(rows), 1)
    return f"about {count:,} row{'' if count == 1 else 's'}"


def choose_windows(
    places: Sequence[int],
    calls: Sequence[WindowCall],
    sample: Sample | None,
    *,
    forms: Sequence[str] = WINDOW_FORMS,
    forced: WindowForm | None = None,
    tiled_rows: int,
    view: FeatureView,
    memory: Memory | None = None,
) -> Iterator[tuple[WindowForm, str, tuple[int, ...]]]:
    """Divides the calls at ``places`` into passes: (form, reason, places) for each.

    Tiles pay from ``tiled_rows`` rows of a key in the longest frame on. ``memory`` is None if nobody set a limit.
    """
    if "sorted" in forms and (forced == "sorted" or (forced is None and memory is not None)):
        costly = tuple(places) if memory is None or forced else _costly(view, places, calls)
        keeping = [calls[place] for place in costly]
        if costly and (memory is None or forced or _must_sort(view, keeping, sample, memory)):
            yield "sorted", "asked for" if forced else "what they keep of each moment would fill the memory", costly
            places = tuple(place for place in places if place not in costly)
    # A period has other bounds at each moment, so no two moments share bands of age.
    fixed = [place for place in places if isinstance(calls[place].frame, Frame)]
    merging = tuple(place for place in fixed if calls[place].aggregate.merges)
    others = tuple(place for place in places if place not in merging)
    frames = {calls[place].frame for place in merging}
    if merging and forced != "pairs" and "bands" in forms:
        rows, most = _rows_in(max(frame.oldest for frame in frames), sample)
        many = "tiles" in forms and rows > tiled_rows
        if forced == "tiles" or (forced is None and many):
            why = f"{_about(rows)} of a row's key in the longest frame, up to {_about(most)}: added up beforehand"
            yield "tiles", why, merging
            places = others
        elif forced == "bands" or len(frames) > 1:
            yield "bands", f"each row into its band of age, once for {len(frames)} frames", merging
            places = others
    if places:
        alone = all(isinstance(calls[place].frame, PeriodFrame) for place in places)
        why = "periods of the calendar" if alone else "every value is needed" if others else "one frame"
        yield "pairs", why, tuple(places)


def _costly(view: FeatureView, places: Sequence[int], calls: Sequence[WindowCall]) -> tuple[int, ...]:
    """The calls whose states have no fixed size, which engines cannot write to disk."""
    return tuple(
        place
        for place in places
        if calls[place].aggregate.name in KEEPING
        or (calls[place].aggregate.state == "extreme" and not _is_narrow(view, calls[place]))
    )


def _is_narrow(view: FeatureView, call: WindowCall) -> bool:
    """Whether all values of the call have one length."""
    return call.value is None or view.column(call.value).type.kind not in ("text", "blob", "list", "struct", "other")


def _must_sort(view: FeatureView, calls: Sequence[WindowCall], sample: Sample | None, memory: Memory) -> bool:
    """Whether the states of ``calls`` would fill the memory, or much of it if sorting the pairs is cheap."""
    if sample is None or memory.moments is None:
        return True
    if not sample.whole and not all(call.aggregate.merges for call in calls):  # the number of values is not known
        return True
    held, pairs = 0.0, 0.0
    for call in calls:
        rows = _rows_in(call.frame.oldest, sample)[0]
        pairs = max(pairs, memory.moments * rows)
        values = min(1.0, rows) if call.aggregate.merges else rows
        held += memory.moments * values * (KEPT_OF_NUMBERS if _is_narrow(view, call) else KEPT_OF_OTHERS)
    return held > memory.limit / 2 or (held > memory.limit / 16 and pairs * PAIR < memory.limit * 16)


def is_sparse(spine: Spine, sample: Sample | None) -> bool:
    """Whether the spine surely has less than half of a view's keys."""
    return spine.bounds.rows is not None and sample is not None and 2 * spine.bounds.rows < sample.keys


def _rows_in(length: int, sample: Sample | None) -> tuple[float, float]:
    """(expected rows per key in ``length`` microseconds, weighted by rows; those of the key with the most rows)."""
    if sample is None or not sample.span:
        return 0.0, 0.0
    share = length / sample.span
    if sample.whole:
        share = min(1.0, share)
    return sample.rows_of_a_rows_key * share, sample.hottest * share


def _widths(view: FeatureView, sample: Sample | None) -> tuple[int, ...]:
    """The widths of a cascade's buckets, each much wider than the one before. The last is the ttl, if there is one."""
    quarter = DAY if view.ttl is None else max(view.ttl // 4, 1)
    width = quarter
    if sample is not None and sample.span:
        width = max(_round(SPACINGS_IN_A_BUCKET * sample.spacing), 1)
    if view.ttl is None:
        return (width,)
    widths = [min(width, quarter)]
    while widths[-1] * WIDER * 2 < view.ttl:
        widths.append(_round(widths[-1] * WIDER))
    return (*widths, view.ttl)


def _round(length: int) -> int:
    """The length, rounded down to a whole number of its largest unit, for people to read."""
    for unit in (DAY, 3_600_000_000, 60_000_000, 1_000_000, 1_000):
        if length >= unit:
            return length // unit * unit
    return max(length, 1)
