"""What happens when a subscription falls due: it begins, changes, is billed, resumes, ends.

All that is due at one instant is one decision, in which the steps follow each other.
"""

from __future__ import annotations

from datetime import date

from subscriptions import invoices, lifecycle
from subscriptions.customers import CUSTOMER
from subscriptions.decisions import Decision
from subscriptions.invoices import INVOICE, MarkVoid
from subscriptions.lifecycle import (
    SUBSCRIPTION,
    Active,
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
from subscriptions.usecases import collection, invoicing
from subscriptions.usecases.billing_periods import Moves, bill_due, check_usage, conditions_of
from subscriptions.usecases.changing import carry_out_planned
from subscriptions.usecases.flows import Context, Flow, Get
from subscriptions.usecases.receivables import close_cases


def advance(id: str, context: Context) -> Flow[Decision]:
    """Do what is due for one subscription: begin, end a trial, bill the next periods, end."""
    subscription = yield from Get(SUBSCRIPTION, id)
    due_at = subscription.due_at
    if due_at is None or due_at > context.at:
        return Decision()
    owner = yield from Get(CUSTOMER, subscription.customer)
    moves = Moves(subscription, owner)
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
    cancellation = sub.cancellation
    if cancellation is not None and cancellation.on <= on:
        yield from finish(
            moves,
            cancellation.end,
            context=context,
            settlement=cancellation.settlement,
            explanation=cancellation.reason,
        )
        return
    pause = sub.pause
    if pause is not None and pause.resume_on is not None and pause.resume_on <= on:
        yield from resume(moves, pause.resume_on, context)
    if (yield from _begin(moves, on, context)):
        return
    while moves.after.schedule and moves.after.schedule[0].on <= on:
        yield from carry_out_planned(moves, context)
    if isinstance(moves.after.contract, Active) and moves.after.usage_check_at is not None:
        yield from check_usage(moves, context)
    yield from bill_due(moves, on, context)


def _begin(moves: Moves, on: date, context: Context) -> Flow[bool]:
    """Begin what is to begin; returns whether nothing is to be billed after it."""
    contract = moves.after.contract
    if isinstance(contract, Scheduled) and contract.start <= on:
        moves.do(Begin())
        return contract.trial_until is not None
    if not isinstance(contract, Trialing) or contract.until > on:
        return False
    if moves.after.trial_end is not TrialEnd.BILL:
        method = yield from collection.method_of(moves.owner, context)
        if method is None and moves.after.trial_end is TrialEnd.CANCEL:
            moves.do(End(context.at, EndReason.TRIAL_ENDED))
            return True
        if method is None:
            moves.do(EndTrial(), PauseNow(Pause(on, collect=False, invoice=False, serve=False)))
            return True
    moves.do(EndTrial())
    return False


def _never_paid(moves: Moves, contract: Incomplete, context: Context) -> Flow[None]:
    """End what was never paid for, and void its invoice: nothing is owed."""
    first = yield from Get(INVOICE, contract.invoice)
    moves.do(End(context.at, EndReason.NEVER_PAID))
    if isinstance(first.state, invoices.Open) and not first.paid_minor and not first.collecting:
        commands: list[invoices.Command] = [MarkVoid("not paid in time", context.at)]
        voided = invoices.decide(first, *commands)
        moves.add((yield from close_cases(voided, reason="not paid", context=context)))


# ---- resuming and ending ---------------------------------------------------------------------


def resume(moves: Moves, on: date, context: Context) -> Flow[None]:
    """Go on after a pause: drafts of it are invoiced, what was not billed is owed from `on`."""
    sub = moves.after
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
    """
    sub = moves.after
    if not isinstance(sub.contract, Active):
        moves.do(End(context.at, reason, explanation))
        return
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
        place = yield from invoicing.place_for(sub, moves.owner, context, "end", str(sub.version))
        moves.do(End(context.at, reason, explanation, place.invoice, credited))
        moves.add(
            (
                yield from invoicing.invoice(
                    place, sub, moves.owner, charges, context, collect=collect
                )
            )
        )
    else:
        moves.do(End(context.at, reason, explanation, None, credited))
    if changes:
        moves.add(Decision(changes))
