"""Ending a subscription: cancel, undo, reactivate, the terms that bind it, and why it was ended."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from subscriptions import contract_terms, lifecycle
from subscriptions.billing_cycles import BillingCycle
from subscriptions.contract_terms import CancellationTerms, Terms, TermWarning
from subscriptions.customers import CUSTOMER
from subscriptions.decisions import Decision
from subscriptions.errors import ValidationError
from subscriptions.lifecycle import (
    SUBSCRIPTION,
    AnswerSurvey,
    Cancel,
    Ended,
    EndReason,
    Incomplete,
    Item,
    Reactivate,
    Settlement,
    Subscription,
    UndoCancel,
)
from subscriptions.records import Ref, evolve, plain_date
from subscriptions.usage import Stretch, StretchKind
from subscriptions.usecases.billing_periods import Moves, bill_due
from subscriptions.usecases.flows import Command, Context, Flow, Get, Question
from subscriptions.usecases.price_arguments import read_flag
from subscriptions.usecases.renewals import cancel_unpaid, finish


def cancel(
    id: str,
    *,
    when: Literal["now", "period_end"] | date = "period_end",
    settlement: Settlement | str = Settlement.NONE,
    reason: str = "",
    extraordinary: bool = False,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Subscription]:
    """Cancel at the end of what is billed (default), at once, or on a date.

    At period end and on a date it ends when that day begins in the subscription's zone; until then
    it can be undone, and periods that begin before are billed. At once it ends at `at`. Usage and
    what else was used and not billed comes on a last invoice; of a trial, only the usage of a price
    with `trial_usage_billed` does.

    `settlement` is what becomes of time that is paid for and not used: "none" (default: it is
    lost, and the last period is billed whole), "credit" to the customer's balance, or "refund" to
    where it was paid from. Never more than was paid and kept is given back: of an invoice that is
    not paid less is owed then, by a credit note.

    What waits for its first payment owes nothing: its invoice is void. While that payment is under
    way the cancellation is pending, until what becomes of it is known.

    Where the subscription has terms, the end of a period is at the earliest the first end that they
    permit, and an earlier day is refused unless the cancellation is `extraordinary`.

    Raises `InvalidTransition` if it has ended, `ValidationError` for a date in the past or before
    the terms permit it.
    """
    if not isinstance(when, date) and when not in ("now", "period_end"):
        raise ValidationError("when", when, "'now', 'period_end' or a date")
    if isinstance(when, date):
        plain_date("when", when)
    try:
        settled = Settlement(settlement)
    except ValueError:
        raise ValidationError("settlement", settlement, "'none', 'credit' or 'refund'") from None
    read_flag("extraordinary", extraordinary)

    def flow(context: Context) -> Flow[Decision]:
        sub = yield from Get(SUBSCRIPTION, id)
        today = context.today(sub.zone)
        # Terms bind who has a contract: before the first payment there is none yet.
        bound = not extraordinary and not isinstance(sub.contract, Incomplete)
        if when == "now":
            _check_permitted(sub, today, today, bound=bound)
            lifecycle.check_end(sub, at=context.at)
            if lifecycle.End not in lifecycle.ALLOWED[type(sub.contract)]:
                raise lifecycle.refused(sub, Cancel(today))
            owner = yield from Get(CUSTOMER, sub.customer)
            moves = Moves(sub, owner)
            if isinstance(sub.contract, Incomplete):
                yield from cancel_unpaid(
                    moves, sub.contract, Cancel(today, reason, settled), context
                )
                return moves.decision()
            yield from finish(
                moves,
                EndReason.CANCELED,
                context=context,
                settlement=settled,
                explanation=reason,
            )
            return moves.decision()
        if isinstance(when, date):
            if when < today:
                raise ValidationError("when", when, "today or later")
            if sub.ends_on is not None and when > sub.ends_on:
                raise ValidationError("when", when, f"{sub.ends_on} or earlier: then it ends")
            _check_permitted(sub, when, today, bound=bound)
            on = when
        else:
            on = lifecycle.end_of_paid_time(sub, at=context.at)
            on = _permitted(sub, on, today) if bound else on
            on = on if sub.ends_on is None else min(on, sub.ends_on)
        change = lifecycle.decide(sub, Cancel(on, reason, settled))
        return Decision((change,), about=Ref(SUBSCRIPTION, id))

    # What should have been billed by now is billed first, or a late run would make it cheaper.
    return Command(SUBSCRIPTION, flow, at, idempotency_key, catch_up=Ref(SUBSCRIPTION, id))


def undo_cancel(
    id: str, *, at: datetime | None = None, idempotency_key: str | None = None
) -> Command[Subscription]:
    """Forget a pending cancellation; raises `InvalidTransition` if there is none."""

    def flow(_: Context) -> Flow[Decision]:
        sub = yield from Get(SUBSCRIPTION, id)
        change = lifecycle.decide(sub, UndoCancel())
        return Decision((change,), about=Ref(SUBSCRIPTION, id))

    # An end that is over is an end, whether it was run in time or not.
    return Command(SUBSCRIPTION, flow, at, idempotency_key, catch_up=Ref(SUBSCRIPTION, id))


def set_end(
    id: str, *, on: date | None, at: datetime | None = None, idempotency_key: str | None = None
) -> Command[Subscription]:
    """Let a subscription end by itself on another day, or with None go on until it is cancelled.

    That prolongs or shortens a fixed term, and gives one to what had none. What is paid for beyond
    that day is given back when it comes. A cancellation for an earlier day stays.

    Raises `InvalidTransition` if it has ended, `ValidationError` for a day that is not after today.
    """
    if on is not None:
        plain_date("on", on)

    def flow(context: Context) -> Flow[Decision]:
        sub = yield from Get(SUBSCRIPTION, id)
        today = context.today(sub.zone)
        if on is not None and on <= today:
            raise ValidationError("on", on, f"after today, {today}; to end it now: cancel")
        change = lifecycle.decide(sub, lifecycle.SetEnd(on))
        return Decision((change,), about=Ref(SUBSCRIPTION, id))

    return Command(SUBSCRIPTION, flow, at, idempotency_key, catch_up=Ref(SUBSCRIPTION, id))


def reactivate(
    id: str,
    *,
    keep_anchor: bool = False,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Subscription]:
    """Bring an ended subscription back to life, or undo its pending cancellation.

    One that ended goes on from today: time that is paid for and was not given back counts, and what
    follows is billed, in periods counted from the first day that is not paid. With `keep_anchor`
    they are counted as before, so the first is a stub.

    Raises `InvalidTransition` for one that is running and not cancelled.
    """

    def flow(context: Context) -> Flow[Decision]:
        sub = yield from Get(SUBSCRIPTION, id)
        if not isinstance(sub.contract, Ended):
            change = lifecycle.decide(sub, UndoCancel())
            return Decision((change,), about=Ref(SUBSCRIPTION, id))
        today = context.today(sub.zone)
        owner = yield from Get(CUSTOMER, sub.customer)
        moves = Moves(sub, owner)
        items = tuple(
            _from(item, sub, today, context.at, keep_anchor=keep_anchor) for item in sub.items
        )
        moves.do(Reactivate(items, today))
        yield from bill_due(moves, today, context, by_command=True)
        return moves.decision()

    return Command(SUBSCRIPTION, flow, at, idempotency_key, catch_up=Ref(SUBSCRIPTION, id))


def _from(item: Item, sub: Subscription, today: date, at: datetime, *, keep_anchor: bool) -> Item:
    through = max(item.through, today)
    kept = lifecycle.reaching_back(item.cycle, through)
    cycle = kept if keep_anchor else BillingCycle(through, item.cycle.every)
    return evolve(
        item,
        cycle=cycle,
        through=through,
        next_end=None,
        # What was used until the end is billed.
        since=None if item.meter is None else at,
        usage_billed_minor=0,
        past=() if item.meter is None else _past(item, sub, at),
    )


def _past(item: Item, sub: Subscription, at: datetime) -> tuple[Stretch, ...]:
    """Return what a metered item remembers of its time: it was over until now."""
    assert isinstance(sub.contract, Ended)
    ended, past = sub.contract.at, item.past
    if lifecycle.is_cut(item, ended, sub.zone):
        past = lifecycle.past_until(item, ended, StretchKind.PART, sub.zone)
    return (*past, Stretch(at, item.cycle, StretchKind.ABSENT))


def cancellation_terms(id: str, *, at: datetime | None = None) -> Question[CancellationTerms]:
    """Return when a subscription may end if notice is given at `at`: the first end, and by when.

    Without terms it may end today. `warnings` are those of `term_warnings`, if the contract was
    made on its first day. Raises `NotFound`, and `InvalidTransition` if it has ended.
    """

    def flow(context: Context) -> Flow[CancellationTerms]:
        sub = yield from Get(SUBSCRIPTION, id)
        today = context.today(sub.zone)
        if isinstance(sub.contract, Ended):
            raise lifecycle.refused(sub, Cancel(today))
        start = sub.start or today
        terms = sub.terms or Terms()
        return contract_terms.cancellation_terms(terms, start=start, on=max(today, start))

    return Question(flow, at)


def term_warnings(terms: Terms, *, at: datetime | None = None) -> Question[tuple[TermWarning, ...]]:
    """Return what is wrong with terms for a consumer's contract that is made now; mostly nothing.

    Nothing is refused: whether a term holds is for the host, and for courts. The day is the
    seller's. See `contract_terms.warnings` for what is known. Raises `ValidationError` for anything
    but terms.
    """
    if not isinstance(terms, Terms):
        raise ValidationError("terms", terms, "Terms, such as Terms(minimum=Interval.years(1))")

    def flow(context: Context) -> Flow[tuple[TermWarning, ...]]:
        yield from ()  # nothing is read: it depends on the terms and on the day alone
        return contract_terms.warnings(terms, concluded_on=context.today())

    return Question(flow, at)


def answer_survey(
    id: str,
    answer: str,
    *,
    comment: str = "",
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Subscription]:
    """Keep why a customer cancelled: a word of the host's list, and his own words.

    Raises `ValidationError` for an empty answer.
    """

    def flow(_: Context) -> Flow[Decision]:
        sub = yield from Get(SUBSCRIPTION, id)
        change = lifecycle.decide(sub, AnswerSurvey(answer, comment))
        return Decision((change,), about=Ref(SUBSCRIPTION, id))

    return Command(SUBSCRIPTION, flow, at, idempotency_key)


def _permitted(sub: Subscription, on: date, today: date) -> date:
    """Return the first day, not before a day, on which it may end if notice is given today."""
    if sub.terms is None or sub.start is None or isinstance(sub.contract, Ended):
        return on
    given_on = max(today, sub.start)
    return contract_terms.first_permitted_end(
        sub.terms, start=sub.start, given_on=given_on, not_before=on
    )


def _check_permitted(sub: Subscription, on: date, today: date, *, bound: bool) -> None:
    permitted = _permitted(sub, on, today) if bound else on
    if on != permitted:
        expected = (
            f"{permitted}, the next day that the terms permit, a later one, or extraordinary=True"
        )
        raise ValidationError("when", on, expected)
