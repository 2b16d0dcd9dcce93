"""Tax quotes: what an outside tax engine is asked about an invoice, and what it makes of that.

Decided here: which lines it is asked about, whether an answer is one, and what waits for how long.
Never here: asking (the port is in `tax_services`), or the totals of an invoice.

The rule: an invoice becomes final with the rates that were quoted for it, or it waits. Only if the
policy says so it is made final by the table after some tries, and then with a flag.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Final, TypeAlias

from attrs import evolve

from subscriptions.billing_cycles import Period
from subscriptions.customers import Address, Customer
from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.ids import CustomerId, ProductId, derived_id
from subscriptions.invoices import Charge, Invoice, Seller, SellerSnapshot
from subscriptions.money import Currency
from subscriptions.tax_ids import RETRIES
from subscriptions.taxes import TaxBehavior, TaxFlag, TaxRate, check_rates


@frozen
class TaxRequestLine:
    """One line: what is sold, and for how much after discounts, net or gross as `behavior` says."""

    description: str
    amount_minor: int
    behavior: TaxBehavior
    tax_category: str
    product: ProductId | None
    period: Period | None


@frozen
class TaxRequest:
    """What a tax engine is asked: who sells what to whom on a day.

    `key` is the same for the same question, however often it is asked, and another for another.
    `exemption` is the reason of the customer's own exemption, if he has one on the day.
    """

    key: str
    seller: SellerSnapshot
    customer: CustomerId
    address: Address
    tax_id: str
    exemption: str | None
    currency: Currency
    on: date
    lines: tuple[TaxRequestLine, ...]


@frozen
class TaxQuote:
    """The taxes of each line of the request, in its order; `reference` is the engine's own.

    A line has at least one rate; one that bears no tax says why by its category and reason. Raises
    `ValidationError` for anything else.
    """

    lines: tuple[tuple[TaxRate, ...], ...]
    reference: str = ""

    def __attrs_post_init__(self) -> None:
        for rates in self.lines:
            check_rates(rates)
            if not rates:
                raise ValidationError("lines", rates, "at least one rate for each line")


@frozen
class TaxUnavailable:
    """The tax engine could not say: it is down, or does not know an address."""

    reason: str


TaxAnswer: TypeAlias = TaxQuote | TaxUnavailable

CHANGED: Final = "CHANGED"
"""The reason of an answer to a question that is no longer the right one."""


@frozen
class TaxQuotePolicy:
    """How long an invoice waits for its quote.

    After each try that failed it waits for the next of `retries`; the last one repeats. After
    `fall_back_after` tries it is made final by the table of rates, with a flag; None: it waits
    without end. Raises `ValidationError` for what is none of that.
    """

    fall_back_after: int | None = None
    retries: tuple[timedelta, ...] = RETRIES

    def __attrs_post_init__(self) -> None:
        tries: object = self.fall_back_after
        if tries is not None and (type(tries) is not int or tries < 1):
            raise ValidationError("tax_quote_policy.fall_back_after", tries, "None, or at least 1")
        for wait in self.retries:
            given: object = wait
            if not isinstance(given, timedelta) or given <= timedelta():
                raise ValidationError("tax_quote_policy.retries", given, "timedeltas above zero")
        if not self.retries:
            raise ValidationError(
                "tax_quote_policy.retries", self.retries, "at least one timedelta"
            )

    def wait(self, tries: int) -> timedelta:
        """Return how long to wait after so many tries."""
        return self.retries[min(tries, len(self.retries)) - 1]

    def falls_back(self, tries: int) -> bool:
        """Return whether the table counts after so many tries."""
        return self.fall_back_after is not None and tries >= self.fall_back_after


DEFAULT_QUOTES: Final = TaxQuotePolicy()
"""An invoice waits for its quote without end."""


def is_asked_about(line: Charge) -> bool:
    """Return whether a tax engine is asked about a line.

    A credit is taxed as what it takes back was, and rates that were given with an item are its own.
    """
    return line.credits is None and line.tax_category != ""


def request_for(
    invoice: Invoice,
    charges: Sequence[Charge],
    owner: Customer,
    *,
    seller: Seller,
    categories: Mapping[str, str],
    on: date,
) -> TaxRequest:
    """Return what to ask about an invoice; `categories` are those of the prices by their ids."""
    lines = tuple(
        [
            TaxRequestLine(
                line.description,
                line.amount_minor - sum([share.amount_minor for share in line.discounts]),
                line.behavior,
                line.tax_category if line.price is None else categories[line.price],
                line.product,
                line.period,
            )
            for line in charges
            if is_asked_about(line)
        ]
    )
    exemption = None if owner.tax_exemption is None else owner.tax_exemption.reason_on(on)
    request = TaxRequest(
        "",
        seller.snapshot,
        owner.id,
        owner.address,
        owner.tax_id,
        exemption,
        invoice.currency,
        on,
        lines,
    )
    return evolve(request, key=derived_id("tax", invoice.tenant, invoice.id, repr(request)))


def fits(quote: TaxQuote, request: TaxRequest) -> bool:
    """Return whether a quote answers a request: with the taxes of each of its lines."""
    return len(quote.lines) == len(request.lines)


def quoted(
    charges: Sequence[Charge],
    quote: TaxQuote,
    credited: Mapping[int, tuple[TaxRate, ...]],
) -> list[Charge]:
    """Return charges with the taxes of a quote.

    Those at the places of `credited` bear these: what was charged for what they take back.
    """
    rates = iter(quote.lines)
    return [
        _taxed(line, next(rates) if is_asked_about(line) else credited.get(place, ()))
        for place, line in enumerate(charges)
    ]


def flagged(charges: Sequence[Charge], credited: Mapping[int, tuple[TaxRate, ...]]) -> list[Charge]:
    """Return charges by the table of rates, where no quote came: each asked about says so."""
    return [
        evolve(line, tax_flag=TaxFlag.NOT_QUOTED)
        if is_asked_about(line)
        else _taxed(line, credited.get(place, ()))
        for place, line in enumerate(charges)
    ]


def _taxed(line: Charge, rates: tuple[TaxRate, ...]) -> Charge:
    if not rates:
        return line
    return evolve(line, rate=rates[0], more_rates=rates[1:], tax_flag=None)
