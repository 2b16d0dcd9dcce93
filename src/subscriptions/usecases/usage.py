"""Usage: add meters, and record what was used. What it comes to is in `usage_so_far`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import cast

from subscriptions import lifecycle, usage
from subscriptions.billing_cycles import first_instant
from subscriptions.decisions import Change, Decision
from subscriptions.errors import (
    Duplicate,
    IdempotencyMismatch,
    InvalidTransition,
    UnknownReference,
    ValidationError,
)
from subscriptions.frozen import frozen
from subscriptions.ids import MeterId
from subscriptions.lifecycle import (
    SUBSCRIPTION,
    Active,
    CheckUsage,
    Ended,
    Item,
    Subscription,
)
from subscriptions.records import Metadata, Ref, aware, plain_text
from subscriptions.usage import (
    METER,
    USAGE,
    Aggregation,
    Assigned,
    Filter,
    Meter,
    QuantityRounding,
    Usage,
    UsageEvent,
    usage_id,
)
from subscriptions.usage.meters import EXACT
from subscriptions.usecases.flows import (
    Command,
    Context,
    Flow,
    Listing,
    Maybe,
    one_of,
    only,
)


def add_meter(
    key: str,
    *,
    aggregation: Aggregation | str = Aggregation.SUM,
    name: str | None = None,
    property: str | None = None,
    filters: Mapping[str, Iterable[str]] | None = None,
    rounding: QuantityRounding | None = None,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Meter]:
    """Add a meter; prices and usage name it by its `key`.

    `aggregation` says how the events of a period become one quantity: "count", "sum", "max",
    "unique" (values of a `property`), "last" or "time_weighted". With `filters` only events count
    whose properties have one of the values given for each. `rounding` is that of the period's
    quantity; without one it is exact. A meter is never edited: add another one.

    Raises `Duplicate` if there is a meter with this key, `ValidationError` for a wrong value.
    """
    plain_text("key", key, length_max=200)
    word = one_of("aggregation", aggregation, list(Aggregation))
    if rounding is not None and not isinstance(rounding, QuantityRounding):
        raise ValidationError("rounding", rounding, "a QuantityRounding or None")
    chosen = _filters(filters)

    def flow(context: Context) -> Flow[Decision]:
        if (yield from Maybe(METER, key)) is not None:
            raise Duplicate("meter.key", key)
        meter = Meter(
            MeterId(key),
            context.tenant,
            1,
            key if name is None else name,
            Aggregation(cast("str", word)),
            property,
            chosen,
            rounding or EXACT,
        )
        return Decision((usage.add_meter(meter),), about=Ref(METER, key))

    return Command(METER, flow, at, idempotency_key)


def meters(*, limit: int = 100, after: str | None = None) -> Listing[Meter]:
    """List the meters in the order they were added."""
    return Listing(METER, limit=limit, after=after)


def record(
    subscription: str,
    meter: str,
    *,
    event_id: str,
    quantity: int | Decimal = 1,
    occurred_at: datetime | None = None,
    properties: Mapping[str, str] | None = None,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[UsageEvent]:
    """Record that something was used: `quantity` of a meter, at `occurred_at` (default: `at`).

    `event_id` is the host's own id of it. The same event again changes nothing and returns what is
    stored. Usage of a period that is billed already goes on the next invoice, under its own period.
    A negative quantity takes back what was too much, for a meter that sums; 0 is allowed. If the
    usage so far comes to the threshold of the subscription, it is billed at once; what a level
    comes to by time is looked at every day.

    Raises `UnknownReference` for an unknown subscription or meter; `InvalidTransition` for a
    subscription that has ended, for nothing would bill it; `IdempotencyMismatch` for an event id
    that came with other content, which names both; `ValidationError` for a wrong value, a meter
    that no price of the subscription bills, or billed then, and a time before the subscription's
    start, after its end or in the future.
    """
    given = Usage(subscription, meter, event_id, quantity, occurred_at, properties)
    return Command(USAGE, lambda context: recording(given, context), at, idempotency_key)


def recording(given: Usage, context: Context) -> Flow[Decision]:
    """Decide to record something that was used; an empty decision says that it is known."""
    if not isinstance(given, Usage):
        raise ValidationError("events", given, "a Usage")
    event = plain_text("event_id", given.event_id)
    id = usage_id(context.tenant, event)
    about = Ref(USAGE, id)
    occurred_at, properties = _read(given, context)
    quantity = usage.read_used(given.quantity)
    stored = yield from Maybe(USAGE, id)
    if stored is not None:
        difference = _difference(stored, given, quantity, occurred_at, properties)
        if difference:
            raise IdempotencyMismatch(event, "usage.record", difference)
        return Decision(about=about)
    meter = yield from Maybe(METER, given.meter)
    if meter is None:
        raise UnknownReference("meter", given.meter)
    subscription = yield from Maybe(SUBSCRIPTION, given.subscription)
    if subscription is None:
        raise UnknownReference("subscription", given.subscription)
    item = _item(subscription, meter)
    assigned = _assigned(subscription, item, meter, occurred_at)
    # What is late waits for the end of the period; but a level goes on, and costs in this one.
    waits = assigned.late and meter.aggregation is not Aggregation.TIME_WEIGHTED
    check = () if waits else _check_threshold(subscription, context)
    used = UsageEvent(
        id,
        context.tenant,
        1,
        event,
        subscription.id,
        meter.id,
        quantity,
        occurred_at,
        context.at,
        assigned.used,
        assigned.billed,
        assigned.period,
        properties,
    )
    return Decision((usage.record(used, meter), *check), about=about)


def _check_threshold(subscription: Subscription, context: Context) -> tuple[Change, ...]:
    """Let a subscription look whether this comes to its threshold, if it is not to look anyway."""
    pause, check_at = subscription.pause, subscription.usage_check_at
    if (
        subscription.threshold is None
        or (check_at is not None and check_at <= context.at)
        or not isinstance(subscription.contract, Active)
        or (pause is not None and not pause.invoice)
    ):
        return ()
    return (lifecycle.decide(subscription, CheckUsage(context.at)),)


@frozen
class RefusedUsage:
    """A row that was not recorded: its place from 0, the field, its value, what would be right."""

    index: int
    field: str
    value: str
    expected: str


@frozen
class UsageReport:
    """What `usage.record_many` did: `rows` is `recorded`, `known` before, and those `refused`."""

    rows: int
    recorded: int
    known: int
    refused: tuple[RefusedUsage, ...]


def list_(
    *, subscription: str | None = None, limit: int = 100, after: str | None = None
) -> Listing[UsageEvent]:
    """List usage events in the order they were recorded, of one subscription or of all."""
    return Listing(USAGE, only(subscription=subscription), limit=limit, after=after)


# ---- what is given ----------------------------------------------------------------------------


def _filters(given: Mapping[str, Iterable[str]] | None) -> tuple[Filter, ...]:
    filters: list[Filter] = []
    for name, values in (given or {}).items():
        if isinstance(values, str) or not isinstance(values, Iterable):
            raise ValidationError(f"filters[{name}]", values, "a list of values")
        filters.append(Filter(name, tuple(values)))
    return tuple(filters)


def _read(given: Usage, context: Context) -> tuple[datetime, Metadata]:
    for name, value in (("subscription", given.subscription), ("meter", given.meter)):
        plain_text(name, value)
    occurred_at = context.at
    if given.occurred_at is not None:
        occurred_at = aware("occurred_at", given.occurred_at).astimezone(UTC)
    latest = max(context.at, context.now)
    if occurred_at > latest:
        expected = f"not after {latest}, for it is yet to happen"
        raise ValidationError("occurred_at", occurred_at, expected)
    if given.properties is not None and not isinstance(given.properties, Mapping):
        raise ValidationError("properties", given.properties, "a mapping of texts")
    try:
        return occurred_at, Metadata(given.properties)
    except ValidationError as error:
        field = error.field.replace("metadata", "properties", 1)
        raise ValidationError(field, error.value, error.expected) from None


def _difference(
    stored: UsageEvent,
    given: Usage,
    quantity: int | Decimal,
    occurred_at: datetime,
    properties: Metadata,
) -> str:
    """Return what is stored of an event and is given otherwise; empty if it is the same."""
    pairs: dict[str, tuple[object, object]] = {
        "subscription": (stored.subscription, given.subscription),
        "meter": (stored.meter, given.meter),
        "quantity": (stored.quantity, quantity),
        "properties": (dict(stored.properties), dict(properties)),
    }
    if given.occurred_at is not None:
        # Where nothing is said of the time, each attempt has its own, and that of the first counts.
        pairs["occurred_at"] = (stored.occurred_at, occurred_at)
    return ", ".join(
        [
            f"{name} is {kept}, and {new} was given"
            for name, (kept, new) in pairs.items()
            if kept != new
        ]
    )


# ---- where it belongs -------------------------------------------------------------------------


def _item(subscription: Subscription, meter: Meter) -> Item:
    if isinstance(subscription.contract, Ended):
        name = f"subscription {subscription.id}"
        raise InvalidTransition(name, subscription.status, "record usage")
    for item in subscription.items:
        if item.meter == meter.key:
            return item
    billed = ", ".join([item.meter for item in subscription.items if item.meter]) or "none"
    raise ValidationError(
        "meter", meter.key, f"a meter that the subscription is billed by: {billed}"
    )


def _assigned(
    subscription: Subscription, item: Item, meter: Meter, occurred_at: datetime
) -> Assigned:
    history = lifecycle.history_of(subscription, item)
    if occurred_at < history.begin:
        expected = f"at or after the start of the subscription, {history.begin}"
        raise ValidationError("occurred_at", occurred_at, expected)
    if subscription.cancellation is not None:
        end = first_instant(subscription.cancellation.on, subscription.zone)
        if occurred_at >= end:
            expected = f"before the end of the subscription, {end}"
            raise ValidationError("occurred_at", occurred_at, expected)
    # A level is no event: it goes on after a time that was free.
    held = meter.aggregation is Aggregation.TIME_WEIGHTED
    assigned = history.assign(occurred_at, held=held)
    if assigned is None:
        expected = f"when the subscription had a price with meter {meter.key}"
        raise ValidationError("occurred_at", occurred_at, expected)
    return assigned
