"""What usage is billed with a period: what was used in it, and what came late for earlier ones.

When a period is billed is decided elsewhere, and what its usage costs in `lifecycle.charges`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, TypeAlias

from subscriptions.billing_cycles import Period, first_instant, local_date
from subscriptions.catalog import Price, model_for
from subscriptions.customers import Customer
from subscriptions.decisions import Change
from subscriptions.lifecycle import Item, Subscription, UsageOf, history_of
from subscriptions.records import evolve
from subscriptions.usage import METER
from subscriptions.usecases.flows import Context, Flow, Get
from subscriptions.usecases.metering import Measured, Quantity, measure

Used: TypeAlias = tuple[tuple[UsageOf, ...], tuple[Change, ...]]

NOTHING_USED: Final[Used] = ((), ())
_DAY = timedelta(days=1)


def used_in(
    sub: Subscription, item: Item, price: Price, period: Period, *, until: datetime | None = None
) -> Flow[Used]:
    """Measure what a metered item used until the end of a period, or until an instant in it.

    Also returns what is to be committed with the invoice.
    """
    assert item.meter is not None
    meter = yield from Get(METER, item.meter)
    measured = yield from measure(
        subscription=sub.id,
        meter=meter,
        history=history_of(sub, item),
        model=model_for(price, item.billed),
        until=until or first_instant(period.end, sub.zone),
    )
    return _usage_of(measured, period, sub.zone), measured.changes


def _usage_of(measured: Measured, period: Period, zone: str) -> tuple[UsageOf, ...]:
    on_time = _of(period, measured.on_time, None)
    late: list[UsageOf] = []
    for each in measured.late:
        # Nothing was used before the segment began: a trial, or a stub, is a part of its period.
        begin = max(each.period.start, local_date(each.since, zone))
        late.append(_of(Period(begin, each.period.end), each.every, each.before))
    return (on_time, *late)


def _of(period: Period, used: Quantity, before: Quantity | None) -> UsageOf:
    return UsageOf(
        period,
        used.quantity,
        used.count,
        used.events,
        None if before is None else before.quantity,
        None if before is None else before.events,
    )


def taxed_late(
    usage: tuple[UsageOf, ...], price: Price, owner: Customer, context: Context
) -> tuple[UsageOf, ...]:
    """Let late usage bear the tax of the day on which its own period ended."""
    on_time, *late = usage
    return (
        on_time,
        *[
            evolve(
                each,
                treatment=context.tax_for(owner, each.period.end - _DAY, price.tax_category),
            )
            for each in late
        ],
    )
