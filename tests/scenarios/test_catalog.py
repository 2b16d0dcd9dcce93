"""Prices that change, prices of one customer, add-ons; and those who subscribed before."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

import pytest

from subscriptions import (
    AsyncBilling,
    Duplicate,
    Flat,
    Interval,
    InvalidTransition,
    Money,
    NotFound,
    OneOff,
    Package,
    PerUnit,
    StalePlan,
    UnknownReference,
    ValidationError,
)
from subscriptions.catalog import Entitlement, Introductory, Price, check_availability
from subscriptions.customers import Customer
from subscriptions.engine.plans import Plan
from subscriptions.engine.procedures import run_sync
from subscriptions.errors import CurrencyMismatch, NotAvailable
from subscriptions.events import PriceOverridden, PriceVersioned
from subscriptions.usecases import catalog as usecase
from subscriptions.usecases.flows import Context, Flow, Question
from subscriptions.usecases.offers import offered
from tests.scenarios.shop import MONTHLY, Shop, eur

JANUARY, MARCH, MAY = date(2027, 1, 1), date(2027, 3, 1), date(2027, 5, 1)


def offer(
    shop: Shop, *asked: Price, on: date = JANUARY, customer: Customer | None = None
) -> list[str]:
    """Return the ids of what a customer gets who asks for these prices on a day."""
    return offer_ids(shop, [price.id for price in asked], on=on, customer=customer)


def offer_ids(
    shop: Shop, ids: Iterable[str], *, on: date = JANUARY, customer: Customer | None = None
) -> list[str]:
    owner = None if customer is None else customer.id

    def flow(_: Context) -> Flow[tuple[Price, ...]]:
        return (yield from offered(ids, on=on, customer=owner))

    return [price.id for price in run_sync(shop.billing.engine.ask(Question(flow)))]


# ---- a new version --------------------------------------------------------------------------


def test_who_subscribed_before_keeps_the_price_and_who_comes_later_pays_the_new_one(
    shop: Shop,
) -> None:
    pro, ada, bob = shop.price(eur("29.00")), shop.customer(), shop.customer(name="Bob")
    shop.subscribe(ada, pro)
    dearer = shop.billing.catalog.new_version(pro.id, eur("35.00"))
    shop.subscribe(bob, dearer)
    shop.time.advance(months=1)
    assert [invoice.total for invoice in shop.invoices(ada)] == [eur("29.00")] * 2
    assert [invoice.total for invoice in shop.invoices(bob)] == [eur("35.00")] * 2


def test_a_new_version_changes_what_is_said_and_keeps_the_rest(shop: Shop) -> None:
    catalog = shop.billing.catalog
    pro = catalog.add_price(
        "Pro",
        eur("29.00"),
        every=MONTHLY,
        tax_behavior="inclusive",
        minimum=eur("10.00"),
        setup=eur("5.00"),
        trial=Interval.days(14),
        introductory=[(3, eur("9.00"))],
        term_periods=12,
    )
    dearer = catalog.new_version(pro.id, eur("35.00"), valid_from=MARCH)
    assert dearer.model == PerUnit("35.00")
    assert (dearer.valid_from, dearer.supersedes) == (MARCH, pro.id)
    same = {"every", "tax_behavior", "minimum_minor", "setup_minor", "trial", "introductory"}
    assert all(getattr(dearer, name) == getattr(pro, name) for name in {*same, "term_periods"})
    bare = catalog.new_version(
        dearer.id,
        Flat("1.00"),
        valid_from=MAY,
        name="Pro 2",
        without=["minimum", "setup", "trial", "introductory", "term_periods"],
    )
    assert (bare.model, bare.name, bare.minimum_minor, bare.setup_minor) == (
        Flat("1.00"),
        "Pro 2",
        0,
        0,
    )
    assert (bare.trial, bare.introductory, bare.term_periods) == (None, (), None)
    other = catalog.new_version(
        bare.id,
        minimum=eur("1.00"),
        setup=eur("2.00"),
        trial=Interval.days(7),
        introductory=[(1, Flat(3))],
        term_periods=24,
    )
    assert (other.minimum_minor, other.setup_minor, other.trial) == (100, 200, Interval.days(7))
    assert (other.introductory, other.term_periods) == ((Introductory(1, Flat(3)),), 24)
    assert other.model == bare.model


def test_a_new_version_is_told_and_begins_today_unless_a_day_is_named(shop: Shop) -> None:
    pro = shop.price()
    new = shop.billing.catalog.new_version(pro.id, eur("35.00"))
    assert new.valid_from == JANUARY
    told = [event.body for event in shop.billing.events.list(subject=pro.id)]
    assert told[-1] == PriceVersioned(pro.product, pro.id, new.id, JANUARY)
    assert shop.events(new.id) == ["price.added"]


def test_versions_are_listed_oldest_first_given_any_of_them(shop: Shop) -> None:
    catalog = shop.billing.catalog
    one = shop.price()
    two = catalog.new_version(one.id, eur("35.00"), valid_from=MARCH)
    three = catalog.new_version(two.id, eur("39.00"), valid_from=MAY)
    for any_of_them in (one, two, three):
        ids = [price.id for price in catalog.versions(any_of_them.id)]
        assert ids == [one.id, two.id, three.id]
    assert [price.superseded_on for price in catalog.versions(one.id)] == [MARCH, MAY, None]


def test_a_version_is_superseded_once(shop: Shop) -> None:
    catalog = shop.billing.catalog
    one = shop.price()
    two = catalog.new_version(one.id, eur("35.00"))
    before = shop.events()
    with pytest.raises(InvalidTransition, match=two.id):
        catalog.new_version(one.id, eur("39.00"))
    catalog.archive(two.id)
    with pytest.raises(InvalidTransition, match="archived"):
        catalog.new_version(two.id, eur("39.00"))
    assert shop.events() == [*before, "price.archived"]


def test_a_mistake_is_mended_before_its_day_comes(shop: Shop) -> None:
    catalog = shop.billing.catalog
    pro = shop.price()
    wrong = catalog.new_version(pro.id, eur("350.00"), valid_from=MARCH)
    right = catalog.new_version(wrong.id, eur("35.00"), valid_from=MARCH)
    assert offer(shop, right, on=MARCH) == [right.id]
    assert offer(shop, right, on=JANUARY) == offer(shop, pro, on=JANUARY) == [pro.id]
    with pytest.raises(InvalidTransition, match=right.id):
        offer(shop, wrong, on=MARCH)


# ---- what is on offer -----------------------------------------------------------------------


def test_a_day_has_the_version_of_its_time(shop: Shop) -> None:
    pro = shop.price()
    march = shop.billing.catalog.new_version(pro.id, eur("35.00"), valid_from=MARCH)
    may = shop.billing.catalog.new_version(march.id, eur("39.00"), valid_from=MAY)
    assert offer(shop, march, on=MARCH) == [march.id]
    assert offer(shop, may, march, pro, on=date(2027, 2, 28)) == [pro.id] * 3
    assert offer(shop, may, march, on=date(2027, 4, 30)) == [march.id] * 2
    assert offer(shop, may, on=date(2030, 1, 1)) == [may.id]


def test_an_old_version_is_refused_with_the_name_of_its_successor(shop: Shop) -> None:
    pro = shop.price()
    march = shop.billing.catalog.new_version(pro.id, eur("35.00"), valid_from=MARCH)
    old = shop.billing.catalog.get_price(pro.id)
    assert offer(shop, old, on=date(2027, 2, 28)) == [pro.id]
    with pytest.raises(InvalidTransition) as refused:
        offer(shop, old, on=MARCH)
    assert refused.value.record == f"price {pro.id}"
    assert march.id in refused.value.state


def test_a_price_is_not_offered_before_its_first_day_nor_after_it_was_archived(shop: Shop) -> None:
    catalog = shop.billing.catalog
    soon = catalog.add_price("Soon", eur("9.00"), every=MONTHLY, valid_from=MARCH)
    assert offer(shop, soon, on=MARCH) == [soon.id]
    with pytest.raises(InvalidTransition, match="2027-03-01"):
        offer(shop, soon, on=JANUARY)
    catalog.archive(soon.id)
    with pytest.raises(InvalidTransition, match="archived"):
        offer(shop, soon, on=MARCH)


def test_an_unknown_price_is_named(shop: Shop) -> None:
    with pytest.raises(UnknownReference) as refused:
        offer_ids(shop, [shop.price().id, "price_none"])
    assert (refused.value.field, refused.value.value) == ("items", "price_none")


# ---- a price of one customer ----------------------------------------------------------------


def test_a_customer_gets_his_own_price_and_nobody_else_does(shop: Shop) -> None:
    catalog = shop.billing.catalog
    pro, team = shop.price(), shop.price(name="Team")
    ada, bob = shop.customer(), shop.customer(name="Bob")
    hers = catalog.override(pro.id, ada.id, eur("19.00"))
    assert (hers.model, hers.every, hers.name) == (PerUnit("19.00"), pro.every, pro.name)
    assert offer(shop, pro, team, customer=ada) == [hers.id, team.id]
    assert offer(shop, hers, customer=ada) == [hers.id]
    assert offer(shop, pro, customer=bob) == offer(shop, pro) == [pro.id]
    for stranger in (bob, None):
        with pytest.raises(ValidationError, match="items"):
            offer(shop, hers, customer=stranger)
    assert [event.body for event in shop.billing.events.list(subject=hers.id)] == [
        PriceOverridden(pro.product, hers.id, pro.id, ada.id)
    ]
    assert shop.billing.events.list(customer=ada.id, type="price.overridden").total == 1
    assert [price.id for price in catalog.list(customer=ada.id)] == [hers.id]


def test_a_customers_price_holds_for_all_versions_of_the_other(shop: Shop) -> None:
    catalog = shop.billing.catalog
    ada, pro = shop.customer(), shop.price()
    hers = catalog.override(pro.id, ada.id, eur("19.00"))
    march = catalog.new_version(pro.id, eur("35.00"), valid_from=MARCH)
    may = catalog.new_version(march.id, eur("39.00"), valid_from=MAY)
    for asked in catalog.versions(pro.id):
        assert offer(shop, asked, on=MAY, customer=ada) == [hers.id]
    again = catalog.override(may.id, ada.id, eur("20.00"))
    assert offer(shop, pro, on=MAY, customer=ada) == [again.id]
    assert catalog.get_price(hers.id).archived


def test_a_second_private_price_replaces_the_first_and_archiving_it_gives_the_list_price(
    shop: Shop,
) -> None:
    catalog = shop.billing.catalog
    ada, pro = shop.customer(), shop.price()
    first = catalog.override(pro.id, ada.id, eur("19.00"))
    second = catalog.override(pro.id, ada.id, Flat("18.00"))
    assert offer(shop, pro, customer=ada) == [second.id]
    with pytest.raises(InvalidTransition, match="archived"):
        offer(shop, first, customer=ada)
    catalog.archive(second.id)
    assert offer(shop, pro, customer=ada) == [pro.id]
    third = catalog.override(pro.id, ada.id, eur("17.00"))
    assert offer(shop, pro, customer=ada) == [third.id]
    assert [price.archived for price in catalog.list(customer=ada.id)] == [True, True, False]


def test_two_of_one_product_are_overridden_each_for_itself(shop: Shop) -> None:
    catalog = shop.billing.catalog
    ada, monthly = shop.customer(), shop.price()
    yearly = shop.price(eur("290.00"), every=Interval.years(1))
    assert yearly.product == monthly.product
    hers = catalog.override(yearly.id, ada.id, eur("190.00"))
    assert offer(shop, monthly, yearly, customer=ada) == [monthly.id, hers.id]


def test_a_customer_keeps_what_is_not_offered_to_others_any_more(shop: Shop) -> None:
    catalog = shop.billing.catalog
    ada, pro = shop.customer(), shop.price()
    catalog.archive(pro.id)
    hers = catalog.override(pro.id, ada.id, eur("19.00"))
    assert offer(shop, pro, customer=ada) == [hers.id]


def test_a_private_price_is_for_somebody_and_of_a_price_for_all(shop: Shop) -> None:
    catalog = shop.billing.catalog
    ada, pro = shop.customer(), shop.price()
    hers = catalog.override(pro.id, ada.id, eur("19.00"))
    before = shop.events()
    with pytest.raises(UnknownReference, match="cus_none"):
        catalog.override(pro.id, "cus_none", eur("1.00"))
    with pytest.raises(NotFound):
        catalog.override("price_none", ada.id, eur("1.00"))
    with pytest.raises(ValidationError, match="price"):
        catalog.override(hers.id, ada.id, eur("1.00"))
    with pytest.raises(ValidationError, match="override"):
        catalog.new_version(hers.id, eur("1.00"))
    with pytest.raises(ValidationError, match="currency"):
        catalog.override(pro.id, ada.id, Money.of("1.00", "USD"))
    assert shop.events() == before


def test_what_else_was_agreed_with_one_customer_is_his_own_too(shop: Shop) -> None:
    catalog = shop.billing.catalog
    pro = catalog.add_price(
        "Pro",
        eur("30.00"),
        every=MONTHLY,
        minimum=eur("20.00"),
        setup=eur("5.00"),
        trial=Interval.days(14),
        introductory=[(2, eur("1.00"))],
        term_periods=12,
    )
    ada = shop.customer()
    hers = catalog.override(
        pro.id,
        ada.id,
        eur("10.00"),
        setup=eur("1.00"),
        introductory=[(1, eur("4.00"))],
        without=["minimum", "trial", "term_periods"],
    )
    assert (hers.minimum_minor, hers.setup_minor, hers.trial) == (0, 100, None)
    assert (hers.introductory, hers.term_periods) == ((Introductory(1, PerUnit("4.00")),), None)
    shop.subscribe(ada, pro)
    shop.time.advance(months=1)
    assert shop.totals(ada) == ["5.00 EUR", "10.00 EUR"]
    # Without an amount that of the list stays, with what it is at first.
    again = catalog.override(pro.id, ada.id, trial=Interval.days(30))
    assert (again.model, again.introductory) == (pro.model, pro.introductory)
    assert (again.trial, again.minimum_minor) == (Interval.days(30), 2000)
    before = shop.events()
    with pytest.raises(ValidationError, match="without"):
        catalog.override(pro.id, ada.id, without=["amount"])
    with pytest.raises(ValidationError, match="without"):
        catalog.override(pro.id, ada.id, setup=eur("1.00"), without=["setup"])
    with pytest.raises(CurrencyMismatch):
        catalog.override(pro.id, ada.id, setup=Money.of("1.00", "USD"))
    assert shop.events() == before


@pytest.mark.parametrize("what", ["new_version", "override"])
def test_of_two_that_decide_at_once_only_one_is_committed(shop: Shop, what: str) -> None:
    ada, pro = shop.customer(), shop.price()

    def decided(amount: Money) -> Plan[Price]:
        command = (
            usecase.override(pro.id, ada.id, amount)
            if what == "override"
            else usecase.new_version(pro.id, amount)
        )
        return run_sync(shop.billing.engine.preview(command, ""))

    first, second = decided(eur("19.00")), decided(eur("18.00"))
    shop.billing.commit(first)
    before = shop.events()
    with pytest.raises(StalePlan):
        shop.billing.commit(second)
    assert shop.events() == before
    assert offer(shop, first.about, customer=ada) == [first.about.id]


# ---- products -------------------------------------------------------------------------------


def test_products_say_what_they_give_and_need(shop: Shop) -> None:
    catalog = shop.billing.catalog
    pro = catalog.add_product("Pro", entitlements=[Entitlement("seats", 5)])
    basic = catalog.add_product("Basic", metadata={"sku": "1"})
    seats = catalog.add_product("Seats", requires=["Pro"], excludes=[basic.id])
    assert (seats.requires, seats.excludes) == ((pro.id,), (basic.id,))
    assert catalog.get_product(pro.id).entitlements[0].quota == Decimal(5)
    assert [product.name for product in catalog.products()] == ["Pro", "Basic", "Seats"]
    assert [product.id for product in catalog.products(name="Basic")] == [basic.id]
    check_availability([pro, seats])
    with pytest.raises(NotAvailable, match="Seats"):
        check_availability([seats])


def test_products_that_cannot_be_are_refused(shop: Shop) -> None:
    add = shop.billing.catalog.add_product
    add("Pro")
    before = shop.events()
    with pytest.raises(Duplicate):
        add("Pro")
    with pytest.raises(UnknownReference, match="requires"):
        add("Seats", requires=["None"])
    with pytest.raises(UnknownReference, match="excludes"):
        add("Seats", excludes=["None"])
    with pytest.raises(ValidationError, match="requires"):
        add("Seats", requires="Pro")
    with pytest.raises(ValidationError, match="excludes"):
        add("Seats", excludes=5)  # type: ignore[arg-type]  # that is the mistake
    with pytest.raises(ValidationError, match="entitlements"):
        add("Seats", entitlements=["seats"])  # type: ignore[list-item]  # likewise
    assert shop.events() == before


def test_an_archived_product_is_offered_at_no_price_and_stays_with_who_has_it(shop: Shop) -> None:
    catalog = shop.billing.catalog
    ada, pro, yearly = shop.customer(), shop.price(), shop.price(every=Interval.years(1))
    hers = catalog.override(yearly.id, ada.id, eur("19.00"))
    shop.subscribe(ada, pro)
    gone = catalog.archive_product(pro.product)
    assert gone.archived
    for price in (pro, yearly, hers):
        with pytest.raises(InvalidTransition, match="archived"):
            offer(shop, price, customer=ada)
    with pytest.raises(InvalidTransition, match="archived"):
        shop.price()
    with pytest.raises(InvalidTransition, match="archived"):
        catalog.archive_product(pro.product)
    shop.time.advance(months=1)
    assert shop.statuses(ada) == ["paid", "paid"]


# ---- what a price may say -------------------------------------------------------------------


def test_a_price_with_a_meter_is_billed_afterwards(shop: Shop) -> None:
    add = shop.billing.catalog.add_price
    with pytest.raises(UnknownReference, match="meter"):
        add("Calls", eur("0.01"), every=MONTHLY, meter="calls")
    shop.billing.usage.add_meter("calls")
    calls = add("Calls", eur("0.01"), every=MONTHLY, meter="calls", trial_usage_billed=True)
    assert (calls.meter, calls.arrears, calls.trial_usage_billed) == ("calls", True, True)
    assert add("Power", eur("30.00"), every=MONTHLY, arrears=True).arrears


def test_each_currency_has_a_price_of_its_own(shop: Shop) -> None:
    add = shop.billing.catalog.add_price
    euro = add("Pro", eur("29.00"), every=MONTHLY)
    dollar = add("Pro", Money.of("33.00", "USD"), every=MONTHLY)
    assert (euro.product, euro.currency.code) == (dollar.product, "EUR")
    assert dollar.currency.code == "USD"


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("arrears", {"arrears": 1}),
        ("trial_usage_billed", {"trial_usage_billed": True}),
        ("trial_usage_billed", {"trial_usage_billed": 0}),
        ("meter", {"meter": ""}),
        ("minimum", {"minimum": 100}),
        ("minimum", {"minimum": eur("-1.00")}),
        ("setup", {"setup": "5.00"}),
        ("trial", {"trial": 14}),
        ("introductory", {"introductory": "9.00"}),
        ("introductory", {"introductory": 9}),
        ("introductory", {"introductory": [eur("9.00")]}),
        ("periods", {"introductory": [(0, eur("9.00"))]}),
        ("amount", {"introductory": [(1, "9.00")]}),
        ("currency", {"introductory": [(1, Money.of("9.00", "USD"))]}),
        ("term_periods", {"term_periods": 0}),
        ("valid_from", {"valid_from": "2027-01-01"}),
        ("setup", {"every": None, "setup": eur("5.00")}),
        ("entitlements", {"entitlements": ["seats"]}),
        ("entitlements", {"entitlements": "seats"}),
        ("entitlements", {"entitlements": [Entitlement("seats"), Entitlement("seats", 1)]}),
        ("entitlements", {"every": None, "entitlements": [Entitlement("seats")]}),
    ],
)
def test_a_wrong_price_is_refused_by_its_field(
    shop: Shop, field: str, said: dict[str, object]
) -> None:
    with pytest.raises(ValidationError) as refused:
        shop.billing.catalog.add_price("Pro", eur("29.00"), **{"every": MONTHLY, **said})  # type: ignore[arg-type]  # that is the mistake
    assert refused.value.field == field
    assert shop.events() == []


def test_a_minimum_and_a_setup_fee_are_in_the_currency_of_the_price(shop: Shop) -> None:
    dollar = Money.of("1.00", "USD")
    with pytest.raises(CurrencyMismatch):
        shop.billing.catalog.add_price("Pro", eur("29.00"), every=MONTHLY, minimum=dollar)
    pro = shop.price()
    with pytest.raises(CurrencyMismatch):
        shop.billing.catalog.new_version(pro.id, setup=dollar)


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("without", {"without": ["amount"]}),
        ("without", {"without": "trial"}),
        ("without", {"without": ["trial"], "trial": Interval.days(7)}),
        ("valid_from", {"valid_from": "tomorrow"}),
        ("valid_from", {"valid_from": date(2026, 12, 31)}),
        ("introductory", {"introductory": 3}),
        ("currency", {"amount": Money.of("1.00", "USD")}),
        ("name", {"name": "a\x00b"}),
    ],
)
def test_a_wrong_version_is_refused_by_its_field(
    shop: Shop, field: str, said: dict[str, object]
) -> None:
    add = shop.billing.catalog.add_price
    pro = add("Pro", eur("29.00"), every=MONTHLY, valid_from=JANUARY)
    before = shop.events()
    with pytest.raises(ValidationError) as refused:
        shop.billing.catalog.new_version(pro.id, **said)  # type: ignore[arg-type]  # likewise
    assert refused.value.field == field
    assert shop.events() == before


# ---- a price that is charged once -----------------------------------------------------------


def test_a_price_that_is_charged_once_is_sold_on_a_one_off_invoice(shop: Shop) -> None:
    catalog, create = shop.billing.catalog, shop.billing.invoices.create_one_off
    training = catalog.add_price("Training", eur("99.99"))
    packs = catalog.add_price("Pack", Package(size=10, price="5.00"), currency="EUR")
    ada, bob = shop.customer(), shop.customer(name="Bob")
    hers = catalog.override(training.id, ada.id, eur("50.00"))
    travel = OneOff("Travel", eur("12.50"))
    lines: list[OneOff | str | tuple[str, int]] = [training.id, (packs.id, 21), travel]
    for customer, first in ((ada, "50.00"), (bob, "99.99")):
        invoice = create(customer.id, lines)
        assert [str(line.amount) for line in invoice.lines] == [
            f"{first} EUR",
            "15.00 EUR",
            "12.50 EUR",
        ]
        assert (invoice.status, invoice.total) == ("paid", eur(first) + eur("27.50"))
    sold = shop.invoices(ada)[0].lines[0]
    assert (sold.kind, sold.price, sold.product) == ("one_off", hers.id, training.product)
    draft = create(bob.id, [OneOff("Work", eur("1.00"))], finalize=False)
    more = shop.billing.invoices.add_lines(draft.id, [(training.id, Decimal("0.5"))])
    # Half of 99.99 is 49.995: half away from zero.
    assert more.total == eur("51.00")
    shown = shop.billing.invoices.pro_forma(bob.id, [training.id])
    assert shown.shown.total == eur("99.99")


def test_prices_that_cannot_be_sold_once_are_refused(shop: Shop) -> None:
    catalog, create = shop.billing.catalog, shop.billing.invoices.create_one_off
    pro, once = shop.price(), catalog.add_price("Once", eur("5.00"))
    dollars = catalog.add_price("Once", Money.of("5.00", "USD"))
    newer = catalog.new_version(once.id, eur("6.00"))
    gone = catalog.add_price("Gone", eur("5.00"))
    catalog.archive(gone.id)
    ada = shop.customer()
    hers = catalog.override(newer.id, ada.id, eur("1.00"))
    bob, before = shop.customer(name="Bob"), shop.events()
    refusals: list[tuple[type[Exception], str, list[object]]] = [
        (ValidationError, "charged once", [pro.id]),
        (ValidationError, "amounts in EUR", [newer.id, dollars.id]),
        (ValidationError, "amounts in USD", [dollars.id, OneOff("Work", eur("1.00"))]),
        (ValidationError, "lines", [hers.id]),
        (ValidationError, "lines", [(newer.id, 1, 2)]),
        (ValidationError, "quantity", [(newer.id, -1)]),
        (ValidationError, "lines", []),
        (TypeError, "float", [(newer.id, 1.5)]),
        (UnknownReference, "lines", ["price_none"]),
        (InvalidTransition, newer.id, [once.id]),
        (InvalidTransition, "archived", [gone.id]),
    ]
    for error, match, lines in refusals:
        with pytest.raises(error, match=match):
            create(bob.id, lines)  # type: ignore[arg-type]  # that is the mistake
    assert shop.events() == before


async def _asynchronously() -> list[str]:
    billing = AsyncBilling()
    ada = await billing.customers.create(name="Ada", country="DE")
    add_on = await billing.catalog.add_product("Seats")
    pro = await billing.catalog.add_price("Pro", eur("29.00"), every=MONTHLY)
    new = await billing.catalog.new_version(pro.id, eur("35.00"))
    await billing.catalog.override(new.id, ada.id, eur("19.00"))
    await billing.catalog.archive_product(add_on.id)
    assert (await billing.catalog.get_product(add_on.id)).archived
    assert len(await billing.catalog.versions(pro.id)) == 2
    return [product.name for product in (await billing.catalog.products()).items]


def test_the_catalogue_is_the_same_asynchronously() -> None:
    import asyncio  # noqa: PLC0415 - as a host does

    assert asyncio.run(_asynchronously()) == ["Seats", "Pro"]
