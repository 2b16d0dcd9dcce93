"""A subscription to a price of any model is billed by it, and its line can be explained."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction

import pytest

from subscriptions import Billing, Graduated, Interval, Money, Tier, ValidationError, Volume
from subscriptions.pricing import (
    Flat,
    FreeUnits,
    GraduatedPercentage,
    Package,
    Percentage,
    PerUnit,
    PriceModel,
    RateTier,
    Stairstep,
    Step,
    explain,
)

TIERS = (Tier(up_to=10, unit="1.00"), Tier(up_to=100, unit="0.50"), Tier(unit="0.20"))

BILLED: list[tuple[PriceModel, int | Decimal, str, str | None]] = [
    (Flat("29.00"), 1, "29.00", "29.00"),
    (Flat("29.00"), 3, "29.00", None),
    (PerUnit("4.99"), 3, "14.97", "4.99"),
    (Graduated(TIERS), 10, "10.00", "1.00"),
    (Graduated(TIERS), 101, "55.20", None),
    (Graduated(TIERS), Decimal("100.5"), "55.10", None),
    (Volume(TIERS), 101, "20.20", "0.20"),
    (Stairstep([Step(up_to=10, price="9.00"), Step(price="49.00")]), 11, "49.00", None),
    (Package(size=100, price="5.00", free=100), 201, "10.00", None),
    (Percentage("1.5", fixed="0.30"), 200, "3.30", None),
    (Percentage("1.5", minimum=5), 200, "5.00", None),
    (
        GraduatedPercentage([RateTier(up_to=1000, rate="2.9"), RateTier(rate=2)]),
        1500,
        "39.00",
        None,
    ),
    (FreeUnits(1000, Graduated(TIERS)), 1101, "55.20", None),
]


@pytest.mark.parametrize(("model", "quantity", "amount", "printed"), BILLED)
def test_a_subscription_is_billed_by_its_model_and_the_line_says_how(
    model: PriceModel, quantity: int | Decimal, amount: str, printed: str | None
) -> None:
    billing = Billing(clock=lambda: datetime(2027, 1, 31, 9, tzinfo=UTC))
    price = billing.catalog.add_price("Seats", model, currency="EUR", every=Interval.months(1))
    ada = billing.customers.create(name="Ada", country="DE")
    billing.subscriptions.create(ada.id, [(price.id, quantity)], start=date(2027, 1, 31))
    (invoice,) = billing.invoices.list()
    (line,) = invoice.lines
    assert line.amount == Money.of(amount, "EUR")
    assert line.quantity == quantity
    assert line.unit_price == (None if printed is None else Decimal(printed))
    assert line.price is not None
    stored = billing.catalog.get_price(line.price)
    assert stored.model == model
    parts = explain(stored.model, line.quantity)
    assert round(sum([Fraction(part.amount) for part in parts]) * 100) == line.amount_minor


@pytest.mark.parametrize("model", [Graduated(TIERS), Percentage("1.5")])
def test_a_model_has_no_currency_so_the_price_names_it(model: PriceModel) -> None:
    billing = Billing()
    with pytest.raises(ValidationError) as refused:
        billing.catalog.add_price("Seats", model)
    assert refused.value.field == "currency"
