"""How an amount comes about: every line of every kind recomputes, or says less."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from subscriptions.billing_cycles import BillingCycle, Interval, Period
from subscriptions.catalog import Introductory, Price
from subscriptions.discounts import DiscountShare
from subscriptions.documents.explaining import sentence
from subscriptions.errors import ValidationError
from subscriptions.ids import CouponId, InvoiceId, PriceId
from subscriptions.invoices import (
    Charge,
    DeductionReason,
    Explanation,
    Line,
    LineKind,
    LineRef,
    Measured,
    Part,
    content_hash,
    explain,
)
from subscriptions.lifecycle.charges import UsageOf, charge_period, stub_part, units_of
from subscriptions.money import EUR
from subscriptions.pricing import (
    EventTotals,
    Flat,
    FreeUnits,
    Graduated,
    GraduatedPercentage,
    Package,
    PartKind,
    Percentage,
    PerUnit,
    PriceModel,
    RateTier,
    Stairstep,
    Step,
    Tier,
    Volume,
)
from subscriptions.proration import ProrationUnit
from subscriptions.taxes import TaxBehavior, TaxRate
from subscriptions.testing.builders import a_price, a_subscription, an_invoice, an_item
from tests.core.recomputing import recompute
from tests.core.telling import reckon

MONTH = Period(date(2027, 1, 31), date(2027, 2, 28))
VAT = TaxRate("19")
MODELS: dict[str, PriceModel] = {
    "flat": Flat("29.00"),
    "per unit": PerUnit("0.3333"),
    "graduated": Graduated([Tier(up_to=10, unit="1.00"), Tier(unit="0.505", flat="3.00")]),
    "volume": Volume([Tier(up_to=10, unit="1.00"), Tier(unit="0.50")]),
    "stairstep": Stairstep([Step(up_to=10, price="10.00"), Step(price="20.00")]),
    "package": Package(size=10, price="5.00", free=5),
    "percentage": Percentage(rate="1.5", fixed="0.30", free_events=1, free_amount=10),
    "graduated percentage": GraduatedPercentage([RateTier(up_to=100, rate=3), RateTier(rate=1)]),
    "free units": FreeUnits(3, PerUnit("2.005")),
}


def a_line(kind: LineKind = LineKind.PERIOD, amount_minor: int = 1000, **changes: object) -> Line:
    line = Line(
        "Pro",
        1,
        None,
        amount_minor,
        amount_minor,
        EUR,
        VAT,
        TaxBehavior.EXCLUSIVE,
        MONTH,
        PriceId("price_pro"),
        kind,
    )
    return evolve(line, **changes)  # type: ignore[arg-type]  # each is a field of the line


def line_of(charge: Charge) -> Line:
    """Return the line that a charge becomes, alone on its document."""
    taken_off = sum(share.amount_minor for share in charge.discounts)
    return Line(
        charge.description,
        charge.quantity,
        charge.unit_price,
        charge.amount_minor,
        charge.amount_minor - taken_off,
        EUR,
        charge.rate,
        charge.behavior,
        charge.period,
        charge.price,
        charge.kind,
        charge.subscription,
        charge.item,
        charge.discounts,
        charge.part,
        charge.credits,
        charge.usage,
        charge.phase,
    )


def told(line: Line, price: Price | None = None) -> Explanation:
    explained = explain(line, price=price)
    recompute(line, explained)
    assert reckon(sentence(explained)) * 100 == line.amount_minor - line.discount_minor
    return explained


models = st.sampled_from(list(MODELS.values()))
cuts = st.fractions(0, 2, max_denominator=60)
days = st.dates(date(2027, 1, 31), date(2027, 6, 30))


@given(models, st.integers(1, 200), days, st.integers(1, 90), st.integers(0, 5000))
def test_a_period_or_any_stub_recomputes_from_its_price(
    model: PriceModel, quantity: int, start: date, length: int, minimum_minor: int
) -> None:
    price = a_price(model=model, minimum_minor=minimum_minor)
    item = an_item(quantity=quantity)
    period = Period(start, date.fromordinal(start.toordinal() + length))
    (charge,) = charge_period(item, price, period, rate=VAT, subscription=a_subscription())
    explained = told(line_of(charge), price)
    assert explained.priced is not None
    assert explained.priced.quantity == quantity
    assert (explained.portion is None) == (charge.part is None)
    assert explained.deduction is None


@given(
    models,
    st.decimals(1, 1000, places=2),
    st.integers(1, 5),
    st.integers(0, 3),
    st.integers(0, 5000),
)
def test_usage_recomputes_from_its_price_however_much_was_billed_ahead(
    model: PriceModel, quantity: Decimal, events: int, taken_back: int, billed_minor: int
) -> None:
    price = a_price(model=model, meter="api_calls", arrears=True)
    item = an_item(meter="api_calls", arrears=True, usage_billed_minor=billed_minor)
    used = UsageOf(MONTH, quantity, events + taken_back, events)
    (charge,) = charge_period(
        item, price, MONTH, rate=VAT, subscription=a_subscription(), usage=[used]
    )
    explained = told(line_of(charge), price)
    assert explained.priced is not None
    assert explained.usage is not None
    assert explained.usage.events - explained.usage.taken_back == events
    earlier = 0 if explained.deduction is None else explained.deduction.amount_minor
    assert earlier == billed_minor


@given(models, st.integers(1, 100), st.integers(1, 100))
def test_late_usage_recomputes_from_all_of_its_period_less_what_was_billed(
    model: PriceModel, known: int, more: int
) -> None:
    price = a_price(model=model, meter="api_calls", arrears=True)
    item = an_item(meter="api_calls", arrears=True)
    late = UsageOf(MONTH, Decimal(known + more), 3, 3, Decimal(known), 2)
    (charge,) = charge_period(
        item, price, MONTH, rate=VAT, subscription=a_subscription(), usage=[late]
    )
    assert charge.kind is LineKind.LATE_USAGE
    explained = told(line_of(charge), price)
    assert explained.priced is not None
    assert explained.priced.quantity == known + more
    before = UsageOf(MONTH, Decimal(known), 2, 2)
    (billed,) = charge_period(
        item, price, MONTH, rate=VAT, subscription=a_subscription(), usage=[before]
    )
    earlier = 0 if explained.deduction is None else explained.deduction.amount_minor
    assert earlier == billed.amount_minor


@given(
    st.sampled_from(LineKind),
    st.integers(-5000, 5000),
    st.integers(-5000, 5000),
    st.none() | st.tuples(cuts, cuts, st.sampled_from([None, 28, 30, 31, 2_678_400])),
    st.sampled_from([None, Decimal("1.005"), Decimal(-3)]),
)
def test_whatever_a_line_says_only_what_recomputes_is_explained(
    kind: LineKind,
    amount_minor: int,
    whole_minor: int,
    cut: tuple[Fraction, Fraction, int | None] | None,
    unit_price: Decimal | None,
) -> None:
    part = None
    if cut is not None:
        begin, end, units = cut
        part = Part(whole_minor, min(begin, end), max(begin, end), units=units)
    line = a_line(kind, amount_minor, part=part, unit_price=unit_price)
    told(line)
    told(line, a_price(minimum_minor=abs(whole_minor)))


# ---- which part of a period --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (Part(2900, Fraction(10, 28), Fraction(1), units=28), (0, 18, 28, ProrationUnit.DAY)),
        (Part(2900, Fraction(0), Fraction(1), units=28), (0, 28, 28, ProrationUnit.DAY)),
        (Part(3100, Fraction(26, 31), Fraction(2), units=31), (1, 5, 31, ProrationUnit.DAY)),
        (Part(3100, Fraction(0), Fraction(2), units=31), (2, 0, 31, ProrationUnit.DAY)),
        (Part(2900, Fraction(10, 28), Fraction(1)), (0, 9, 14, None)),
        (Part(2900, Fraction(1, 3), Fraction(1), units=28), (0, 2, 3, None)),
    ],
)
def test_a_part_is_counted_as_a_person_counts_it(
    part: Part, expected: tuple[int, int, int, ProrationUnit | None]
) -> None:
    whole, fraction = part.whole_minor, part.fraction
    line = a_line(LineKind.DEBIT, amount_by_hand(part), part=part)
    portion = told(line).portion
    assert portion is not None
    counted = (portion.periods, portion.numerator, portion.denominator, portion.unit)
    assert counted == expected
    assert portion.exact_minor == whole * fraction


def amount_by_hand(part: Part) -> int:
    """Return what lies between the two cuts of a positive amount."""
    begin, end = (part.whole_minor * at + Fraction(1, 2) for at in (part.begin, part.end))
    return end // 1 - begin // 1


def test_the_cuts_say_where_the_rounding_happened() -> None:
    # Cut at 10 and at 11 of 28 days: 10.357 and 11.393 are 10.36 and 11.39, so the day costs 1.03
    # where 1/28 of 29.00 is 1.0357.
    part = Part(2900, Fraction(10, 28), Fraction(11, 28), units=28)
    portion = told(a_line(LineKind.DEBIT, 103, part=part)).portion
    assert portion is not None
    assert (portion.until_begin_minor, portion.until_end_minor) == (1036, 1139)
    assert portion.rounding_minor == 103 - Fraction(2900, 28)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2027-01-10", "2027-01-15", (0, 5, 31)),
        ("2027-01-10", "2027-02-15", (1, 5, 31)),
        ("2027-01-15", "2027-02-20", (1, 5, 28)),
        ("2027-01-20", "2027-01-30", (0, 10, 31)),
    ],
)
def test_the_days_of_the_period_that_is_cut_are_counted(
    start: str, end: str, expected: tuple[int, int, int]
) -> None:
    item = an_item(cycle=BillingCycle(date(2026, 12, 15), Interval.months(1)))
    period = Period(date.fromisoformat(start), date.fromisoformat(end))
    (charge,) = charge_period(item, a_price(), period, rate=VAT, subscription=a_subscription())
    portion = told(line_of(charge), a_price()).portion
    assert portion is not None
    assert (portion.periods, portion.numerator, portion.denominator) == expected
    assert portion.unit is ProrationUnit.DAY


def test_two_cut_periods_of_different_length_have_no_common_count() -> None:
    item = an_item(cycle=BillingCycle(date(2026, 12, 15), Interval.months(1)))
    period = Period(date(2027, 2, 10), date(2027, 2, 20))  # 5 of 31 days and 5 of 28
    (charge,) = charge_period(item, a_price(), period, rate=VAT, subscription=a_subscription())
    portion = told(line_of(charge), a_price()).portion
    assert portion is not None
    assert portion.unit is None
    assert portion.fraction == Fraction(5, 31) + Fraction(5, 28)


@pytest.mark.parametrize(
    ("unit", "every", "expected"),
    [
        (ProrationUnit.DAY, Interval.months(1), 28),
        (ProrationUnit.SECOND, Interval.months(1), 28 * 86_400),
        (ProrationUnit.THIRTIETHS, Interval.months(1), 30),
        (ProrationUnit.THIRTIETHS, Interval.days(28), 28),
    ],
)
def test_the_units_of_a_period(unit: ProrationUnit, every: Interval, expected: int) -> None:
    cycle = BillingCycle(MONTH.start, every)
    assert units_of(MONTH, unit=unit, zone="Europe/Berlin", cycle=cycle) == expected


def test_a_stub_has_the_thirtieths_that_lie_in_it() -> None:
    cycle = BillingCycle(date(2027, 1, 15), Interval.months(1))
    stub = Period(date(2027, 2, 5), date(2027, 2, 15))
    units = units_of(stub, unit=ProrationUnit.THIRTIETHS, zone="Europe/Berlin", cycle=cycle)
    assert units == 10


def test_a_period_of_an_earlier_count_is_no_stub_of_the_present_one() -> None:
    item = an_item(cycle=BillingCycle(date(2027, 2, 15), Interval.months(1)))
    assert stub_part(item, a_price(), MONTH, billed=1) is None
    of_present = stub_part(item, a_price(), Period(date(2027, 2, 20), date(2027, 3, 15)), billed=1)
    assert of_present == Part(2900, Fraction(5, 28), Fraction(1), units=28)


def test_a_month_in_which_the_clocks_change_has_an_hour_less() -> None:
    march = Period(date(2027, 3, 1), date(2027, 4, 1))
    cycle = BillingCycle(march.start, Interval.months(1))
    seconds = units_of(march, unit=ProrationUnit.SECOND, zone="Europe/Berlin", cycle=cycle)
    assert seconds == 31 * 86_400 - 3600


# ---- the price ---------------------------------------------------------------------------------


def test_tiers_are_parts_of_the_price() -> None:
    price = a_price(model=MODELS["graduated"])
    line = a_line(amount_minor=1654, quantity=17)
    priced = told(line, price).priced
    assert priced is not None
    assert [(part.tier, part.kind, str(part.amount)) for part in priced.parts] == [
        (0, PartKind.UNITS, "10.00"),
        (1, PartKind.UNITS, "3.535"),
        (1, PartKind.FLAT, "3.00"),
    ]
    assert priced.rounding_minor == Fraction(1, 2)


def test_the_phase_of_the_line_says_which_price_counted() -> None:
    price = a_price(model=PerUnit(29), introductory=(Introductory(2, PerUnit(9)),))
    first = told(a_line(amount_minor=900, phase=0), price).priced
    assert first is not None
    assert first.parts[0].unit_price == 9
    # A line that names another phase than it was charged by, or one that is not there.
    assert told(a_line(amount_minor=900), price).priced is None
    assert told(a_line(amount_minor=900, phase=1), price).priced is None


def test_late_usage_of_an_introductory_period_costs_what_that_period_cost() -> None:
    price = a_price(
        model=PerUnit(2), introductory=(Introductory(1, PerUnit(1)),), meter="m", arrears=True
    )
    march = Period(date(2027, 2, 28), date(2027, 3, 31))
    item = an_item(meter="m", arrears=True, through=march.start, billed=1)
    late = UsageOf(MONTH, Decimal(5), 5, 5, Decimal(3), 3)
    later = UsageOf(march, Decimal(5), 5, 5, Decimal(3), 3)
    earlier = UsageOf(Period(date(2027, 1, 20), MONTH.start), Decimal(5), 5, 5, Decimal(3), 3)
    charges = charge_period(
        item, price, march, rate=VAT, subscription=a_subscription(), usage=[late, later, earlier]
    )
    assert [(each.amount_minor, each.phase) for each in charges] == [
        (200, 0),
        (400, None),
        (200, 0),
    ]
    assert all(told(line_of(each), price).priced is not None for each in charges)


def test_without_the_price_a_printed_unit_price_is_enough() -> None:
    priced = told(a_line(amount_minor=1497, quantity=3, unit_price=Decimal("4.99"))).priced
    assert priced is not None
    assert priced.parts[0].amount == Decimal("14.97")
    assert told(a_line(amount_minor=1497, quantity=3)).priced is None
    assert told(a_line(amount_minor=1498, quantity=3, unit_price=Decimal("4.99"))).priced is None


def test_amounts_of_events_that_no_line_has_are_not_guessed() -> None:
    price = a_price(model=Percentage(rate=1, minimum="0.50"), meter="pay", arrears=True)
    usage = Measured("pay", Decimal(110), 2)
    line = a_line(LineKind.USAGE, 150, quantity=Decimal(110), usage=usage)
    assert told(line, price).priced is None
    known = explain(line, price=price, events=[10, 100])
    recompute(line, known)
    assert known.priced is not None
    assert [part.kind for part in known.priced.parts] == [PartKind.TURNOVER, PartKind.MINIMUM]


@given(
    amounts=st.lists(st.decimals(0, 200, places=2), max_size=8),
    free_events=st.integers(0, 3),
    free=st.integers(0, 300),
    by_units=st.booleans(),
)
def test_usage_with_bounds_for_each_event_recomputes_without_the_amounts_of_its_events(
    *, amounts: list[Decimal], free_events: int, free: int, by_units: bool
) -> None:
    model: PriceModel = Percentage(
        rate="1.5",
        fixed="0.30",
        minimum="0.50",
        maximum="2.00",
        free_events=free_events,
        free_amount=0 if by_units else free,
    )
    model = FreeUnits(free, model) if by_units else model
    price = a_price(model=model, meter="pay", arrears=True)
    item = an_item(meter="pay", arrears=True)
    used = UsageOf(MONTH, sum(amounts, Decimal()), len(amounts), tuple(amounts))
    (charge,) = charge_period(
        item, price, MONTH, rate=VAT, subscription=a_subscription(), usage=[used]
    )
    priced = told(line_of(charge), price).priced
    assert priced is not None
    kinds = (PartKind.EVENTS, PartKind.MINIMUM, PartKind.MAXIMUM)
    assert sum(part.quantity for part in priced.parts if part.kind in kinds) <= len(amounts)


def test_another_price_than_the_lines_is_refused() -> None:
    with pytest.raises(ValidationError) as caught:
        explain(a_line(), price=a_price("price_other"))
    assert caught.value.field == "price"
    with pytest.raises(ValidationError):
        explain(a_line(price=None), price=a_price())


# ---- what is taken off -------------------------------------------------------------------------


def test_a_credit_names_its_line_and_what_was_not_paid() -> None:
    part = Part(-2900, Fraction(10, 28), Fraction(1), units=28)
    named = LineRef(InvoiceId("inv_1"), 2)
    line = a_line(LineKind.CREDIT, -1864, part=part, credits=named)
    explained = explain(line, credited_number="INV-1")
    recompute(line, explained)
    assert (explained.credits, explained.credited_number) == (named, "INV-1")
    assert explained.deduction is None
    assert explained.portion is not None

    limited = told(evolve(line, amount_minor=-1000, net_minor=-1000))
    assert limited.deduction is not None
    assert limited.deduction.reason is DeductionReason.NOT_PAID
    assert limited.deduction.amount_minor == -864

    more = told(evolve(line, amount_minor=-2000, net_minor=-2000))
    assert (more.portion, more.deduction, more.whole_minor) == (None, None, -2000)


def test_a_true_up_is_the_minimum_less_what_was_reached() -> None:
    price = a_price(minimum_minor=5000)
    explained = told(a_line(LineKind.TRUE_UP, 1800), price)
    assert explained.whole_minor == 5000
    assert explained.deduction is not None
    assert (explained.deduction.reason, explained.deduction.amount_minor) == (
        DeductionReason.REACHED,
        3200,
    )
    assert told(a_line(LineKind.TRUE_UP, 5000), price).deduction is None
    unknown = told(a_line(LineKind.TRUE_UP, 1800))
    assert (unknown.whole_minor, unknown.deduction) == (1800, None)
    part = Part(5000, Fraction(), Fraction(1, 2), units=30)
    half = told(a_line(LineKind.TRUE_UP, 1800, part=part), price)
    assert half.deduction is not None
    assert half.deduction.amount_minor == 2500 - 1800


def test_a_period_at_its_minimum_says_what_is_missing_to_it() -> None:
    price = a_price(model=PerUnit("0.3333"), minimum_minor=800)
    line = a_line(amount_minor=800, quantity=17)
    explained = told(line, price)
    assert explained.priced is not None
    own, missing = explained.priced.parts
    # From the exact amount, so that nothing is rounded twice: 5.6661 and 2.3339 are 8.00.
    assert (own.kind, own.amount) == (PartKind.UNITS, Decimal("5.6661"))
    assert (missing.kind, missing.quantity) == (PartKind.UP_TO_MINIMUM, Decimal(1))
    assert missing.unit_price == missing.amount == Decimal("2.3339")
    assert explained.priced.rounding_minor == 0
    assert sentence(explained).endswith(": 17 × €0.3333 = €5.6661, at least €8.00, plus 19% VAT.")
    part = Part(800, Fraction(1, 2), Fraction(1), units=28)
    half = a_line(LineKind.DEBIT, 400, quantity=17, part=part)
    assert sentence(told(half, price)).endswith(
        ": 14 of 28 days of €8.00 (17 × €0.3333 = €5.6661, at least €8.00) = €4.00, plus 19% VAT."
    )


@pytest.mark.parametrize(("quantity", "amount_minor"), [(24, 800), (25, 833)])
def test_a_minimum_that_is_reached_is_not_mentioned(quantity: int, amount_minor: int) -> None:
    # 24 × 0.3333 is 7.9992, which is rounded to the minimum.
    price = a_price(model=PerUnit("0.3333"), minimum_minor=800)
    explained = told(a_line(amount_minor=amount_minor, quantity=quantity), price)
    assert explained.priced is not None
    assert [part.kind for part in explained.priced.parts] == [PartKind.UNITS]


def test_what_is_no_minimum_of_a_period_is_not_told_as_one() -> None:
    price = a_price(model=PerUnit("1.00"), minimum_minor=800)
    assert told(a_line(amount_minor=700, quantity=5), price).priced is None
    metered = evolve(price, meter="calls", arrears=True)
    assert told(a_line(LineKind.USAGE, 800, quantity=5), metered).priced is None


def test_discounts_come_off_the_amount_and_tax_is_inside_or_added() -> None:
    shares = (
        DiscountShare(CouponId("a"), "Welcome", 200),
        DiscountShare(CouponId("b"), "Friend", 100),
    )
    line = a_line(discounts=shares, net_minor=700)
    explained = told(line)
    assert (explained.discount_minor, explained.taxable_minor) == (300, 700)
    assert explained.tax_inside_minor == 0
    assert (str(explained.amount), str(explained.net)) == ("10.00 EUR", "7.00 EUR")
    gross = evolve(line, behavior=TaxBehavior.INCLUSIVE, net_minor=588)
    assert told(gross).tax_inside_minor == 112


# ---- what is stored of it ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"phase": 0},
        {"part": Part(2900, Fraction(1, 2), Fraction(1), units=28)},
        {"part": Part(2900, Fraction(1, 2), Fraction(1), units=30)},
        {"usage": Measured("calls", Decimal(5), 5, before_minor=100)},
        {"usage": Measured("calls", Decimal(5), 5, taken_back=1)},
        {"usage": Measured("calls", Decimal(5), 5, totals=EventTotals())},
        {"usage": Measured("calls", Decimal(5), 5, totals=EventTotals(Decimal(5), 1, 2, 3, 4))},
    ],
)
def test_what_explains_a_line_is_sealed_with_it(changes: dict[str, object]) -> None:
    bare: dict[str, object] = {
        "part": Part(2900, Fraction(1, 2), Fraction(1)) if "part" in changes else None,
        "usage": Measured("calls", Decimal(5), 5) if "usage" in changes else None,
    }
    invoice = an_invoice()
    before = content_hash(evolve(invoice, lines=(a_line(**bare),)))  # type: ignore[arg-type]
    assert content_hash(evolve(invoice, lines=(a_line(**{**bare, **changes}),))) != before  # type: ignore[arg-type]
