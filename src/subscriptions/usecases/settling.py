"""What the end of a subscription gives back: less is owed, a credit to use, or money.

An end credits what was charged and is not used, and never more than was kept of it: what was given
back already is gone. Of an invoice that is paid the last invoice takes it back. One that is not is
corrected by a credit note, which lowers what is owed first: nobody is asked for time that he will
not have, and nobody is given money for what he did not pay.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import ceil

from subscriptions import credit_notes
from subscriptions.credit_notes import CREDIT_NOTE, CreditNote
from subscriptions.customers import CUSTOMER, Customer
from subscriptions.decisions import Change, Decision
from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.ids import InvoiceId, SubscriptionId
from subscriptions.invoices import INVOICE, Charge, Draft, Invoice, Open, Paid, Uncollectible
from subscriptions.lifecycle import ClearPastDue, Conditions, Current, PaidShare
from subscriptions.money import Money
from subscriptions.records import evolve
from subscriptions.usecases.billing_periods import Moves
from subscriptions.usecases.credit_notes import corrected
from subscriptions.usecases.flows import Context, Flow, Get, GetMany, Having, Maybe
from subscriptions.usecases.given_back import refunded_of
from subscriptions.usecases.refunds import give_back


@frozen
class Settled:
    """What is left for the last invoice, and what corrections of earlier ones gave the customer."""

    charges: tuple[Charge, ...]
    corrected: tuple[InvoiceId, ...] = ()
    on_balance_minor: int = 0


def less_refunded(moves: Moves, conditions: Conditions) -> Flow[Conditions]:
    """Return the conditions of an end: no more is credited of an invoice than was kept of it."""
    paid = dict(conditions.paid)
    for id in sorted({each.invoice for each in moves.after.debits if each.invoice is not None}):
        document = yield from _owed_by(id)
        refunded_minor = 0 if document is None else (yield from refunded_of(document))
        if document is not None and refunded_minor:
            whole = PaidShare(document.total_minor, document.total_minor)
            share = paid.get(id, whole)
            paid[id] = evolve(share, paid_minor=max(0, share.paid_minor - refunded_minor))
    return evolve(conditions, paid=paid)


def correct_unpaid(
    moves: Moves, charges: Sequence[Charge], context: Context, *, reason: str
) -> Flow[Settled]:
    """Credit by credit notes what an end credits of invoices that are not paid.

    What was paid of it is on the balance then, of whoever the invoice is for.
    """
    left = list(charges)
    documents: list[InvoiceId] = []
    on_balance_minor = 0
    for id in dict.fromkeys([x.credits.invoice for x in charges if x.credits is not None]):
        document = yield from _owed_by(id)
        if document is None or not isinstance(document.state, Open | Uncollectible):
            continue
        wanted: Counter[int] = Counter()
        for each in left:
            if each.credits is not None and each.credits.invoice == id:
                wanted[each.credits.line] -= each.amount_minor
        owner = moves.owner
        if document.customer != owner.id:
            # It was transferred since: who owes for it, or paid, is who had it before.
            owner = yield from Get(CUSTOMER, document.customer)
        earlier = yield from Having(CREDIT_NOTE, "invoice", document.id)
        fitting = _fitting(document, earlier, wanted)
        if not fitting:
            continue
        amounts = credit_notes.of_lines(document, earlier, _amounts(document, fitting))
        division = credit_notes.divide(
            document, Money(amounts.total_minor, document.currency), earlier=earlier
        )
        note, decision = yield from corrected(
            document,
            owner,
            amounts,
            division,
            context,
            ordinal=len(earlier) + 1,
            reason=reason,
            besides=moves.after.id,
        )
        moves.add(decision)
        _clear(moves, moves.invoices[document.id])
        if owner.id == moves.owner.id:
            documents.append(id)
            on_balance_minor += note.balance.minor
        left = _without(left, id, fitting)
    return Settled(tuple(left), tuple(documents), on_balance_minor)


def _clear(moves: Moves, invoice: Invoice) -> None:
    """Let the subscription forget a debt, if nothing of it is owed any more."""
    collection = moves.after.collection
    known = not isinstance(collection, Current) and invoice.id in collection.invoices
    if known and isinstance(invoice.state, Paid):
        moves.do(ClearPastDue(invoice.id, paid=invoice.paid_minor > 0))


def _owed_by(id: InvoiceId) -> Flow[Invoice | None]:
    """Return the invoice that is owed for the lines of one; None if it is being made just now."""
    found = yield from Maybe(INVOICE, id)
    while found is not None and found.replaced_by is not None:
        found = yield from Get(INVOICE, found.replaced_by)
    return found


def _amounts(document: Invoice, minors: Mapping[int, int]) -> dict[int, Money]:
    return {line: Money(minor, document.currency) for line, minor in minors.items()}


def _fitting(
    document: Invoice, earlier: Sequence[CreditNote], wanted: Mapping[int, int]
) -> dict[int, int]:
    """Return as much of amounts of lines as a credit note can credit.

    An invoice that credited something itself comes to less than its lines: there is less to credit.
    """

    def is_too_much(minors: Mapping[int, int]) -> bool:
        try:
            credit_notes.of_lines(document, earlier, _amounts(document, minors))
        except ValidationError:
            return True
        return False

    if not is_too_much(wanted):
        return dict(wanted)
    fitting: dict[int, int] = {}
    for line, minor in wanted.items():

        def fits_not(part: int, line: int = line) -> bool:
            return is_too_much({**fitting, line: part})

        part = bisect_left(range(1, minor + 1), 1, key=fits_not)
        if part:
            fitting[line] = part
    return fitting


def _without(
    charges: Sequence[Charge], invoice: InvoiceId, minors: Mapping[int, int]
) -> list[Charge]:
    """Leave out what is credited otherwise of the lines of an invoice."""
    gone = dict(minors)
    left: list[Charge] = []
    for each in charges:
        line = each.credits.line if each.credits and each.credits.invoice == invoice else None
        taken = 0 if line is None else min(gone.get(line, 0), -each.amount_minor)
        if line is not None and taken:
            gone[line] -= taken
        if taken < abs(each.amount_minor) or not each.amount_minor:
            left.append(evolve(each, amount_minor=each.amount_minor + taken) if taken else each)
    return left


# ---- given back as money -------------------------------------------------------------------------


def give_back_settled(
    moves: Moves, settled: Settled, issued: Decision, context: Context
) -> Flow[None]:
    """Give back as money what the last invoice credits, and what corrections gave the customer."""
    found = [issue.after for issue in issued.issues]
    lasts = [each for each in found if isinstance(each, Invoice) and each.balance_minor < 0]
    last = lasts[0] if lasts else None
    if last is not None or settled.on_balance_minor:
        moves.add((yield from given_back(moves.owner, moves.after.id, last, settled, context)))


def given_back(
    owner: Customer,
    subscription: SubscriptionId,
    last: Invoice | None,
    settled: Settled,
    context: Context,
) -> Flow[Decision]:
    """Decide to give back as money what an end has put on the balance, to where it was paid from.

    First to the payments of the invoices that it credits, then to the other payments of the
    subscription, the latest periods first.
    """
    credited = [each.credits.invoice for each in settled.charges if each.credits is not None]
    credited += settled.corrected
    others = yield from Having(INVOICE, "subscription", subscription)
    latest = tuple(dict.fromkeys([*reversed(credited), *[x.id for x in reversed(others)]]))
    minor = settled.on_balance_minor
    if last is not None:
        minor += -last.balance_minor - (yield from _no_money(last, settled.charges))
    currency = others[0].currency if last is None else last.currency
    invoice = credited[-1] if last is None else last.id
    amount = Money(minor, currency)
    return (yield from give_back(owner, amount, latest, context, invoice=invoice))


def gives_back(decision: Decision) -> Decision:
    """Let what waits for a tax engine give back as money what it credits, once it is final."""
    changes: list[Change] = []
    for change in decision.changes:
        after = change.after
        if isinstance(after, Invoice) and after.taxing is not None:
            after = evolve(after, taxing=evolve(after.taxing, gives_back=True))
            change = Change(change.kind, change.before, after, change.events)  # noqa: PLW2901
        changes.append(change)
    return Decision(tuple(changes), decision.issues, decision.about)


def _no_money(last: Invoice, charges: Sequence[Charge]) -> Flow[int]:
    """Return how much of what the last invoice gives was never money.

    That is as much of each line that it credits as grants paid of that line's invoice, and all of a
    line of a draft: the balance is there to pay that.
    """
    given = [(each.credits, -each.amount_minor) for each in charges if each.credits is not None]
    ids = tuple(dict.fromkeys([credited.invoice for credited, _ in given]))
    found = {each.id: each for each in (yield from GetMany(INVOICE, ids))}
    if not any(each.granted_minor or isinstance(each.state, Draft) for each in found.values()):
        return 0
    other, whole = Fraction(0), 0
    for credited, minor in given:
        paid = found[credited.invoice]
        part = Fraction(paid.granted_minor, max(paid.total_minor, 1))
        other += minor * (1 if isinstance(paid.state, Draft) else part)
        whole += minor
    # Rounded up: a fraction of a cent is no money either.
    return ceil(-last.balance_minor * other / whole) if whole else -last.balance_minor
