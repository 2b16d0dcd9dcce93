"""What a period costs, whole or a stub, licensed or used, and what of it is used at a moment."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from subscriptions.billing_cycles import BillingCycle, Interval, Period, first_instant
from subscriptions.catalog import Introductory, Price
from subscriptions.discounts import AmountOff, PercentOff
from subscriptions.ids import InvoiceId, PriceId
from subscriptions.invoices import Charge, LineKind, Part
from subscriptions.lifecycle import (
    Debit,
    FirstStub,
    Grant,
    Item,
    UsageOf,
    charge_period,
    debits_of,
    discounted,
    part_used,
    period_minor,
    price_of_period,
    yearly_minor,
)
from subscriptions.lifecycle.charges import stub_part, units_of
from subscriptions.money import EUR, Money
from subscriptions.pricing import Flat, Graduated, PerUnit, Tier
from subscriptions.proration import ProrationUnit
from subscriptions.taxes import TaxBehavior, TaxRate
from subscriptions.testing.builders import a_coupon, a_price, a_subscription, an_item

quick = settings(derandomize=True, max_examples=150, deadline=None, database=None)

VAT = TaxRate("19")
SUB = a_subscription()
FIFTEENTH = BillingCycle(date(2025, 12, 15), Interval.months(1))
TENTH = Period(date(2026, 1, 10), date(2026, 1, 15))
WHOLE = Period(date(2026, 1, 15), date(2026, 2, 15))


def charged(item: Item, price: Price, period: Period, *usage: UsageOf) -> list[Charge]:
    return charge_period(item, price, period, rate=VAT, subscription=SUB, usage=usage)


def aligned(**changes: object) -> Item:
    """Return an item that begins on 10 January and is counted from the 15th."""
    return an_item(**{"cycle": FIFTEENTH, "through": TENTH.start, **changes})


class TestAPeriod:
    def test_it_is_a_line_that_says_what_it_is_for(self) -> None:
        price = a_price(model=PerUnit("10.00"), tax_behavior=TaxBehavior.INCLUSIVE)
        (charge,) = charged(aligned(quantity=3), price, WHOLE)
        assert charge == Charge(
            "Pro",
            3000,
            VAT,
            TaxBehavior.INCLUSIVE,
            3,
            Decimal("10.00"),
            WHOLE,
            price.id,
            LineKind.PERIOD,
            price.product,
            SUB.id,
            1,
        )

    def test_a_first_stub_is_the_part_of_the_period_that_is_left(self) -> None:
        # 31.00 a month from 10 January, with the 15th as its day: 5 of 31 days.
        (charge,) = charged(aligned(), a_price(model=Flat("31.00")), TENTH)
        assert (charge.amount_minor, charge.unit_price) == (500, None)
        assert charge.part == Part(3100, Fraction(26, 31), Fraction(1), units=31)

    def test_a_first_stub_may_be_charged_in_full(self) -> None:
        full = aligned(first_stub=FirstStub.FULL)
        price = a_price(model=Flat("31.00"))
        (charge,) = charged(full, price, TENTH)
        assert (charge.amount_minor, charge.part) == (3100, None)
        (later,) = charged(evolve(full, billed=1), price, TENTH)
        assert later.amount_minor == 500, "only the first"

    def test_a_long_stub_is_a_part_and_a_whole(self) -> None:
        long = Period(TENTH.start, WHOLE.end)
        (charge,) = charged(aligned(), a_price(model=Flat("31.00")), long)
        assert charge.amount_minor == 500 + 3100
        assert charge.part == Part(3100, Fraction(26, 31), Fraction(2), units=31)
        beyond = Period(WHOLE.start, date(2026, 2, 20))
        (end,) = charged(aligned(), a_price(model=Flat("28.00")), beyond)
        assert end.amount_minor == 2800 + 500
        assert end.part == Part(2800, Fraction(0), Fraction(33, 28), units=28)

    def test_days_of_two_months_are_counted_each_by_its_own(self) -> None:
        over = Period(TENTH.start, date(2026, 2, 20))
        (charge,) = charged(aligned(), a_price(model=Flat("868.00")), over)
        # 5 of 31 days, a whole, and 5 of 28 days.
        assert charge.amount_minor == 14000 + 86800 + 15500
        assert charge.part is not None
        assert charge.part.units is None

    def test_the_first_periods_cost_what_was_promised(self) -> None:
        price = a_price(
            model=Flat("29.00"),
            introductory=(Introductory(2, Flat("9.00")), Introductory(1, Flat("19.00"))),
        )
        found = [
            [(c.amount_minor, c.phase) for c in charged(aligned(billed=billed), price, WHOLE)]
            for billed in range(5)
        ]
        assert found == [[(900, 0)], [(900, 0)], [(1900, 1)], [(2900, None)], [(2900, None)]]


class TestAMinimum:
    PRICE = a_price(model=PerUnit("10.00"), minimum_minor=10000)
    METERED = evolve(PRICE, arrears=True, meter="calls", model=PerUnit("1.00"))

    @pytest.mark.parametrize(
        ("quantity", "amount_minor", "unit_price"),
        [(3, 10000, None), (10, 10000, Decimal("10.00")), (11, 11000, Decimal("10.00"))],
    )
    def test_it_is_what_a_period_costs_at_least(
        self, quantity: int, amount_minor: int, unit_price: Decimal | None
    ) -> None:
        (charge,) = charged(aligned(quantity=quantity), self.PRICE, WHOLE)
        assert (charge.kind, charge.quantity, charge.part) == (LineKind.PERIOD, quantity, None)
        assert (charge.amount_minor, charge.unit_price) == (amount_minor, unit_price)

    def test_a_stub_is_a_part_of_it(self) -> None:
        (charge,) = charged(aligned(quantity=3), self.PRICE, TENTH)
        # 5 of 31 days of 100.00.
        assert charge.amount_minor == 1613
        assert charge.part == Part(10000, Fraction(26, 31), Fraction(1), units=31)

    def test_it_holds_in_introductory_phases(self) -> None:
        price = evolve(self.PRICE, introductory=(Introductory(1, Flat("1.00")),))
        for billed in (0, 1, None):
            assert period_minor(price, 3, billed=billed) == 10000
        found = [period_minor(price, 11, billed=billed) for billed in (0, 1, None)]
        assert found == [10000, 11000, 11000]

    def test_it_is_what_may_be_credited(self) -> None:
        (debit,) = debits_of(
            charged(aligned(), self.PRICE, WHOLE), None, first_line=0, after=WHOLE.start
        )
        assert debit.whole_minor == 10000

    def test_what_is_missing_to_it_of_usage_is_a_line(self) -> None:
        item, used = aligned(arrears=True, meter="calls"), UsageOf(WHOLE, Decimal(30), 3)
        charge, true_up = charged(item, self.METERED, WHOLE, used)
        assert (charge.amount_minor, true_up.amount_minor) == (3000, 7000)
        assert (true_up.kind, true_up.item, true_up.subscription) == (LineKind.TRUE_UP, 1, SUB.id)
        assert (true_up.period, true_up.part) == (WHOLE, None)
        assert len(charged(item, self.METERED, WHOLE, evolve(used, quantity=Decimal(100)))) == 1

    def test_usage_in_a_stub_has_its_part_of_it(self) -> None:
        item, used = aligned(arrears=True, meter="calls"), UsageOf(TENTH, Decimal(3), 3)
        charge, true_up = charged(item, self.METERED, TENTH, used)
        assert (charge.amount_minor, true_up.amount_minor) == (300, 1613 - 300)
        assert true_up.part == Part(10000, Fraction(26, 31), Fraction(1), units=31)

    def test_late_usage_does_not_fill_it_and_usage_billed_ahead_does(self) -> None:
        price = self.METERED
        item = aligned(arrears=True, meter="calls", usage_billed_minor=2000)
        now = UsageOf(WHOLE, Decimal(30), 3)
        late = UsageOf(TENTH, Decimal(500), 9, known=Decimal(400))
        used, later, true_up = charged(item, price, WHOLE, now, late)
        assert (used.amount_minor, used.kind) == (3000 - 2000, LineKind.USAGE)
        assert (later.amount_minor, later.kind) == (10000, LineKind.LATE_USAGE)
        assert true_up.amount_minor == 10000 - 3000


class TestUsage:
    PRICE = a_price(
        model=Graduated((Tier(up_to=10, unit="1.00"), Tier(unit="0.50"))),
        arrears=True,
        meter="calls",
    )

    def item(self, **changes: object) -> Item:
        return aligned(arrears=True, meter="calls", **changes)

    def test_it_costs_what_was_measured(self) -> None:
        (charge,) = charged(self.item(), self.PRICE, WHOLE, UsageOf(WHOLE, Decimal(12), 5))
        assert (charge.amount_minor, charge.kind) == (1100, LineKind.USAGE)
        assert charge.usage is not None
        assert (charge.usage.meter, charge.usage.events) == ("calls", 5)
        assert charge.usage.quantity == 12
        assert (charge.quantity, charge.period, charge.part) == (12, WHOLE, None)

    def test_late_usage_costs_what_it_adds_to_its_own_period(self) -> None:
        late = UsageOf(TENTH, Decimal(14), 6, known=Decimal(9))
        (charge,) = charged(self.item(), self.PRICE, WHOLE, late)
        # 14 cost 12.00, of which 9.00 were billed: not 5 at 1.00.
        assert (charge.amount_minor, charge.quantity) == (300, 5)
        assert charge.usage is not None
        assert charge.usage.before == 9
        assert (charge.period, charge.unit_price) == (TENTH, None)

    def test_late_usage_has_the_price_of_its_own_period(self) -> None:
        price = evolve(self.PRICE, introductory=(Introductory(1, PerUnit("0.10")),))
        # December was the first period, and January the second.
        item = self.item(through=WHOLE.end, billed=2)
        december = FIFTEENTH.period(0)
        before_it = Period(date(2025, 11, 15), december.start)
        for period, amount_minor, phase in (
            (before_it, 50, 0),
            (december, 50, 0),
            (FIFTEENTH.period(1), 500, None),
        ):
            late = UsageOf(period, Decimal(5), 5, known=Decimal(0))
            (charge,) = charged(item, price, Period(WHOLE.end, date(2026, 3, 15)), late)
            assert (charge.amount_minor, charge.phase) == (amount_minor, phase)

    def test_what_was_billed_ahead_is_taken_off(self) -> None:
        used = UsageOf(WHOLE, Decimal(12), 5)
        (charge,) = charged(self.item(usage_billed_minor=1000), self.PRICE, WHOLE, used)
        assert (charge.amount_minor, charge.unit_price) == (100, None)

    def test_nothing_measured_is_nothing_charged(self) -> None:
        assert charged(self.item(), self.PRICE, WHOLE) == []


class TestDiscounts:
    def lines(self) -> list[Charge]:
        return [
            Charge("a", 1000, VAT),
            Charge("back", -700, VAT, kind=LineKind.CREDIT),
            Charge("b", 2000, VAT),
            Charge("rest", 900, VAT, kind=LineKind.DEBIT),
        ]

    def test_without_coupons_lines_are_as_they_are(self) -> None:
        assert discounted(self.lines(), (), EUR) == self.lines()

    def test_what_a_change_costs_has_its_discounts_in_it(self) -> None:
        five = a_coupon(terms=AmountOff(Money(500, EUR))).applied()
        found = discounted(self.lines(), [five], EUR)
        assert [[s.amount_minor for s in line.discounts] for line in found] == [
            [167],
            [],
            [333],
            [],
        ]
        half = a_coupon(terms=PercentOff(50)).applied()
        both = discounted(self.lines(), [five, half], EUR)
        assert [s.amount_minor for s in both[0].discounts] == [167, 417]

    def test_what_may_be_credited_is_what_was_charged_less_the_discounts(self) -> None:
        month = Charge("a", 1000, VAT, period=WHOLE, price=PriceId("p"), item=3)
        over = evolve(month, period=TENTH)
        usage = evolve(month, kind=LineKind.USAGE)
        five = a_coupon(terms=AmountOff(Money(500, EUR))).applied()
        lines = discounted([over, usage, Charge("once", 1000, VAT), month], [five], EUR)
        invoice = InvoiceId("inv_1")
        found = debits_of(lines, invoice, first_line=2, after=TENTH.end, coupons=(five,))
        exclusive = TaxBehavior.EXCLUSIVE
        assert found == (
            Debit(
                3,
                PriceId("p"),
                WHOLE,
                875,
                VAT,
                exclusive,
                5,
                invoice,
                grants=(Grant(five, 125, 1000),),
            ),
        )
        bare = debits_of([Charge("x", 5, VAT, period=WHOLE)], None, first_line=0, after=TENTH.end)
        assert (bare[0].item, bare[0].price, bare[0].whole_minor) == (0, "", 5)


# ---- what is used at a moment ----------------------------------------------------------------

SPRING = Period(date(2027, 3, 1), date(2027, 4, 1))  # the 28th has 23 hours in Berlin
AUTUMN = Period(date(2027, 10, 1), date(2027, 11, 1))  # the 31st has 25
BERLIN = "Europe/Berlin"


def used(
    whole: Period, at: datetime, unit: ProrationUnit = ProrationUnit.DAY, **more: bool
) -> Fraction:
    cycle = BillingCycle(whole.start, Interval.months(1))
    return part_used(whole, at, unit=unit, zone=BERLIN, cycle=cycle, **more)


class TestWhatIsUsed:
    @pytest.mark.parametrize(
        ("whole", "hours"), [(SPRING, 31 * 24 - 1), (AUTUMN, 31 * 24 + 1)], ids=["23", "25"]
    )
    def test_seconds_are_those_that_the_days_really_have(self, whole: Period, hours: int) -> None:
        last = first_instant(whole.end, BERLIN) - timedelta(hours=1)
        assert used(whole, last, ProrationUnit.SECOND) == Fraction(hours - 1, hours)
        cycle = BillingCycle(whole.start, Interval.months(1))
        units = units_of(whole, unit=ProrationUnit.SECOND, zone=BERLIN, cycle=cycle)
        assert units == hours * 3600

    def test_a_day_of_23_hours_is_a_day(self) -> None:
        begins = first_instant(date(2027, 3, 28), BERLIN)
        for hours in (0, 22):
            assert used(SPRING, begins + timedelta(hours=hours)) == Fraction(27, 31)
        assert used(SPRING, begins + timedelta(hours=23)) == Fraction(28, 31)

    def test_a_day_of_25_hours_is_a_day(self) -> None:
        begins = first_instant(date(2027, 10, 31), BERLIN)
        assert used(AUTUMN, begins + timedelta(hours=24)) == Fraction(30, 31)
        assert used(AUTUMN, begins + timedelta(hours=25)) == 1

    def test_the_day_of_the_change_may_be_used(self) -> None:
        at = datetime(2027, 3, 10, 12, tzinfo=UTC)
        assert used(SPRING, at) == Fraction(9, 31)
        assert used(SPRING, at, day_after=True) == Fraction(10, 31)
        assert used(SPRING, datetime(2027, 3, 31, 12, tzinfo=UTC), day_after=True) == 1
        second = ProrationUnit.SECOND
        assert used(SPRING, at, second, day_after=True) == used(SPRING, at, second)

    @pytest.mark.parametrize("unit", ProrationUnit)
    def test_before_it_nothing_is_used_and_after_it_all(self, unit: ProrationUnit) -> None:
        assert used(SPRING, datetime(2027, 2, 1, tzinfo=UTC), unit) == 0
        assert used(SPRING, datetime(2027, 5, 1, tzinfo=UTC), unit) == 1

    def test_thirtieths_are_of_the_cycle(self) -> None:
        at = datetime(2027, 3, 16, 12, tzinfo=UTC)
        thirtieths = ProrationUnit.THIRTIETHS
        assert used(SPRING, at, thirtieths) == Fraction(15, 30)
        # From the 11th on, 20 thirtieths are left, of which 5 are used.
        part = Period(date(2027, 3, 11), SPRING.end)
        cycle = BillingCycle(SPRING.start, Interval.months(1))
        assert part_used(part, at, unit=thirtieths, zone=BERLIN, cycle=cycle) == Fraction(5, 20)

    def test_what_the_cycle_no_longer_has_is_counted_in_days(self) -> None:
        moved = BillingCycle(date(2027, 4, 1), Interval.months(1))
        at = datetime(2027, 3, 16, 12, tzinfo=UTC)
        thirtieths = ProrationUnit.THIRTIETHS
        assert part_used(SPRING, at, unit=thirtieths, zone=BERLIN, cycle=moved) == Fraction(15, 31)
        assert units_of(SPRING, unit=thirtieths, zone=BERLIN, cycle=moved) == 31

    def test_how_many_units_are_counted_is_said(self) -> None:
        cycle = BillingCycle(SPRING.start, Interval.months(1))
        thirtieths = ProrationUnit.THIRTIETHS
        assert units_of(SPRING, unit=ProrationUnit.DAY, zone=BERLIN, cycle=cycle) == 31
        assert units_of(SPRING, unit=thirtieths, zone=BERLIN, cycle=cycle) == 30
        part = Period(date(2027, 3, 11), SPRING.end)
        assert units_of(part, unit=thirtieths, zone=BERLIN, cycle=cycle) == 20
        weeks = BillingCycle(SPRING.start, Interval.weeks(1))
        week = weeks.period(0)
        assert units_of(week, unit=thirtieths, zone=BERLIN, cycle=weeks) == 7

    @quick
    @given(
        st.sampled_from(ProrationUnit),
        st.lists(st.integers(0, 31 * 24), min_size=2, max_size=2),
        st.sampled_from([SPRING, AUTUMN]),
    )
    def test_later_is_never_less(
        self, unit: ProrationUnit, hours: list[int], whole: Period
    ) -> None:
        begins = first_instant(whole.start, BERLIN)
        early, late = (begins + timedelta(hours=each) for each in sorted(hours))
        assert 0 <= used(whole, early, unit) <= used(whole, late, unit) <= 1


class TestThePriceOfABilledPeriod:
    def test_it_is_what_was_charged_for_it(self) -> None:
        price = a_price(model=PerUnit("31.00"), introductory=(Introductory(1, Flat("9.30")),))
        for billed, period in ((0, TENTH), (0, WHOLE), (1, WHOLE), (2, TENTH)):
            item = aligned(quantity=2, billed=billed)
            (charge,) = charged(item, price, period)
            found = price_of_period(evolve(item, billed=9), price, period, billed=billed)
            assert found == charge.amount_minor

    def test_a_period_from_before_the_cycle_stands_for_itself(self) -> None:
        moved = aligned(cycle=BillingCycle(date(2026, 2, 1), Interval.months(1)))
        price = a_price(model=Flat("31.00"))
        assert price_of_period(moved, price, TENTH, billed=1) == 3100
        assert stub_part(moved, price, TENTH, billed=1) is None
        assert stub_part(aligned(), price, TENTH, billed=1) is not None


def test_a_year_is_twelve_months_or_365_days_and_usage_counts_as_none() -> None:
    monthly = a_price(model=PerUnit("10.00"))
    quarterly = a_price(model=PerUnit("10.00"), every=Interval.months(3))
    weekly = a_price(model=PerUnit("10.00"), every=Interval.weeks(1))
    once = a_price(model=PerUnit("10.00"), every=None)
    metered = a_price(model=PerUnit("10.00"), arrears=True, meter="calls")
    every = [(monthly, 2), (quarterly, 1), (weekly, 1), (once, 9), (metered, 1)]
    assert yearly_minor(every) == 24000 + 4000 + Fraction(365000, 7)


def test_a_year_costs_the_minimum_of_each_period_at_least() -> None:
    monthly = a_price(model=PerUnit("10.00"), minimum_minor=2500)
    metered = evolve(monthly, arrears=True, meter="calls")
    assert yearly_minor([(monthly, 1), (metered, 1)]) == yearly_minor([(monthly, 2)]) == 30000
    assert yearly_minor([(monthly, 3)]) == 36000
