"""An invoice as plain text, in the language of its customer.

Everything that is said was frozen in the invoice when it was sealed; only what was paid and what is
due are of today. Lines are at most 76 characters wide, so that they survive in a mail.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import chain

from babel import Locale

from subscriptions.billing_cycles import Period
from subscriptions.documents.formats import (
    day_format,
    locale_of,
    money_format,
    number_text,
    price_format,
)
from subscriptions.documents.layout import (
    WIDTH,
    apart,
    contains_tax,
    facts,
    heading,
    indented,
    page,
    prices_with_tax,
    recipient,
    taxes,
    wrapped,
)
from subscriptions.documents.words import Words, words_of
from subscriptions.frozen import frozen
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
from subscriptions.payment_references import grouped
from subscriptions.pro_forma import ProForma
from subscriptions.proration import ProrationUnit
from subscriptions.records import evolve


def render(
    invoice: Invoice, *, language: str | None = None, replaced: Invoice | None = None
) -> str:
    """Return an invoice as a text that ends with a line break.

    `replaced` is the void invoice that it was made instead of, which it then names.

    `language` is a BCP 47 tag, by default the customer's when the invoice was sealed. The words are
    there in German, English, Spanish, French, Italian, Dutch and Polish; other languages get
    English ones with their own dates and amounts.
    """
    party = invoice.party
    tag = language or (party.language if party is not None else "en")
    words = words_of(tag)
    title = words.invoice if invoice.number else f"{words.invoice} ({words.draft})"
    number = (words.number, invoice.number)
    return _written(_Page(invoice, words, locale_of(tag), title, number, replaced))


def render_pro_forma(pro_forma: ProForma, *, language: str | None = None) -> str:
    """Return a pro-forma invoice as a text, in the languages of `render`; it asks for no money."""
    shown = pro_forma.shown
    tag = language or (shown.party.language if shown.party is not None else "en")
    words = words_of(tag)
    number = (words.pro_forma, pro_forma.number)
    told = _Page(
        evolve(shown, issued_on=pro_forma.made_on), words, locale_of(tag), words.pro_forma, number
    )
    return _written(told)


def _written(told: _Page) -> str:
    return page(
        told.head(),
        told.customer(),
        told.facts(),
        told.instead_of(),
        chain(told.lines(), told.totals()),
        told.how_to_pay(),
    )


@frozen
class _Page:
    """One invoice, with the words and the locale that it is written in."""

    invoice: Invoice
    words: Words
    locale: Locale
    title: str
    number: tuple[str, str | None]
    replaced: Invoice | None = None

    def head(self) -> Iterator[str]:
        return heading(self.invoice.seller, self.title, self.words, self.locale)

    def customer(self) -> Iterator[str]:
        return recipient(self.invoice.party, self.words, self.locale)

    def facts(self) -> Iterator[str]:
        words, invoice = self.words, self.invoice
        day = day_format(self.locale)
        pairs = [
            self.number,
            (words.customer_number, None if invoice.party is None else invoice.party.number),
            (words.issued_on, None if invoice.issued_on is None else day(invoice.issued_on)),
            (words.due_on, None if invoice.due_on is None else day(invoice.due_on)),
            (words.period, None if invoice.period is None else self._days(invoice.period)),
        ]
        return facts(pairs)

    def instead_of(self) -> Iterator[str]:
        void = self.replaced
        if void is not None and void.issued_on is not None:
            day = day_format(self.locale)(void.issued_on)
            yield self.words.replaces.format(number=void.number, day=day)

    def lines(self) -> Iterator[str]:
        words, invoice = self.words, self.invoice
        yield apart(words.description, words.amount)
        yield "-" * WIDTH
        write = money_format(self.locale, invoice.currency)
        _, mixed = prices_with_tax(invoice.lines)
        several = len({line.period for line in invoice.lines}) > 1
        for line in invoice.lines:
            name = words.line(line.kind, line.description)
            yield from wrapped(name, write(line.amount_minor))
            details = [*self._arithmetic(line)]
            if mixed and contains_tax(line):
                details.append(words.with_tax)
            if line.period is not None and (several or line.kind is not LineKind.PERIOD):
                details.append(self._days(line.period))
            yield from indented("; ".join(details))
            for share in line.discounts:
                discount = words.discount.format(name=share.name)
                yield from wrapped(discount, write(-share.amount_minor), indent=2)

    def totals(self) -> Iterator[str]:
        words, invoice = self.words, self.invoice
        write = money_format(self.locale, invoice.currency)
        yield "-" * WIDTH
        yield apart(words.net, write(invoice.net_minor))
        yield from taxes(invoice.taxes, invoice.currency, words, self.locale)
        yield apart(words.total, write(invoice.total_minor))
        if invoice.balance_minor:
            name = words.balance if invoice.balance_minor > 0 else words.to_balance
            yield apart(name, write(-invoice.balance_minor))
        if invoice.granted_minor:
            yield apart(words.granted, write(-invoice.granted_minor))
        if invoice.credited_minor:
            yield apart(words.credited, write(-invoice.credited_minor))
        if invoice.paid_minor:
            yield apart(words.paid, write(-invoice.paid_minor))
        yield "=" * WIDTH
        if not isinstance(invoice.state, Draft | Void):
            yield apart(words.due, write(invoice.due_minor))
        if prices_with_tax(invoice.lines)[0]:
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
        at_once = invoice.terms_days == 0 and not invoice.dunning and not invoice.sent
        if invoice.collecting is not None or at_once:
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
        account = (
            (words.account_holder, seller.name),
            ("IBAN", _grouped(seller.iban)),
            (words.reference, self.invoice.number or ""),
            (f"{words.reference} (RF)", grouped(self.invoice.payment_reference or "")),
        )
        yield from facts(account, indent=2)

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
