"""Credit notes: correct a final invoice by a document of its own, and give back what was paid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from subscriptions import credit_notes, invoices
from subscriptions.balance import Cause
from subscriptions.catalog import PRICE
from subscriptions.credit_notes import (
    CREDIT_NOTE,
    Amounts,
    CreditExplanation,
    CreditNote,
    Division,
)
from subscriptions.customers import CUSTOMER, Customer
from subscriptions.decisions import Decision
from subscriptions.errors import InvalidTransition, UnknownReference, ValidationError
from subscriptions.frozen import frozen
from subscriptions.ids import SubscriptionId
from subscriptions.invoices import INVOICE, ApplyCredit, Draft, Invoice, Paid, Void
from subscriptions.money import Money
from subscriptions.records import Ref, evolve, plain_text
from subscriptions.usecases import flows
from subscriptions.usecases.balance import moved
from subscriptions.usecases.flows import (
    Command,
    Context,
    Flow,
    Get,
    GetMany,
    Having,
    Listing,
    Maybe,
    Question,
    only,
)
from subscriptions.usecases.given_back import given_back_elsewhere
from subscriptions.usecases.grants import give_back
from subscriptions.usecases.receivables import close_cases
from subscriptions.usecases.refunds import give_back_credited


def create(
    invoice: str,
    *,
    lines: Mapping[int, Money] | None = None,
    amount: Money | None = None,
    reason: str,
    refund: Money | None = None,
    balance: Money | None = None,
    outside: Money | None = None,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[CreditNote]:
    """Take something off a final invoice by a credit note, which takes a number; returns the note.

    `lines` are amounts of lines by their place from 0, as each was priced: net, or gross where its
    price includes the tax. `amount` is one of the total, tax included, and is spread over what is
    left of the lines. With neither it is all that is left. Several credit notes add up to the
    invoice exactly, never to more.

    First it lowers what is owed; an invoice on which nothing is owed any more is paid, and is not
    dunned. The rest was paid, and goes where `refund`, `balance` and `outside` say: to the latest
    payments of the invoice, as `payments.refund` does; to the customer's balance; or nowhere here,
    because it is, or was, paid back by other means. Without any of them it goes to the balance. A
    refund passes through the balance, and returns to it should it fail.

    What credit grants paid returns to them, and is never given out as money: first of all, or, if
    any of the three is given, as much as they leave.

    Raises `UnknownReference` for an unknown invoice, `InvalidTransition` for a draft and a void
    one; `ValidationError` for `lines` together with `amount`, for more than is left of a line or of
    the invoice, for what a change of a subscription gives back of a line already, for an amount
    that is not positive or of another currency, unless `refund`, `balance` and `outside` add up to
    what was paid of the total (or leave no more than grants paid of it), for a refund of more than
    the invoice's payments can give back, and for an empty reason.
    """
    plain_text("reason", reason)
    if lines is not None and amount is not None:
        raise ValidationError("amount", str(amount), "either lines or an amount")
    if lines is not None and not isinstance(lines, Mapping):
        raise ValidationError(
            "lines", lines, "amounts by line, such as {0: Money.of('5.00', 'EUR')}"
        )
    by_line = None if lines is None else dict(lines)

    def flow(context: Context) -> Flow[Decision]:
        found = yield from Maybe(INVOICE, invoice)
        if found is None:
            raise UnknownReference("invoice", invoice)
        if isinstance(found.state, Draft | Void):
            name = f"invoice {found.number or found.id}"
            raise InvalidTransition(name, found.status, "credit")
        earlier = yield from Having(CREDIT_NOTE, "invoice", found.id)
        if amount is None:
            amounts = credit_notes.of_lines(found, earlier, by_line)
        else:
            amounts = credit_notes.of_amount(found, earlier, amount)
        yield from _not_given_back_elsewhere(found, earlier, amounts)
        owner = yield from Get(CUSTOMER, found.customer)
        total = Money(amounts.total_minor, found.currency)
        division = credit_notes.divide(
            found, total, refund=refund, balance=balance, outside=outside, earlier=earlier
        )
        note, decision = yield from corrected(
            found, owner, amounts, division, context, ordinal=len(earlier) + 1, reason=reason
        )
        if note.refund:
            decision = yield from give_back_credited(decision, owner, found, note.refund, context)
        return evolve(decision, about=Ref(CREDIT_NOTE, note.id))

    return Command(CREDIT_NOTE, flow, at, idempotency_key)


def corrected(
    invoice: Invoice,
    owner: Customer,
    amounts: Amounts,
    division: Division,
    context: Context,
    *,
    ordinal: int,
    reason: str,
    besides: SubscriptionId | None = None,
) -> Flow[tuple[CreditNote, Decision]]:
    """Decide to correct an invoice by a credit note, and what follows for who owed and paid it.

    What is to be refunded is on the balance then. Of the subscription `besides` nothing is decided:
    it is being decided about already.
    """
    # It corrects what that one sold, whoever the customer buys from by now.
    seller = context.seller_named(invoice.seller_id)
    note = credit_notes.compose(
        invoice,
        amounts,
        owner,
        ordinal=ordinal,
        division=division,
        reason=reason,
        seller=seller,
        salt=context.ids.secret(),
    )
    decision = yield from _credited(invoice, note, context, besides)
    given_back = note.refund + note.balance
    if given_back:
        decision = moved(
            decision,
            owner,
            given_back,
            cause=Cause.CREDIT_NOTE,
            context=context,
            invoice=invoice.id,
        )
    if note.granted:
        decision = yield from give_back(
            decision, owner, invoice, note.granted, context, credit_note=note.id
        )
    issued = credit_notes.issue(note, seller)
    return note, Decision(decision.changes, (*decision.issues, issued))


def get(id: str) -> Question[CreditNote]:
    """Return a credit note; raises `NotFound` if there is none with this id."""
    return flows.get(CREDIT_NOTE, id)


def list_(
    *,
    invoice: str | None = None,
    customer: str | None = None,
    number: str | None = None,
    limit: int = 100,
    after: str | None = None,
) -> Listing[CreditNote]:
    """List credit notes in the order they were made; each filter is an exact match."""
    where = only(invoice=invoice, customer=customer, number=number)
    return Listing(CREDIT_NOTE, where, limit=limit, after=after)


def text(id: str, *, language: str | None = None) -> Question[str]:
    """Return a credit note as plain text, in the customer's language or in `language`.

    `language` is a BCP 47 tag; the words are there in the languages of `invoices.text`, and in
    English for any other. Raises `NotFound` if there is no credit note with this id.
    """
    if language is not None:
        plain_text("language", language)

    def flow(_: Context) -> Flow[str]:
        # As for invoices: Babel is loaded when a text is asked for.
        from subscriptions.documents.correction import (  # noqa: PLC0415 - loaded when first used
            render,
        )

        return render((yield from Get(CREDIT_NOTE, id)), language=language)

    return Question(flow)


@frozen
class ExplainedCredit:
    """One line of a credit note, by its place from 0, with its arithmetic as values and in words.

    `explanation.credits` names the line of the invoice that it credits.
    """

    line: int
    explanation: CreditExplanation
    sentence: str


def explain(
    id: str, line: int | None = None, *, language: str | None = None
) -> Question[tuple[ExplainedCredit, ...]]:
    """Return how the amounts of a credit note come about: of all its lines, or of one of them.

    That is what the invoice charged, what earlier notes took off it, and what this one leaves.
    Places are counted from 0, in the credit note. The sentences are in the customer's language, or
    in `language` (a BCP 47 tag), where it is one of those of `text`, and in English otherwise.

    Raises `NotFound` if there is no credit note with this id, `ValidationError` for a line that it
    does not have.
    """
    if language is not None:
        plain_text("language", language)

    def flow(_: Context) -> Flow[tuple[ExplainedCredit, ...]]:
        from subscriptions.documents.explaining import (  # noqa: PLC0415 - as in `text`
            credit_sentence,
        )

        note = yield from Get(CREDIT_NOTE, id)
        places = range(len(note.lines)) if line is None else (line,)
        invoice = yield from Get(INVOICE, note.invoice)
        notes = yield from Having(CREDIT_NOTE, "invoice", invoice.id)
        named = {each.price for each in invoice.lines if each.price is not None}
        prices = {each.id: each for each in (yield from GetMany(PRICE, tuple(sorted(named))))}
        tag = language or ("en" if note.party is None else note.party.language)
        explained: list[ExplainedCredit] = []
        for place in places:
            explanation = credit_notes.explain(note, place, invoice, notes, prices=prices)
            told = credit_sentence(explanation, language=tag)
            explained.append(ExplainedCredit(place, explanation, told))
        return tuple(explained)

    return Question(flow)


def _not_given_back_elsewhere(
    invoice: Invoice, earlier: Sequence[CreditNote], amounts: Amounts
) -> Flow[None]:
    """Refuse to credit what a change or an end of a subscription gives back of a line already."""
    given = yield from given_back_elsewhere(invoice)
    for credited in amounts.lines:
        elsewhere = given.get(credited.line, 0)
        before = [x.amount_minor for note in earlier for x in note.lines if x.line == credited.line]
        line = invoice.lines[credited.line]
        left = line.amount_minor - line.discount_minor - sum(before) - elsewhere
        if elsewhere and credited.amount_minor > left:
            most = Money(max(left, 0), invoice.currency)
            expected = f"at most {most}: the rest is given back on another invoice"
            raise ValidationError(f"lines[{credited.line}]", credited.amount, expected)


def _credited(
    invoice: Invoice, note: CreditNote, context: Context, besides: SubscriptionId | None
) -> Flow[Decision]:
    """Decide what a credit note does to its invoice, and what follows if nothing is owed now."""
    change = invoices.decide(invoice, ApplyCredit(note.id, note.total_minor, context.at))
    after = change.after
    assert isinstance(after, Invoice)
    if isinstance(invoice.state, Paid) or not isinstance(after.state, Paid):
        return Decision((change,))
    # What nobody paid anything for does not begin, and is no debt that was paid.
    paid = after.paid_minor + after.balance_minor + after.granted_minor > 0
    return (
        yield from close_cases(
            change, reason="credited", context=context, paid=paid, besides=besides
        )
    )
