"""Usage events as records: what was used, when, and where it counts.

An event is stored once, under an id derived from the host's own: repeated, it is known; it is never
changed. So is the level with which a segment begins, where a meter weighs levels with time.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import assert_never

from subscriptions.billing_cycles import Period
from subscriptions.decisions import Change, created
from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.ids import CarriedLevelId, MeterId, SubscriptionId, UsageEventId, derived_id
from subscriptions.money import read_decimal
from subscriptions.pricing.numbers import MOST_PLACES, MOST_QUANTITY
from subscriptions.records import Column, ColumnType, Kind, Metadata, plain_text
from subscriptions.usage.meters import Aggregation, Meter

_NO_PROPERTIES = Metadata()


@frozen
class Usage:
    """What a host says of something that was used, for `usage.record_many`.

    `event_id` is the host's own, once per tenant; `occurred_at` is by default when it is recorded.
    Nothing is checked here: what is wrong is told of the row, and the others go on.
    """

    subscription: str
    meter: str
    event_id: str
    quantity: int | Decimal = 1
    occurred_at: datetime | None = None
    properties: Mapping[str, str] | None = None


@frozen
class UsageEvent:
    """Something that was used: how much, of which meter, when.

    `event` is the host's own id of it. It counts in the segment that began at `segment`, is billed
    with the one that began at `billed_with` (another one only if it came late), and `period` is the
    whole period that the segment is a part of.
    """

    id: UsageEventId
    tenant: str
    version: int
    event: str
    subscription: SubscriptionId
    meter: MeterId
    quantity: int | Decimal
    occurred_at: datetime
    recorded_at: datetime
    segment: datetime
    billed_with: datetime
    period: Period
    properties: Metadata = _NO_PROPERTIES

    def __attrs_post_init__(self) -> None:
        plain_text("event_id", self.event)
        read_used(self.quantity)

    @property
    def late(self) -> bool:
        """Whether the segment in which it counts was billed before it came."""
        return self.segment != self.billed_with


USAGE = Kind(
    "usage",
    UsageEvent,
    columns=(
        Column("subscription", ColumnType.TEXT, lambda u: u.subscription),
        Column(
            "used_in", ColumnType.TEXT, lambda u: segment_key(u.subscription, u.meter, u.segment)
        ),
        Column(
            "billed_in",
            ColumnType.TEXT,
            lambda u: segment_key(u.subscription, u.meter, u.billed_with),
        ),
        Column("occurred_at", ColumnType.INSTANT, lambda u: u.occurred_at),
    ),
)


@frozen
class CarriedLevel:
    """The level with which a segment of a time-weighted meter begins: that of the end before it.

    A late event in the segment before may correct it.
    """

    id: CarriedLevelId
    tenant: str
    version: int
    subscription: SubscriptionId
    meter: MeterId
    segment: datetime
    quantity: Decimal


LEVEL = Kind("usage_level", CarriedLevel)


def usage_id(tenant: str, event: str) -> UsageEventId:
    """Return the id of an event by the host's id of it: the same at every attempt to record it."""
    return UsageEventId(derived_id("use", tenant, event))


def level_id(
    tenant: str, subscription: SubscriptionId, meter: str, segment: datetime
) -> CarriedLevelId:
    """Return the id of the level with which a segment begins."""
    return CarriedLevelId(derived_id("level", tenant, segment_key(subscription, meter, segment)))


def segment_key(subscription: str, meter: str, segment: datetime) -> str:
    """Return the value by which the events of one segment are found.

    >>> segment_key("sub_1", "api_calls", datetime(2027, 1, 1, tzinfo=UTC))
    'sub_1/api_calls/2027-01-01T00:00:00+00:00'
    """
    return f"{subscription}/{meter}/{segment.astimezone(UTC).isoformat()}"


def record(event: UsageEvent, meter: Meter) -> Change:
    """Decide to keep an event.

    Raises `ValidationError` for an event that the meter cannot count: a quantity other than 1
    where events are counted and not their quantities, a negative one anywhere but in a sum, and an
    event without the property whose values are counted.
    """
    quantity = event.quantity
    match meter.aggregation:
        case Aggregation.COUNT | Aggregation.UNIQUE:
            if quantity != 1:
                # To count it once would quietly lose what the host meant to bill.
                expected = f"1, for meter {meter.key} counts events; a sum adds up quantities"
                raise ValidationError("quantity", quantity, expected)
        case Aggregation.SUM:
            pass
        case Aggregation.MAX | Aggregation.LAST | Aggregation.TIME_WEIGHTED:
            if quantity < 0:
                expected = f"at least 0, for meter {meter.key}; only a sum takes back"
                raise ValidationError("quantity", quantity, expected)
        case other:
            assert_never(other)
    wanted = meter.counted_property
    if wanted is not None and wanted not in event.properties:
        raise ValidationError(f"properties[{wanted}]", None, f"what meter {meter.key} counts")
    # There are a hundred thousand of them: their history is themselves, without an event each.
    return created(USAGE, event)


def read_used(quantity: object) -> int | Decimal:
    """Read how much was used: an int or a `Decimal` of at most 12 decimals, to ±10**18.

    Raises `ValidationError` for others, `TypeError` for floats and bools.
    """
    if type(quantity) is int:
        number: int | Decimal = quantity
    elif isinstance(quantity, str):
        raise ValidationError("quantity", quantity, "an int or a Decimal")
    else:
        number = read_decimal(quantity, field="quantity", max_places=MOST_PLACES)  # type: ignore[arg-type]  # it looks itself
    if not -MOST_QUANTITY <= number <= MOST_QUANTITY:
        raise ValidationError("quantity", quantity, "at most 10**18, or as much taken back")
    return number
