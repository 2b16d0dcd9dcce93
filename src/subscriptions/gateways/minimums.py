"""The least amounts that gateways charge, as data with a date and a source.

An adapter gives them as its `Capabilities.minimums`. What comes to less is not charged alone.
"""

from __future__ import annotations

from datetime import date

from subscriptions.money import Money

STRIPE_AS_OF = date(2026, 11, 22)
"""The day of this table. It is what public integrations say of the source; compare them again."""

STRIPE_SOURCE = "https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts"

STRIPE: tuple[Money, ...] = tuple(
    Money.of(amount, code)
    for code, amount in (
        ("AED", "2.00"),
        ("AUD", "0.50"),
        ("BRL", "0.50"),
        ("CAD", "0.50"),
        ("CHF", "0.50"),
        ("CZK", "15.00"),
        ("DKK", "2.50"),
        ("EUR", "0.50"),
        ("GBP", "0.30"),
        ("HKD", "4.00"),
        ("HUF", "175.00"),
        ("INR", "0.50"),
        ("JPY", "50"),
        ("MXN", "10.00"),
        ("MYR", "2.00"),
        ("NOK", "3.00"),
        ("NZD", "0.50"),
        ("PLN", "2.00"),
        ("RON", "2.00"),
        ("SEK", "3.00"),
        ("SGD", "0.50"),
        ("THB", "10.00"),
        ("USD", "0.50"),
    )
)
"""By the currency that the seller is paid out in; other currencies are converted first."""
