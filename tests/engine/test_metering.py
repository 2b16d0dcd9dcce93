"""Late usage is never lost and never billed twice: over all invoices it comes to what was used.

What the flows measure is compared with a table of every event that was ever recorded, which knows
nothing of segments, invoices and lateness.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TypeVar

import pytest
from attrs import define, evolve, field
from hypothesis import given, settings
from hypothesis import strategies as st

from subscriptions import MemoryStorage, Seller
from subscriptions.billing_cycles import BillingCycle, Interval, Period, first_instant
from subscriptions.decisions import Change, created
from subscriptions.engine.gather import Batch
from subscriptions.engine.procedures import run_sync
from subscriptions.ids import CustomerId, MeterId, PriceId, SubscriptionId
from subscriptions.lifecycle import (
    SUBSCRIPTION,
    Active,
    Item,
    Subscription,
    history_of,
    past_until,
)
from subscriptions.money import EUR, Money
from subscriptions.pricing import Graduated, Percentage, PerUnit, PriceModel, Tier
from subscriptions.taxes import NO_TAX
from subscriptions.testing import counting_ids
from subscriptions.usage import (
    LEVEL,
    Aggregation,
    CarriedLevel,
    Filter,
    Meter,
    StretchKind,
    Usage,
    add_meter,
)
from subscriptions.usage.meters import EXACT, QuantityRounding
from subscriptions.usecases.flows import Context, Flow
from subscriptions.usecases.metering import Measured, amount, late_amount, measure
from subscriptions.usecases.usage import recording

T = TypeVar("T")
TENANT = "acme"
START = date(2027, 1, 1)
DAILY = BillingCycle(START, Interval.days(1))
DAYS = 5
HOUR = timedelta(hours=1)
MIDNIGHT = first_instant(START, "UTC")
TIERS = Graduated([Tier(up_to=10, unit="1.00"), Tier(up_to=25, unit="0.50"), Tier(unit="0.20")])
EACH = Percentage("10", fixed="0.30", minimum="0.50", maximum="3.00")


@define
class Book:
    """A subscription with one metered item that is billed every day, and what it was billed."""

    meter: Meter
    model: PriceModel
    storage: MemoryStorage = field(factory=MemoryStorage)
    billed_minor: int = 0
    measured: list[Measured] = field(factory=list[Measured])
    events: list[tuple[int, int, str]] = field(factory=list[tuple[int, int, str]])
    """Each recorded event: its hour from the start, its quantity, its user."""
    subscription: Subscription = field(init=False)

    def __attrs_post_init__(self) -> None:
        item = Item(
            PriceId("price_1"),
            1,
            DAILY,
            arrears=True,
            meter=self.meter.key,
            since=MIDNIGHT,
        )
        self.subscription = Subscription(
            SubscriptionId("sub_1"),
            TENANT,
            1,
            CustomerId("cus_1"),
            EUR,
            "UTC",
            (item,),
            Active(START),
            start=START,
        )
        self._write(add_meter(self.meter), created(SUBSCRIPTION, self.subscription))

    @property
    def item(self) -> Item:
        return self.subscription.items[0]

    @property
    def since(self) -> datetime:
        assert self.item.since is not None
        return self.item.since

    def run(self, flow: Flow[T]) -> T:
        return run_sync(Batch(self.storage, TENANT).one(flow))

    def use(self, hour: int, quantity: int, user: str = "ada", plan: str = "pro") -> None:
        """Record one event; it is recorded long after it happened."""
        at = datetime(2028, 1, 1, tzinfo=UTC) + len(self.events) * HOUR
        context = Context(at, at, TENANT, counting_ids(), Seller(), NO_TAX, {})
        given = Usage(
            self.subscription.id,
            self.meter.key,
            f"e{len(self.events)}",
            quantity,
            MIDNIGHT + hour * HOUR,
            {"user": user, "plan": plan},
        )
        decision = self.run(recording(given, context))
        self.events.append((hour, quantity, user))
        self._write(*decision.changes)

    def look(self, as_of: datetime | None = None, until: datetime | None = None) -> Measured:
        """Measure the open day, or what an end in it leaves of it."""
        return self.run(
            measure(
                subscription=self.subscription.id,
                meter=self.meter,
                history=history_of(self.subscription, self.item),
                until=until,
                model=self.model,
                as_of=as_of,
            )
        )

    def bill(self, until: datetime | None = None) -> Measured:
        """Bill the open day and go on to the next, or until a change in it and go on there."""
        measured = self.look(until=until)
        self.billed_minor += amount(self.model, measured.on_time, EUR).minor
        for late in measured.late:
            self.billed_minor += late_amount(self.model, late, EUR).minor
        end = self.item.next_period.end
        item = evolve(self.item, through=end, since=first_instant(end, "UTC"))
        if until is not None:
            past = past_until(self.item, until, StretchKind.PART, "UTC")
            item = evolve(self.item, since=until, past=past)
        after = evolve(self.subscription, items=(item,), version=self.subscription.version + 1)
        self._write(Change(SUBSCRIPTION, self.subscription, after), *measured.changes)
        self.subscription = after
        self.measured.append(measured)
        return measured

    def _write(self, *changes: Change) -> None:
        with self.storage.begin() as unit:
            unit.write(changes, [])


def a_meter(aggregation: Aggregation = Aggregation.SUM, **changes: object) -> Meter:
    by = "user" if aggregation is Aggregation.UNIQUE else None
    meter = Meter(MeterId("calls"), TENANT, 1, "Calls", aggregation, by)
    return evolve(meter, **changes)  # type: ignore[arg-type]  # passed on


# ---- the law ----------------------------------------------------------------------------------


def truth(aggregation: Aggregation, events: list[tuple[int, int, str]]) -> list[Fraction]:
    """Return what each day comes to when all is known, looking at every hour."""
    days: list[Fraction] = []
    ordered = sorted(enumerate(events), key=lambda row: (row[1][0], row[0]))
    levels = [0] * (24 * DAYS)
    for _, (hour, quantity, _user) in ordered:
        levels[hour:] = [quantity] * (24 * DAYS - hour)
    for day in range(DAYS):
        inside = [(q, user) for _, (hour, q, user) in ordered if hour // 24 == day]
        numbers = [q for q, _ in inside]
        whole = {
            Aggregation.COUNT: len(inside),
            Aggregation.SUM: max(0, sum(numbers)),
            Aggregation.MAX: max(numbers, default=0),
            Aggregation.UNIQUE: len({user for _, user in inside}),
            Aggregation.LAST: numbers[-1] if numbers else 0,
        }
        if aggregation is Aggregation.TIME_WEIGHTED:
            days.append(Fraction(sum(levels[24 * day : 24 * day + 24]), 24))
        else:
            days.append(Fraction(whole[aggregation]))
    return days


steps = st.lists(
    st.one_of(
        st.none(),  # a day is billed
        st.tuples(st.integers(0, 24 * DAYS - 1), st.integers(0, 30), st.sampled_from("abc")),
    ),
    max_size=25,
)


@pytest.mark.parametrize("aggregation", Aggregation)
@given(steps=steps)
@settings(deadline=None, max_examples=60)
def test_whenever_usage_comes_all_invoices_together_bill_what_was_used(
    aggregation: Aggregation, steps: list[tuple[int, int, str] | None]
) -> None:
    book = Book(a_meter(aggregation), TIERS)
    days = 0
    for step in [*steps, *[None] * DAYS, None]:
        if step is None:
            # One day more than there are: what comes late for the last one is billed with it.
            if days <= DAYS:
                book.bill()
                days += 1
            continue
        hour, quantity, user = step
        if days > DAYS:
            continue
        if aggregation in {Aggregation.COUNT, Aggregation.UNIQUE}:
            quantity = 1
        book.use(hour, quantity, user)
    due = sum(
        # One rounding to money for each period; a level is rounded to picos before.
        amount_of(EXACT.apply(total))
        for total in truth(aggregation, book.events)
    )
    extra = 0
    if aggregation is Aggregation.TIME_WEIGHTED:  # the level goes on into the day after the last
        extra = amount_of(book.measured[-1].quantity)
    assert book.billed_minor == due + extra
    on_time = sum(measured.count for measured in book.measured)
    late = sum(
        each.every.count - each.before.count for measured in book.measured for each in measured.late
    )
    assert on_time + late == len(book.events)


def amount_of(quantity: Decimal) -> int:
    return TIERS.amount(quantity, "EUR").minor


@given(steps=steps)
@settings(deadline=None, max_examples=60)
def test_late_amounts_are_priced_each_in_the_order_they_came(
    steps: list[tuple[int, int, str] | None],
) -> None:
    book = Book(a_meter(), EACH)
    days = 0
    for step in [*steps, *[None] * (DAYS + 1)]:
        if step is None and days <= DAYS:
            book.bill()
            days += 1
        elif step is not None and days <= DAYS:
            book.use(*step)
    due = Decimal(0)
    for day in range(DAYS):
        of_day = Decimal(0)
        for hour, quantity, _ in book.events:
            if hour // 24 == day:
                cost = Decimal(quantity) / 10 + Decimal("0.30")
                of_day += min(max(cost, Decimal("0.50")), Decimal("3.00"))
        due += of_day
    assert book.billed_minor == int(due * 100)


# ---- examples ---------------------------------------------------------------------------------


def test_late_usage_is_priced_in_the_tiers_of_its_own_period() -> None:
    book = Book(a_meter(), TIERS)
    book.use(1, 9)
    assert book.bill().quantity == 9  # 9.00
    book.use(2, 2)  # the tenth costs 1.00, the eleventh 0.50
    book.use(25, 20)  # and this 10.00 + 5.00
    measured = book.bill()
    assert measured.quantity == 20
    assert measured.count == measured.events == 1
    (late,) = measured.late
    assert (late.since, late.period) == (MIDNIGHT, Period(START, date(2027, 1, 2)))
    assert [late.before.quantity, late.every.quantity] == [9, 11]
    assert late_amount(TIERS, late, "EUR") == Money.of("1.50", "EUR")
    assert book.billed_minor == 900 + 1500 + 150


def test_late_usage_is_told_once() -> None:
    book = Book(a_meter(), TIERS)
    book.bill()
    book.use(2, 2)
    assert len(book.look().late) == 1
    assert len(book.bill().late) == 1
    book.use(3, 3)
    (late,) = book.bill().late
    assert [late.before.quantity, late.every.quantity] == [2, 5]
    assert book.bill().late == ()


def test_a_segment_that_is_measured_again_says_the_same_whatever_came_since() -> None:
    book = Book(a_meter(), TIERS)
    book.use(1, 5)
    book.bill()
    book.use(2, 2)
    book.use(26, 4)
    then = history_of(book.subscription, book.item)
    second = book.bill()
    book.use(3, 30)
    book.use(27, 30)
    again = book.run(
        measure(
            subscription=book.subscription.id,
            meter=book.meter,
            history=then,
            model=book.model,
        )
    )
    assert again == second


def test_what_is_taken_back_late_is_credited() -> None:
    book = Book(a_meter(), TIERS)
    book.use(1, 11)
    book.bill()
    book.use(2, -2)
    (late,) = book.bill().late
    assert late_amount(TIERS, late, "EUR") == Money.of("-1.50", "EUR")
    assert late.every.events == 1  # what is taken back is no event of a turnover


def test_what_does_not_pass_the_filters_counts_nothing_on_time_or_late() -> None:
    book = Book(a_meter(filters=(Filter("plan", ("pro",)),)), TIERS)
    book.use(1, 5, plan="free")
    book.use(1, 4)
    assert book.bill().quantity == 4
    book.use(2, 7, plan="free")
    (late,) = book.bill().late
    assert late.every == late.before


def test_the_quantity_of_a_segment_is_rounded_once() -> None:
    book = Book(a_meter(rounding=QuantityRounding(step="10")), PerUnit("0.01"))
    for hour in range(3):
        book.use(hour, 4)
    assert book.bill().quantity == 10


def test_levels_are_carried_into_the_next_segment_and_corrected_by_late_ones() -> None:
    book = Book(a_meter(Aggregation.TIME_WEIGHTED), PerUnit("1.00"))
    book.use(12, 10)
    assert book.bill().quantity == 5
    assert book.look().quantity == 10
    book.use(18, 4)  # late: from 18:00 on it was 4 already
    measured = book.bill()
    assert measured.quantity == 4
    (late,) = measured.late
    assert [late.before.quantity, late.every.quantity] == [5, Decimal("3.5")]
    assert book.bill().quantity == 4
    book.use(48, 0)
    measured = book.bill()
    (late,) = measured.late
    assert [late.before.quantity, late.every.quantity] == [4, 0]
    assert measured.quantity == 0
    assert {change.kind for change in measured.changes} == {LEVEL}


def test_a_level_that_stays_is_written_once_for_each_segment() -> None:
    book = Book(a_meter(Aggregation.TIME_WEIGHTED), PerUnit("1.00"))
    assert book.bill().changes == ()  # a level of 0 is as good as none
    book.use(30, 3)
    (change,) = book.bill().changes
    assert isinstance(change.after, CarriedLevel)
    assert change.before is None
    assert change.after.quantity == 3
    assert change.after.segment == MIDNIGHT + 48 * HOUR


def test_so_far_levels_are_held_only_until_now_and_nothing_is_carried_on() -> None:
    book = Book(a_meter(Aggregation.TIME_WEIGHTED), PerUnit("1.00"))
    book.use(0, 24)
    measured = book.look(as_of=MIDNIGHT + 6 * HOUR)
    assert measured.quantity == 6
    assert measured.changes == ()


def test_a_segment_that_is_a_part_of_a_period_weighs_levels_with_the_whole() -> None:
    book = Book(a_meter(Aggregation.TIME_WEIGHTED), PerUnit("1.00"))
    book.use(0, 24)
    assert book.bill(until=MIDNIGHT + 6 * HOUR).quantity == 6
    book.use(3, 8)  # late: held until the change, and carried on after it
    measured = book.bill()
    (late,) = measured.late
    assert [late.before.quantity, late.every.quantity] == [6, 4]
    assert measured.quantity == 6
