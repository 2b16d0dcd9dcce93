"""What products give together, and what of it is left."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscriptions.catalog import Entitlement, Product
from subscriptions.entitlements import Allowance, Granted, allowance, granted
from subscriptions.errors import ValidationError
from subscriptions.testing.builders import a_product

BASIC = a_product("basic", entitlements=(Entitlement("seats", 5), Entitlement("export")))
SEAT = a_product("seat", entitlements=(Entitlement("seats", 1, per_unit=True),))
STORAGE = a_product("storage", entitlements=(Entitlement("storage", 10, meter="gigabytes"),))
ARCHIVE = a_product("archive", entitlements=(Entitlement("storage", 100, meter="cold"),))
ENDLESS = a_product("endless", entitlements=(Entitlement("storage", meter="gigabytes"),))
ALL = (BASIC, SEAT, STORAGE, ARCHIVE, ENDLESS)


def test_quotas_of_several_products_add_up() -> None:
    given = granted([(BASIC, 1), (SEAT, 3), (SEAT, 2)])
    assert given["seats"] == Granted("seats", Decimal(10))
    assert given["export"] == Granted("export")
    assert set(given) == {"seats", "export"}


def test_a_quota_is_given_once_for_an_item_unless_it_is_for_each_unit() -> None:
    assert granted([(BASIC, 7)])["seats"].quota == 5
    assert granted([(SEAT, Decimal("2.5"))])["seats"].quota == Decimal("2.5")


def test_an_item_of_no_units_gives_nothing() -> None:
    assert granted([(BASIC, 0), (SEAT, Decimal("0.0"))]) == {}


def test_without_limit_is_more_than_any_quota() -> None:
    for items in ([(STORAGE, 1), (ENDLESS, 1)], [(ENDLESS, 1), (STORAGE, 1)]):
        assert granted(items)["storage"] == Granted("storage", None, ("gigabytes",))


def test_the_meters_of_a_feature_are_named_once_each() -> None:
    given = granted([(STORAGE, 1), (ARCHIVE, 1), (STORAGE, 1)])
    assert given["storage"] == Granted("storage", Decimal(120), ("gigabytes", "cold"))


@given(st.lists(st.tuples(st.sampled_from(ALL), st.integers(0, 10**18)), max_size=8))
def test_the_quota_is_the_sum_in_exact_numbers_whatever_the_order(
    items: list[tuple[Product, int]],
) -> None:
    given = granted(items)
    for feature in ("seats", "storage", "export"):
        quotas = [
            None if each.quota is None else Fraction(each.quota) * (units if each.per_unit else 1)
            for product, units in items
            for each in product.entitlements
            if units and each.feature == feature
        ]
        if not quotas:
            assert feature not in given
        elif None in quotas:
            assert given[feature].quota is None
        else:
            quota = given[feature].quota
            assert quota is not None
            assert Fraction(quota) == sum(q for q in quotas if q is not None)
    backwards = granted(items[::-1])
    assert {f: each.quota for f, each in backwards.items()} == {
        f: each.quota for f, each in given.items()
    }


def test_a_negative_quantity_is_refused() -> None:
    with pytest.raises(ValidationError, match="quantity"):
        granted([(BASIC, -1)])


def test_what_is_granted_cannot_be_changed() -> None:
    given = granted([(BASIC, 1)])
    with pytest.raises(TypeError):
        given["seats"] = Granted("seats")  # type: ignore[index]  # that is the mistake


# ---- what is left ---------------------------------------------------------------------------

GIVEN = granted([(BASIC, 1), (STORAGE, 1), (ARCHIVE, 1)])


def test_what_the_meters_of_a_feature_counted_uses_its_quota_up() -> None:
    usage: dict[str, int | Decimal] = {
        "gigabytes": Decimal("10.5"),
        "cold": 20,
        "api calls": 1000,
    }
    assert allowance(GIVEN, "storage", usage=usage) == Allowance(
        "storage",
        allowed=True,
        quota=Decimal(110),
        used=Decimal("30.5"),
        left=Decimal("79.5"),
    )


@pytest.mark.parametrize(("seats", "left", "allowed"), [(4, 1, True), (5, 0, False), (9, 0, False)])
def test_what_the_host_counted_uses_it_up_too(seats: int, left: int, *, allowed: bool) -> None:
    found = allowance(GIVEN, "seats", counted=seats)
    assert (found.used, found.left) == (Decimal(seats), Decimal(left))
    assert found.allowed == allowed


def test_a_feature_without_limit_is_allowed_whatever_was_used() -> None:
    endless = granted([(ENDLESS, 1)])
    found = allowance(endless, "storage", usage={"gigabytes": 10**12})
    assert found == Allowance("storage", allowed=True, quota=None, used=Decimal(10**12), left=None)
    assert allowance(GIVEN, "export").allowed


def test_a_feature_that_is_not_given_is_not_allowed() -> None:
    assert allowance(GIVEN, "unicorns") == Allowance(
        "unicorns", allowed=False, quota=Decimal(0), used=Decimal(0), left=Decimal(0)
    )


@pytest.mark.parametrize("value", [0.5, True, "3", None])
def test_what_was_used_is_an_exact_number(value: object) -> None:
    with pytest.raises(ValidationError, match="usage"):
        allowance(GIVEN, "storage", usage={"gigabytes": value})  # type: ignore[dict-item]
    with pytest.raises(ValidationError, match="counted"):
        allowance(GIVEN, "seats", counted=value)  # type: ignore[arg-type]
