"""The events that matter to a funnel, as SQL over a relation with the columns of `actor_events`.

Times are microseconds since the start of the range: integers sort fast, and leave room for a step beside them.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import combinations

from eventmill.analysis.filter_sql import field_text, to_sql
from eventmill.analysis.filters import Condition, EventFilter, Op, Sql, Value
from eventmill.analysis.funnel_definition import CountBy, FunnelDefinition, Order

_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_VALUE = 500


@dataclass(frozen=True, slots=True)
class Scope:
    """A funnel over a relation; `start`, `span` and `window` in microseconds: since 1970, of the range, of a path."""

    definition: FunnelDefinition
    events: str
    start: int
    span: int
    window: int

    @classmethod
    def of(cls, definition: FunnelDefinition, events: str) -> "Scope":
        """Raises ValueError where the funnel says no range."""
        if definition.range_from is None or definition.range_to is None:
            msg = "a funnel is computed over a range: say from and to"
            raise ValueError(msg)
        return cls(
            definition,
            events,
            (definition.range_from - _EPOCH) // _MICROSECOND,
            (definition.range_to - definition.range_from) // _MICROSECOND,
            definition.window // _MICROSECOND,
        )

    @property
    def key(self) -> str:
        """The column that names what goes through the funnel."""
        return "session_key" if self.definition.count_by is CountBy.SESSION else "actor"

    @property
    def has_distinct_steps(self) -> bool:
        """Whether no event can satisfy two steps, nor a step and an exclusion, whatever the data."""
        filters = [step.filter for step in self.definition.steps] + [one.filter for one in self.definition.exclude]
        steps = len(self.definition.steps)
        pairs = (pair for pair in combinations(range(len(filters)), 2) if pair[0] < steps)
        return all(_never_meet(filters[one], filters[other]) for one, other in pairs)


def _never_meet(one: EventFilter, other: EventFilter) -> bool:
    return any(
        _exclude(left, right) for left in _conditions(one) for right in _conditions(other) if left.field == right.field
    )


def _conditions(chosen: EventFilter) -> list[Condition]:
    """All that a filter asks for, the type and the name too."""
    fields = {"event_type": chosen.event_type, "event_name": chosen.event_name}
    asked = [Condition(Op.IS, field, (value,)) for field, value in fields.items() if value is not None]
    return [*asked, *chosen.filters]


def _exclude(one: Condition, other: Condition) -> bool:
    """Whether no text of a field meets both; of numbers nothing is said, which compare in several spellings."""
    if not all(isinstance(value, str) for value in (*one.values, *other.values)):
        return False
    match one.op, other.op:
        case Op.IS, Op.IS:
            return not set(one.values) & set(other.values)
        case (Op.STARTS_WITH, Op.IS | Op.STARTS_WITH) | (Op.IS, Op.STARTS_WITH):
            return not any(_may_begin(one, left, other, right) for left in one.values for right in other.values)
        case (Op.IS, Op.IS_NOT) | (Op.IS_NOT, Op.IS):
            narrow, wide = (one, other) if one.op is Op.IS else (other, one)
            return set(narrow.values) <= set(wide.values)
    return {one.op, other.op} == {Op.IS_SET, Op.IS_NOT_SET}


def _may_begin(one: Condition, left: Value, other: Condition, right: Value) -> bool:
    """Whether a text that is, or begins with, `left` can be, or begin with, `right`."""
    goes_on = one.op is Op.STARTS_WITH and str(right).startswith(str(left))
    return goes_on or (other.op is Op.STARTS_WITH and str(left).startswith(str(right)))


def relevant(scope: Scope) -> Sql:
    """Condition of the rows that may belong to a path: its time, and bots left out."""
    people = "" if scope.definition.include_bots else " and not is_bot"
    sql = f"event_time between make_timestamptz(?) and make_timestamptz(?) and {scope.key} is not null{people}"
    return sql, [scope.start, scope.start + scope.span + scope.window]


def single_steps(scope: Scope) -> Sql:
    """Query of (actor, t, step): events that satisfy one step each; those of no use as a start are left out.

    The number of an exclusion's event is one more than that of the last step.
    """
    steps = scope.definition.steps
    cases, parameters = [], []
    for number, chosen in enumerate([step.filter for step in steps], 1):
        sql, values = to_sql(chosen)
        cases.append(f"when {sql} then {number}")
        parameters += values
    for exclusion in scope.definition.exclude:
        sql, values = to_sql(exclusion.filter)
        cases.append(f"when {sql} then {len(steps) + 1}")
        parameters += values
    condition, bounds = relevant(scope)
    rows = (
        f"select {scope.key} as actor, epoch_us(event_time) - {scope.start} as t, case {' '.join(cases)} end as step"
        f" from {scope.events} where {condition}"
    )
    is_start = f" and not (step = 1 and t >= {scope.span})" if scope.definition.order is not Order.ANY else ""
    return f"select actor, t, step from ({rows}) where step is not null{is_start}", [*parameters, *bounds]


def masked(scope: Scope) -> Sql:
    """Query of (actor, t, mask, excluded): the steps that each event may satisfy and the exclusions it meets, as bits.

    An excluded event is none of the steps that it would break: the path ends before it. With the order `strict`, events
    of no step are there too.
    """
    steps, exclusions = scope.definition.steps, scope.definition.exclude
    mask, parameters = _bits([step.filter for step in steps])
    excluded, values = _bits([one.filter for one in exclusions])
    condition, bounds = relevant(scope)
    forbidden = "".join(
        f" & ~(case when excluded & {1 << bit} > 0 then {_between(one.from_step, one.to_step)} else 0 end)"
        for bit, one in enumerate(exclusions)
        if scope.definition.order is not Order.ANY
    )
    rows = (
        f"select {scope.key} as actor, epoch_us(event_time) - {scope.start} as t, {mask} as given,"
        f" {excluded} as excluded from {scope.events} where {condition}"
    )
    is_useful = "" if scope.definition.order is Order.STRICT else " where given > 0 or excluded > 0"
    return (
        f"select actor, t, given{forbidden} as mask, excluded from ({rows}){is_useful}",
        [*parameters, *values, *bounds],
    )


def _bits(filters: list[EventFilter]) -> Sql:
    parts: list[str] = ["0"]
    parameters: list[Value] = []
    for bit, chosen in enumerate(filters):
        sql, values = to_sql(chosen)
        parts.append(f"case when {sql} then {1 << bit} else 0 end")
        parameters += values
    return " | ".join(parts), parameters


def _between(from_step: int, to_step: int) -> int:
    """Bits of the steps after the one and before the other."""
    return sum(1 << step for step in range(from_step, to_step - 1))


def entries(scope: Scope, paths: str) -> Sql:
    """Query of (actor, value): the breakdown's value of the event with which each path begins, null where not set.

    Of several at one time, the first that was stored. Values are cut to MAX_VALUE characters, and NUL is replaced: the
    key of a table of results could hold neither.
    """
    value, path = field_text(scope.definition.breakdown or "")
    if scope.definition.order is Order.ANY:
        starts = [step.filter for step in scope.definition.steps]
    else:
        starts = [scope.definition.steps[0].filter]
    conditions = [to_sql(chosen) for chosen in starts]
    condition, bounds = relevant(scope)
    is_start = " or ".join(sql for sql, _ in conditions)
    rows = (
        f"select {scope.key} as actor, epoch_us(event_time) - {scope.start} as t, place,"
        f" nullif(left(replace({value}, chr(0), '\N{REPLACEMENT CHARACTER}'), {MAX_VALUE}), '') as value"
        f" from {scope.events} where ({is_start}) and {condition}"
    )
    parameters = [*path, *(value for _, values in conditions for value in values), *bounds]
    sql = (
        f"select actor, arg_min_null(value, place) as value from ({rows}) join {paths} using (actor)"
        " where t = times[1] group by actor"
    )
    return sql, parameters
