"""A price is never edited: it is superseded, overridden or archived, and who has it keeps it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import permutations, product

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from subscriptions.billing_cycles import Interval
from subscriptions.catalog import (
    PRICE,
    PRODUCT,
    Entitlement,
    Introductory,
    Price,
    PriceAdded,
    PriceArchived,
    PriceOverridden,
    PriceVersioned,
    Product,
    ProductAdded,
    ProductArchived,
    add_price,
    add_product,
    archive,
    archive_product,
    check_availability,
    model_for,
    override,
    supersede,
    version_on,
    without_base,
)
from subscriptions.errors import InvalidTransition, NotAvailable, ValidationError
from subscriptions.ids import CustomerId, PriceId, ProductId
from subscriptions.money import USD
from subscriptions.pricing import Flat, PerUnit, PriceModel
from subscriptions.testing.builders import a_price, a_product

ADA = CustomerId("cus_ada")
MAY, JUNE, JULY = date(2027, 5, 1), date(2027, 6, 1), date(2027, 7, 1)


def test_a_product_and_a_price_are_added_with_their_events() -> None:
    product, price = a_product(), a_price()
    assert add_product(product).events == (ProductAdded(product.id, product.name),)
    assert add_product(product).kind is PRODUCT
    assert add_price(price).events == (PriceAdded(price.product, price.id),)
    assert add_price(price).after == price


@pytest.mark.parametrize("name", ["", "x" * 201, "a\x00b", None, 5])
def test_a_name_is_a_plain_text(name: object) -> None:
    with pytest.raises(ValidationError):
        a_product(name=name)
    with pytest.raises(ValidationError):
        a_price(name=name)


def test_columns_hold_what_is_asked_for() -> None:
    product, price = a_product(), a_price()
    assert [column.get(product) for column in PRODUCT.columns] == [product.name]
    assert [column.get(price) for column in PRICE.columns] == ["prod_pro", "Pro", "EUR", None]
    private = a_price(customer=ADA, overrides=PriceId("price_other"))
    assert PRICE.by_name["customer"].get(private) == ADA


# ---- archiving ------------------------------------------------------------------------------


def test_an_archived_price_keeps_everything_but_its_offer() -> None:
    price = a_price()
    change = archive(price)
    assert change.after == evolve(price, archived=True, version=2)
    assert change.events == (PriceArchived(price.product, price.id),)


def test_a_price_is_archived_once() -> None:
    with pytest.raises(InvalidTransition) as caught:
        archive(a_price(archived=True))
    assert caught.value.record == "price price_pro"


def test_a_product_is_archived_with_those_of_its_prices_that_are_still_offered() -> None:
    pro, old, new = a_product(), a_price("price_old", archived=True), a_price("price_new")
    changes = archive_product(pro, [old, new])
    assert [change.after for change in changes] == [
        evolve(pro, archived=True, version=2),
        evolve(new, archived=True, version=2),
    ]
    assert changes[0].events == (ProductArchived(pro.id),)
    with pytest.raises(InvalidTransition) as refused:
        archive_product(evolve(pro, archived=True), [])
    assert refused.value.record == "product prod_pro"


# ---- versions -------------------------------------------------------------------------------


def test_a_version_is_superseded_from_the_first_day_of_the_next() -> None:
    old, new = a_price("price_1"), a_price("price_2", valid_from=MAY)
    superseded, added = supersede(old, new)
    assert superseded.after == evolve(
        old, superseded_by=PriceId("price_2"), superseded_on=MAY, version=2
    )
    assert superseded.events == (PriceVersioned(old.product, old.id, new.id, MAY),)
    assert added.after == evolve(new, supersedes=old.id)
    assert added.events == (PriceAdded(new.product, new.id),)


NEW = a_price("price_2", valid_from=MAY)


@pytest.mark.parametrize(
    ("old", "state"),
    [
        (a_price(superseded_by="price_x", superseded_on=MAY), "superseded by price_x"),
        (a_price(archived=True), "archived"),
    ],
)
def test_a_version_is_superseded_once_and_only_while_it_is_offered(old: Price, state: str) -> None:
    with pytest.raises(InvalidTransition) as refused:
        supersede(old, NEW)
    assert (refused.value.state, refused.value.command) == (state, "new_version")


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        (a_price(customer=ADA, overrides="price_x"), NEW, "price"),
        (a_price(), evolve(NEW, product=ProductId("prod_other")), "price"),
        (a_price(), evolve(NEW, currency=USD), "price"),
        (a_price(), evolve(NEW, valid_from=None), "valid_from"),
        (a_price(valid_from=JUNE), NEW, "valid_from"),
    ],
)
def test_a_version_is_of_the_same_price_and_not_earlier(old: Price, new: Price, field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        supersede(old, new)
    assert refused.value.field == field


def chain_of(*firsts: date | None) -> list[Price]:
    """Make versions one after the other, as their decisions do."""
    chain = [a_price("price_0", valid_from=firsts[0])]
    for number, first in enumerate(firsts[1:], 1):
        old, new = supersede(chain[-1], a_price(f"price_{number}", valid_from=first))
        assert isinstance(old.after, Price)
        assert isinstance(new.after, Price)
        chain[-1:] = [old.after, new.after]
    return chain


def test_each_day_has_the_version_that_began_last() -> None:
    chain = chain_of(None, MAY, JULY)
    days = [date(2020, 1, 1), MAY - timedelta(days=1), MAY, JUNE, JULY, date(2099, 1, 1)]
    found = [version_on(chain, day) for day in days]
    assert found == [chain[0], chain[0], chain[1], chain[1], chain[2], chain[2]]


def test_before_its_first_day_a_price_has_no_version() -> None:
    chain = chain_of(MAY, JULY)
    assert version_on(chain, MAY - timedelta(days=1)) is None
    assert version_on([], MAY) is None


def test_a_mistake_is_mended_by_a_version_of_the_same_day_and_was_never_on_offer() -> None:
    chain = chain_of(None, MAY, MAY)
    assert chain[1].superseded_on == MAY
    assert version_on(chain, MAY) == chain[2]
    assert version_on(chain, MAY - timedelta(days=1)) == chain[0]


@given(
    st.lists(st.dates(date(2027, 1, 1), date(2027, 3, 1)), max_size=5).map(sorted),
    st.dates(date(2026, 12, 1), date(2027, 4, 1)),
)
def test_a_day_is_offered_by_the_one_version_within_whose_days_it_is(
    firsts: list[date], day: date
) -> None:
    chain = chain_of(None, *firsts)
    within = [
        price
        for price in chain
        if (price.valid_from is None or price.valid_from <= day)
        and (price.superseded_on is None or day < price.superseded_on)
    ]
    assert within == [version_on(chain, day)]


# ---- a price of one customer ----------------------------------------------------------------


def test_a_customers_price_is_the_other_but_for_the_model() -> None:
    listed = a_price(
        archived=True,
        setup_minor=500,
        trial=Interval.days(14),
        introductory=(Introductory(3, Flat(1)),),
        valid_from=MAY,
        supersedes=PriceId("price_0"),
        superseded_by=PriceId("price_2"),
        superseded_on=JUNE,
        version=3,
    )
    change = override(listed, id=PriceId("price_ada"), customer=ADA, model=PerUnit(19))
    assert change.after == a_price(
        "price_ada",
        model=PerUnit(19),
        setup_minor=500,
        trial=Interval.days(14),
        customer=ADA,
        overrides=listed.id,
    )
    assert change.events == (PriceOverridden(listed.product, PriceId("price_ada"), listed.id, ADA),)


def test_without_another_model_a_customers_price_begins_as_the_other_does() -> None:
    listed = a_price(introductory=(Introductory(3, Flat(1)),))
    seats = (Entitlement("seats", 50),)
    agreed: dict[str, object] = {"entitlements": seats, "setup_minor": 5}
    private = override(
        listed, id=PriceId("price_ada"), customer=ADA, model=None, agreed=agreed
    ).after
    assert private == a_price(
        "price_ada",
        introductory=listed.introductory,
        entitlements=seats,
        setup_minor=5,
        customer=ADA,
        overrides=listed.id,
    )


def test_a_customers_price_is_not_overridden_itself() -> None:
    private = a_price(customer=ADA, overrides="price_x")
    with pytest.raises(ValidationError, match="price"):
        override(private, id=PriceId("price_2"), customer=ADA, model=Flat(1))


# ---- introductory models --------------------------------------------------------------------


@given(st.lists(st.integers(1, 5), max_size=4), st.integers(0, 25))
def test_each_phase_has_its_periods_and_then_the_price_its_own(
    lengths: list[int], billed: int
) -> None:
    phases = tuple(Introductory(each, PerUnit(n)) for n, each in enumerate(lengths))
    price = a_price(introductory=phases)
    row: list[PriceModel] = [PerUnit(n) for n, each in enumerate(lengths) for _ in range(each)]
    expected = row[billed] if billed < len(row) else price.model
    assert model_for(price, billed) == expected


@pytest.mark.parametrize("periods", [0, -1, True, "3", 1.5, None])
def test_a_phase_has_at_least_one_whole_period(periods: object) -> None:
    with pytest.raises(ValidationError, match="periods"):
        Introductory(periods, Flat(1))  # type: ignore[arg-type]  # that is the mistake


def test_a_phase_has_a_price_model() -> None:
    with pytest.raises(ValidationError, match="model"):
        Introductory(1, "9.00")  # type: ignore[arg-type]  # that is the mistake


# ---- what does not go together --------------------------------------------------------------

PHASE = (Introductory(3, Flat(1)),)


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("arrears", {"meter": "calls"}),
        ("meter", {"meter": "", "arrears": True}),
        ("trial_usage_billed", {"trial_usage_billed": True}),
        ("minimum", {"minimum_minor": -1}),
        ("minimum", {"minimum_minor": Decimal(1)}),
        ("minimum", {"minimum_minor": 2**63}),
        ("setup", {"setup_minor": -1}),
        ("setup", {"setup_minor": True}),
        ("term_periods", {"term_periods": 0}),
        ("term_periods", {"term_periods": True}),
        ("introductory", {"term_periods": 2, "introductory": PHASE}),
        ("valid_from", {"valid_from": datetime(2027, 1, 1)}),  # noqa: DTZ001 - that is the mistake
        ("superseded_on", {"superseded_by": "price_2"}),
        ("superseded_on", {"superseded_on": MAY}),
        ("overrides", {"customer": ADA}),
        ("overrides", {"overrides": "price_2"}),
        ("supersedes", {"customer": ADA, "overrides": "price_x", "supersedes": "price_2"}),
        (
            "supersedes",
            {
                "customer": ADA,
                "overrides": "price_x",
                "superseded_by": "price_2",
                "superseded_on": MAY,
            },
        ),
        ("arrears", {"every": None, "arrears": True}),
        ("meter", {"every": None, "meter": "calls"}),
        ("minimum", {"every": None, "minimum_minor": 1}),
        ("setup", {"every": None, "setup_minor": 1}),
        ("trial", {"every": None, "trial": Interval.days(1)}),
        ("introductory", {"every": None, "introductory": PHASE}),
        ("term_periods", {"every": None, "term_periods": 1}),
        ("entitlements", {"every": None, "entitlements": (Entitlement("seats"),)}),
        ("entitlements", {"entitlements": (Entitlement("seats"), Entitlement("seats", 1))}),
    ],
)
def test_a_price_that_contradicts_itself_is_refused(field: str, said: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as refused:
        a_price(**said)
    assert refused.value.field == field


def test_a_price_that_is_charged_once_says_nothing_of_periods() -> None:
    once = a_price(every=None, valid_from=MAY)
    assert (once.every, once.term_periods, once.valid_from) == (None, None, MAY)


def test_a_price_may_say_all_of_it() -> None:
    price = a_price(
        arrears=True,
        meter="calls",
        trial_usage_billed=True,
        minimum_minor=2**63 - 1,
        setup_minor=1,
        trial=Interval.days(14),
        introductory=PHASE,
        term_periods=3,
        valid_from=MAY,
    )
    assert model_for(price, 2) == Flat(1)


# ---- products on one subscription -----------------------------------------------------------

PRO, TEAM, BASIC = a_product("pro"), a_product("team"), a_product("basic")
SEATS = a_product("seats", requires=(PRO.id, TEAM.id))
SSO = a_product("sso", requires=(SEATS.id,), excludes=(BASIC.id,))


@pytest.mark.parametrize(
    "products",
    [[], [PRO], [SEATS, PRO], [TEAM, SEATS, SEATS], [SSO, SEATS, PRO], [BASIC, PRO, SEATS]],
)
def test_an_add_on_comes_with_one_of_those_it_requires(products: list[Product]) -> None:
    check_availability(products)


@pytest.mark.parametrize(
    ("products", "rule", "others"),
    [
        ([SEATS], "requires", ("pro", "team")),
        ([BASIC, SEATS], "requires", ("pro", "team")),
        ([SSO, PRO], "requires", ("seats",)),
        ([SSO, SEATS], "requires", ("pro", "team")),
        ([SSO, SEATS, PRO, BASIC], "excludes", ("basic",)),
    ],
)
def test_what_may_not_stand_together_is_refused_by_name_in_any_order(
    products: list[Product], rule: str, others: tuple[str, ...]
) -> None:
    for order in permutations(products):
        with pytest.raises(NotAvailable) as refused:
            check_availability(order)
        assert refused.value.product in {"Product seats", "Product sso"}
        assert (refused.value.rule, refused.value.others) == (rule, others)


def test_every_choice_of_products_is_judged_as_its_words_say() -> None:
    everything = (PRO, TEAM, BASIC, SEATS, SSO)
    for chosen in product([False, True], repeat=5):
        ids = {each.id for each, there in zip(everything, chosen, strict=True) if there}
        fine = ("seats" not in ids or bool(ids & {"pro", "team"})) and (
            "sso" not in ids or ("seats" in ids and "basic" not in ids)
        )
        products = [each for each in everything if each.id in ids]
        if fine:
            check_availability(products)
            continue
        with pytest.raises(NotAvailable):
            check_availability(products)


def test_what_came_without_its_base_stays_and_nothing_else_does() -> None:
    assert without_base([SSO, SEATS, BASIC]) == (SEATS,)
    assert without_base([]) == without_base([SSO, SEATS, TEAM]) == ()
    check_availability([SEATS, BASIC], had=[SEATS])
    check_availability([SEATS], had=[SEATS, BASIC])
    for had in ([SEATS, PRO], [SSO, SEATS, TEAM], [PRO], [SSO]):
        with pytest.raises(NotAvailable, match="seats"):
            check_availability([SEATS], had=had)
    with pytest.raises(NotAvailable, match="excludes"):
        check_availability([SSO, BASIC], had=[SSO])


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("requires", {"requires": ("prod_pro",)}),
        ("excludes", {"excludes": ("prod_pro",)}),
        ("requires", {"requires": ("x", "x")}),
        ("excludes", {"requires": ("x",), "excludes": ("y", "x")}),
        ("entitlements", {"entitlements": (Entitlement("a", 1), Entitlement("a"))}),
    ],
)
def test_a_product_that_contradicts_itself_is_refused(field: str, said: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as refused:
        a_product(**said)
    assert refused.value.field == field


# ---- entitlements ---------------------------------------------------------------------------


def test_a_quota_is_an_exact_number_or_without_limit() -> None:
    assert Entitlement("seats", 5).quota == Decimal(5)
    assert Entitlement("storage", Decimal("0.5")).quota == Decimal("0.5")
    assert Entitlement("export").quota is None
    with pytest.raises(TypeError):
        Entitlement("seats", 5.0)  # type: ignore[arg-type]  # that is the mistake


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("feature", {"feature": ""}),
        ("quota", {"feature": "x", "quota": -1}),
        ("per_unit", {"feature": "x", "per_unit": True}),
        ("per_unit", {"feature": "x", "quota": 1, "per_unit": 1}),
        ("meter", {"feature": "x", "meter": " "}),
    ],
)
def test_an_entitlement_that_makes_no_sense_is_refused(field: str, said: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as refused:
        Entitlement(**said)  # type: ignore[arg-type]  # that is the mistake
    assert refused.value.field == field
