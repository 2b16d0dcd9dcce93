"""Lines after a migration, a transfer, an import and a threshold: each is told and adds up."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest

from subscriptions import Graduated, Percentage, PerUnit, TaxRate, TaxRates, Tier
from subscriptions.coupons import Forever
from subscriptions.invoices import LineKind
from subscriptions.pricing import FreeUnits, Package, PriceModel
from subscriptions.proration import Mode, Proration
from tests.scenarios.shop import MONTHLY, Shop, eur
from tests.scenarios.test_explaining import check_all, sentences

Opened = Callable[..., Shop]
VAT = TaxRates({"DE": TaxRate("19")})
NOW = Proration(mode=Mode.INVOICE_NOW)
TIERS = Graduated([Tier(up_to=10, unit="1.00"), Tier(unit="0.50", flat="3.00")])


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture
def shop(open_a_shop: Opened) -> Shop:
    return open_a_shop(start=date(2027, 1, 1), taxes=VAT)


@pytest.mark.parametrize("meter", [False, True])
def test_after_a_migration_lines_of_before_and_after_it_are_told(
    shop: Shop, *, meter: bool
) -> None:
    more: dict[str, object] = {"every": MONTHLY}
    if meter:
        shop.billing.usage.add_meter("calls")
        more |= {"meter": "calls", "minimum": eur("20.00")}
    add = shop.billing.catalog.add_price
    old = add("Pro", TIERS, currency="EUR", **more)  # type: ignore[arg-type]  # passed on
    new = shop.billing.catalog.new_version(old.id, PerUnit("2.3333"), valid_from=date(2027, 2, 1))
    half = shop.billing.coupons.create("Half", percent_off=50, duration=Forever())
    sub = shop.billing.subscriptions.create(
        shop.customer().id, [(old.id, 1 if meter else 17)], coupons=[half.id]
    )
    use = shop.billing.usage.record
    shop.time.advance(to=date(2027, 1, 10))
    if meter:
        use(sub.id, "calls", event_id="1", quantity=13)
    shop.billing.catalog.migrate(old.id, new.id, on=date(2027, 3, 1))
    shop.time.advance(to=date(2027, 3, 10))
    if meter:
        # It was used before the migration, and comes after it.
        use(sub.id, "calls", event_id="2", quantity=5, occurred_at=at("2027-02-20"))
        use(sub.id, "calls", event_id="3", quantity=7)
    shop.billing.subscriptions.change(
        sub.id, add=[shop.price(eur("31.00"), name="More").id], proration=NOW
    )
    shop.time.advance(to=date(2027, 3, 20))
    if not meter:
        shop.billing.subscriptions.change(sub.id, quantities={new.id: 5}, proration=NOW)
    shop.billing.subscriptions.cancel(sub.id, when="now", settlement="credit")
    kinds = check_all(shop)
    usage = {LineKind.USAGE, LineKind.LATE_USAGE}
    assert (usage <= kinds) if meter else ({LineKind.CREDIT, LineKind.DEBIT} <= kinds)


@pytest.mark.parametrize("paid_until", ["2027-02-01", "2027-01-01"])
def test_who_takes_a_subscription_over_is_told_what_he_pays(shop: Shop, paid_until: str) -> None:
    shop.billing.usage.add_meter("calls")
    calls = shop.billing.catalog.add_price(
        "Calls", TIERS, currency="EUR", every=MONTHLY, meter="calls", minimum=eur("20.00")
    )
    fee, ada, bob = shop.price(eur("31.00")), shop.customer(), shop.customer(name="Bob")
    coupon = shop.billing.coupons.create("Friend", amount_off=eur("5.00"), duration=Forever())
    sub = shop.billing.subscriptions.create(ada.id, [fee.id, calls.id], coupons=[coupon.id])
    shop.time.advance(to=date(2027, 1, 10))
    shop.billing.usage.record(sub.id, "calls", event_id="1", quantity=13)
    shop.billing.subscriptions.transfer(sub.id, to=bob.id)
    shop.time.advance(to=date(2027, 1, 20))
    bigger = shop.price(eur("62.00"), name="Max")
    policy = NOW if paid_until.startswith("2027-02") else Proration()
    shop.billing.subscriptions.change(sub.id, swap={fee.id: bigger.id}, proration=policy)
    shop.time.advance(to=date(2027, 2, 5))
    shop.billing.usage.record(
        sub.id, "calls", event_id="2", quantity=4, occurred_at=at("2027-01-05")
    )
    shop.time.advance(to=date(2027, 2, 11))
    shop.billing.subscriptions.cancel(sub.id, when="now", settlement="credit")
    kinds = check_all(shop)
    assert {LineKind.CREDIT, LineKind.DEBIT, LineKind.USAGE, LineKind.LATE_USAGE} <= kinds
    assert len(shop.invoices(bob)) > len(shop.invoices(ada)) == 1


@pytest.mark.parametrize(
    "model",
    [
        TIERS,
        PerUnit("0.3333"),
        Package(size=10, price="5.00", free=5),
        FreeUnits(3, PerUnit("2.00")),
        Percentage("2.9", fixed="0.25"),
    ],
    ids=["graduated", "per_unit", "package", "free_units", "percentage"],
)
@pytest.mark.parametrize("minimum", [None, "200.00"])
def test_what_was_billed_at_a_threshold_is_told_there_and_at_the_end(
    shop: Shop, model: PriceModel, minimum: str | None
) -> None:
    shop.billing.usage.add_meter("calls")
    calls = shop.billing.catalog.add_price(
        "Calls",
        model,
        currency="EUR",
        every=MONTHLY,
        meter="calls",
        minimum=None if minimum is None else eur(minimum),
    )
    coupon = shop.billing.coupons.create("Tenth", percent_off=10, duration=Forever())
    sub = shop.billing.subscriptions.create(
        shop.customer().id, [calls.id], threshold=eur("5.00"), coupons=[coupon.id]
    )
    use = shop.billing.usage.record
    for day, quantity in ((3, 9), (8, 13), (15, 200), (22, 170)):
        shop.time.advance(to=date(2027, 1, day))
        use(sub.id, "calls", event_id=f"{day}", quantity=quantity)
    shop.time.advance(to=date(2027, 2, 3))
    use(sub.id, "calls", event_id="late", quantity=33, occurred_at=at("2027-01-05"))
    use(sub.id, "calls", event_id="next", quantity=300)
    shop.time.advance(to=date(2027, 2, 10))
    shop.billing.subscriptions.cancel(sub.id, when="now")
    assert len(shop.invoices()) >= 4
    kinds = check_all(shop)
    assert {LineKind.USAGE, LineKind.LATE_USAGE} <= kinds


def test_seats_that_come_to_a_threshold_by_time_are_told(shop: Shop) -> None:
    shop.billing.usage.add_meter("seats", aggregation="time_weighted")
    seats = shop.billing.catalog.add_price(
        "Seats", PerUnit("31.00"), currency="EUR", every=MONTHLY, meter="seats"
    )
    sub = shop.billing.subscriptions.create(shop.customer().id, [seats.id], threshold=eur("10.00"))
    shop.billing.usage.record(sub.id, "seats", event_id="1", quantity=1)
    shop.time.advance(to=date(2027, 2, 1))
    assert check_all(shop) == {LineKind.USAGE}
    told = [sentences(shop, invoice)[0] for invoice in shop.invoices()]
    assert "less €20.00 billed" in told[2]


def test_what_a_trial_came_to_is_told_on_its_last_invoice(shop: Shop) -> None:
    shop.billing.usage.add_meter("calls")
    calls = shop.billing.catalog.add_price(
        "Calls", TIERS, currency="EUR", every=MONTHLY, meter="calls", trial_usage_billed=True
    )
    sub = shop.billing.subscriptions.create(
        shop.customer().id, [calls.id], trial_until=date(2027, 3, 10)
    )
    use = shop.billing.usage.record
    use(sub.id, "calls", event_id="1", quantity=13)
    shop.time.advance(to=date(2027, 1, 20))
    use(sub.id, "calls", event_id="2", quantity=7)
    shop.billing.subscriptions.cancel(sub.id, when="now")
    assert check_all(shop) == {LineKind.LATE_USAGE}
    # In periods like those that would have followed it.
    assert sentences(shop, shop.only_invoice()) == [
        (
            "Calls – usage of an earlier period, Jan 1, 2027 – Jan 9, 2027: "
            "10 × €1.00 + 3 × €0.50 + €3.00 (flat) = €14.50, plus 19% VAT."
        ),
        (
            "Calls – usage of an earlier period, Jan 10, 2027 – Jan 19, 2027: "
            "7 × €1.00 = €7.00, plus 19% VAT."
        ),
    ]


def test_after_an_import_what_is_changed_in_a_period_that_was_paid_elsewhere_is_told(
    shop: Shop,
) -> None:
    head = "external_id,name,country,product,amount,currency,interval,paid_until,start,anchor"
    rows = (
        "c1,Ada,DE,Team,29.00,EUR,month,2027-01-31,2026-01-31,31",
        "c2,Bob,DE,Team,29.00,EUR,month,2026-12-20,,",
    )
    shop.billing.customers.import_("\n".join([head, *rows]))
    for customer in list(shop.billing.customers.list()):
        shop.billing.payment_methods.attach(customer.id, "tok_visa")
    shop.time.advance(to=date(2027, 1, 10))
    bigger = shop.price(eur("62.00"), name="Max")
    for sub in list(shop.billing.subscriptions.list()):
        shop.billing.subscriptions.change(
            sub.id, swap={sub.items[0].price: bigger.id}, proration=NOW
        )
    shop.time.advance(to=date(2027, 2, 5))
    for sub in list(shop.billing.subscriptions.list()):
        shop.billing.subscriptions.change(sub.id, quantities={bigger.id: 3})
        shop.billing.subscriptions.set_next_billing(sub.id, on=date(2027, 3, 10), proration=NOW)
    shop.time.advance(to=date(2027, 3, 15))
    for sub in list(shop.billing.subscriptions.list()):
        shop.billing.subscriptions.cancel(sub.id, when="now", settlement="credit")
    assert check_all(shop) == {LineKind.PERIOD, LineKind.CREDIT, LineKind.DEBIT}
