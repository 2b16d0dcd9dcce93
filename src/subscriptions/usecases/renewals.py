"""What happens when a subscription falls due: it begins, changes, is billed, resumes, ends.

All that is due at one instant is one decision, in which the steps follow each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from fractions import Fraction
from math import ceil

from subscriptions import invoices, lifecycle, payments
from subscriptions.billing_cycles import first_instant, local_date
from subscriptions.credit_notes import CREDIT_NOTE
from subscriptions.customers import CUSTOMER, Customer
from subscriptions.decisions import Change, Decision, join
from subscriptions.ids import SubscriptionId
from subscriptions.invoices import (
    INVOICE,
    Charge,
    Invoice,
    MarkUncollectible,
    MarkVoid,
    TakeBack,
)
from subscriptions.lifecycle import (
    SUBSCRIPTION,
    Active,
    AwaitPayment,
    Begin,
    ChangeItems,
    End,
    EndReason,
    EndTrial,
    Incomplete,
    Pause,
    PauseNow,
    Resume,
    Scheduled,
    Settlement,
    TrialEnd,
    Trialing,
)
from subscriptions.payments import PAYMENT
from subscriptions.records import evolve
from subscriptions.usecases import collection, invoicing
from subscriptions.usecases.billing_periods import Moves, bill_due, check_usage, conditions_of
from subscriptions.usecases.flows import Context, Flow, Get, GetMany, Having
from subscriptions.usecases.grants import returned
from subscriptions.usecases.planned_changes import announce_planned, carry_out_due
from subscriptions.usecases.receivables import close_cases
from subscriptions.usecases.refunds import give_back
from subscriptions.usecases.usage_so_far import carry_levels

_ASKED_AGAIN = timedelta(days=1)
_WITHDRAWN = timedelta(hours=1)
"""How long a subscription goes on waiting for a first payment that is under way."""


def advance(id: str, context: Context) -> Flow[Decision]:
    """Do what is due for one subscription: begin, end a trial, bill the next periods, end."""
    subscription = yield from Get(SUBSCRIPTION, id)
    due_at = subscription.due_at
    if due_at is None or due_at > context.at:
        return Decision()
    owner = yield from Get(CUSTOMER, subscription.customer)
    moves = Moves(subscription, owner)
    if type(subscription.contract) is Active and subscription.only_bills:
        assert subscription.due_day is not None
        yield from bill_due(moves, subscription.due_day, context)
    else:
        yield from catch_up_to_date(moves, context)
    return moves.decision()


def catch_up_to_date(moves: Moves, context: Context) -> Flow[None]:
    """Do all that is due for a subscription at one instant, in the order in which it happens."""
    sub = moves.after
    on = sub.due_day
    if on is None or sub.due_at is None or sub.due_at > context.at:
        return
    if isinstance(sub.contract, Incomplete):
        yield from _never_paid(moves, sub.contract, context)
        return
    if sub.known_end is not None and sub.known_end <= on:
        yield from _finish_in_time(moves, context)
        return
    pause = sub.pause
    if pause is not None and pause.resume_on is not None and pause.resume_on <= on:
        yield from resume(moves, pause.resume_on, context)
    if not isinstance(moves.after.contract, Active) and (yield from _begin(moves, on, context)):
        return
    yield from announce_planned(moves, on, context)
    yield from carry_out_due(moves, on, context, billed=False)
    yield from bill_due(moves, on, context)
    yield from carry_out_due(moves, on, context, billed=True)
    if moves.after is sub and isinstance(sub.contract, Active):
        # Only once nothing else is due: what was used in a period that is over is billed with it.
        yield from check_usage(moves, context)


def _finish_in_time(moves: Moves, context: Context) -> Flow[None]:
    """End what was cancelled for this day, or what has come to the end of its term."""
    sub, cancellation = moves.after, moves.after.cancellation
    if cancellation is None or (sub.ends_on is not None and sub.ends_on < cancellation.on):
        # What is paid beyond the term, because an item is billed for longer, is given back.
        yield from finish(
            moves, EndReason.TERM_ENDED, context=context, settlement=Settlement.CREDIT
        )
        return
    yield from finish(
        moves,
        EndReason.CANCELED,
        context=context,
        settlement=cancellation.settlement,
        explanation=cancellation.reason,
    )


def _begin(moves: Moves, on: date, context: Context) -> Flow[bool]:
    """Begin what is to begin; returns whether nothing is to be billed after it."""
    contract = moves.after.contract
    if isinstance(contract, Scheduled) and contract.start <= on:
        moves.do(Begin())
        return contract.trial_until is not None
    if not isinstance(contract, Trialing) or contract.until > on:
        return False
    # To whom invoices are sent has a way to pay: by himself.
    sent = collection.is_sent(moves.owner, moves.after)
    if moves.after.trial_end is not TrialEnd.BILL and not sent:
        method = yield from collection.method_of(moves.owner, context, moves.after)
        if method is None and moves.after.trial_end is TrialEnd.CANCEL:
            moves.do(End(context.at, EndReason.TRIAL_ENDED))
            return True
        if method is None:
            moves.do(EndTrial(), PauseNow(Pause(on, collect=False, invoice=False, serve=False)))
            return True
    begin = first_instant(contract.until, moves.after.zone)
    levels = yield from carry_levels(moves.after, begin)
    if levels:
        moves.add(Decision(levels))
    moves.do(EndTrial())
    return False


def _never_paid(moves: Moves, contract: Incomplete, context: Context) -> Flow[None]:
    """End what was never paid for, and void its invoice: nothing is owed.

    Not while an attempt is under way: who pays by direct debit would pay for what he does not get.
    One that waits for the customer is withdrawn; the subscription waits until it is known.
    """
    first = yield from Get(INVOICE, contract.invoice)
    if first.collecting is not None:
        attempt = yield from Get(PAYMENT, first.collecting)
        withdrawn = payments.withdraw(attempt, at=context.at)
        if withdrawn is not None:
            moves.add(Decision((withdrawn,)))
        again = _ASKED_AGAIN if withdrawn is None else _WITHDRAWN
        moves.do(AwaitPayment(first.id, context.at + again))
        return
    if moves.owner.collection_hold is not None and isinstance(first.state, invoices.Open):
        # He could not pay, so it is not his fault.
        moves.do(AwaitPayment(first.id, context.at + _ASKED_AGAIN))
        return
    moves.do(End(context.at, EndReason.NEVER_PAID))
    if isinstance(first.state, invoices.Open | invoices.Draft):
        moves.add((yield from _not_owed(first, moves.owner, context)))


def _not_owed(first: Invoice, owner: Customer, context: Context) -> Flow[Decision]:
    """Decide that nobody is asked for a first invoice: it is void, what paid a part of it waits.

    What a credit note names, or a payment paid that is disputed, stays: it is given up.
    """
    reason = "not paid in time"
    freed: list[Change] = []
    commands: list[invoices.Command] = []
    found = (yield from Having(PAYMENT, "customer", owner.id)) if first.paid_minor else ()
    for payment in found:
        paid = sum([x.amount_minor for x in payment.allocations if x.invoice == first.id])
        if paid and not payment.disputed_minor:
            freed.append(payments.deallocate(payment, first.id, paid))
            commands.append(TakeBack(payment.id, paid, held=False))
    freed_minor = sum([each.amount_minor for each in commands if isinstance(each, TakeBack)])
    notes = yield from Having(CREDIT_NOTE, "invoice", first.id)
    if notes or freed_minor != first.paid_minor:
        given_up = invoices.decide(first, MarkUncollectible(reason, context.at))
        return (yield from close_cases(given_up, reason="not paid", context=context))
    voided = invoices.decide(first, *commands, MarkVoid(reason, context.at))
    closed = yield from close_cases(voided, reason="not paid", context=context)
    decision = join(Decision(tuple(freed)), closed)
    if first.balance_minor or first.granted_minor:
        decision = yield from returned(decision, owner, first, context)
    return decision


# ---- resuming and ending ---------------------------------------------------------------------


def resume(moves: Moves, on: date, context: Context) -> Flow[None]:
    """Go on after a pause: drafts of it are invoiced, what was not billed is owed from `on`."""
    sub = moves.after
    if sub.pause is not None and not sub.pause.invoice and isinstance(sub.contract, Active):
        behind = [item for item in sub.items if item.through < on]
        levels = yield from carry_levels(sub, first_instant(on, sub.zone), behind)
        if levels:
            moves.add(Decision(levels))
    moves.do(Resume(on))
    if sub.pause is None or sub.pause.collect or invoicing.keeps_drafts(moves.after):
        return
    moves.add((yield from collection.issue_drafts(moves.after.id, moves.owner, context)))


def charge_used(moves: Moves, context: Context) -> Flow[None]:
    """Let what was used in arrears until now wait for the next invoice: a pause begins."""
    sub = moves.after
    if not isinstance(sub.contract, Active) or not any(item.arrears for item in sub.items):
        return
    conditions, changes = yield from conditions_of(sub, moves.owner, sub.items, context)
    outcome = lifecycle.charge_used(sub, conditions)
    moves.do(ChangeItems(outcome.items, outcome.debits, outcome.pending, context.at, "pause"))
    if changes:
        moves.add(Decision(changes))


def finish(
    moves: Moves,
    reason: EndReason,
    *,
    context: Context,
    settlement: Settlement = Settlement.NONE,
    explanation: str = "",
    collect: bool = True,
) -> Flow[None]:
    """End a subscription at the time of the work, and invoice what is left to bill.

    That is what was used and not billed, and what is pending; what was charged and not used is
    credited unless the settlement is none. With `collect` off the last invoice stays a draft.

    To be refunded, what is credited must come to the balance at once: then the last invoice is one
    of its own, and what of it can be given back as money is. While invoices stay drafts, nothing
    is.
    """
    sub = moves.after
    if not isinstance(sub.contract, Active):
        moves.do(End(context.at, reason, explanation))
        return
    if sub.pause is not None and collect:
        # Nobody will resume it any more: what waits as a draft is owed, or is to be given back.
        yield from resume(moves, local_date(context.at, sub.zone), context)
        sub = moves.after
    conditions, changes = yield from conditions_of(
        sub, moves.owner, sub.items, context, credits=settlement is not Settlement.NONE
    )
    outcome = lifecycle.settle(sub, conditions)
    charges = lifecycle.discounted(outcome.pending, sub.discounts, sub.currency)
    credited = None
    if settlement is not Settlement.NONE:
        credited = lifecycle.change_day(sub, conditions)
    if charges:
        invoicing.check_safe(sub, charges, context)
        # What is given back, and what stays a draft, is not mixed with what else is due that day.
        alone = settlement is Settlement.REFUND or not collect
        cycle = ("end", str(sub.version))
        place = yield from invoicing.place_for(sub, moves.owner, context, *cycle, alone=alone)
        moves.do(End(context.at, reason, explanation, place.invoice, credited))
        method = yield from collection.method_of(moves.owner, context, moves.after)
        final = yield from invoicing.invoice(
            place, sub, moves.owner, charges, context, method=method, collect=collect, alone=alone
        )
        moves.add(_gives_back(final) if settlement is Settlement.REFUND else final)
        if settlement is Settlement.REFUND:
            yield from _give_back(moves, final, charges, context)
    else:
        moves.do(End(context.at, reason, explanation, None, credited))
    if changes:
        moves.add(Decision(changes))


def _give_back(
    moves: Moves, issued: Decision, charges: Sequence[Charge], context: Context
) -> Flow[None]:
    """Give back as money what the last invoice credits."""
    for issue in issued.issues:
        last = issue.after
        if isinstance(last, Invoice) and last.balance_minor < 0:
            back = yield from given_back(moves.owner, moves.after.id, last, charges, context)
            moves.add(back)


def given_back(
    owner: Customer,
    subscription: SubscriptionId,
    last: Invoice,
    charges: Sequence[Charge],
    context: Context,
) -> Flow[Decision]:
    """Decide to give back as money what the last invoice credits, to where it was paid from.

    First to the payments of the invoices whose lines it credits, then to the other payments of the
    subscription, the latest periods first.
    """
    credited = [each.credits.invoice for each in charges if each.credits is not None]
    others = yield from Having(INVOICE, "subscription", subscription)
    latest = tuple(dict.fromkeys([*reversed(credited), *[x.id for x in reversed(others)]]))
    kept = yield from _paid_by_grants(last, charges)
    return (yield from give_back(owner, last, latest, context, kept_minor=kept))


def _gives_back(decision: Decision) -> Decision:
    """Let what waits for a tax engine give back as money what it credits, once it is final."""
    changes: list[Change] = []
    for change in decision.changes:
        after = change.after
        if isinstance(after, Invoice) and after.taxing is not None:
            after = evolve(after, taxing=evolve(after.taxing, gives_back=True))
            change = Change(change.kind, change.before, after, change.events)  # noqa: PLW2901
        changes.append(change)
    return Decision(tuple(changes), decision.issues, decision.about)


def _paid_by_grants(last: Invoice, charges: Sequence[Charge]) -> Flow[int]:
    """Return how much of what the last invoice gives was paid by grants, and so is no money.

    That is as much of each line that it credits as grants paid of that line's invoice.
    """
    given = [(each.credits, -each.amount_minor) for each in charges if each.credits is not None]
    ids = tuple(dict.fromkeys([credited.invoice for credited, _ in given]))
    found = {each.id: each for each in (yield from GetMany(INVOICE, ids))}
    if not any(each.granted_minor for each in found.values()):
        return 0
    granted, whole = Fraction(0), 0
    for credited, minor in given:
        paid = found[credited.invoice]
        granted += minor * Fraction(paid.granted_minor, max(paid.total_minor, 1))
        whole += minor
    # Rounded up: a fraction of a cent is no money either.
    return ceil(-last.balance_minor * granted / whole) if whole else -last.balance_minor
