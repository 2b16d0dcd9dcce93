"""What is sold: products with what they entitle to, and their prices.

A price is never edited, so what a customer agreed to stays what he pays: a new version takes over
for those who come later, a price for one customer stands beside the price it replaces, and
archiving takes from the offer and leaves those who have it alone. Decided here: which version is on
offer on a day, which products may be on one subscription, and what a price must not say. Never
here: amounts, which are computed in `pricing`, or what a subscription is billed.
"""

from subscriptions.catalog.deciding import (
    add_price,
    add_product,
    archive,
    archive_product,
    override,
    supersede,
)
from subscriptions.catalog.events import (
    PriceAdded,
    PriceArchived,
    PriceOverridden,
    PriceVersioned,
    ProductAdded,
    ProductArchived,
)
from subscriptions.catalog.price import (
    PRICE,
    Introductory,
    Price,
    model_for,
    phase_for,
    version_on,
)
from subscriptions.catalog.product import (
    PRODUCT,
    Entitlement,
    Product,
    check_availability,
    without_base,
)

__all__ = [
    "PRICE",
    "PRODUCT",
    "Entitlement",
    "Introductory",
    "Price",
    "PriceAdded",
    "PriceArchived",
    "PriceOverridden",
    "PriceVersioned",
    "Product",
    "ProductAdded",
    "ProductArchived",
    "add_price",
    "add_product",
    "archive",
    "archive_product",
    "check_availability",
    "model_for",
    "override",
    "phase_for",
    "supersede",
    "version_on",
    "without_base",
]
