"""Credit grants: what they pay, when they end, and that nothing of them is lost or spent twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest

from subscriptions import (
    AsyncBilling,
    Billing,
    InvalidTransition,
    MemoryStorage,
    Money,
    OneOff,
    Seller,
    TaxRate,
    TaxRates,
    UnknownReference,
    ValidationError,
)
from subscriptions.customers import Customer, Grouping
from subscriptions.errors import StalePlan
from subscriptions.grants import Category, Grant, Rollover, Scope
from subscriptions.ids import PriceId, ProductId, SubscriptionId
from subscriptions.invoices import Invoice
from subscriptions.pricing import PerUnit
from subscriptions.proration import Proration
from tests.scenarios.shop import MONTHLY, Shop, eur
from tests.scenarios.test_balance import charged, give


def grant(shop: Shop, customer: Customer, amount: str, **terms: object) -> Grant:
    given: dict[str, object] = {"reason": "welcome", **terms}
    return shop.billing.balance.grant(customer.id, eur(amount), **given)  # type: ignore[arg-type]


def entries(shop: Shop, customer: Customer) -> list[str]:
    """Return the movements of all grants of a customer as `cause amount → left`."""
    found = shop.billing.balance.grant_entries(customer=customer.id, limit=1000)
    return [f"{each.cause} {each.amount} → {each.left}" for each in found]


def grants(shop: Shop, customer: Customer) -> list[str]:
    """Return the grants of a customer as `status left`."""
    return [f"{each.status} {each.left}" for each in shop.billing.balance.grants(customer.id)]


def paid(invoice: Invoice) -> list[str]:
    """Return what paid an invoice: the balance, grants, payments; and what is due."""
    parts = (invoice.balance_applied, invoice.granted, invoice.paid, invoice.amount_due)
    return [str(part) for part in parts]


def at(day: date, hour: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


# ---- paying --------------------------------------------------------------------------------------


def test_the_balance_pays_first_then_grants_then_the_card(shop: Shop) -> None:
    ada = shop.customer()
    give(shop, ada, "4.00")
    grant(shop, ada, "10.00")
    shop.subscribe(ada)
    assert paid(shop.only_invoice(ada)) == ["4.00 EUR", "10.00 EUR", "15.00 EUR", "0.00 EUR"]
    assert charged(shop) == ["15.00 EUR"]
    assert grants(shop, ada) == ["used_up 0.00 EUR"]
    assert shop.billing.customers.get(ada.id).grants == ()


def test_a_grant_that_covers_an_invoice_to_the_cent_pays_it_and_nothing_is_charged(
    shop: Shop,
) -> None:
    ada = shop.customer()
    made = grant(shop, ada, "29.00")
    shop.subscribe(ada)
    invoice = shop.only_invoice(ada)
    assert (invoice.status, invoice.granted, charged(shop)) == ("paid", eur("29.00"), [])
    assert shop.events(made.id) == ["grant.created", "grant.applied"]
    assert shop.events(invoice.id)[:2] == ["invoice.finalized", "invoice.paid"]
    assert list(shop.billing.invoices.verify()) == []


def test_what_an_invoice_does_not_need_stays_for_the_next_ones(shop: Shop) -> None:
    ada = shop.customer()
    grant(shop, ada, "70.00")
    shop.subscribe(ada)
    shop.time.advance(days=62)
    assert [str(each.granted) for each in shop.invoices(ada)] == [
        "29.00 EUR",
        "29.00 EUR",
        "12.00 EUR",
    ]
    assert charged(shop) == ["17.00 EUR"]


def test_the_burn_order_is_priority_then_expiry_then_age(shop: Shop) -> None:
    ada = shop.customer()
    soon = at(date(2027, 3, 1))
    old = grant(shop, ada, "10.00", name="old")
    late = grant(shop, ada, "10.00", expires=soon + timedelta(days=1), name="late")
    first = grant(shop, ada, "10.00", priority=10, name="first")
    early = grant(shop, ada, "10.00", expires=soon, name="early")
    shop.subscribe(ada)
    used = shop.billing.balance.grant_entries(invoice=shop.only_invoice(ada).id)
    assert [(each.grant, str(each.amount)) for each in used] == [
        (first.id, "-10.00 EUR"),
        (early.id, "-10.00 EUR"),
        (late.id, "-9.00 EUR"),
    ]
    assert shop.billing.balance.get_grant(old.id).left == eur("10.00")


def test_a_grant_pays_tax_as_well_for_it_is_no_discount(
    open_a_shop: Callable[..., Shop],
) -> None:
    shop = open_a_shop(taxes=TaxRates({"DE": TaxRate("19")}))
    ada = shop.customer()
    grant(shop, ada, "100.00")
    shop.subscribe(ada)
    invoice = shop.only_invoice(ada)
    assert (invoice.net, invoice.tax, invoice.granted) == (
        eur("29.00"),
        eur("5.51"),
        eur("34.51"),
    )


def test_a_grant_pays_in_its_own_currency_only(shop: Shop) -> None:
    ada = shop.customer()
    shop.billing.balance.grant(ada.id, Money.of("50.00", "USD"))
    shop.subscribe(ada)
    assert shop.only_invoice(ada).paid == eur("29.00")


def test_a_scope_pays_its_lines_with_their_tax_and_no_others(
    open_a_shop: Callable[..., Shop],
) -> None:
    shop = open_a_shop(taxes=TaxRates({"DE": TaxRate("19")}))
    ada = shop.customer()
    pro, plus = shop.price(name="Pro"), shop.price(eur("10.00"), name="Plus")
    grant(shop, ada, "50.00", scope=Scope(products=(plus.product,)))
    shop.billing.subscriptions.create(ada.id, [pro.id, plus.id])
    invoice = shop.only_invoice(ada)
    assert (invoice.total, invoice.granted) == (eur("46.41"), eur("11.90"))


def test_a_scope_of_usage_pays_usage_only(shop: Shop) -> None:
    billing, ada = shop.billing, shop.customer()
    billing.usage.add_meter("calls")
    calls = billing.catalog.add_price(
        "Calls", PerUnit("0.10"), currency="EUR", every=MONTHLY, meter="calls", arrears=True
    )
    grant(shop, ada, "5.00", scope=Scope(metered=True))
    sub = billing.subscriptions.create(ada.id, [shop.price(name="Base").id, calls.id])
    shop.time.advance(days=10)
    billing.usage.record(sub.id, "calls", event_id="one", quantity=30)
    shop.time.advance(days=22)
    first, second = shop.invoices(ada)
    assert (first.granted, second.total, second.granted) == (
        eur("0.00"),
        eur("32.00"),
        eur("3.00"),
    )
    assert grants(shop, ada) == ["active 2.00 EUR"]


def test_a_scope_of_a_subscription_pays_for_that_one_on_a_common_invoice(shop: Shop) -> None:
    billing = shop.billing
    ada = billing.customers.create(name="Ada Lovelace", grouping=Grouping.DAY)
    price = shop.price()
    start = date(2027, 1, 2)
    one = shop.subscribe(ada, price, start=start)
    shop.subscribe(ada, price, start=start)
    grant(shop, ada, "100.00", scope=Scope(subscriptions=(one.id,), products=(price.product,)))
    shop.time.advance(days=2)
    invoice = shop.only_invoice(ada)
    assert (invoice.total, invoice.granted, invoice.amount_due) == (
        eur("58.00"),
        eur("29.00"),
        eur("29.00"),
    )


def test_subscriptions_of_one_instant_never_spend_a_grant_twice(shop: Shop) -> None:
    ada = shop.customer()
    grant(shop, ada, "70.00")
    for _ in range(4):
        shop.subscribe(ada, shop.price(name=f"Pro {_}"), start=date(2027, 1, 5))
    shop.time.advance(days=5)
    assert sorted(str(each.granted) for each in shop.invoices(ada)) == [
        "0.00 EUR",
        "12.00 EUR",
        "29.00 EUR",
        "29.00 EUR",
    ]
    assert sorted(charged(shop)) == ["17.00 EUR", "29.00 EUR"]


def test_drafts_of_a_pause_use_a_grant_one_after_the_other(shop: Shop) -> None:
    ada = shop.customer()
    sub = shop.subscribe(ada)
    shop.billing.subscriptions.pause(sub.id, collect=False)
    shop.time.advance(days=62)
    made = grant(shop, ada, "40.00")
    shop.billing.subscriptions.resume(sub.id)
    assert [str(each.granted) for each in shop.invoices(ada)] == [
        "0.00 EUR",
        "29.00 EUR",
        "11.00 EUR",
    ]
    assert shop.events(made.id) == ["grant.created", "grant.applied", "grant.applied"]


def test_a_preview_spends_nothing(shop: Shop) -> None:
    ada = shop.customer()
    grant(shop, ada, "10.00")
    plan = shop.billing.preview.subscriptions.create(ada.id, [shop.price().id])
    assert plan.invoices[0].granted == eur("10.00")
    assert grants(shop, ada) == ["active 10.00 EUR"]


def test_a_plan_that_would_spend_what_is_spent_by_now_is_stale(shop: Shop) -> None:
    ada = shop.customer()
    grant(shop, ada, "10.00")
    work = [OneOff("Work", eur("8.00"))]
    plan = shop.billing.preview.invoices.create_one_off(ada.id, work)
    assert plan.invoices[0].granted == eur("8.00")
    assert shop.billing.invoices.create_one_off(ada.id, work).granted == eur("8.00")
    with pytest.raises(StalePlan):
        shop.billing.commit(plan)
    assert grants(shop, ada) == ["active 2.00 EUR"]


def test_drafts_of_one_batch_never_spend_a_grant_twice(shop: Shop) -> None:
    billing, ada = shop.billing, shop.customer(token=None)
    grant(shop, ada, "25.00")
    work = [OneOff("Work", eur("10.00"))]
    with billing.transaction():
        made = [billing.invoices.create_one_off(ada.id, work) for _ in range(3)]
    assert [str(each.granted) for each in made] == ["10.00 EUR", "10.00 EUR", "5.00 EUR"]


# ---- beginning and end ---------------------------------------------------------------------------


def test_a_grant_pays_from_its_first_instant_on_and_not_at_its_last(shop: Shop) -> None:
    ada = shop.customer()
    feb, mar = at(date(2027, 2, 1)), at(date(2027, 3, 1))
    grant(shop, ada, "100.00", effective=feb, expires=mar)
    assert grants(shop, ada) == ["pending 100.00 EUR"]
    shop.subscribe(ada)
    shop.time.advance(days=90)
    # February's invoice is of the instant of the beginning, March's of that of the end.
    assert [str(each.granted) for each in shop.invoices(ada)] == [
        "0.00 EUR",
        "29.00 EUR",
        "0.00 EUR",
        "0.00 EUR",
    ]
    assert entries(shop, ada) == [
        "granted 100.00 EUR → 100.00 EUR",
        "applied -29.00 EUR → 71.00 EUR",
        "expired -71.00 EUR → 0.00 EUR",
    ]
    (made,) = shop.billing.balance.grants(ada.id, status="expired")
    assert shop.events(made.id) == [
        "grant.created",
        "grant.began",
        "grant.applied",
        "grant.expired",
    ]
    assert made.due_at is None


def test_what_is_over_pays_nothing_though_no_run_has_come_to_it(shop: Shop) -> None:
    billing, ada = shop.billing, shop.customer()
    feb = at(date(2027, 2, 1))
    grant(shop, ada, "5.00", expires=feb)
    grant(shop, ada, "7.00", effective=feb)
    invoice = billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("20.00"))], at=feb)
    assert invoice.granted == eur("7.00")
    shop.time.advance(days=40)
    assert grants(shop, ada) == ["expired 0.00 EUR", "used_up 0.00 EUR"]


def test_a_part_of_what_is_left_rolls_over_and_pays_the_invoice_of_that_instant(
    shop: Shop,
) -> None:
    ada = shop.customer()
    rule = Rollover(percent=50, days=28, times=2)
    old = grant(shop, ada, "100.00", expires=at(date(2027, 2, 1)), rollover=rule, priority=3)
    shop.subscribe(ada)
    shop.time.advance(days=100)
    # 71.00 are left in February: 35.50 go on; of 6.50 in March 3.25, which then are used.
    assert [str(each.granted) for each in shop.invoices(ada)] == [
        "29.00 EUR",
        "29.00 EUR",
        "3.25 EUR",
        "0.00 EUR",
    ]
    _, second, third = shop.billing.balance.grants(ada.id)
    assert (second.origin, third.origin, second.priority) == (old.id, second.id, 3)
    assert (second.expires_at, third.expires_at) == (
        at(date(2027, 3, 1)),
        at(date(2027, 3, 29)),
    )
    assert third.rollover is None


def test_a_roll_over_is_of_the_sellers_days(open_a_shop: Callable[..., Shop]) -> None:
    shop = open_a_shop(seller=Seller("Acme GmbH", zone="Europe/Berlin"))
    ada = shop.customer()
    # The clocks go forward in between: midnight comes an hour earlier.
    ends = datetime(2027, 2, 28, 23, tzinfo=UTC)
    grant(shop, ada, "10.00", expires=ends, rollover=Rollover(days=31))
    shop.time.advance(days=70)
    _, more = shop.billing.balance.grants(ada.id)
    assert more.expires_at == datetime(2027, 3, 31, 22, tzinfo=UTC)


# ---- taking back ---------------------------------------------------------------------------------


def test_voiding_takes_what_is_left_and_what_it_paid_stays_paid(shop: Shop) -> None:
    ada = shop.customer()
    made = grant(shop, ada, "50.00")
    shop.subscribe(ada)
    void = shop.billing.balance.void_grant(made.id, reason="by mistake")
    assert (void.status, void.left) == ("voided", eur("0.00"))
    shop.time.advance(days=32)
    assert [str(each.granted) for each in shop.invoices(ada)] == ["29.00 EUR", "0.00 EUR"]
    with pytest.raises(InvalidTransition):
        shop.billing.balance.void_grant(made.id, reason="again")
    with pytest.raises(UnknownReference):
        shop.billing.balance.void_grant("grn_none", reason="by mistake")


def test_a_void_invoice_returns_what_grants_and_balance_paid(shop: Shop) -> None:
    ada = shop.customer(token=None)
    give(shop, ada, "5.00")
    one = grant(shop, ada, "10.00", priority=1)
    grant(shop, ada, "3.00")
    shop.subscribe(ada)
    invoice = shop.only_invoice(ada)
    assert paid(invoice) == ["5.00 EUR", "13.00 EUR", "0.00 EUR", "11.00 EUR"]
    shop.billing.invoices.void(invoice.id, reason="wrong")
    assert grants(shop, ada) == ["active 10.00 EUR", "active 3.00 EUR"]
    assert shop.billing.customers.get(ada.id).balance == (eur("5.00"),)
    assert shop.events(one.id) == ["grant.created", "grant.applied", "grant.returned"]
    shop.time.advance(days=32)
    assert str(shop.invoices(ada)[1].granted) == "13.00 EUR"


@pytest.mark.parametrize(
    ("category", "after"),
    [
        (Category.PROMOTIONAL, ["expired 0.00 EUR"]),
        (Category.PAID, ["used_up 0.00 EUR", "active 10.00 EUR"]),
    ],
)
def test_what_returns_after_the_end_of_a_grant_is_kept_if_it_was_bought(
    shop: Shop, category: Category, after: list[str]
) -> None:
    ada = shop.customer(token=None)
    grant(shop, ada, "10.00", category=category, expires=at(date(2027, 1, 5)))
    shop.subscribe(ada)
    invoice = shop.only_invoice(ada)
    shop.time.advance(days=6)
    shop.billing.invoices.void(invoice.id, reason="wrong")
    assert grants(shop, ada) == after


def test_what_was_never_paid_for_returns_its_grants(shop: Shop) -> None:
    ada = shop.customer(token=None)
    grant(shop, ada, "10.00")
    shop.billing.subscriptions.create(ada.id, [shop.price().id], require_payment=True)
    shop.time.advance(days=3)
    assert shop.only_invoice(ada).status == "void"
    assert grants(shop, ada) == ["active 10.00 EUR"]


# ---- credit notes, credits and refunds -----------------------------------------------------------


def test_a_credit_note_returns_to_grants_what_they_paid_and_only_then_gives_credit(
    shop: Shop,
) -> None:
    ada = shop.customer()
    grant(shop, ada, "10.00")
    shop.subscribe(ada)
    invoice = shop.only_invoice(ada)
    create = shop.billing.credit_notes.create
    first = create(invoice.id, amount=eur("6.00"), reason="outage")
    assert (first.granted, first.balance) == (eur("6.00"), eur("0.00"))
    rest = create(invoice.id, reason="all of it", refund=eur("19.00"))
    assert (rest.granted, rest.refund) == (eur("4.00"), eur("19.00"))
    assert grants(shop, ada) == ["active 10.00 EUR"]
    assert [str(each.amount) for each in shop.gateway.refunds] == ["19.00 EUR"]
    notes = shop.billing.balance.grant_entries(invoice=invoice.id)
    assert [each.credit_note for each in notes] == [None, first.id, rest.id]
    assert shop.billing.credit_notes.text(first.id).count("Returned to your credit grants") == 1
    assert "Paid from your credit grants" in shop.billing.invoices.text(invoice.id)


def test_what_grants_paid_is_never_given_out_as_money(shop: Shop) -> None:
    ada = shop.customer()
    grant(shop, ada, "10.00", category=Category.PAID)
    shop.subscribe(ada)
    invoice = shop.only_invoice(ada)
    create = shop.billing.credit_notes.create
    for where in ("refund", "balance", "outside"):
        with pytest.raises(ValidationError, match=r"19\.00 EUR to 19\.00 EUR"):
            create(invoice.id, reason="all of it", **{where: eur("29.00")})  # type: ignore[arg-type]
    # The host may give the money back first: as much as there was.
    money = create(invoice.id, amount=eur("19.00"), reason="outage", outside=eur("19.00"))
    assert money.granted == eur("0.00")
    with pytest.raises(ValidationError, match=r"0\.00 EUR to 0\.00 EUR"):
        create(invoice.id, amount=eur("1.00"), reason="outage", outside=eur("1.00"))
    rest = create(invoice.id, reason="the rest")
    assert (rest.granted, rest.balance) == (eur("10.00"), eur("0.00"))


def test_a_credit_of_what_is_open_returns_nothing_to_grants(shop: Shop) -> None:
    ada = shop.customer(token=None)
    grant(shop, ada, "10.00")
    shop.subscribe(ada)
    note = shop.billing.credit_notes.create(
        shop.only_invoice(ada).id, amount=eur("19.00"), reason="outage"
    )
    assert (note.taken_off, note.granted) == (eur("19.00"), eur("0.00"))
    assert shop.only_invoice(ada).status == "paid"
    assert grants(shop, ada) == ["used_up 0.00 EUR"]


def test_a_cancellation_refunds_no_part_that_a_grant_paid(shop: Shop) -> None:
    ada = shop.customer()
    grant(shop, ada, "15.50")
    sub = shop.subscribe(ada, shop.price(eur("31.00")))
    shop.time.advance(days=20)
    shop.billing.subscriptions.cancel(sub.id, when="now", settlement="refund")
    # 11 of 31 days are credited; half of the month was paid by the grant.
    assert [str(each.amount) for each in shop.gateway.refunds] == ["5.50 EUR"]
    assert shop.billing.customers.get(ada.id).balance == (eur("5.50"),)


def test_a_cancellation_of_what_a_grant_paid_in_full_refunds_nothing(shop: Shop) -> None:
    ada = shop.customer()
    sub = shop.subscribe(ada, shop.price(eur("31.00")))
    shop.time.advance(days=20)
    grant(shop, ada, "31.00", scope=Scope(subscriptions=(sub.id,)))
    shop.time.advance(days=25)
    _, february = shop.invoices(ada)
    assert february.granted == february.total == eur("31.00")
    shop.billing.subscriptions.cancel(sub.id, when="now", settlement="refund")
    # January was paid by card, but it is February that is given back.
    assert list(shop.gateway.refunds) == []
    assert shop.billing.customers.get(ada.id).balance == (eur("15.50"),)


def test_a_first_payment_by_a_grant_is_a_payment(shop: Shop) -> None:
    ada = shop.customer(token=None)
    grant(shop, ada, "29.00")
    sub = shop.billing.subscriptions.create(ada.id, [shop.price().id], require_payment=True)
    assert (sub.status, shop.only_invoice(ada).status) == ("active", "paid")


def test_a_credit_note_of_an_open_rest_is_a_first_payment_if_a_grant_paid_some(
    shop: Shop,
) -> None:
    ada = shop.customer(token=None)
    grant(shop, ada, "20.00")
    sub = shop.billing.subscriptions.create(ada.id, [shop.price().id], require_payment=True)
    assert sub.status == "incomplete"
    shop.billing.credit_notes.create(shop.only_invoice(ada).id, amount=eur("9.00"), reason="x")
    assert shop.subscription(sub).status == "active"


def test_an_overdue_invoice_asks_for_what_grants_left(shop: Shop) -> None:
    ada = shop.customer("tok_lost_card")
    grant(shop, ada, "9.00")
    shop.subscribe(ada)
    invoice = shop.only_invoice(ada)
    assert (invoice.amount_due, invoice.dunning) == (eur("20.00"), True)
    assert {str(payment.amount) for payment in shop.payments(invoice)} == {"20.00 EUR"}


def test_a_negative_invoice_uses_no_grant_and_becomes_balance(shop: Shop) -> None:
    ada = shop.customer()
    sub = shop.subscribe(ada, shop.price(eur("31.00")))
    shop.time.advance(days=20)
    made = grant(shop, ada, "10.00")
    shop.billing.subscriptions.cancel(sub.id, when="now", settlement="credit")
    last = shop.invoices(ada)[-1]
    assert (last.total, last.balance_applied, last.granted) == (
        eur("-11.00"),
        eur("-11.00"),
        eur("0.00"),
    )
    assert shop.events(made.id) == ["grant.created"]


def test_an_upgrade_is_paid_net_of_what_it_credits(shop: Shop) -> None:
    ada = shop.customer()
    small, large = shop.price(eur("31.00")), shop.price(eur("62.00"), name="Large")
    sub = shop.subscribe(ada, small)
    shop.time.advance(days=20)
    grant(shop, ada, "5.00", scope=Scope(prices=(large.id,)))
    now = Proration(mode="invoice_now")
    shop.billing.subscriptions.change(sub.id, [large.id], proration=now)
    last = shop.invoices(ada)[-1]
    # 22.00 for the rest of January less 11.00 that were not used.
    assert (last.total, last.granted) == (eur("11.00"), eur("5.00"))


# ---- the commands --------------------------------------------------------------------------------


def test_a_grant_that_makes_no_sense_is_refused_and_nothing_changes(shop: Shop) -> None:
    ada, bob = shop.customer(), shop.customer()
    hers = shop.subscribe(bob)
    billing = shop.billing
    wrong: list[dict[str, object]] = [
        {"amount": 5},
        {"amount": eur("0.00")},
        {"amount": eur("-1.00")},
        {"category": "loyalty"},
        {"priority": 101},
        {"expires": at(date(2027, 1, 1))},
        {"expires": datetime(2028, 1, 1)},  # noqa: DTZ001 - that is what is wrong
        {"effective": date(2028, 1, 1)},
        {"rollover": Rollover()},
        {"scope": "usage"},
        {"reason": "a\x00b"},
    ]
    for given in wrong:
        with pytest.raises(ValidationError):
            billing.balance.grant(ada.id, **{"amount": eur("5.00"), **given})  # type: ignore[arg-type]
    for scope in (
        Scope(products=(ProductId("none"),)),
        Scope(prices=(PriceId("none"),)),
        Scope(subscriptions=(SubscriptionId("none"),)),
        Scope(subscriptions=(hers.id,)),
    ):
        with pytest.raises(UnknownReference):
            billing.balance.grant(ada.id, eur("5.00"), scope=scope)
    with pytest.raises(UnknownReference):
        billing.balance.grant("cus_nobody", eur("5.00"))
    assert grants(shop, ada) == []


def test_no_customer_holds_more_grants_than_can_be_read_with_him(shop: Shop) -> None:
    ada = shop.customer()
    for _ in range(100):
        grant(shop, ada, "0.01")
    with pytest.raises(ValidationError, match="at most 100"):
        grant(shop, ada, "0.01")
    shop.subscribe(ada)
    assert shop.only_invoice(ada).granted == eur("1.00")
    grant(shop, ada, "0.01")


def test_the_same_key_grants_once(shop: Shop) -> None:
    ada = shop.customer()
    first = grant(shop, ada, "5.00", idempotency_key="welcome")
    assert grant(shop, ada, "5.00", idempotency_key="welcome") == first
    assert grants(shop, ada) == ["active 5.00 EUR"]


def test_a_parked_grant_still_pays_and_goes_on_once_it_is_released(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = shop.customer()
    made = grant(shop, ada, "50.00", expires=at(date(2027, 1, 5)), effective=at(date(2027, 1, 3)))
    with monkeypatch.context() as broken:
        broken.setattr("subscriptions.grants.decide", _fail)
        report = shop.billing.run(until=date(2027, 1, 3))
    assert [each.id for each in report.parked] == [made.id]
    shop.time.advance(days=3)
    shop.subscribe(ada)
    assert shop.only_invoice(ada).granted == eur("29.00")
    shop.billing.unpark("grant", made.id)
    shop.time.advance(days=3)
    assert grants(shop, ada) == ["expired 0.00 EUR"]


def _fail(*_: object) -> object:
    raise RuntimeError("broken")


def test_a_plain_customer_costs_no_read_of_grants(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = shop.customer()

    def never(*_: object) -> object:
        raise AssertionError("grants were asked for")

    monkeypatch.setattr("subscriptions.usecases.collection.with_grants", never)
    shop.subscribe(ada)
    shop.time.advance(days=62)
    assert [str(each.paid) for each in shop.invoices(ada)] == ["29.00 EUR"] * 3


def test_grants_are_listed_page_by_page(shop: Shop) -> None:
    ada = shop.customer()
    for _ in range(5):
        grant(shop, ada, "1.00")
    page = shop.billing.balance.grants(ada.id, limit=3)
    assert len(page) == 3
    more = shop.billing.balance.grants(ada.id, limit=3, after=page.next_cursor)
    assert len(more) == 5 - 3
    with pytest.raises(ValidationError):
        shop.billing.balance.grants(ada.id, status="gone")


def test_the_asynchronous_face_grants_the_same() -> None:
    async def history() -> list[str]:
        billing = AsyncBilling(storage=MemoryStorage())
        ada = await billing.customers.create(name="Ada Lovelace")
        made = await billing.balance.grant(ada.id, eur("5.00"))
        work = [OneOff("Work", eur("3.00"))]
        invoice = await billing.invoices.create_one_off(ada.id, work)
        assert invoice.granted == eur("3.00")
        assert (await billing.balance.get_grant(made.id)).left == eur("2.00")
        await billing.balance.void_grant(made.id, reason="by mistake")
        (found,) = (await billing.balance.grants(ada.id)).items
        assert found.status == "voided"
        page = await billing.balance.grant_entries(grant=made.id)
        return [each.cause.value for each in page.items]

    assert asyncio.run(history()) == ["granted", "applied", "voided"]


def test_a_billing_without_anything_else_grants() -> None:
    billing = Billing()
    ada = billing.customers.create(name="Ada Lovelace")
    assert billing.balance.grant(ada.id, eur("1.00")).left == eur("1.00")


def test_grants_and_balances_are_listed_of_one_customer_or_of_all(shop: Shop) -> None:
    ada, bob = shop.customer(), shop.customer()
    for customer in (ada, bob):
        grant(shop, customer, "1.00")
        give(shop, customer, "2.00")
    balance = shop.billing.balance
    assert [each.customer for each in balance.grants(ada.id)] == [ada.id]
    assert [each.customer for each in balance.grants(status="active")] == [ada.id, bob.id]
    assert [each.customer for each in balance.entries(customer=bob.id)] == [bob.id]
    assert [each.customer for each in balance.entries()] == [ada.id, bob.id]
