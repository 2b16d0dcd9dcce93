"""The ports to those who know taxes: who says whether a tax id is good, who says what tax is due.

A validator answers with a value and never raises for an outage: silence is an answer of its own.
Whatever it raises all the same is taken for silence too. It is asked between transactions, when a
customer's tax id is new and then from time to time; what was confirmed is kept as evidence.

A `TaxProvider` is an outside tax engine: with one, an invoice is a draft until the rates of its
lines were quoted, and is never final by a guess.

`subscriptions.tax_services.vies` asks the EU's register, `subscriptions.tax_services.fake` is for
tests. `subscriptions.testing.TaxIdLaws` tells an author when an adapter is done.
"""

from __future__ import annotations

from typing import Protocol

from subscriptions.tax_ids import Invalid, TaxIdAnswer, Unavailable, Valid
from subscriptions.tax_quotes import (
    TaxAnswer,
    TaxQuote,
    TaxRequest,
    TaxRequestLine,
    TaxUnavailable,
)

__all__ = [
    "Invalid",
    "TaxAnswer",
    "TaxIdAnswer",
    "TaxIdValidator",
    "TaxProvider",
    "TaxQuote",
    "TaxRequest",
    "TaxRequestLine",
    "TaxUnavailable",
    "Unavailable",
    "Valid",
]


class TaxIdValidator(Protocol):
    """What an adapter implements; each docstring is a law."""

    @property
    def name(self) -> str:
        """Who says it: the source that is kept with the evidence, such as "vies"."""
        ...

    @property
    def prefixes(self) -> frozenset[str]:
        """What the tax ids begin with that it can answer for: two capitals each, at least one."""
        ...

    def check(self, tax_id: str, requester: str, /) -> TaxIdAnswer:
        """Say whether a tax id is good, asked in the name of the seller's own tax id, or of "".

        `tax_id` begins with one of `prefixes`, in capitals without separators. `Invalid` needs the
        register's own "no": whatever else goes wrong is `Unavailable`, with a reason. It never
        raises for an outage, and asks again by itself for nothing.
        """
        ...


class TaxProvider(Protocol):
    """What an adapter of a tax engine implements; each docstring is a law."""

    @property
    def name(self) -> str:
        """Who says it: kept on the invoice with the reference of the quote."""
        ...

    def quote(self, request: TaxRequest, /) -> TaxAnswer:
        """Say which taxes each line of a request bears, in the order of its lines.

        Nothing is reported to anybody by it: the same request may come several times, with the same
        key, and its invoice may never become final. It never raises for an outage: that is
        `TaxUnavailable`, with a reason that holds no personal data.
        """
        ...
