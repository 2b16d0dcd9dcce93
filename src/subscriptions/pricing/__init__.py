"""Prices: what a quantity costs under a price model.

Decided here: how each model turns a quantity into an amount, exactly, and then into money in one
rounding at the end. Never here: which currency a price has (the catalogue says that), how usage is
counted, discounts, tax, or the part of a period that is billed.

| model | a quantity costs |
| --- | --- |
| `Flat` | one amount, whatever it is |
| `PerUnit` | itself times a price |
| `Graduated` | for each unit what its own tier says |
| `Volume` | for all units what the tier of the last one says |
| `Stairstep` | one amount, by the tier it reaches |
| `Package` | a price for each started package |
| `Percentage` | a rate of a turnover, and a fixed amount for each of its events |
| `GraduatedPercentage` | for each part of a turnover the rate of its own tier |
| `FreeUnits` | what another model says, less some units that are free |

A minimum is no model but of the price (`catalog.Price.minimum_minor`): it looks at all that was
charged in a period.
"""

from subscriptions.pricing.amounts import amount, amount_minor, exact_amount
from subscriptions.pricing.explaining import (
    PartKind,
    PricePart,
    event_totals,
    explain,
    printed_unit_price,
)
from subscriptions.pricing.models import (
    Flat,
    FreeUnits,
    Package,
    Percentage,
    PerUnit,
    PriceModel,
    keeps_earlier,
)
from subscriptions.pricing.numbers import MOST_PLACES
from subscriptions.pricing.tiered import Graduated, GraduatedPercentage, Stairstep, Volume
from subscriptions.pricing.tiers import RateTier, Step, Tier
from subscriptions.pricing.turnover import Events, EventTotals

__all__ = [
    "MOST_PLACES",
    "EventTotals",
    "Events",
    "Flat",
    "FreeUnits",
    "Graduated",
    "GraduatedPercentage",
    "Package",
    "PartKind",
    "PerUnit",
    "Percentage",
    "PriceModel",
    "PricePart",
    "RateTier",
    "Stairstep",
    "Step",
    "Tier",
    "Volume",
    "amount",
    "amount_minor",
    "event_totals",
    "exact_amount",
    "explain",
    "keeps_earlier",
    "printed_unit_price",
]
