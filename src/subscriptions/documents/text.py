"""An invoice as plain text, in the language of its customer.

Everything that is said was frozen in the invoice when it was sealed; only what was paid and what is
due are of today. Lines are at most 76 characters wide, so that they survive in a mail.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import chain
from unicodedata import east_asian_width

from attrs import frozen
from babel import Locale

from subscriptions.billing_cycles import Period
from subscriptions.customers import Address
from subscriptions.documents.formats import (
    country_text,
    day_format,
    locale_of,
    money_format,
    number_text,
    percent_text,
    price_format,
)
from subscriptions.documents.words import Words, words_of
from subscriptions.invoices import (
    Draft,
    Invoice,
    Line,
    LineKind,
    Open,
    Paid,
    Uncollectible,
    Void,
    explain,
)
from subscriptions.proration import ProrationUnit
from subscriptions.taxes import TaxBehavior, TaxCategory

WIDTH = 76
_AMOUNT_WIDTH = 16


def render(invoice: Invoice, *, language: str | None = None) -> str:
    """Return an invoice as a text that ends with a line break.

    `language` is a BCP 47 tag, by default the customer's when the invoice was sealed. The words are
    there in German, English, Spanish, French, Italian, Dutch and Polish; other languages get
    English ones with their own dates and amounts.
    """
    party = invoice.party
    tag = language or (party.language if party is not None else "en")
    page = _Page(invoice, words_of(tag), locale_of(tag))
    blocks = (
        page.head(),
        page.customer(),
        page.facts(),
        chain(page.lines(), page.totals()),
        page.how_to_pay(),
    )
    fitting = [[line for each in block for line in _broken(each)] for block in blocks]
    return "\n\n".join("\n".join(block) for block in fitting if block) + "\n"


@frozen
class _Page:
    """One invoice, with the words and the locale that it is written in."""

    invoice: Invoice
    words: Words
    locale: Locale

    def head(self) -> Iterator[str]:
        words, seller = self.words, self.invoice.seller
        title = words.invoice if self.invoice.number else f"{words.invoice} ({words.draft})"
        name = "" if seller is None else seller.name
        yield from _wrapped(name, title.upper()) if name else (_apart("", title.upper()),)
        if seller is None:
            return
        yield from self._address(seller.address)
        if seller.tax_id:
            yield f"{words.tax_id} {seller.tax_id}"
        if seller.email:
            yield seller.email

    def customer(self) -> Iterator[str]:
        party = self.invoice.party
        if party is None:
            return
        if party.company:
            yield party.company
        yield party.name
        yield from self._address(party.address)
        if party.tax_id:
            yield f"{self.words.tax_id} {party.tax_id}"

    def facts(self) -> Iterator[str]:
        words, invoice = self.words, self.invoice
        day = day_format(self.locale)
        facts = [
            (words.number, invoice.number),
            (words.customer_number, None if invoice.party is None else invoice.party.number),
            (words.issued_on, None if invoice.issued_on is None else day(invoice.issued_on)),
            (words.due_on, None if invoice.due_on is None else day(invoice.due_on)),
            (words.period, None if invoice.period is None else self._days(invoice.period)),
        ]
        shown = [(name, value) for name, value in facts if value is not None]
        width = max((_width(name) for name, _ in shown), default=0) + 2
        for name, value in shown:
            yield f"{_padded(name, width)}{value}"

    def lines(self) -> Iterator[str]:
        words, invoice = self.words, self.invoice
        yield _apart(words.description, words.amount)
        yield "-" * WIDTH
        write = money_format(self.locale, invoice.currency)
        several = len({line.period for line in invoice.lines}) > 1
        for line in invoice.lines:
            name = words.line(line.kind, line.description)
            yield from _wrapped(name, write(line.amount_minor))
            details = [*self._arithmetic(line)]
            if line.period is not None and (several or line.kind is not LineKind.PERIOD):
                details.append(self._days(line.period))
            yield from _indented("; ".join(details))
            for share in line.discounts:
                discount = words.discount.format(name=share.name)
                yield from _wrapped(discount, write(-share.amount_minor), indent=2)

    def totals(self) -> Iterator[str]:
        words, invoice = self.words, self.invoice
        write = money_format(self.locale, invoice.currency)
        yield "-" * WIDTH
        yield _apart(words.net, write(invoice.net_minor))
        for group in invoice.taxes:
            base = words.on_base.format(base=write(group.base_minor))
            name = f"{words.tax} {percent_text(self.locale, group.percent)} {base}"
            if group.category is TaxCategory.OUTSIDE_SCOPE:
                yield from _broken(words.reason(group.category, group.reason))
                continue
            yield _apart(name, write(group.tax_minor))
            if reason := words.reason(group.category, group.reason):
                yield from _indented(reason)
        yield _apart(words.total, write(invoice.total_minor))
        if invoice.balance_minor:
            name = words.balance if invoice.balance_minor > 0 else words.to_balance
            yield _apart(name, write(-invoice.balance_minor))
        if invoice.paid_minor:
            yield _apart(words.paid, write(-invoice.paid_minor))
        yield "=" * WIDTH
        if not isinstance(invoice.state, Draft | Void):
            yield _apart(words.due, write(invoice.due_minor))
        if any(line.behavior is TaxBehavior.INCLUSIVE for line in invoice.lines):
            yield words.tax_inside

    def how_to_pay(self) -> Iterator[str]:
        words, invoice = self.words, self.invoice
        amount = money_format(self.locale, invoice.currency)(invoice.due_minor)
        match invoice.state:
            case Draft():
                return
            case Paid():
                yield words.settled
            case Void():
                yield words.void
            case Uncollectible():
                yield words.given_up.format(amount=amount)
                yield from self._account()
            case Open():
                yield from self._open(amount)

    def _open(self, amount: str) -> Iterator[str]:
        invoice = self.invoice
        # Who is charged automatically has no term; see `compose`.
        if invoice.collecting is not None or (invoice.terms_days == 0 and not invoice.dunning):
            yield self.words.charged.format(amount=amount)
            return
        if invoice.due_on is not None and invoice.seller is not None and invoice.seller.iban:
            day = day_format(self.locale)(invoice.due_on)
            yield self.words.pay_by_transfer.format(amount=amount, day=day)
        yield from self._account()

    def _account(self) -> Iterator[str]:
        words, seller = self.words, self.invoice.seller
        if seller is None or not seller.iban:
            return
        facts = (
            (words.account_holder, seller.name),
            ("IBAN", _grouped(seller.iban)),
            (words.reference, self.invoice.number or ""),
        )
        width = max(_width(name) for name, _ in facts) + 2
        for name, value in facts:
            yield f"  {_padded(name, width)}{value}"

    def _address(self, address: Address) -> Iterator[str]:
        yield from filter(None, (address.line1, address.line2))
        place = " ".join(filter(None, (address.postal_code, address.city, address.region)))
        if place:
            yield place
        if address.country:
            yield country_text(self.locale, address.country)

    def _days(self, period: Period) -> str:
        day = day_format(self.locale)
        return f"{day(period.start)} – {day(period.end - timedelta(days=1))}"

    def _arithmetic(self, line: Line) -> Iterator[str]:
        quantity = number_text(self.locale, line.quantity)
        if line.unit_price is not None:
            yield f"{quantity} × {price_format(self.locale, line.currency)(line.unit_price)}"
        elif line.quantity != 1:
            yield f"{self.words.quantity} {quantity}"
        explained = explain(line)
        write = money_format(self.locale, line.currency)
        part, deduction = explained.portion, explained.deduction
        in_days = part is not None and part.unit is ProrationUnit.DAY and not part.periods
        if part is not None and in_days and deduction is None:
            yield self.words.part_of_period.format(
                count=part.numerator, whole=part.denominator, amount=write(part.whole_minor)
            )
        # What late usage was billed with is in the invoice of its own period.
        if line.kind is LineKind.USAGE and deduction is not None:
            yield self.words.billed_earlier.format(amount=write(deduction.amount_minor))


def _grouped(iban: str) -> str:
    plain = iban.replace(" ", "")
    return " ".join(plain[start : start + 4] for start in range(0, len(plain), 4))


def _wrapped(text: str, amount: str, *, indent: int = 0) -> Iterator[str]:
    """Break a long description, and set the amount at the end of its first line."""
    margin = " " * indent
    room = WIDTH - indent - max(_width(amount) + 2, _AMOUNT_WIDTH)
    first, *rest = _broken(text, room)
    yield _apart(margin + first, amount)
    for each in rest:
        yield margin + each


def _indented(text: str) -> Iterator[str]:
    for each in _broken(text, WIDTH - 2):
        yield f"  {each}"


def _broken(text: str, room: int = WIDTH) -> Iterator[str]:
    while text:
        first, text = _cut(text, room)
        yield first


def _cut(text: str, room: int) -> tuple[str, str]:
    if _width(text) <= room:
        return text, ""
    fits = next(end for end in range(1, len(text)) if _width(text[: end + 1]) > room)
    at = text.rfind(" ", 0, fits + 1)
    return (
        (text[:at], text[at + 1 :]) if text[:at].strip() and at > 0 else (text[:fits], text[fits:])
    )


def _apart(left: str, right: str) -> str:
    gap = WIDTH - _width(left) - _width(right)
    return f"{left}{' ' * max(gap, 1)}{right}"


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def _width(text: str) -> int:
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)
