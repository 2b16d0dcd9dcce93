"""A credit note as plain text, in the language of its customer: in German a Rechnungskorrektur.

Everything that is said was frozen in the note when it was sealed. Amounts are positive: what is
credited. Lines are as wide as those of an invoice.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import chain

from babel import Locale

from subscriptions.credit_notes import CreditNote
from subscriptions.documents.formats import day_format, locale_of, money_format
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
from subscriptions.documents.words import (
    CORRECTION,
    CorrectionWords,
    Words,
    spoken,
    words_of,
)
from subscriptions.frozen import frozen


def render(note: CreditNote, *, language: str | None = None) -> str:
    """Return a credit note as a text that ends with a line break.

    `language` is a BCP 47 tag, by default the customer's when the note was sealed. The words are
    there in German, English, Spanish, French, Italian, Dutch and Polish; other languages get the
    English text.
    """
    party = note.party
    tag = spoken(language or (party.language if party is not None else "en"))
    told = _Page(note, words_of(tag), CORRECTION[tag.partition("-")[0]], locale_of(tag))
    return page(
        heading(note.seller, told.correction.title, told.words, told.locale),
        recipient(party, told.words, told.locale),
        told.facts(),
        told.what_for(),
        chain(told.lines(), told.totals()),
        told.where_to(),
    )


@frozen
class _Page:
    """One credit note, with the words and the locale that it is written in."""

    note: CreditNote
    words: Words
    correction: CorrectionWords
    locale: Locale

    def facts(self) -> Iterator[str]:
        note, day = self.note, day_format(self.locale)
        return facts(
            [
                (self.correction.number, note.number),
                (self.words.customer_number, None if note.party is None else note.party.number),
                (
                    self.correction.issued_on,
                    None if note.issued_on is None else day(note.issued_on),
                ),
            ]
        )

    def what_for(self) -> Iterator[str]:
        note = self.note
        issued_on = day_format(self.locale)(note.invoice_issued_on)
        yield self.correction.corrects.format(number=note.invoice_number, day=issued_on)
        yield self.correction.reason.format(reason=note.reason)

    def lines(self) -> Iterator[str]:
        words, day = self.words, day_format(self.locale)
        write = money_format(self.locale, self.note.currency)
        yield apart(words.description, words.amount)
        yield "-" * WIDTH
        _, mixed = prices_with_tax(self.note.lines)
        for line in self.note.lines:
            yield from wrapped(words.line(line.kind, line.description), write(line.amount_minor))
            details: list[str] = [words.with_tax] if mixed and contains_tax(line) else []
            if line.period is not None:
                last = line.period.end - timedelta(days=1)
                details.append(f"{day(line.period.start)} – {day(last)}")
            yield from indented("; ".join(details))

    def totals(self) -> Iterator[str]:
        words, note = self.words, self.note
        write = money_format(self.locale, note.currency)
        yield "-" * WIDTH
        yield apart(words.net, write(note.net_minor))
        yield from taxes(note.taxes, note.currency, words, self.locale)
        yield "=" * WIDTH
        yield apart(self.correction.total, write(note.total_minor))
        if prices_with_tax(note.lines)[0]:
            yield words.tax_inside

    def where_to(self) -> Iterator[str]:
        """Say where the total goes: what was owed is owed no more, the rest is given back."""
        words, division = self.correction, self.note.division
        write = money_format(self.locale, self.note.currency)
        parts = (
            (words.taken_off, division.open_minor),
            (words.refund, division.refund_minor),
            (words.balance, division.balance_minor),
            (words.outside, division.outside_minor),
            (words.granted, division.granted_minor),
        )
        for name, minor in parts:
            if minor:
                yield apart(name, write(minor))
