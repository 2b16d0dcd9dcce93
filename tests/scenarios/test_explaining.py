"""Why is it this much? Every amount that is billed can be shown to the customer, step by step."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from subscriptions import (
    AsyncBilling,
    Flat,
    Graduated,
    NotFound,
    OneOff,
    Package,
    Percentage,
    PerUnit,
    TaxRate,
    TaxRates,
    Tier,
    ValidationError,
    Volume,
)
from subscriptions.alignment import DayOfMonth
from subscriptions.coupons import Forever
from subscriptions.customers import Customer
from subscriptions.invoices import Invoice, LineKind, explain
from subscriptions.pricing import FreeUnits, PriceModel, Stairstep, Step
from subscriptions.proration import Cap, ChangeDay, Mode, Proration, ProrationUnit
from subscriptions.testing import TestClock
from tests.core.recomputing import recompute
from tests.core.telling import reckon
from tests.scenarios.shop import MONTHLY, Shop, eur

MODELS: dict[str, PriceModel] = {
    "Flat": Flat("29.00"),
    "Per unit": PerUnit("0.3333"),
    "Graduated": Graduated([Tier(up_to=10, unit="1.00"), Tier(unit="0.50", flat="3.00")]),
    "Volume": Volume([Tier(up_to=10, unit="1.00"), Tier(unit="0.50")]),
    "Package": Package(size=10, price="5.00", free=5),
    "Stairstep": Stairstep([Step(up_to=10, price="10.00"), Step(price="20.00")]),
    "Free units": FreeUnits(3, PerUnit("2.00")),
}
VAT = TaxRates({"DE": TaxRate("19")})


def check_all(shop: Shop) -> set[LineKind]:
    """Recompute every line that was ever billed, by values and in words; returns the kinds."""
    kinds: set[LineKind] = set()
    for invoice in shop.invoices():
        explained = shop.billing.invoices.explain(invoice.id, language="en")
        for line, each in zip(invoice.lines, explained, strict=True):
            recompute(line, each.explanation)
            assert reckon(each.sentence) * 100 == line.amount_minor - line.discount_minor
            assert each.sentence.endswith(".")
            if line.kind not in {LineKind.CREDIT, LineKind.TRUE_UP}:
                assert each.explanation.priced is not None, each.sentence
            kinds.add(line.kind)
    return kinds


def sentences(shop: Shop, invoice: Invoice, language: str | None = None) -> list[str]:
    explained = shop.billing.invoices.explain(invoice.id, language=language)
    return [each.sentence.replace("\xa0", " ").replace("\u202f", " ") for each in explained]


def ada(shop: Shop, **changes: object) -> Customer:
    customer = shop.customer()
    return shop.billing.customers.update(customer.id, **changes) if changes else customer  # type: ignore[arg-type]


def test_a_stub_a_change_and_two_coupons_under_every_price_model(
    open_a_shop: Callable[..., Shop],
) -> None:
    shop = open_a_shop(start=date(2027, 1, 10), taxes=VAT)
    prices = {
        name: shop.billing.catalog.add_price(
            name, model, currency="EUR", every=MONTHLY, setup=eur("9.99")
        )
        for name, model in MODELS.items()
    }
    coupons = [
        shop.billing.coupons.create("Welcome", percent_off=20).id,
        shop.billing.coupons.create("Friend", amount_off=eur("5.00"), duration=Forever()).id,
    ]
    sub = shop.billing.subscriptions.create(
        shop.customer().id,
        [(price.id, 17) for price in prices.values()],
        coupons=coupons,
        align=DayOfMonth(15),
    )
    (first,) = shop.invoices()
    assert sentences(shop, first)[7:9] == [
        (
            "Flat, Jan 10, 2027 – Jan 14, 2027: 5 of 31 days of €29.00 (flat for 17) = €4.68, "
            "less €0.93 (Welcome), less €0.27 (Friend) = €3.48, plus 19% VAT."
        ),
        (
            "Per unit, Jan 10, 2027 – Jan 14, 2027: 5 of 31 days of €5.67 (17 × €0.3333 = €5.6661) "
            "= €0.91, less €0.18 (Welcome), less €0.05 (Friend) = €0.68, plus 19% VAT."
        ),
    ]
    for day, unit in ((20, ProrationUnit.DAY), (23, ProrationUnit.SECOND), (27, "thirtieths")):
        shop.time.advance(to=datetime(2027, 1, day, 10, 30, tzinfo=UTC))
        shop.billing.subscriptions.change(
            sub.id,
            quantities={prices["Graduated"].id: day, prices["Volume"].id: day - 15},
            proration=Proration(unit=ProrationUnit(unit)),
        )
    shop.time.advance(to=datetime(2027, 2, 3, 10, 30, tzinfo=UTC))
    policy = Proration(mode=Mode.INVOICE_NOW, change_day=ChangeDay.OLD)
    shop.billing.subscriptions.change(sub.id, remove=[prices["Package"].id], proration=policy)
    shop.time.advance(to=date(2027, 3, 20))
    assert check_all(shop) == {LineKind.PERIOD, LineKind.CREDIT, LineKind.DEBIT, LineKind.SETUP}


def test_a_credit_says_which_line_it_is_for_in_the_customers_language(
    open_a_shop: Callable[..., Shop],
) -> None:
    shop = open_a_shop(start=date(2027, 1, 31), taxes=VAT)
    basic, pro = shop.price(eur("29.00"), name="Basic"), shop.price(eur("59.00"), name="Pro")
    customer = ada(shop, language="de")
    sub = shop.subscribe(customer, basic)
    shop.time.advance(to=date(2027, 2, 10))
    shop.billing.subscriptions.change(
        sub.id, swap={basic.id: pro.id}, proration=Proration(mode=Mode.INVOICE_NOW)
    )
    change = shop.invoices()[-1]
    assert sentences(shop, change) == [
        (
            "Basic – nicht genutzter Zeitraum, 10.02.2027 – 27.02.2027 (Position 1 der Rechnung "
            "INV-2027-00001): anteilig 18 von 28 Tagen von -29,00 € = -18,64 €, zuzüglich 19 % USt."
        ),
        (
            "Pro – restlicher Zeitraum, 10.02.2027 – 27.02.2027: anteilig 18 von 28 Tagen "
            "von 59,00 € = 37,93 €, zuzüglich 19 % USt."
        ),
    ]
    assert sentences(shop, change, "fr")[0] == (
        "Basic – période non utilisée, 10 févr. 2027 – 27 févr. 2027 (ligne 1 de la facture "
        "INV-2027-00001) : 18 jours sur 28 de -29,00 € = -18,64 €, plus 19 % de TVA."
    )
    check_all(shop)


def test_a_credit_that_is_limited_to_what_was_paid_says_so(
    open_a_shop: Callable[..., Shop],
) -> None:
    shop = open_a_shop(start=date(2027, 1, 31))
    basic, pro = shop.price(eur("28.00"), name="Basic"), shop.price(eur("56.00"), name="Pro")
    customer = shop.customer(token=None)
    sub = shop.subscribe(customer, basic)
    shop.billing.payments.record(customer.id, eur("7.00"))
    shop.time.advance(to=date(2027, 2, 10))
    policy = Proration(mode=Mode.INVOICE_NOW, cap=Cap.PAID)
    shop.billing.subscriptions.change(sub.id, swap={basic.id: pro.id}, proration=policy)
    (credit, _) = sentences(shop, shop.invoices()[-1])
    assert credit.endswith("18 of 28 days of -€28.00 = -€18.00, limited to what was paid = -€7.00.")
    check_all(shop)


def test_usage_late_usage_and_what_is_missing_to_a_minimum(
    open_a_shop: Callable[..., Shop],
) -> None:
    shop = open_a_shop(taxes=VAT)
    shop.billing.usage.add_meter("payments")
    shop.billing.usage.add_meter("calls")
    turnover = shop.billing.catalog.add_price(
        "Payments",
        Percentage(rate="1.5", fixed="0.30", free_events=1),
        currency="EUR",
        every=MONTHLY,
        meter="payments",
        arrears=True,
        minimum=eur("20.00"),
    )
    calls = shop.billing.catalog.add_price(
        "Calls",
        Graduated([Tier(up_to=10, unit="1.00"), Tier(unit="0.50")]),
        currency="EUR",
        every=MONTHLY,
        meter="calls",
        arrears=True,
        tax_behavior="inclusive",
        introductory=[(1, PerUnit("0.10"))],
    )
    sub = shop.billing.subscriptions.create(
        shop.customer().id, [turnover.id, calls.id], threshold=eur("8.00")
    )
    record = shop.billing.usage.record
    for day in range(2, 7):
        shop.time.advance(to=date(2027, 1, day))
        record(sub.id, "payments", event_id=f"p{day}", quantity=Decimal("100.10"))
        record(sub.id, "calls", event_id=f"c{day}", quantity=7)
    record(sub.id, "payments", event_id="refund", quantity=Decimal("-10.10"))
    shop.time.advance(to=date(2027, 2, 1))
    ahead, january = shop.invoices()
    assert sentences(shop, ahead)[0].endswith(
        "events without the fixed amount: 1, "
        "1.5% of €400.40 + events: 3 × €0.30 = €6.906, rounded to €6.91, plus 19% VAT."
    )
    assert [each.partition(": ")[2] for each in sentences(shop, january)] == [
        (
            "events without the fixed amount: 1, "
            "1.5% of €490.40 + events: 4 × €0.30 = €8.556, rounded to €8.56, "
            "less €6.91 billed earlier = €1.65, plus 19% VAT."
        ),
        "€20.00, less €8.56 already reached = €11.44, plus 19% VAT.",
        "35 × €0.10 = €3.50, less €2.10 billed earlier = €1.40, including 19% VAT: €1.18 net.",
    ]
    shop.time.advance(to=date(2027, 2, 5))
    for meter in ("payments", "calls"):
        at = datetime(2027, 1, 20, tzinfo=UTC)
        record(sub.id, meter, event_id=f"late {meter}", quantity=7, occurred_at=at)
    record(sub.id, "calls", event_id="february", quantity=3)
    shop.time.advance(to=date(2027, 3, 1))
    late = shop.invoices()[-1]
    told = dict(
        zip([(x.kind, x.description) for x in late.lines], sentences(shop, late), strict=True)
    )
    # January was an introductory month, so what came late of it costs what January cost.
    assert told[LineKind.LATE_USAGE, "Calls"].endswith(
        "Jan 1, 2027 – Jan 31, 2027: 42 × €0.10 = €4.20, "
        "less €3.50 billed earlier = €0.70, including 19% VAT: €0.59 net."
    )
    assert told[LineKind.USAGE, "Calls"].endswith(
        "3 × €1.00 = €3.00, including 19% VAT: €2.52 net."
    )
    assert check_all(shop) == {LineKind.USAGE, LineKind.LATE_USAGE, LineKind.TRUE_UP}


def test_a_fee_with_bounds_is_explained_by_what_its_events_come_to(
    open_a_shop: Callable[..., Shop],
) -> None:
    shop = open_a_shop(taxes=VAT)
    shop.billing.usage.add_meter("payments")
    fee = Percentage("1.5", fixed="0.30", minimum="0.50", maximum="1.00")
    price = shop.billing.catalog.add_price(
        "Payments", fee, currency="EUR", every=MONTHLY, meter="payments"
    )
    sub = shop.billing.subscriptions.create(shop.customer().id, [price.id])
    shop.time.advance(to=date(2027, 1, 5))
    record = shop.billing.usage.record
    for place, amount in enumerate(("10.50", "50", "40", "1")):
        record(sub.id, "payments", event_id=f"p{place}", quantity=Decimal(amount))
    shop.time.advance(to=date(2027, 2, 2))
    at = datetime(2027, 1, 20, tzinfo=UTC)
    record(sub.id, "payments", event_id="late", quantity=20, occurred_at=at)
    shop.time.advance(to=date(2027, 3, 2))
    (january,), (late,) = [sentences(shop, invoice) for invoice in shop.invoices()]
    assert january.endswith(
        ": 1.5% of €40.00 + events: 1 × €0.30 + events at the minimum: 2 × €0.50 + "
        "events at the maximum: 1 × €1.00 = €2.90, plus 19% VAT."
    )
    assert late.endswith(
        ": 1.5% of €60.00 + events: 2 × €0.30 + events at the minimum: 2 × €0.50 + "
        "events at the maximum: 1 × €1.00 = €3.50, less €2.90 billed earlier = €0.60, plus 19% VAT."
    )
    assert check_all(shop) == {LineKind.USAGE, LineKind.LATE_USAGE}


def test_usage_before_the_first_period_is_told_under_the_days_that_there_were(shop: Shop) -> None:
    shop.billing.usage.add_meter("calls")
    calls = shop.billing.catalog.add_price(
        "Calls", eur("0.10"), every=MONTHLY, meter="calls", trial_usage_billed=True
    )
    sub = shop.subscribe(shop.customer(), calls, trial_until=date(2027, 1, 15))
    shop.time.advance(to=date(2027, 1, 5))
    shop.billing.usage.record(sub.id, "calls", event_id="in the trial", quantity=7)
    shop.time.advance(to=date(2027, 2, 16))
    assert sentences(shop, shop.only_invoice()) == [
        "Calls – usage of an earlier period, Jan 1, 2027 – Jan 14, 2027: 7 × €0.10 = €0.70."
    ]
    check_all(shop)


def test_an_add_on_with_an_introductory_price_explains_its_first_days(shop: Shop) -> None:
    basic = shop.price(eur("31.00"), name="Basic")
    extra = shop.billing.catalog.add_price(
        "Extra", eur("62.00"), every=MONTHLY, introductory=[(1, eur("31.00"))]
    )
    sub = shop.subscribe(shop.customer(), basic)
    shop.time.advance(to=date(2027, 1, 22))
    shop.billing.subscriptions.change(sub.id, add=[extra.id])
    shop.time.advance(to=date(2027, 2, 1))
    line = next(x for x in shop.invoices()[-1].lines if x.kind is LineKind.DEBIT)
    explained = explain(line, price=extra)
    recompute(line, explained)
    assert explained.portion is not None
    assert explained.priced is not None
    assert (explained.portion.numerator, explained.portion.denominator) == (10, 31)
    assert explained.priced.parts[0].unit_price == 31
    check_all(shop)


def test_a_change_after_an_earlier_billing_date_pays_for_the_days_that_are_left(
    shop: Shop,
) -> None:
    price = shop.price(eur("31.00"))
    sub = shop.subscribe(shop.customer(), price)
    shop.time.advance(to=date(2027, 1, 5))
    shop.billing.subscriptions.set_next_billing(sub.id, on=date(2027, 1, 20))
    shop.time.advance(to=date(2027, 1, 10))
    sub = shop.billing.subscriptions.change(sub.id, quantities={price.id: 2})
    assert [(x.kind, str(x.period), x.amount_minor) for x in sub.pending] == [
        (LineKind.CREDIT, "2027-01-20/2027-02-01", -1200),
        (LineKind.CREDIT, "2027-01-10/2027-01-20", -1000),
        (LineKind.DEBIT, "2027-01-10/2027-01-20", 2000),
    ]
    shop.time.advance(to=date(2027, 1, 20))
    check_all(shop)


def test_a_one_off_line_is_quantity_times_price(shop: Shop) -> None:
    customer = shop.customer()
    invoice = shop.billing.invoices.create_one_off(
        customer.id,
        [OneOff("Consulting", eur("120.00"), Decimal("1.5")), OneOff("Rebate", eur("-20.00"))],
    )
    assert {line.kind for line in invoice.lines} == {LineKind.ONE_OFF}
    assert sentences(shop, invoice) == ["Consulting: 1.5 × €120.00 = €180.00.", "Rebate: -€20.00."]
    check_all(shop)


def test_the_lines_of_a_plan_explain_themselves_before_anything_is_committed(shop: Shop) -> None:
    price = shop.price(eur("31.00"))
    plan = shop.billing.preview.subscriptions.create(
        shop.customer().id, [(price.id, 2)], start=date(2027, 1, 1), align=DayOfMonth(15)
    )
    (invoice,) = plan.invoices
    explained = explain(invoice.lines[0], price=price)
    recompute(invoice.lines[0], explained)
    assert explained.portion is not None
    assert (explained.portion.numerator, explained.portion.denominator) == (14, 31)
    assert shop.invoices() == []


def test_one_line_is_asked_for_by_its_place(shop: Shop) -> None:
    shop.subscribe(shop.customer(), quantity=3)
    invoice = shop.only_invoice()
    (only,) = shop.billing.invoices.explain(invoice.id, 0)
    assert only.line == 0
    assert only.explanation.amount == eur("87.00")
    assert only.sentence.replace("\xa0", " ").endswith("3 × €29.00 = €87.00.")
    for wrong in (1, -1, True):
        with pytest.raises(ValidationError, match="line"):
            shop.billing.invoices.explain(invoice.id, wrong)
    with pytest.raises(NotFound):
        shop.billing.invoices.explain("inv_none")


def test_both_drivers_explain_alike() -> None:
    async def ask() -> str:
        billing = AsyncBilling(clock=TestClock(date(2027, 1, 1)))
        customer = await billing.customers.create(name="Ada")
        line = OneOff("Setup", eur("5.00"))
        invoice = await billing.invoices.create_one_off(customer.id, [line])
        (explained,) = await billing.invoices.explain(invoice.id)
        return explained.sentence

    assert asyncio.run(ask()) == "Setup: €5.00."
