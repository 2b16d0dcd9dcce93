"""Documents: invoices as they are sent to people, and how their amounts come about."""

from __future__ import annotations

from subscriptions import invoices
from subscriptions.catalog import PRICE
from subscriptions.customers import CUSTOMER
from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.invoices import INVOICE, Explanation, Invoice
from subscriptions.records import plain_text
from subscriptions.usecases.flows import Context, Flow, Get, GetMany, Question


@frozen
class ExplainedLine:
    """One line of an invoice, by its place from 0, with its arithmetic as values and in words."""

    line: int
    explanation: Explanation
    sentence: str


def text(id: str, *, language: str | None = None) -> Question[str]:
    """Return an invoice as plain text, in the customer's language or in `language`.

    `language` is a BCP 47 tag; what it does is said by `subscriptions.documents.text.render`.
    Raises `NotFound` if there is no invoice with this id.
    """
    if language is not None:
        plain_text("language", language)

    def flow(_: Context) -> Flow[str]:
        # Babel costs more than the rest of the library: it is loaded when a text is asked for.
        from subscriptions.documents.text import render  # noqa: PLC0415 - loaded when first used

        invoice = yield from Get(INVOICE, id)
        void = None if invoice.replaces is None else (yield from Get(INVOICE, invoice.replaces))
        tag = language or (yield from _language_of(invoice))
        return render(invoice, language=tag, replaced=void)

    return Question(flow)


def explain(
    id: str, line: int | None = None, *, language: str | None = None
) -> Question[tuple[ExplainedLine, ...]]:
    """Return how the amounts of an invoice come about: of all its lines, or of the one at a place.

    Places are counted from 0. The sentences are in the customer's language, or in `language` (a
    BCP 47 tag), where it is one of those of `text`, and in English otherwise. What a line does not
    prove is unknown and not said; see `subscriptions.invoices.Explanation`.

    Raises `NotFound` if there is no invoice with this id, `ValidationError` for a line that it does
    not have.
    """
    if language is not None:
        plain_text("language", language)

    def flow(_: Context) -> Flow[tuple[ExplainedLine, ...]]:
        from subscriptions.documents.explaining import (  # noqa: PLC0415 - as in `text`
            sentence,
        )

        invoice = yield from Get(INVOICE, id)
        count = len(invoice.lines)
        if line is not None and (type(line) is not int or not 0 <= line < count):
            raise ValidationError("line", line, f"a place from 0 to {count - 1}")
        places = range(count) if line is None else (line,)
        lines = {place: invoice.lines[place] for place in places}
        named = {each.price for each in lines.values() if each.price is not None}
        prices = {each.id: each for each in (yield from GetMany(PRICE, tuple(sorted(named))))}
        credited = {each.credits.invoice for each in lines.values() if each.credits is not None}
        numbers = {
            each.id: each.number for each in (yield from GetMany(INVOICE, tuple(sorted(credited))))
        }
        tag = language or (yield from _language_of(invoice))
        explained: list[ExplainedLine] = []
        for place, each in lines.items():
            explanation = invoices.explain(
                each,
                price=None if each.price is None else prices[each.price],
                credited_number=None if each.credits is None else numbers[each.credits.invoice],
            )
            told = sentence(explanation, language=tag)
            explained.append(ExplainedLine(place, explanation, told))
        return tuple(explained)

    return Question(flow)


def _language_of(invoice: Invoice) -> Flow[str]:
    """Return the language of an invoice: as it was frozen, or the customer's of now for a draft."""
    if invoice.party is not None:
        return invoice.party.language
    return (yield from Get(CUSTOMER, invoice.customer)).language
