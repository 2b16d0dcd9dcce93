"""What a customer may use: from all that he has, while he is served, with what is left of it."""

from __future__ import annotations

import asyncio
from datetime import date
from decimal import Decimal

import pytest

from subscriptions import AsyncBilling, NotFound, PerUnit, ValidationError
from subscriptions.catalog import Entitlement, Price
from subscriptions.customers import Customer
from subscriptions.entitlements import Allowance
from subscriptions.testing import TestClock
from tests.scenarios.shop import MONTHLY, Shop, eur

PRO = (Entitlement("seats", 5), Entitlement("export"))


def plan(shop: Shop, name: str, *entitlements: Entitlement, meter: str | None = None) -> Price:
    shop.billing.catalog.add_product(name, entitlements=entitlements)
    if meter is None:
        return shop.billing.catalog.add_price(name, eur("10.00"), every=MONTHLY)
    return shop.billing.catalog.add_price(
        name, PerUnit("0.01"), currency="EUR", every=MONTHLY, meter=meter
    )


def seats(shop: Shop, customer: Customer, counted: int = 0) -> tuple[bool, int]:
    found = shop.billing.entitlements.check(customer.id, "seats", counted=counted)
    assert found.left is not None
    return found.allowed, int(found.left)


def test_a_plan_entitles_to_what_its_product_says(shop: Shop) -> None:
    ada = shop.customer()
    shop.subscribe(ada, plan(shop, "Pro", *PRO))
    assert shop.billing.entitlements.list(ada.id) == (
        Allowance("seats", allowed=True, quota=Decimal(5), used=Decimal(0), left=Decimal(5)),
        Allowance("export", allowed=True, quota=None, used=Decimal(0), left=None),
    )
    assert seats(shop, ada, 4) == (True, 1)
    assert seats(shop, ada, 5) == (False, 0)
    assert not shop.billing.entitlements.check(ada.id, "teleport").allowed


def test_several_subscriptions_and_their_quantities_add_up(shop: Shop) -> None:
    ada = shop.customer()
    shop.subscribe(ada, plan(shop, "Pro", *PRO))
    seat = plan(shop, "Seat", Entitlement("seats", 1, per_unit=True))
    shop.subscribe(ada, seat, quantity=3)
    bob = shop.customer(name="Bob")
    shop.subscribe(bob, seat, quantity=7)
    assert seats(shop, ada) == (True, 8)
    assert seats(shop, bob) == (True, 7)


def test_a_quota_is_used_up_by_the_meter_and_whole_again_in_the_next_month(shop: Shop) -> None:
    shop.billing.usage.add_meter("calls")
    price = plan(shop, "Calls", Entitlement("calls", 100, meter="calls"), meter="calls")
    ada = shop.customer()
    sub = shop.subscribe(ada, price)
    shop.time.advance(to=date(2027, 1, 20))
    shop.billing.usage.record(sub.id, "calls", event_id="e1", quantity=98)
    found = shop.billing.entitlements.check(ada.id, "calls")
    assert (found.used, found.left, found.allowed) == (Decimal(98), Decimal(2), True)
    shop.billing.usage.record(sub.id, "calls", event_id="e2", quantity=5)
    found = shop.billing.entitlements.check(ada.id, "calls")
    assert (found.used, found.left, found.allowed) == (Decimal(103), Decimal(0), False)
    shop.time.advance(to=date(2027, 2, 1))
    assert shop.billing.entitlements.check(ada.id, "calls").left == 100
    # What is reported late was used in January, and takes nothing from February.
    shop.billing.usage.record(
        sub.id, "calls", event_id="e3", quantity=50, occurred_at=shop.time.now.replace(month=1)
    )
    assert shop.billing.entitlements.check(ada.id, "calls").left == 100


def test_a_month_that_nobody_has_billed_yet_is_over_all_the_same(shop: Shop) -> None:
    shop.billing.usage.add_meter("calls")
    price = plan(shop, "Calls", Entitlement("calls", 100, meter="calls"), meter="calls")
    ada = shop.customer()
    sub = shop.subscribe(ada, price)
    shop.billing.usage.record(sub.id, "calls", event_id="e1", quantity=98)
    shop.clock.now = shop.time.now.replace(month=2, day=10)  # nothing ran since January
    assert shop.billing.entitlements.check(ada.id, "calls").left == 100
    shop.billing.usage.record(sub.id, "calls", event_id="e2", quantity=30)
    assert shop.billing.entitlements.check(ada.id, "calls").left == 70
    shop.time.advance(to=date(2027, 2, 11))
    assert shop.billing.entitlements.check(ada.id, "calls").left == 70


@pytest.mark.parametrize("billed", [False, True])
def test_a_trial_uses_its_quota_up_whether_it_is_billed_or_not(shop: Shop, billed: bool) -> None:  # noqa: FBT001
    shop.billing.usage.add_meter("calls")
    shop.billing.catalog.add_product(
        "Calls", entitlements=[Entitlement("calls", 10, meter="calls")]
    )
    price = shop.billing.catalog.add_price(
        "Calls",
        PerUnit("1.00"),
        currency="EUR",
        every=MONTHLY,
        meter="calls",
        trial_usage_billed=billed,
    )
    ada = shop.customer()
    sub = shop.subscribe(ada, price, trial_until=date(2027, 1, 15))
    shop.time.advance(to=date(2027, 1, 10))
    shop.billing.usage.record(sub.id, "calls", event_id="e1", quantity=9)
    assert shop.billing.entitlements.check(ada.id, "calls").left == 1
    shop.time.advance(to=date(2027, 1, 15))
    assert shop.billing.entitlements.check(ada.id, "calls").left == 10


def test_a_product_gives_its_quota_once_for_what_is_licensed_and_metered(shop: Shop) -> None:
    shop.billing.usage.add_meter("calls")
    pro = plan(shop, "Pro", Entitlement("calls", 100, meter="calls"), Entitlement("export"))
    extra = shop.billing.catalog.add_price(
        "Pro", PerUnit("0.01"), currency="EUR", every=MONTHLY, meter="calls"
    )
    ada, bob = shop.customer(), shop.customer(name="Bob")
    sub = shop.billing.subscriptions.create(ada.id, [pro.id, extra.id])
    shop.billing.usage.record(sub.id, "calls", event_id="e1", quantity=30)
    found = shop.billing.entitlements.check(ada.id, "calls")
    assert (found.quota, found.used, found.left) == (Decimal(100), Decimal(30), Decimal(70))
    # Two of them are two, and what is metered alone gives it too.
    shop.subscribe(ada, pro)
    assert shop.billing.entitlements.check(ada.id, "calls").quota == 200
    shop.subscribe(bob, extra)
    assert shop.billing.entitlements.check(bob.id, "calls").quota == 100


def test_a_price_may_give_something_else_than_its_product(shop: Shop) -> None:
    small = plan(shop, "Pro", *PRO)
    big = shop.billing.catalog.add_price(
        "Pro", eur("90.00"), every=MONTHLY, entitlements=[Entitlement("seats", 50)]
    )
    ada, bob = shop.customer(), shop.customer(name="Bob")
    shop.subscribe(ada, small)
    shop.subscribe(bob, big)
    assert (seats(shop, ada), seats(shop, bob)) == ((True, 5), (True, 50))
    assert not shop.billing.entitlements.check(bob.id, "export").allowed


def test_a_new_version_gives_less_and_who_has_the_old_one_keeps_what_he_got(shop: Shop) -> None:
    old = plan(shop, "Pro", *PRO)
    ada, bob, cleo = (shop.customer(name=name) for name in ("Ada", "Bob", "Cleo"))
    shop.subscribe(ada, old)
    catalog = shop.billing.catalog
    less = catalog.new_version(old.id, entitlements=[Entitlement("seats", 3)])
    shop.subscribe(bob, less)
    assert (seats(shop, ada), seats(shop, bob)) == ((True, 5), (True, 3))
    dearer = catalog.new_version(less.id, eur("12.00"), valid_from=date(2027, 2, 1))
    assert dearer.entitlements == less.entitlements
    shop.time.advance(to=date(2027, 2, 1))
    bare = catalog.new_version(dearer.id, without=["entitlements"])
    shop.subscribe(cleo, bare)
    assert shop.billing.entitlements.list(cleo.id) == ()
    # A migration brings what the new version gives, on its day.
    catalog.migrate(old.id, bare.id, on=date(2027, 3, 1))
    assert seats(shop, ada) == (True, 5)
    shop.time.advance(to=date(2027, 3, 1))
    assert seats(shop, ada) == (False, 0)


def test_one_customer_may_have_a_quota_of_his_own(shop: Shop) -> None:
    price = plan(shop, "Pro", *PRO)
    ada, bob = shop.customer(), shop.customer(name="Bob")
    hers = shop.billing.catalog.override(price.id, ada.id, entitlements=[Entitlement("seats", 500)])
    assert (hers.model, hers.entitlements) == (price.model, (Entitlement("seats", 500),))
    shop.subscribe(ada, price)
    shop.subscribe(bob, price)
    assert (seats(shop, ada), seats(shop, bob)) == ((True, 500), (True, 5))
    assert shop.totals(ada) == shop.totals(bob)


def test_beginnings_and_ends_count_on_their_day_before_any_run(shop: Shop) -> None:
    price = plan(shop, "Pro", *PRO)
    term = shop.billing.catalog.add_price("Pro", eur("9.00"), every=MONTHLY, term_periods=1)
    leaving, over, coming, unpaid = (shop.customer(name=name) for name in ("A", "B", "C", "D"))
    sub = shop.subscribe(leaving, price)
    shop.billing.subscriptions.cancel(sub.id)
    shop.subscribe(over, term)
    first = date(2027, 2, 1)
    shop.subscribe(coming, price, start=first)
    shop.billing.subscriptions.create(unpaid.id, [price.id], start=first, require_payment=True)

    def served() -> list[bool]:
        return [seats(shop, each)[0] for each in (leaving, over, coming, unpaid)]

    shop.clock.now = shop.time.now.replace(day=31, hour=23, minute=59)
    assert served() == [True, True, False, False]
    shop.clock.now = shop.time.now.replace(month=2, day=1, hour=0, minute=0)
    assert served() == [False, False, True, False]
    shop.time.advance(to=date(2027, 2, 2))
    assert served() == [False, False, True, True]


def test_who_is_past_due_is_still_served(shop: Shop) -> None:
    ada = shop.customer()
    shop.gateway.decline_next("insufficient_funds")
    sub = shop.subscribe(ada, plan(shop, "Pro", *PRO))
    assert shop.subscription(sub).status == "past_due"
    assert seats(shop, ada) == (True, 5)


def test_a_pause_takes_it_away_only_if_it_stops_service(shop: Shop) -> None:
    ada = shop.customer()
    sub = shop.subscribe(ada, plan(shop, "Pro", *PRO))
    shop.billing.subscriptions.pause(sub.id)
    assert seats(shop, ada) == (True, 5)
    shop.billing.subscriptions.resume(sub.id)
    shop.billing.subscriptions.pause(sub.id, collect=True, serve=False)
    assert seats(shop, ada) == (False, 0)
    shop.billing.subscriptions.resume(sub.id)
    assert seats(shop, ada) == (True, 5)


def test_from_the_start_to_the_end_and_not_outside(shop: Shop) -> None:
    ada = shop.customer()
    sub = shop.subscribe(ada, plan(shop, "Pro", *PRO), start=date(2027, 1, 10))
    assert seats(shop, ada) == (False, 0)
    shop.time.advance(to=date(2027, 1, 10))
    assert seats(shop, ada) == (True, 5)
    shop.billing.subscriptions.cancel(sub.id)
    assert seats(shop, ada) == (True, 5)
    shop.time.advance(to=date(2027, 2, 10))
    assert seats(shop, ada) == (False, 0)
    assert shop.billing.entitlements.list(ada.id) == ()


def test_until_the_first_payment_there_is_nothing_where_it_is_required(shop: Shop) -> None:
    ada = shop.customer(None)
    price = plan(shop, "Pro", *PRO)
    sub = shop.billing.subscriptions.create(ada.id, [price.id], require_payment=True)
    assert sub.status == "incomplete"
    assert seats(shop, ada) == (False, 0)
    shop.billing.payments.record(
        ada.id, eur("10.00"), invoice=shop.only_invoice().id, reference="transfer 1"
    )
    assert seats(shop, ada) == (True, 5)


def test_a_change_of_plan_changes_them_at_once(shop: Shop) -> None:
    ada = shop.customer()
    small, big = plan(shop, "Pro", *PRO), plan(shop, "Max", Entitlement("seats"))
    sub = shop.subscribe(ada, small)
    shop.billing.subscriptions.change(sub.id, swap={small.id: big.id})
    found = shop.billing.entitlements.check(ada.id, "seats", counted=1000)
    assert (found.allowed, found.quota, found.left) == (True, None, None)
    assert not shop.billing.entitlements.check(ada.id, "export").allowed


def test_questions_about_nobody_or_with_nonsense_are_refused(shop: Shop) -> None:
    with pytest.raises(NotFound):
        shop.billing.entitlements.list("cus_nobody")
    ada = shop.customer()
    with pytest.raises(ValidationError):
        shop.billing.entitlements.check(ada.id, "")
    with pytest.raises(ValidationError):
        shop.billing.entitlements.check(ada.id, "seats", counted=1.5)  # type: ignore[arg-type]


async def _ask() -> bool:
    billing = AsyncBilling(clock=TestClock(date(2027, 1, 1)))
    product = await billing.catalog.add_product("Pro", entitlements=PRO)
    price = await billing.catalog.add_price(product.id, eur("10.00"), every=MONTHLY)
    ada = await billing.customers.create(name="Ada Lovelace")
    await billing.subscriptions.create(ada.id, [price.id])
    (both, _) = await billing.entitlements.list(ada.id)
    return both.allowed and (await billing.entitlements.check(ada.id, "export")).allowed


def test_asynchronous_hosts_ask_the_same_questions() -> None:
    assert asyncio.run(_ask())
