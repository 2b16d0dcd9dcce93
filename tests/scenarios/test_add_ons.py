"""Add-ons: sold beside what they require, apart from what they exclude, and gone with it."""

from __future__ import annotations

from datetime import date

import pytest

from subscriptions import InvalidTransition
from subscriptions.catalog import Price
from subscriptions.errors import NotAvailable
from subscriptions.lifecycle import Phase, Subscription
from tests.scenarios.shop import MONTHLY, Shop, eur

FEBRUARY, MARCH = date(2027, 2, 1), date(2027, 3, 1)


def base(shop: Shop, name: str = "Base", amount: str = "10.00", **more: object) -> Price:
    given: dict[str, object] = {"every": MONTHLY, **more}
    return shop.billing.catalog.add_price(name, eur(amount), **given)  # type: ignore[arg-type]


def add_on(shop: Shop, name: str = "Extra", requires: str = "Base", **more: object) -> Price:
    shop.billing.catalog.add_product(name, requires=[requires])
    return base(shop, name, "3.00", **more)


def has(shop: Shop, sub: Subscription) -> list[str]:
    get = shop.billing.catalog.get_price
    return [get(item.price).name for item in shop.subscription(sub).items]


def test_an_add_on_is_sold_beside_what_it_requires_only(shop: Shop) -> None:
    plan, extra, other = base(shop), add_on(shop), base(shop, "Other")
    shop.billing.catalog.add_product("All-in", excludes=["Extra"])
    all_in = base(shop, "All-in")
    create, change = shop.billing.subscriptions.create, shop.billing.subscriptions.change
    ada = shop.customer().id
    sub = create(ada, [plan.id, extra.id])
    before = shop.events()
    for items in ([extra.id], [other.id, extra.id], [plan.id, extra.id, all_in.id]):
        with pytest.raises(NotAvailable):
            create(ada, items)
    with pytest.raises(NotAvailable):
        create(ada, phases=[Phase((plan.id,), MONTHLY), Phase((extra.id,))])
    for when in ("now", "period_end", MARCH):
        with pytest.raises(NotAvailable):
            change(sub.id, remove=[plan.id], when=when)
        with pytest.raises(NotAvailable):
            change(sub.id, swap={plan.id: other.id}, when=when)
        with pytest.raises(NotAvailable):
            change(sub.id, add=[all_in.id], when=when)
    assert shop.events() == before


def test_a_refusal_names_the_products_that_it_is_about(shop: Shop) -> None:
    plan, extra, other = base(shop), add_on(shop), base(shop, "Other")
    shop.billing.catalog.add_product("Alone", excludes=["Other", "Extra"])
    only = base(shop, "Alone")
    ada = shop.customer().id
    with pytest.raises(NotAvailable) as refused:
        shop.billing.subscriptions.create(ada, [extra.id])
    assert str(refused.value) == "product 'Extra' requires 'Base'"
    assert (refused.value.others, refused.value.names) == ((plan.product,), ("Base",))
    with pytest.raises(NotAvailable) as refused:
        shop.billing.subscriptions.create(ada, [only.id, other.id])
    assert str(refused.value) == "product 'Alone' excludes 'Other'"


def test_an_add_on_ends_with_the_term_of_what_it_requires(shop: Shop) -> None:
    plan, extra = base(shop, term_periods=2), add_on(shop)
    of_that = add_on(shop, "Extra extra", "Extra")
    ada = shop.customer()
    sub = shop.billing.subscriptions.create(ada.id, [of_that.id, extra.id, plan.id])
    assert sub.ends_on == MARCH
    shop.time.advance(to=date(2027, 5, 1))
    assert shop.subscription(sub).status == "expired"
    assert shop.totals() == ["16.00 EUR", "16.00 EUR"]


def test_beside_something_else_the_add_on_goes_and_that_stays(shop: Shop) -> None:
    plan, extra, other = base(shop, term_periods=2), add_on(shop), base(shop, "Other", "7.00")
    sub = shop.billing.subscriptions.create(shop.customer().id, [plan.id, other.id])
    shop.billing.subscriptions.change(sub.id, add=[extra.id])
    shop.time.advance(to=MARCH)
    assert has(shop, sub) == ["Other"]
    assert (shop.totals()[-1], shop.subscription(sub).schedule) == ("7.00 EUR", ())


def test_beside_an_add_on_whose_base_has_a_term_what_has_none_goes_on(shop: Shop) -> None:
    plan, extra, other = base(shop, term_periods=3), add_on(shop), base(shop, "Other")
    create, change = shop.billing.subscriptions.create, shop.billing.subscriptions.change
    sub = create(shop.customer().id, [extra.id, plan.id])
    assert change(sub.id, swap={extra.id: other.id}).ends_on is None
    second = create(shop.customer(name="Bob").id, [plan.id, extra.id])
    assert change(second.id, add=[other.id]).ends_on is None
    shop.time.advance(to=date(2027, 5, 1))
    assert [has(shop, each) for each in (sub, second)] == [["Other"], ["Other"]]


def test_an_add_on_goes_on_with_what_comes_instead_of_its_base(shop: Shop) -> None:
    plan, other = base(shop, term_periods=3), base(shop, "Other")
    shop.billing.catalog.add_product("Extra", requires=["Base", "Other"])
    extra = base(shop, "Extra", "3.00")
    sub = shop.billing.subscriptions.create(shop.customer().id, [plan.id, extra.id])
    assert sub.ends_on == date(2027, 4, 1)
    shop.billing.subscriptions.change(sub.id, swap={plan.id: other.id})
    shop.time.advance(to=date(2027, 5, 1))
    assert has(shop, sub) == ["Other", "Extra"]


def test_one_of_two_that_an_add_on_may_stand_beside_is_enough(shop: Shop) -> None:
    plan, other = base(shop, term_periods=1), base(shop, "Other")
    shop.billing.catalog.add_product("Extra", requires=["Base", "Other"])
    extra = base(shop, "Extra", "3.00")
    sub = shop.billing.subscriptions.create(shop.customer().id, [plan.id, other.id, extra.id])
    shop.time.advance(to=FEBRUARY)
    assert has(shop, sub) == ["Other", "Extra"]


def test_an_add_on_that_was_planned_is_left_out_if_what_it_requires_is_gone(shop: Shop) -> None:
    plan, extra, other = base(shop), add_on(shop), base(shop, "Other")
    more = base(shop, "More")
    sub = shop.billing.subscriptions.create(shop.customer().id, [plan.id, other.id])
    change = shop.billing.subscriptions.change
    change(sub.id, add=[extra.id, more.id], when=FEBRUARY)
    change(sub.id, remove=[plan.id])
    shop.time.advance(to=FEBRUARY)
    assert has(shop, sub) == ["Other", "More"]


def test_what_was_planned_to_go_takes_an_add_on_along_that_came_since(shop: Shop) -> None:
    plan, extra, other = base(shop), add_on(shop), base(shop, "Other")
    sub = shop.billing.subscriptions.create(shop.customer().id, [plan.id, other.id])
    change = shop.billing.subscriptions.change
    change(sub.id, remove=[plan.id], when=FEBRUARY)
    change(sub.id, add=[extra.id])
    shop.time.advance(to=FEBRUARY)
    assert has(shop, sub) == ["Other"]


def test_a_plan_that_clashes_with_what_came_since_is_dropped(shop: Shop) -> None:
    plan, extra = base(shop), base(shop, "Extra")
    shop.billing.catalog.add_product("All-in", excludes=["Extra"])
    all_in = base(shop, "All-in")
    sub = shop.billing.subscriptions.create(shop.customer().id, [plan.id])
    change = shop.billing.subscriptions.change
    change(sub.id, add=[all_in.id], when=FEBRUARY)
    change(sub.id, add=[extra.id])
    shop.time.advance(to=FEBRUARY)
    assert (has(shop, sub), shop.subscription(sub).schedule) == (["Base", "Extra"], ())
    assert shop.events(sub.id).count("subscription.changes_withdrawn") == 1


def test_a_migration_leaves_alone_what_got_an_add_on_of_the_old_product(shop: Shop) -> None:
    plan, extra, other = base(shop), add_on(shop), base(shop, "Other")
    sub = shop.billing.subscriptions.create(shop.customer().id, [plan.id])
    report = shop.billing.catalog.migrate(plan.id, other.id, on=MARCH)
    assert report.planned == 1
    shop.billing.subscriptions.change(sub.id, add=[extra.id])
    shop.time.advance(to=MARCH)
    assert (has(shop, sub), shop.subscription(sub).schedule) == (["Base", "Extra"], ())


def test_an_add_on_of_what_was_sold_once_stays_through_changes(shop: Shop) -> None:
    machine, other = base(shop, "Machine", "500.00", every=None), base(shop, "Other")
    care = add_on(shop, "Care", "Machine")
    sub = shop.billing.subscriptions.create(shop.customer().id, [machine.id, care.id])
    change = shop.billing.subscriptions.change
    change(sub.id, add=[other.id])
    change(sub.id, quantities={care.id: 2}, when=FEBRUARY)
    change(sub.id, remove=[other.id], when=MARCH)
    shop.time.advance(to=MARCH)
    assert has(shop, sub) == ["Care"]
    assert shop.subscription(sub).items[0].quantity == 2


def test_of_an_archived_product_nobody_gets_a_price_of_his_own(shop: Shop) -> None:
    plan, ada = base(shop), shop.customer()
    shop.billing.catalog.archive_product(plan.product)
    before = shop.events()
    with pytest.raises(InvalidTransition, match="archived"):
        shop.billing.catalog.override(plan.id, ada.id, eur("1.00"))
    assert shop.events() == before
