"""Usage: add meters, record what was used, and what it comes to so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import assert_never, cast

from attrs import frozen

from subscriptions import lifecycle, usage
from subscriptions.billing_cycles import Period, first_instant, local_date
from subscriptions.catalog import PRICE, Price, model_for
from subscriptions.decisions import Change, Decision
from subscriptions.errors import (
    Duplicate,
    IdempotencyMismatch,
    InvalidTransition,
    UnknownReference,
    ValidationError,
)
from subscriptions.ids import MeterId, PriceId, SubscriptionId
from subscriptions.lifecycle import (
    SUBSCRIPTION,
    Active,
    CheckUsage,
    Contract,
    Ended,
    Incomplete,
    Item,
    Scheduled,
    Subscription,
    Trialing,
)
from subscriptions.money import Money
from subscriptions.records import Metadata, Ref, aware, plain_text
from subscriptions.usage import (
    METER,
    USAGE,
    Aggregation,
    Filter,
    Meter,
    QuantityRounding,
    Segment,
    Usage,
    UsageEvent,
    usage_id,
)
from subscriptions.usage.meters import EXACT
from subscriptions.usecases.flows import (
    Command,
    Context,
    Flow,
    Get,
    Listing,
    Maybe,
    Question,
    one_of,
    only,
)
from subscriptions.usecases.metering import (
    LateUsage,
    Measured,
    amount,
    carry_level,
    late_amount,
    measure,
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
    usage so far comes to the threshold of the subscription, it is billed at once.

    Raises `UnknownReference` for an unknown subscription or meter; `InvalidTransition` for a
    subscription that has ended, for nothing would bill it; `IdempotencyMismatch` for an event id
    that came with other content; `ValidationError` for a wrong value, a meter that no price of the
    subscription bills, a time before the subscription's start, after its end or in the future, and
    for the level of a time-weighted meter in a period before the last one that is billed.
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
        if not _same(stored, given, quantity, occurred_at, properties):
            raise IdempotencyMismatch(event, "usage.record")
        return Decision(about=about)
    meter = yield from Maybe(METER, given.meter)
    if meter is None:
        raise UnknownReference("meter", given.meter)
    subscription = yield from Maybe(SUBSCRIPTION, given.subscription)
    if subscription is None:
        raise UnknownReference("subscription", given.subscription)
    item = _item(subscription, meter)
    segment = yield from _segment(subscription, item, meter, occurred_at)
    check = () if segment.late else _check_threshold(subscription, context)
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
        segment.used,
        segment.billed,
        segment.period,
        properties,
    )
    return Decision((usage.record(used, meter), *check), about=about)


def _check_threshold(subscription: Subscription, context: Context) -> tuple[Change, ...]:
    """Let a subscription look whether this comes to its threshold, if it is not to look anyway."""
    pause = subscription.pause
    if (
        subscription.threshold is None
        or subscription.usage_check_at is not None
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


@frozen
class UsageSummary:
    """What a subscription has used so far of one meter, and what comes with its next invoice.

    `quantity` and `amount` are those of the open `period` until now; `late` is what came for
    earlier periods since the last invoice, and costs `late_amount`. Amounts are those of the price,
    before discounts, minimum and tax. Of the amount, `billed_amount` was billed ahead already. In
    a trial of which the usage is free the period is the trial, and the amount is zero.
    """

    subscription: SubscriptionId
    item: int
    meter: MeterId
    price: PriceId
    period: Period
    since: datetime
    quantity: Decimal
    count: int
    amount: Money
    late: tuple[LateUsage, ...]
    late_amount: Money
    billed_amount: Money


def summary(
    subscription: str, *, meter: str | None = None, at: datetime | None = None
) -> Question[tuple[UsageSummary, ...]]:
    """Return what a subscription has used so far of each of its meters, or of one.

    Nothing is open any more, and the answer is empty, when it has ended. Raises `NotFound` for an
    unknown subscription and `UnknownReference` for a meter that none of its prices bills.
    """

    def flow(context: Context) -> Flow[tuple[UsageSummary, ...]]:
        owner = yield from Get(SUBSCRIPTION, subscription)
        items = [item for item in owner.items if item.meter is not None]
        if meter is not None:
            items = [item for item in items if item.meter == meter]
            if not items:
                raise UnknownReference("meter", meter)
        if isinstance(owner.contract, Ended):
            return ()
        summaries: list[UsageSummary] = []
        for item in items:
            summaries += ((yield from _summary(owner, item, context.at)),)
        return tuple(summaries)

    return Question(flow, at)


def _summary(subscription: Subscription, item: Item, at: datetime) -> Flow[UsageSummary]:
    price = yield from Get(PRICE, item.price)
    model = model_for(price, item.billed)
    currency = subscription.currency
    trial = _free_trial(subscription, price)
    period = item.next_period if trial is None else trial
    since = _begin(subscription, item) if trial is not None else _since(subscription, item)
    measured = yield from _measured(subscription, item, period, since, at)
    extra = Money.zero(currency)
    for each in measured.late:
        extra += late_amount(model, each, currency)
    return UsageSummary(
        subscription.id,
        item.number,
        measured.meter.id,
        price.id,
        period,
        since,
        measured.quantity,
        measured.count,
        amount(model, measured.on_time, currency) if trial is None else Money.zero(currency),
        measured.late,
        extra,
        Money(item.usage_billed_minor, currency),
    )


def used_now(subscription: Subscription, item: Item, at: datetime) -> Flow[Decimal]:
    """Return what the meter of an item counted in the billing period that an instant is in.

    A trial counts as one period. What comes late for earlier periods does not count.
    """
    price = yield from Get(PRICE, item.price)
    zone, period, since = subscription.zone, item.next_period, _since(subscription, item)
    trial = _trial(subscription)
    free = _free_trial(subscription, price)
    if free is not None:
        period, since = free, _begin(subscription, item)
    elif local_date(at, zone) >= period.end:
        # Nobody has billed yet, but the period is over.
        end = first_instant(period.end, zone)
        period = usage.whole_period(item.cycle, local_date(at, zone))
        since = max(end, first_instant(period.start, zone))
    measured = yield from _measured(subscription, item, period, since, at)
    if trial is None:
        return measured.quantity
    return sum([each.every.quantity for each in measured.late], measured.quantity)


def carry_levels(
    subscription: Subscription, until: datetime, items: Iterable[Item] | None = None
) -> Flow[tuple[Change, ...]]:
    """Return what is to be committed when usage until an instant is free: its levels go on.

    That is for meters that weigh levels with time, of all items or of some: what a customer took in
    a trial, or had when a pause began, he still has after it.
    """
    changes: list[Change] = []
    for item in subscription.items if items is None else items:
        if item.meter is None:
            continue
        meter = yield from Get(METER, item.meter)
        price = yield from Get(PRICE, item.price)
        if _trial(subscription) is None:
            segments = _segments(subscription, item, until)
        elif price.trial_usage_billed:
            # Its invoice does it.
            continue
        else:
            segments = [(_begin(subscription, item), until)]
        changes += yield from carry_level(
            subscription=subscription.id, meter=meter, segments=segments
        )
    return tuple(changes)


def _segments(
    subscription: Subscription, item: Item, until: datetime
) -> list[tuple[datetime, datetime]]:
    """Return the open segment of an item, and those that follow it until an instant."""
    segments: list[tuple[datetime, datetime]] = []
    begin, period = _since(subscription, item), item.next_period
    while begin < until:
        end = first_instant(period.end, subscription.zone)
        segments.append((begin, min(end, until)))
        begin, period = end, usage.whole_period(item.cycle, period.end)
    return segments


def _measured(
    subscription: Subscription, item: Item, period: Period, since: datetime, at: datetime
) -> Flow[Measured]:
    """Measure what was used until an instant, of the segment that began at `since`.

    `period` is the last of it, and ends it.
    """
    assert item.meter is not None
    meter = yield from Get(METER, item.meter)
    price = yield from Get(PRICE, item.price)
    whole = usage.whole_period(item.cycle, period.start)
    return (
        yield from measure(
            subscription=subscription.id,
            meter=meter,
            zone=subscription.zone,
            since=since,
            until=max(since, first_instant(period.end, subscription.zone)),
            model=model_for(price, item.billed),
            period=period if period == _trial(subscription) else whole,
            as_of=max(since, at),
        )
    )


def _trial(subscription: Subscription) -> Period | None:
    """Return the trial that a subscription is in, or is to begin with."""
    start, until = subscription.start, _billed_from(subscription.contract)
    in_trial = isinstance(subscription.contract, Scheduled | Trialing)
    return Period(start, until) if in_trial and start is not None and start < until else None


def _free_trial(subscription: Subscription, price: Price) -> Period | None:
    return None if price.trial_usage_billed else _trial(subscription)


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
    return occurred_at, Metadata(given.properties)


def _same(
    stored: UsageEvent,
    given: Usage,
    quantity: int | Decimal,
    occurred_at: datetime,
    properties: Metadata,
) -> bool:
    # Where nothing is said of the time, each attempt has its own, and it is that of the first.
    at_one_time = given.occurred_at is None or stored.occurred_at == occurred_at
    return (
        at_one_time
        and (stored.subscription, stored.meter, stored.quantity)
        == (
            given.subscription,
            given.meter,
            quantity,
        )
        and dict(stored.properties) == dict(properties)
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


def _segment(
    subscription: Subscription, item: Item, meter: Meter, occurred_at: datetime
) -> Flow[Segment]:
    zone = subscription.zone
    since, begin = _since(subscription, item), _begin(subscription, item)
    if occurred_at < begin:
        expected = f"at or after the start of the subscription, {begin}"
        raise ValidationError("occurred_at", occurred_at, expected)
    if subscription.cancellation is not None:
        end = first_instant(subscription.cancellation.on, zone)
        if occurred_at >= end:
            expected = f"before the end of the subscription, {end}"
            raise ValidationError("occurred_at", occurred_at, expected)
    free = occurred_at < first_instant(_billed_from(subscription.contract), zone)
    if free and not (yield from Get(PRICE, item.price)).trial_usage_billed:
        # What is free stays so, however late it comes: the segment of the trial is never billed.
        whole = usage.whole_period(item.cycle, local_date(occurred_at, zone))
        return Segment(begin, begin, whole)
    segment = usage.assign(
        cycle=item.cycle,
        open_period=item.next_period,
        since=since,
        started=begin,
        occurred_at=occurred_at,
        zone=zone,
    )
    after = first_instant(segment.period.end, zone)
    if meter.aggregation is Aggregation.TIME_WEIGHTED and segment.late and after < since:
        # It would change the levels of all periods since, and they are billed.
        expected = "in the open period or the one before; the levels of others are billed"
        raise ValidationError("occurred_at", occurred_at, expected)
    return segment


def _billed_from(contract: Contract) -> date:
    """Return the first day that is not a trial's."""
    match contract:
        case Trialing(until=until):
            return until
        case Scheduled(start=start, trial_until=until):
            return until or start
        case Incomplete(since=since) | Active(since=since):
            return since
        case Ended():
            raise AssertionError("usage of what has ended was refused before")
        case other:
            assert_never(other)


def _begin(subscription: Subscription, item: Item) -> datetime:
    if subscription.start is None:
        return _since(subscription, item)
    return first_instant(subscription.start, subscription.zone)


def _since(subscription: Subscription, item: Item) -> datetime:
    return item.usage_since or first_instant(item.through, subscription.zone)
