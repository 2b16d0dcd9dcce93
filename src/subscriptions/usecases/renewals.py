"""What happens when a subscription falls due: it begins, changes, is billed, resumes, ends.

All that is due at one instant is one decision, in which the steps follow each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from subscriptions import invoices, lifecycle, payments
from subscriptions.billing_cycles import first_instant, local_date
from subscriptions.credit_notes import CREDIT_NOTE
from subscriptions.customers import CUSTOMER, Customer
from subscriptions.decisions import Change, Decision, join
from subscriptions.invoices import (
    INVOICE,
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
    Cancel,
    ChangeItems,
    CheckUsage,
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
from subscriptions.usecases import collection, invoicing, settling
from subscriptions.usecases.billing_periods import Moves, bill_due, conditions_of
from subscriptions.usecases.flows import Context, Flow, Get, Having
from subscriptions.usecases.grants import returned
from subscriptions.usecases.planned_changes import announce_planned, carry_out_due
from subscriptions.usecases.receivables import close_cases
from subscriptions.usecases.thresholds import check_usage
from subscriptions.usecases.usage_billing import used_in_trial
from subscriptions.usecases.usage_so_far import carry_levels, owed_after_trial

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
    sent, pauses = collection.is_sent(moves.owner, moves.after), False
    if moves.after.trial_end is not TrialEnd.BILL and not sent:
        method = yield from collection.method_of(moves.owner, context, moves.after)
        if method is None and moves.after.trial_end is TrialEnd.CANCEL:
            yield from finish(moves, EndReason.TRIAL_ENDED, context=context)
            return True
        pauses = method is None
    begin = first_instant(contract.until, moves.after.zone)
    levels = yield from carry_levels(moves.after, begin)
    if levels:
        moves.add(Decision(levels))
    moves.do(EndTrial((yield from owed_after_trial(moves.after))))
    _look_at_levels(moves, levels, context)
    if pauses:
        # Whatever pause there is: it must not go on with bills that nobody can pay.
        stop = Pause(on, collect=False, invoice=False, serve=False)
        moves.do(PauseNow(stop, replaces=True))
    return pauses


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
    moves.add((yield from _not_owed(first, moves.owner, context, reason="not paid in time")))


def cancel_unpaid(
    moves: Moves, contract: Incomplete, cancel: Cancel, context: Context
) -> Flow[None]:
    """Cancel what waits for its first payment: it is over, and its invoice is void.

    While an attempt is under way the cancellation is pending, as money may arrive: then it ends
    as soon as that has, and otherwise as it does where nobody pays.
    """
    first = yield from Get(INVOICE, contract.invoice)
    if first.collecting is None:
        moves.do(End(context.at, EndReason.CANCELED, cancel.reason))
        moves.add((yield from _not_owed(first, moves.owner, context, reason="cancelled")))
        return
    moves.do(cancel)
    attempt = yield from Get(PAYMENT, first.collecting)
    withdrawn = payments.withdraw(attempt, at=context.at)
    if withdrawn is not None:
        moves.add(Decision((withdrawn,)))


def _not_owed(first: Invoice, owner: Customer, context: Context, *, reason: str) -> Flow[Decision]:
    """Decide that nobody is asked for a first invoice: it is void, what paid a part of it waits.

    What a credit note names, or a payment paid that is disputed, stays: it is given up.
    """
    if not isinstance(first.state, invoices.Open | invoices.Draft):
        return Decision()
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


def resume(moves: Moves, on: date, context: Context, *, at: datetime | None = None) -> Flow[None]:
    """Go on after a pause: drafts of it are invoiced, what was not billed is owed from `on`.

    What is used is owed from the instant `at`, by default from the beginning of that day.
    """
    pause = moves.after.pause
    yield from _end_pause(moves, on, context, at=at)
    if pause is None or pause.collect or invoicing.keeps_drafts(moves.after):
        return
    moves.add((yield from collection.issue_drafts(moves.after.id, moves.owner, context)))


def _end_pause(moves: Moves, on: date, context: Context, *, at: datetime | None) -> Flow[None]:
    sub = moves.after
    levels: tuple[Change, ...] = ()
    if sub.pause is not None and not sub.pause.invoice and isinstance(sub.contract, Active):
        begin = at or first_instant(on, sub.zone)
        behind = [each for each in sub.items if lifecycle.is_behind(each, on, begin, sub.zone)]
        levels = yield from carry_levels(sub, begin, behind)
        if levels:
            moves.add(Decision(levels))
    moves.do(Resume(on, at))
    _look_at_levels(moves, levels, context)


def _look_at_levels(moves: Moves, levels: Sequence[Change], context: Context) -> None:
    """Look at the threshold from now on, if levels go on that nobody may record anything for."""
    if levels and moves.after.threshold is not None:
        moves.do(CheckUsage(context.at))


def charge_used(moves: Moves, context: Context) -> Flow[None]:
    """Let what was used in arrears until now wait for the next invoice: a pause begins."""
    sub = moves.after
    if not isinstance(sub.contract, Active) or not any(item.arrears for item in sub.items):
        return
    cut = [item for item in sub.items if lifecycle.is_cut(item, context.at, sub.zone)]
    conditions, changes = yield from conditions_of(moves, cut, context)
    outcome = lifecycle.charge_used(sub, conditions)
    moves.do(
        ChangeItems(
            outcome.items,
            outcome.debits,
            outcome.pending,
            context.at,
            "pause",
            places=outcome.places,
        )
    )
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
    credited unless the settlement is none: on invoices that are not paid by credit notes, which
    lower what is owed. Of a trial it is the usage that is owed for it, and nothing else. With
    `collect` off the last invoice stays a draft.

    To be refunded, what is credited must come to the balance at once: then the last invoice is one
    of its own, and what of it can be given back as money is. While invoices stay drafts, nothing
    is.
    """
    sub = moves.after
    end = End(context.at, reason, explanation)
    if isinstance(sub.contract, Trialing):
        yield from _finish_trial(moves, end, context, settlement=settlement, collect=collect)
        return
    if not isinstance(sub.contract, Active):
        moves.do(end)
        return
    today = local_date(context.at, sub.zone)
    if sub.pause is not None and collect:
        # Nobody will resume it any more: what waits as a draft is owed, or is to be given back.
        yield from resume(moves, today, context, at=context.at)
    elif sub.pause is not None and not sub.pause.invoice:
        # What was used in it is free, whoever ends it.
        yield from _end_pause(moves, today, context, at=context.at)
    sub = moves.after
    gives = settlement is not Settlement.NONE
    conditions, changes = yield from conditions_of(moves, sub.items, context, credits=gives)
    if gives:
        conditions = yield from settling.less_refunded(moves, conditions)
    outcome = lifecycle.settle(sub, conditions)
    charges = lifecycle.discounted(outcome.pending, sub.discounts, sub.currency)
    settled = settling.Settled(tuple(charges))
    if gives:
        end = evolve(end, credited_from=lifecycle.change_day(sub, conditions))
        said = "end of term" if reason is EndReason.TERM_ENDED else "cancellation"
        settled = yield from settling.correct_unpaid(moves, charges, context, reason=said)
    yield from _end(moves, end, settled, context, settlement=settlement, collect=collect)
    if changes:
        moves.add(Decision(changes))


def _finish_trial(
    moves: Moves, end: End, context: Context, *, settlement: Settlement, collect: bool
) -> Flow[None]:
    """End a subscription in its trial: what was used is owed where that was agreed."""
    sub = moves.after
    used, changes = yield from used_in_trial(sub, moves.owner, context)
    if used and sub.pause is not None and collect:
        yield from resume(moves, local_date(context.at, sub.zone), context, at=context.at)
    charges = lifecycle.discounted(used, sub.discounts, sub.currency)
    settled = settling.Settled(tuple(charges))
    yield from _end(moves, end, settled, context, settlement=settlement, collect=collect)
    if changes:
        moves.add(Decision(changes))


def _end(
    moves: Moves,
    end: End,
    settled: settling.Settled,
    context: Context,
    *,
    settlement: Settlement,
    collect: bool,
) -> Flow[None]:
    """End a subscription with a last invoice, if anything is left for one."""
    sub, final = moves.after, Decision()
    if settled.charges:
        invoicing.check_safe(sub, settled.charges, context)
        # What is given back, and what stays a draft, is not mixed with what else is due that day.
        alone = settlement is Settlement.REFUND or not collect
        cycle = ("end", str(sub.version))
        place = yield from invoicing.place_for(
            sub, moves.owner, context, moves.invoices, *cycle, alone=alone
        )
        moves.do(evolve(end, invoice=place.invoice))
        method = yield from collection.method_of(moves.owner, context, moves.after)
        final = yield from invoicing.invoice(
            place,
            sub,
            moves.owner,
            settled.charges,
            context,
            method=method,
            collect=collect,
            alone=alone,
        )
        moves.add(settling.gives_back(final) if settlement is Settlement.REFUND else final)
    else:
        moves.do(end)
    if settlement is Settlement.REFUND:
        yield from settling.give_back_settled(moves, settled, final, context)
