"""The tax report: what was charged in a period, by seller, country, category and rate.

What counts: invoices on the day they were issued; credit notes on theirs, with the opposite sign;
and void invoices once more on the day they were declared void, with the opposite sign, for they
should not have been. Drafts and pro-forma invoices count for nothing. Whether anything was paid is
not asked: the tax is owed by the supply. Nothing is converted.

Law: the taxes of the rows add up to the taxes of the documents, and so do their bases to the nets
where each line bears one tax. `subscriptions.reports.oss` picks out what is told to the one-stop
shop.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import TypeAlias

from attrs import define, field

from subscriptions.billing_cycles import Period, local_date
from subscriptions.credit_notes import CreditNote
from subscriptions.frozen import frozen
from subscriptions.ids import InvoiceId
from subscriptions.invoices import Invoice, Line, Void
from subscriptions.money import Currency, Money
from subscriptions.reports.oss import OssRow, Shop
from subscriptions.taxes import TaxCategory, TaxFlag, TaxGroup


@frozen
class TaxRow:
    """What was charged at one rate: `country` is the customer's as printed, `seller` whose it is.

    `name` is what the tax is called, where it has a name of its own.
    """

    seller: str
    country: str
    category: TaxCategory
    percent: Decimal
    name: str
    currency: Currency
    base_minor: int
    tax_minor: int
    documents: int

    @property
    def base(self) -> Money:
        """What the tax is charged on."""
        return Money(self.base_minor, self.currency)

    @property
    def tax(self) -> Money:
        """The tax."""
        return Money(self.tax_minor, self.currency)


@frozen
class TaxTotal:
    """What the documents of a seller in one currency come to, in minor units."""

    seller: str
    currency: Currency
    net_minor: int
    tax_minor: int
    documents: int


@frozen
class FlaggedInvoice:
    """An invoice on which tax was charged for lack of evidence: a person may look."""

    invoice: InvoiceId
    number: str
    flag: TaxFlag


@frozen
class TaxReport:
    """The tax of a period; its rows stand in the order of their keys."""

    period: Period
    rows: tuple[TaxRow, ...]
    totals: tuple[TaxTotal, ...]
    oss: tuple[OssRow, ...]
    flagged: tuple[FlaggedInvoice, ...]


@frozen
class Booking:
    """What one document, or its reversal, adds to the report, on a day."""

    seller: str
    seller_country: str
    country: str
    currency: Currency
    groups: tuple[TaxGroup, ...]
    net_minor: int
    tax_minor: int
    on: date
    supplied_on: date
    """The day of the document that is corrected, or its own."""
    sign: int


def bookings(document: Invoice | CreditNote) -> Iterator[Booking]:
    """Yield what a document adds: nothing for a draft, and two bookings for a void invoice."""
    if document.issued_on is None:
        return
    seller = document.seller
    party = document.party
    first, sign = document.issued_on, 1
    if isinstance(document, CreditNote):
        first, sign = document.invoice_issued_on, -1
    booking = Booking(
        document.seller_id,
        "" if seller is None else seller.address.country,
        "" if party is None else party.address.country,
        document.currency,
        document.taxes,
        document.net_minor,
        document.tax_minor,
        document.issued_on,
        first,
        sign,
    )
    yield booking
    if isinstance(document, Invoice) and isinstance(document.state, Void):
        voided_on = local_date(document.state.at, document.zone)
        yield Booking(
            booking.seller,
            booking.seller_country,
            booking.country,
            booking.currency,
            booking.groups,
            booking.net_minor,
            booking.tax_minor,
            voided_on,
            first,
            -1,
        )


# Seller, country, category, percentage, name, currency.
_RowKey: TypeAlias = tuple[str, str, str, Decimal, str, str]
# Seller, quarter, corrected quarter, country, percentage, currency.
_OssKey: TypeAlias = tuple[str, str, str, str, Decimal, str]


@define
class TaxBooks:
    """The report in the making: documents are added one by one, and not held."""

    period: Period
    shop: Shop
    _rows: dict[_RowKey, list[int]] = field(factory=dict[_RowKey, list[int]])
    _totals: dict[tuple[str, str], list[int]] = field(factory=dict[tuple[str, str], list[int]])
    _oss: dict[_OssKey, list[int]] = field(factory=dict[_OssKey, list[int]])
    _flagged: list[FlaggedInvoice] = field(factory=list[FlaggedInvoice])
    _currencies: dict[str, Currency] = field(factory=dict[str, Currency])

    def add(self, document: Invoice | CreditNote) -> None:
        """Add a document, if it counts in the period."""
        for booking in bookings(document):
            if booking.on in self.period:
                self._book(booking)
        if isinstance(document, Invoice) and document.issued_on is not None:
            flag = next((f for f in map(_flag, document.lines) if f is not None), None)
            if flag is not None and document.issued_on in self.period:
                self._flagged.append(FlaggedInvoice(document.id, document.number or "", flag))

    def _book(self, booking: Booking) -> None:
        code, sign = booking.currency.code, booking.sign
        self._currencies[code] = booking.currency
        _add(
            self._totals.setdefault((booking.seller, code), [0, 0, 0]),
            (sign * booking.net_minor, sign * booking.tax_minor, 1),
        )
        for group in booking.groups:
            amounts = (sign * group.base_minor, sign * group.tax_minor, 1)
            key = (
                booking.seller,
                booking.country,
                group.category.value,
                group.percent,
                group.name,
                code,
            )
            _add(self._rows.setdefault(key, [0, 0, 0]), amounts)
            told = self.shop.tells(
                group.category,
                seller_country=booking.seller_country,
                country=booking.country,
                supplied_on=booking.supplied_on,
            )
            if told:
                quarter, supplied = quarter_of(booking.on), quarter_of(booking.supplied_on)
                corrects = supplied if supplied != quarter else ""
                place = (booking.seller, quarter, corrects, booking.country, group.percent, code)
                _add(self._oss.setdefault(place, [0, 0, 0]), amounts)

    def close(self) -> TaxReport:
        """Return the report of all that was added."""
        known = self._currencies
        rows = [
            TaxRow(seller, country, TaxCategory(category), percent, name, known[code], *amounts)
            for (seller, country, category, percent, name, code), amounts in sorted(
                self._rows.items()
            )
        ]
        totals = [
            TaxTotal(seller, known[code], *amounts)
            for (seller, code), amounts in sorted(self._totals.items())
        ]
        oss = [
            OssRow(seller, quarter, corrects or None, country, percent, known[code], base, tax)
            for (seller, quarter, corrects, country, percent, code), (base, tax, _) in sorted(
                self._oss.items()
            )
            if base or tax  # what was void within its quarter is not declared
        ]
        return TaxReport(self.period, tuple(rows), tuple(totals), tuple(oss), tuple(self._flagged))


def quarter_of(day: date) -> str:
    """Return the quarter of a day.

    >>> quarter_of(date(2027, 4, 1))
    '2027-Q2'
    """
    return f"{day.year}-Q{(day.month + 2) // 3}"


def _flag(line: Line) -> TaxFlag | None:
    return line.tax_flag


def _add(sums: list[int], amounts: tuple[int, int, int]) -> None:
    for place, amount in enumerate(amounts):
        sums[place] += amount
