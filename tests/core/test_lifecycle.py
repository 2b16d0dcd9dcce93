from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import reduce
from itertools import pairwise, product
from typing import cast, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subscriptions.billing_cycles import BillingCycle, Interval, Period, first_instant
from subscriptions.errors import InvalidTransition, ValidationError
from subscriptions.ids import (
    CouponId,
    CustomerId,
    InvoiceId,
    PaymentMethodId,
    PriceId,
    SubscriptionId,
)
from subscriptions.lifecycle import (
    ALLOWED,
    SUBSCRIPTION,
    Activate,
    Active,
    AnnounceChange,
    AnswerSurvey,
    ApplyCoupon,
    AwaitPayment,
    Begin,
    BillPeriods,
    BillUsage,
    Cancel,
    Cancellation,
    CancellationScheduled,
    CancellationWithdrawn,
    CatchUp,
    CatchUpSet,
    ChangeItems,
    ChangeScheduled,
    CheckUsage,
    ClearPastDue,
    Collection,
    Command,
    Contract,
    CouponApplied,
    CouponRemoved,
    Current,
    End,
    Ended,
    EndReason,
    EndTrial,
    Event,
    FirstPaymentAwaited,
    Incomplete,
    Item,
    MarkPastDue,
    MarkUnpaid,
    MoveTrialEnd,
    PastDue,
    Pause,
    PauseNow,
    PlannedChangeAnnounced,
    Reactivate,
    RemoveCoupon,
    Resume,
    ScheduleChange,
    Scheduled,
    ScheduledChangesWithdrawn,
    SetCatchUp,
    SetEnd,
    SetPayment,
    SkipPeriods,
    Subscription,
    SubscriptionActivated,
    SubscriptionChanged,
    SubscriptionCreated,
    SubscriptionDebtWrittenOff,
    SubscriptionEnded,
    SubscriptionPastDue,
    SubscriptionPaused,
    SubscriptionReactivated,
    SubscriptionRecovered,
    SubscriptionRenewed,
    SubscriptionResumed,
    SubscriptionStarted,
    SubscriptionTransferred,
    SubscriptionUnpaid,
    Survey,
    SurveyAnswered,
    Transfer,
    TrialEnded,
    TrialEndMoved,
    Trialing,
    TrialStarted,
    UndoCancel,
    Unpaid,
    UsageCheckScheduled,
    WithdrawChanges,
    apply,
    check_end,
    create,
    decide,
    end_of_paid_time,
    reaching_back,
)
from subscriptions.money import EUR, Money
from subscriptions.records import Metadata, evolve
from subscriptions.testing.builders import (
    a_coupon,
    a_debit,
    a_pending_credit,
    a_plan,
    a_subscription,
    an_item,
)

quick = settings(derandomize=True, max_examples=200, deadline=None, database=None)

START = date(2027, 1, 31)
NOON = datetime(2027, 2, 10, 12, tzinfo=UTC)
MONTHLY = BillingCycle(START, Interval.months(1))
YEARLY = BillingCycle(START, Interval.years(1))
SUB, ADA = SubscriptionId("sub_ada"), CustomerId("cus_ada")
DEBT, OTHER = InvoiceId("inv_debt"), InvoiceId("inv_other")
MARCH = Period(date(2027, 2, 28), date(2027, 3, 31))
WELCOME = a_coupon().applied()
TOLD = a_plan(announce_on=date(2027, 5, 1), cause="migration")

CONTRACTS: tuple[Contract, ...] = (
    Scheduled(START),
    Trialing(START),
    Active(START),
    Incomplete(START, DEBT, NOON),
    Ended(NOON, EndReason.CANCELED),
)
# One command of each type, such that a state that allows its type can follow it.
COMMANDS: tuple[Command, ...] = (
    Begin(),
    EndTrial(),
    MoveTrialEnd(date(2027, 2, 20)),
    BillPeriods((1,), (MARCH,), (2900,), OTHER),
    SkipPeriods((1,), date(2027, 3, 31)),
    BillUsage((1,), (Money(1000, EUR),), OTHER),
    CheckUsage(NOON),
    ChangeItems((an_item(quantity=2),), (), (a_pending_credit(),), NOON, "seats"),
    ScheduleChange(a_plan()),
    AnnounceChange(TOLD, Money(2900, EUR), None),
    WithdrawChanges(),
    ApplyCoupon(WELCOME),
    RemoveCoupon(WELCOME.coupon),
    AwaitPayment(OTHER, NOON),
    Activate(),
    PauseNow(Pause(START)),
    Resume(date(2027, 3, 10)),
    Cancel(date(2027, 4, 1), "too expensive"),
    UndoCancel(),
    Reactivate((an_item(),), date(2027, 3, 10)),
    Transfer(CustomerId("cus_bob"), "Asia/Tokyo"),
    SetCatchUp(CatchUp.SKIP, 12),
    SetPayment(PaymentMethodId("pm_own"), None),
    SetEnd(date(2029, 1, 31)),
    AnswerSurvey("too dear", "really"),
    End(NOON, EndReason.PAYMENT_FAILED),
    MarkPastDue(OTHER),
    ClearPastDue(DEBT),
    MarkUnpaid(),
)


def a_sub(**changes: object) -> Subscription:
    return a_subscription(SUB, zone="UTC", **changes)


def debtor(contract: Contract, collection: Collection | None = None) -> Subscription:
    """Return a subscription of which something is owed and with all that can be undone."""
    return a_sub(
        contract=contract,
        collection=PastDue((DEBT,)) if collection is None else collection,
        cancellation=Cancellation(date(2027, 6, 1)),
        schedule=(a_plan(), TOLD),
        discounts=(WELCOME,),
    )


def ready_for(command: Command, contract: Contract) -> Subscription:
    """Return a subscription in a state that, but for its contract, allows a command."""
    pause = Pause(START) if isinstance(command, Resume) else None
    return evolve(debtor(contract), pause=pause)


class TestTheTable:
    def test_it_names_every_state_and_every_command(self) -> None:
        assert set(ALLOWED) == set(get_args(Contract))
        assert {type(each) for each in CONTRACTS} == set(ALLOWED)
        assert {type(each) for each in COMMANDS} == set(get_args(Command))
        assert frozenset[type[Command]]().union(*ALLOWED.values()) == set(get_args(Command))

    @pytest.mark.parametrize(("contract", "command"), [*product(CONTRACTS, COMMANDS)])
    def test_every_pair_is_allowed_or_refused(self, contract: Contract, command: Command) -> None:
        before = ready_for(command, contract)
        if type(command) in ALLOWED[type(contract)]:
            change = decide(before, command)
            assert change.before is before
            assert change.after.version == before.version + 1
            assert change.after != evolve(before, version=before.version + 1)
            return
        with pytest.raises(InvalidTransition) as refused:
            decide(before, command)
        assert refused.value.state == before.status
        assert refused.value.command == type(command).__name__
        assert before == ready_for(command, contract), "and nothing changed"

    def test_what_has_ended_comes_back_or_says_why_it_ended_or_pays_its_debts(self) -> None:
        assert ALLOWED[Ended] == {Reactivate, AnswerSurvey, ClearPastDue}

    def test_commands_are_done_in_order_or_not_at_all(self) -> None:
        scheduled = a_sub(contract=Scheduled(START))
        with pytest.raises(InvalidTransition) as refused:
            decide(scheduled, Begin(), MarkUnpaid())
        assert refused.value.state == "active", "the first was done, on a copy"
        assert scheduled.contract == Scheduled(START)


def after(subscription: Subscription, *commands: Command) -> Subscription:
    found = decide(subscription, *commands).after
    assert isinstance(found, Subscription)
    return found


def events(subscription: Subscription, *commands: Command) -> tuple[object, ...]:
    return decide(subscription, *commands).events


class TestWhatCommandsDo:
    def test_making_a_contract_is_the_first_event(self) -> None:
        scheduled = a_sub(contract=Scheduled(START), version=1)
        change = create(scheduled, start=START)
        assert (change.before, change.after) == (None, scheduled)
        assert change.events == (SubscriptionCreated(SUB, ADA, START),)
        assert change.kind is SUBSCRIPTION

    def test_it_begins_active(self) -> None:
        scheduled = a_sub(contract=Scheduled(START))
        assert after(scheduled, Begin()).contract == Active(START)
        assert events(scheduled, Begin()) == (SubscriptionStarted(SUB, ADA, START),)

    def test_it_begins_with_a_trial_that_ends(self) -> None:
        scheduled = a_sub(contract=Scheduled(START, date(2027, 2, 14)))
        assert after(scheduled, Begin()).contract == Trialing(date(2027, 2, 14))
        assert events(scheduled, Begin(), EndTrial()) == (
            TrialStarted(SUB, ADA, date(2027, 2, 14)),
            TrialEnded(SUB, ADA, date(2027, 2, 14)),
        )
        assert after(scheduled, Begin(), EndTrial()).contract == Active(date(2027, 2, 14))

    def test_a_cancellation_is_scheduled_replaced_and_withdrawn(self) -> None:
        canceling = after(a_sub(), Cancel(date(2027, 3, 1), "moving"))
        assert canceling.cancellation == Cancellation(date(2027, 3, 1), "moving")
        assert canceling.status == "active"
        later = after(canceling, Cancel(date(2027, 4, 1)))
        assert later.cancellation == Cancellation(date(2027, 4, 1))
        assert events(canceling, UndoCancel()) == (CancellationWithdrawn(SUB, ADA),)
        assert after(canceling, UndoCancel()).cancellation is None
        assert events(a_sub(), Cancel(date(2027, 3, 1), "moving")) == (
            CancellationScheduled(SUB, ADA, date(2027, 3, 1), "moving"),
        )

    @pytest.mark.parametrize(
        "command",
        [
            UndoCancel(),
            WithdrawChanges(),
            WithdrawChanges("seats"),
            RemoveCoupon(WELCOME.coupon),
            Resume(START),
        ],
        ids=repr,
    )
    def test_there_must_be_something_to_undo(self, command: Command) -> None:
        for contract in (Trialing(START), Active(START)):
            with pytest.raises(InvalidTransition):
                decide(a_sub(contract=contract), command)

    def test_a_reason_is_a_text(self) -> None:
        with pytest.raises(ValidationError) as refused:
            decide(a_sub(), Cancel(date(2027, 3, 1), "bell\x07"))
        assert refused.value.field == "reason"

    def test_an_end_forgets_the_pending_cancellation(self) -> None:
        ended = after(debtor(Active(START)), End(NOON, EndReason.CANCELED))
        assert ended.contract == Ended(NOON, EndReason.CANCELED)
        assert ended.cancellation is None
        assert ended.status == "canceled"
        assert events(a_sub(), End(NOON, EndReason.PAYMENT_FAILED)) == (
            SubscriptionEnded(SUB, ADA, NOON, EndReason.PAYMENT_FAILED),
        )

    def test_debts_are_listed_once_each(self) -> None:
        owing = after(a_sub(), MarkPastDue(DEBT), MarkPastDue(OTHER), MarkPastDue(DEBT))
        assert owing.collection == PastDue((DEBT, OTHER))
        assert owing.status == "past_due"
        assert events(a_sub(), MarkPastDue(DEBT)) == (SubscriptionPastDue(SUB, ADA, DEBT),)

    def test_it_recovers_when_the_last_debt_is_paid(self) -> None:
        owing = a_sub(collection=PastDue((DEBT, OTHER)))
        assert events(owing, ClearPastDue(OTHER), ClearPastDue(DEBT)) == (
            SubscriptionRecovered(SUB, ADA, OTHER, 1),
            SubscriptionRecovered(SUB, ADA, DEBT, 0),
        )
        assert after(owing, ClearPastDue(OTHER)).collection == PastDue((DEBT,))
        assert after(owing, ClearPastDue(OTHER), ClearPastDue(DEBT)).collection == Current()

    def test_a_debt_that_is_given_up_is_not_called_recovered(self) -> None:
        owing = a_sub(collection=PastDue((DEBT,)))
        assert events(owing, ClearPastDue(DEBT, paid=False)) == (
            SubscriptionDebtWrittenOff(SUB, ADA, DEBT, 0),
        )
        assert after(owing, ClearPastDue(DEBT, paid=False)).collection == Current()

    @pytest.mark.parametrize("collection", [Current(), PastDue((DEBT,)), Unpaid((DEBT,))])
    def test_only_a_debt_that_is_known_is_cleared(self, collection: Collection) -> None:
        with pytest.raises(InvalidTransition):
            decide(a_sub(collection=collection), ClearPastDue(OTHER))

    def test_unpaid_keeps_the_debts_takes_more_and_ends_when_they_are_cleared(self) -> None:
        unpaid = after(a_sub(collection=PastDue((DEBT,))), MarkUnpaid())
        assert (unpaid.collection, unpaid.status) == (Unpaid((DEBT,)), "unpaid")
        assert events(a_sub(collection=PastDue((DEBT,))), MarkUnpaid()) == (
            SubscriptionUnpaid(SUB, ADA),
        )
        more = after(unpaid, MarkPastDue(OTHER), MarkPastDue(OTHER))
        assert more.collection == Unpaid((DEBT, OTHER))
        assert after(more, ClearPastDue(DEBT)).collection == Unpaid((OTHER,))
        assert after(more, ClearPastDue(DEBT), ClearPastDue(OTHER)).collection == Current()

    @pytest.mark.parametrize("collection", [Current(), Unpaid((DEBT,))])
    def test_only_what_is_past_due_becomes_unpaid(self, collection: Collection) -> None:
        with pytest.raises(InvalidTransition):
            decide(a_sub(collection=collection), MarkUnpaid())

    def test_a_trial_may_have_a_debt_from_before(self) -> None:
        trialing = after(a_sub(contract=Trialing(START)), MarkPastDue(DEBT))
        assert (trialing.status, trialing.collection) == ("trialing", PastDue((DEBT,)))
        assert after(trialing, ClearPastDue(DEBT)).collection == Current()


def bill(sub: Subscription, *numbers: int) -> BillPeriods:
    """Bill the next periods of these items, or of all, at 29.00 each."""
    items = [item for item in sub.items if not numbers or item.number in numbers]
    periods = tuple(item.next_period for item in items)
    return BillPeriods(tuple(i.number for i in items), periods, (2900,) * len(items), OTHER)


class TestChanging:
    def test_it_has_other_items_and_what_they_cost_waits(self) -> None:
        plan, later = a_plan(), a_plan(on=date(2027, 7, 1))
        sub = a_sub(schedule=(plan, later))
        items, debits = (an_item(quantity=3), an_item(number=5)), (a_debit(),)
        pending = (a_pending_credit(),)
        changed = after(sub, ChangeItems(items, debits, pending, NOON))
        assert (changed.items, changed.debits, changed.pending) == (items, debits, pending)
        assert changed.schedule == (plan, later)
        assert changed.last_item == 5
        fewer = after(changed, ChangeItems((an_item(),), (), (), NOON, "seats", planned=True))
        assert (fewer.last_item, fewer.schedule) == (5, (later,)), "a number is not used again"
        assert events(sub, ChangeItems(items, debits, pending, NOON, "x", OTHER, first_line=2)) == (
            SubscriptionChanged(SUB, ADA, NOON, items, debits, pending, "x", OTHER, first_line=2),
        )

    def test_what_is_invoiced_at_once_waits_no_more(self) -> None:
        waiting = a_debit(invoice=None, line=0)
        command = ChangeItems((an_item(),), (waiting,), (a_pending_credit(),), NOON, "", OTHER)
        changed = after(a_sub(), evolve(command, first_line=4))
        assert changed.pending == ()
        assert changed.debits == (evolve(waiting, invoice=OTHER, line=4),)

    def test_changes_to_come_are_kept_in_order_and_withdrawn_by_cause(self) -> None:
        june, july = a_plan(), a_plan(on=date(2027, 7, 1), cause="phase")
        planned = after(a_sub(), ScheduleChange(july), ScheduleChange(june))
        assert planned.schedule == (june, july)
        assert after(planned, WithdrawChanges("seats")).schedule == (july,)
        assert after(planned, WithdrawChanges()).schedule == ()
        assert events(planned, WithdrawChanges("phase")) == (
            ScheduledChangesWithdrawn(SUB, ADA, "phase"),
        )
        assert events(a_sub(), ScheduleChange(june)) == (ChangeScheduled(SUB, ADA, june),)
        with pytest.raises(InvalidTransition):
            decide(planned, WithdrawChanges("migration"))

    def test_a_planned_change_is_announced_once(self) -> None:
        sub = a_sub(schedule=(a_plan(), TOLD))
        told = after(sub, AnnounceChange(TOLD, Money(2900, EUR), None))
        assert told.schedule == (a_plan(), evolve(TOLD, announce_on=None))
        assert events(sub, AnnounceChange(TOLD, Money(2900, EUR), None)) == (
            PlannedChangeAnnounced(SUB, ADA, TOLD, Money(2900, EUR), None),
        )
        with pytest.raises(InvalidTransition):
            decide(told, AnnounceChange(TOLD, None, None))

    def test_the_first_of_a_cause_is_carried_out(self) -> None:
        sub = a_sub(schedule=(a_plan(), TOLD, a_plan(on=date(2027, 7, 1))))
        done = ChangeItems((an_item(),), (), (), NOON, "migration", planned=True)
        assert after(sub, done).schedule == (a_plan(), a_plan(on=date(2027, 7, 1)))

    def test_a_coupon_is_applied_and_removed(self) -> None:
        other = evolve(WELCOME, coupon=CouponId("cpn_other"))
        sub = after(a_sub(), ApplyCoupon(WELCOME), ApplyCoupon(other))
        assert sub.discounts == (WELCOME, other)
        assert after(sub, RemoveCoupon(WELCOME.coupon)).discounts == (other,)
        assert events(sub, ApplyCoupon(other), RemoveCoupon(other.coupon)) == (
            CouponApplied(SUB, ADA, other),
            CouponRemoved(SUB, ADA, other.coupon),
        )

    def test_another_customer_has_it_with_his_days(self) -> None:
        bob = CustomerId("cus_bob")
        moved = after(a_sub(), Transfer(bob, "Asia/Tokyo"))
        assert (moved.customer, moved.zone) == (bob, "Asia/Tokyo")
        assert moved.due_at == first_instant(date(2027, 2, 28), "Asia/Tokyo")
        assert events(a_sub(), Transfer(bob, "UTC")) == (
            SubscriptionTransferred(SUB, ADA, bob, "UTC"),
        )

    def test_how_to_catch_up_is_set_and_a_survey_answered(self) -> None:
        sub = after(a_sub(), SetCatchUp(CatchUp.TOGETHER, 3), AnswerSurvey("moved", "to Rome"))
        assert (sub.catch_up, sub.catch_up_max) == (CatchUp.TOGETHER, 3)
        assert sub.survey == Survey("moved", "to Rome")
        assert events(a_sub(), SetCatchUp(CatchUp.SKIP, 1), AnswerSurvey("moved")) == (
            CatchUpSet(SUB, ADA, CatchUp.SKIP, 1),
            SurveyAnswered(SUB, ADA, "moved", ""),
        )
        with pytest.raises(ValidationError) as refused:
            decide(a_sub(), AnswerSurvey(""))
        assert refused.value.field == "answer"


class TestTrials:
    def test_the_end_of_a_trial_moves_what_is_counted_from_it(self) -> None:
        until, later = date(2027, 2, 14), date(2027, 3, 1)
        counted = an_item(cycle=BillingCycle(until, Interval.months(1)), through=until)
        aligned = an_item(number=2, through=until, next_end=date(2027, 2, 28))
        sub = a_sub(contract=Trialing(until), items=(counted, aligned))
        moved = after(sub, MoveTrialEnd(later))
        assert moved.contract == Trialing(later)
        assert [item.next_period for item in moved.items] == [
            Period(later, date(2027, 4, 1)),
            Period(later, date(2027, 3, 31)),
        ]
        assert events(sub, MoveTrialEnd(later)) == (TrialEndMoved(SUB, ADA, later),)

    def test_an_earlier_end_than_the_anchor_keeps_the_same_boundaries(self) -> None:
        until, earlier = date(2027, 2, 20), date(2027, 2, 10)
        fifteenth = BillingCycle(date(2027, 2, 15), Interval.months(1))
        sub = a_sub(contract=Trialing(until), items=(an_item(cycle=fifteenth, through=until),))
        moved = after(sub, MoveTrialEnd(earlier))
        assert moved.items[0].next_period == Period(earlier, date(2027, 2, 15))
        assert moved.items[0].cycle.period_containing(until) == fifteenth.period(0)

    def test_what_follows_a_trial_moves_along_and_is_as_long_as_it_was(self) -> None:
        until, later = date(2027, 1, 31), date(2027, 2, 10)
        phase = a_plan(on=date(2027, 3, 31), cause="phase")
        odd = a_plan(on=date(2027, 5, 5), cause="term")
        asked = a_plan(on=date(2027, 4, 1))
        sub = a_sub(
            contract=Trialing(until),
            items=(an_item(through=until),),
            schedule=(phase, asked, odd),
            ends_on=date(2027, 7, 31),
        )
        moved = after(sub, MoveTrialEnd(later))
        # Two months and six; what is no boundary moves by as many days.
        assert [each.on for each in moved.schedule] == [
            date(2027, 4, 1),
            date(2027, 4, 10),
            date(2027, 5, 15),
        ]
        assert moved.ends_on == date(2027, 8, 10)
        said = evolve(sub, cancellation=Cancellation(date(2027, 7, 31)))
        assert after(said, MoveTrialEnd(later)).cancellation == said.cancellation

    def test_a_term_of_whole_periods_is_counted_after_the_stub(self) -> None:
        until, later = date(2027, 2, 20), date(2027, 3, 20)
        fifteenth = BillingCycle(date(2027, 2, 15), Interval.months(1))
        sub = a_sub(
            contract=Trialing(until),
            items=(an_item(cycle=fifteenth, through=until),),
            ends_on=date(2027, 5, 15),
        )
        moved = after(sub, MoveTrialEnd(later))
        assert moved.ends_on == date(2027, 6, 15), "two months after the stub, as before"

    @pytest.mark.parametrize("day", [date(2027, 1, 20), date(2026, 11, 30), date(2028, 3, 1)])
    def test_a_cycle_that_reaches_back_has_the_same_boundaries(self, day: date) -> None:
        back = reaching_back(MONTHLY, day)
        assert back.anchor <= day
        later = date(2028, 5, 10)
        assert back.period_containing(later) == MONTHLY.period_containing(later)


class TestTheFirstPayment:
    def test_it_counts_once_it_is_paid(self) -> None:
        waiting = after(a_sub(), AwaitPayment(DEBT, NOON))
        assert waiting.contract == Incomplete(START, DEBT, NOON)
        assert (waiting.status, waiting.served, waiting.due_at) == ("incomplete", False, NOON)
        paid = after(waiting, Activate())
        assert (paid.contract, paid.served) == (Active(START), True)
        assert events(a_sub(), AwaitPayment(DEBT, NOON), Activate()) == (
            FirstPaymentAwaited(SUB, ADA, DEBT, NOON),
            SubscriptionActivated(SUB, ADA),
        )


class TestPausing:
    def test_it_stops_and_goes_on(self) -> None:
        stop = Pause(START)
        paused = after(a_sub(), PauseNow(stop))
        assert (paused.pause, paused.status, paused.served) == (stop, "active", True)
        on = date(2027, 3, 10)
        assert after(paused, Resume(on)).pause is None
        assert after(paused, Resume(on)).items == a_sub().items, "it was billed all the time"
        assert events(a_sub(), PauseNow(stop), Resume(on)) == (
            SubscriptionPaused(SUB, ADA, stop),
            SubscriptionResumed(SUB, ADA, on),
        )
        with pytest.raises(InvalidTransition):
            decide(paused, PauseNow(stop))

    def test_what_began_while_nothing_was_billed_is_not_owed(self) -> None:
        on = date(2027, 3, 10)
        sub = a_sub(items=(an_item(), an_item(number=2, through=date(2027, 4, 30))))
        paused = after(sub, PauseNow(Pause(date(2027, 2, 10), collect=True, invoice=False)))
        assert (paused.status, paused.due_at) == ("paused", None)
        resumed = after(paused, Resume(on)).items
        assert [item.through for item in resumed] == [on, date(2027, 4, 30)]

    def test_who_is_not_served_is_paused(self) -> None:
        stop = Pause(START, collect=True, invoice=True, serve=False)
        paused = a_sub(pause=stop)
        assert (paused.status, paused.served) == ("paused", False)
        assert paused.due_day == date(2027, 2, 28), "and it is billed"

    def test_a_pause_is_one_and_ends_after_it_begins(self) -> None:
        with pytest.raises(ValidationError):
            Pause(START, collect=True, invoice=True, serve=True)
        with pytest.raises(ValidationError) as refused:
            Pause(START, resume_on=START)
        assert refused.value.field == "resume_on"


class TestComingBack:
    def test_it_lives_again_with_what_it_is_given(self) -> None:
        ended = a_sub(contract=Ended(NOON, EndReason.CANCELED), pause=Pause(START), last_item=3)
        items, on = (an_item(number=2),), date(2027, 3, 10)
        back = after(ended, Reactivate(items, on))
        assert (back.contract, back.items, back.pause) == (Active(on), items, None)
        assert back.last_item == 3
        assert events(ended, Reactivate(items, on)) == (
            SubscriptionReactivated(SUB, ADA, items, on),
        )

    def test_what_was_given_back_at_the_end_is_not_paid_any_more(self) -> None:
        sub = a_sub(
            items=(an_item(), an_item(number=2, through=date(2027, 2, 5))),
            debits=(a_debit(),),
            pending=(a_pending_credit(),),
            schedule=(a_plan(),),
            usage_check_at=NOON,
        )
        day = date(2027, 2, 10)
        ended = after(sub, End(NOON, EndReason.CANCELED, "", OTHER, day))
        assert [item.through for item in ended.items] == [day, date(2027, 2, 5)]
        assert (ended.debits, ended.pending, ended.schedule) == ((), (), ())
        assert (ended.usage_check_at, ended.due_at) == (None, None)
        kept = after(sub, End(NOON, EndReason.CANCELED))
        assert kept.items == sub.items


class TestBilling:
    def test_a_period_is_billed_once_and_the_next_one_is_next(self) -> None:
        sub = a_sub()
        assert sub.items[0].next_period == MARCH
        assert events(sub, bill(sub)) == (
            SubscriptionRenewed(SUB, ADA, (1,), (MARCH,), (2900,), OTHER),
        )
        item = after(sub, bill(sub)).items[0]
        assert (item.through, item.billed, item.last_minor) == (MARCH.end, 1, 2900)
        assert item.next_period == Period(date(2027, 3, 31), date(2027, 4, 30))

    def test_only_the_items_that_are_named_are_billed(self) -> None:
        sub = a_sub(items=(an_item(number=4, cycle=YEARLY, through=date(2028, 1, 31)), an_item()))
        renewed = after(sub, bill(sub, 1))
        assert [item.through for item in renewed.items] == [date(2028, 1, 31), MARCH.end]
        assert renewed.paid_through == date(2028, 1, 31)

    def test_several_periods_of_one_item_count_each(self) -> None:
        april = Period(MARCH.end, date(2027, 4, 30))
        both = after(a_sub(), BillPeriods((1, 1), (MARCH, april), (2900, 3000), OTHER))
        item = both.items[0]
        assert (item.through, item.billed, item.last_minor) == (april.end, 2, 3000)

    def test_usage_counts_anew_from_the_end_of_what_is_billed(self) -> None:
        metered = an_item(arrears=True, meter="calls", since=NOON, usage_billed_minor=77)
        item = after(a_sub(items=(metered,)), BillPeriods((1,), (MARCH,), (0,), None)).items[0]
        assert (item.since, item.usage_billed_minor) == (first_instant(MARCH.end, "UTC"), 0)
        assert (item.arrears, item.meter, item.due_day) == (True, "calls", date(2027, 4, 30))

    def test_usage_that_is_billed_ahead_is_remembered_and_not_looked_at_again(self) -> None:
        sub = a_sub(items=(an_item(meter="calls"), an_item(number=2)), usage_check_at=NOON)
        billed = after(sub, BillUsage((1,), (Money(1000, EUR),), OTHER))
        assert [item.usage_billed_minor for item in billed.items] == [1000, 0]
        assert billed.usage_check_at is None

    def test_what_is_pending_comes_on_the_invoice_and_keeps_its_place(self) -> None:
        waiting = a_debit(invoice=None, whole=MARCH, line=1)
        over = a_debit(line=0)
        sub = a_sub(debits=(over, waiting), pending=(a_pending_credit(), a_pending_credit()))
        new = a_debit(whole=Period(MARCH.end, date(2027, 4, 30)), line=9, invoice=OTHER)
        billed = after(sub, BillPeriods((1,), (MARCH,), (2900,), OTHER, (new,), (), 7))
        assert billed.pending == ()
        assert billed.debits == (evolve(waiting, invoice=OTHER, line=8), new)
        nothing = after(sub, BillPeriods((1,), (MARCH,), (0,), None))
        assert (nothing.pending, nothing.debits) == (sub.pending, (waiting,))

    def test_a_coupon_counts_the_periods_of_which_it_took_something_off(self) -> None:
        twice = evolve(WELCOME, periods_left=2)
        other = evolve(WELCOME, coupon=CouponId("cpn_other"), periods_left=1)
        sub = a_sub(discounts=(twice, other))
        once = after(sub, BillPeriods((1,), (MARCH,), (1,), OTHER, (), (WELCOME.coupon,)))
        assert once.discounts == (evolve(twice, periods_left=1), other)
        used_up = after(once, BillPeriods((1,), (MARCH,), (1,), OTHER, (), (WELCOME.coupon,)))
        assert used_up.discounts == (other,)

    def test_what_is_skipped_is_never_owed_and_the_rest_of_a_period_is(self) -> None:
        long = an_item(number=2, next_end=date(2027, 4, 15), meter="calls", usage_billed_minor=5)
        short = an_item(number=3, next_end=date(2027, 3, 15))
        sub = a_sub(items=(an_item(), long, short, an_item(number=4)))
        day = date(2027, 3, 20)
        moved = after(sub, SkipPeriods((1, 2, 3), day)).items
        assert [item.next_period for item in moved] == [
            Period(day, MARCH.end),
            Period(day, date(2027, 4, 15)),
            Period(day, MARCH.end),
            MARCH,
        ]
        assert (moved[1].since, moved[1].usage_billed_minor) == (first_instant(day, "UTC"), 0)
        assert (moved[0].since, moved[3]) == (None, sub.items[3])

    @pytest.mark.parametrize(
        "quantity",
        [
            0,
            -1,
            10**18 + 1,
            Decimal(0),
            Decimal("-0.5"),
            Decimal("NaN"),
            Decimal("sNaN"),
            Decimal("Infinity"),
            Decimal("0.1234567890123"),
            Decimal(10**18 + 1),
        ],
    )
    def test_a_quantity_is_more_than_zero_and_one_that_can_be_priced(
        self, quantity: int | Decimal
    ) -> None:
        with pytest.raises(ValidationError) as refused:
            Item(PriceId("p"), quantity, MONTHLY)
        assert refused.value.field == "quantity"

    @pytest.mark.parametrize("quantity", [True, 1.5, "1", None])
    def test_a_quantity_is_an_int_or_a_decimal(self, quantity: object) -> None:
        with pytest.raises(ValidationError) as refused:
            Item(PriceId("p"), quantity, MONTHLY)  # type: ignore[arg-type]
        assert refused.value.field == "quantity"

    def test_a_subscription_has_an_item_and_past_due_a_debt(self) -> None:
        with pytest.raises(ValidationError) as refused:
            a_sub(items=())
        assert refused.value.field == "items"
        with pytest.raises(ValidationError):
            PastDue(())


class TestWhatIsDue:
    @pytest.mark.parametrize(
        ("contract", "cancel_on", "due"),
        [
            (Scheduled(START), None, START),
            (Scheduled(START), date(2027, 1, 10), date(2027, 1, 10)),
            (Scheduled(START), date(2027, 3, 10), START),
            (Trialing(date(2027, 2, 14)), None, date(2027, 2, 14)),
            (Trialing(date(2027, 2, 14)), date(2027, 2, 1), date(2027, 2, 1)),
            (Active(START), None, date(2027, 2, 28)),
            (Active(START), date(2027, 2, 14), date(2027, 2, 14)),
            (Active(START), date(2027, 4, 14), date(2027, 2, 28)),
            (Ended(NOON, EndReason.CANCELED), None, None),
        ],
    )
    def test_the_day(self, contract: Contract, cancel_on: date | None, due: date | None) -> None:
        cancellation = None if cancel_on is None else Cancellation(cancel_on)
        sub = a_sub(contract=contract, cancellation=cancellation)
        assert sub.due_day == due
        assert sub.due_at == (None if due is None else first_instant(due, "UTC"))

    def test_the_day_begins_in_the_zone_of_the_subscription(self) -> None:
        sub = evolve(a_sub(), zone="Asia/Tokyo")
        assert sub.due_at == datetime(2027, 2, 27, 15, tzinfo=UTC)

    def test_what_is_parked_is_not_due(self) -> None:
        assert a_sub(parked="no rate").due_at is None

    def test_what_waits_for_its_first_payment_is_due_when_the_time_is_over(self) -> None:
        sub = a_sub(contract=Incomplete(START, DEBT, NOON), cancellation=Cancellation(START))
        assert (sub.due_day, sub.due_at) == (NOON.date(), NOON)

    def test_what_is_billed_in_arrears_is_due_when_its_period_ends(self) -> None:
        assert a_sub(items=(an_item(arrears=True),)).due_day == MARCH.end
        both = a_sub(items=(an_item(arrears=True), an_item(number=2, through=date(2027, 5, 31))))
        assert both.due_day == MARCH.end

    def test_a_planned_change_and_the_end_of_a_pause_are_due(self) -> None:
        assert a_sub(schedule=(a_plan(on=date(2027, 2, 20)),)).due_day == date(2027, 2, 20)
        pause = Pause(START, invoice=False, resume_on=date(2027, 6, 2))
        assert a_sub(pause=pause).due_day == date(2027, 6, 2)
        assert a_sub(pause=pause, schedule=(a_plan(),)).due_day == date(2027, 6, 1)
        still = Pause(START, resume_on=date(2027, 6, 2))
        assert a_sub(pause=still).due_day == date(2027, 2, 28)

    def test_a_look_at_usage_is_due_at_its_instant(self) -> None:
        early, late = NOON, datetime(2027, 3, 20, 12, tzinfo=UTC)
        sub = a_sub(usage_check_at=early)
        assert (sub.due_day, sub.due_at) == (early.date(), early)
        assert a_sub(usage_check_at=late).due_day == date(2027, 2, 28)
        stopped = Pause(START, invoice=False)
        alone = a_sub(usage_check_at=late, pause=stopped)
        assert (alone.due_day, alone.due_at) == (late.date(), late)
        assert events(a_sub(), CheckUsage(late)) == (UsageCheckScheduled(SUB, ADA, late),)
        assert after(a_sub(), CheckUsage(late)).usage_check_at == late

    def test_an_item_is_found_by_its_number(self) -> None:
        sub = a_sub(items=(an_item(number=2), an_item(number=7)))
        assert sub.item(7) == an_item(number=7)
        with pytest.raises(ValidationError, match="one of 2, 7"):
            sub.item(1)


class TestTheEndOfPaidTime:
    def test_it_is_the_start_before_and_the_end_of_the_trial_within(self) -> None:
        assert end_of_paid_time(a_sub(contract=Scheduled(START)), at=NOON) == START
        trial = a_sub(contract=Trialing(date(2027, 2, 14)))
        assert end_of_paid_time(trial, at=NOON) == date(2027, 2, 14)

    def test_it_is_what_is_billed(self) -> None:
        assert end_of_paid_time(a_sub(), at=NOON) == date(2027, 2, 28)

    def test_it_is_the_end_of_a_period_that_should_have_been_billed(self) -> None:
        assert end_of_paid_time(a_sub(), at=datetime(2027, 4, 2, tzinfo=UTC)) == date(2027, 4, 30)

    def test_it_is_the_longest_of_all_items(self) -> None:
        yearly = an_item(cycle=YEARLY, through=START)
        assert end_of_paid_time(a_sub(items=(an_item(), yearly)), at=NOON) == date(2028, 1, 31)

    def test_what_has_ended_has_none(self) -> None:
        with pytest.raises(InvalidTransition):
            end_of_paid_time(a_sub(contract=Ended(NOON, EndReason.CANCELED)), at=NOON)

    def test_an_end_is_not_before_the_beginning(self) -> None:
        check_end(a_sub(), at=first_instant(START, "UTC"))
        check_end(a_sub(contract=Scheduled(START)), at=datetime(2020, 1, 1, tzinfo=UTC))
        with pytest.raises(ValidationError) as refused:
            check_end(a_sub(), at=first_instant(START, "UTC") - timedelta(seconds=1))
        assert refused.value.field == "at"


class TestTheWord:
    @pytest.mark.parametrize(
        ("contract", "collection", "word"),
        [
            (Scheduled(START), Current(), "scheduled"),
            (Trialing(START), Current(), "trialing"),
            (Trialing(START), PastDue((DEBT,)), "trialing"),
            (Active(START), Current(), "active"),
            (Active(START), PastDue((DEBT,)), "past_due"),
            (Active(START), Unpaid((DEBT,)), "unpaid"),
            (Incomplete(START, DEBT, NOON), Current(), "incomplete"),
            (Ended(NOON, EndReason.CANCELED), PastDue((DEBT,)), "canceled"),
            (Ended(NOON, EndReason.TRIAL_ENDED), Current(), "canceled"),
            (Ended(NOON, EndReason.TERM_ENDED), Current(), "expired"),
            (Ended(NOON, EndReason.NEVER_PAID), Current(), "expired"),
        ],
    )
    def test_one_word_is_derived_from_three_facts(
        self, contract: Contract, collection: Collection, word: str
    ) -> None:
        assert a_sub(contract=contract, collection=collection).status == word


def test_columns_say_what_the_record_says() -> None:
    sub = a_sub(external_id="crm-7", metadata=Metadata({"a": "b"}))
    assert {column.name: column.get(sub) for column in SUBSCRIPTION.columns} == {
        "due_at": sub.due_at,
        "customer": "cus_ada",
        "status": "active",
        "external_id": "crm-7",
        "paid_through": date(2027, 2, 28),
    }


# ---- the law of the fold --------------------------------------------------------------------

DAYS = st.dates(date(2027, 1, 1), date(2028, 12, 31))
DEBTS = st.sampled_from([InvoiceId(f"inv_{n}") for n in range(4)])
# Stands for billing the next period of the item, whichever that is by then.
BILL = BillPeriods((), (), (), OTHER)
ANY_COMMAND: st.SearchStrategy[Command] = st.one_of(
    st.builds(Begin),
    st.builds(EndTrial),
    st.just(BILL),
    st.builds(MoveTrialEnd, DAYS),
    st.builds(CheckUsage, st.just(NOON)),
    st.builds(ScheduleChange, st.builds(a_plan, on=DAYS)),
    st.builds(WithdrawChanges, st.sampled_from([None, "seats", "phase"])),
    st.builds(AwaitPayment, DEBTS, st.just(NOON)),
    st.builds(Activate),
    st.builds(PauseNow, st.builds(Pause, st.just(START))),
    st.builds(Resume, DAYS),
    st.builds(ApplyCoupon, st.just(WELCOME)),
    st.builds(RemoveCoupon, st.just(WELCOME.coupon)),
    st.builds(SetCatchUp, st.sampled_from(CatchUp), st.integers(1, 99)),
    st.builds(AnswerSurvey, st.sampled_from(["moved", "too dear"])),
    st.builds(Cancel, DAYS, st.sampled_from(["", "moving"])),
    st.builds(UndoCancel),
    st.builds(MarkPastDue, DEBTS),
    st.builds(ClearPastDue, DEBTS, st.booleans()),
    st.builds(MarkUnpaid),
    st.builds(End, st.just(NOON), st.sampled_from(EndReason)),
)
BEGINNINGS: st.SearchStrategy[Contract] = st.one_of(
    st.builds(Scheduled, st.just(START), st.sampled_from([None, date(2027, 2, 14)])),
    st.just(Active(START)),
)


def fold(subscription: Subscription, happened: tuple[object, ...]) -> Subscription:
    step = cast("Callable[[Subscription, object], Subscription]", apply)
    return reduce(step, happened, subscription)


@quick
@given(BEGINNINGS, st.lists(ANY_COMMAND, max_size=30))
def test_the_state_is_the_fold_of_its_events(contract: Contract, commands: list[Command]) -> None:
    first = a_sub(contract=contract, items=(an_item(through=START),))
    now = first
    happened: tuple[object, ...] = ()
    ended = False
    for command in commands:
        try:
            change = decide(now, bill(now) if command is BILL else command)
        except InvalidTransition:
            continue
        assert not ended or isinstance(command, AnswerSurvey), "nothing else follows an end"
        assert isinstance(change.after, Subscription)
        assert change.after == fold(now, change.events)
        assert change.after.version == now.version + len(change.events)
        now, happened = change.after, (*happened, *change.events)
        ended = isinstance(now.contract, Ended)
    assert now == fold(first, happened)
    assert now.version == first.version + len(happened)
    assert {type(event) for event in happened} <= set(get_args(Event))
    # Periods touch and are never billed twice.
    periods = [p for e in happened if isinstance(e, SubscriptionRenewed) for p in e.periods]
    assert all(one.end == next_.start for one, next_ in pairwise(periods))
    if not any(isinstance(event, TrialEndMoved) for event in happened):
        assert periods == [MONTHLY.period(n) for n in range(len(periods))]


def test_the_first_event_is_in_the_record_already() -> None:
    sub = a_sub()
    assert apply(sub, SubscriptionCreated(SUB, ADA, START)) is sub
    assert apply(a_sub(), SubscriptionRecovered(SUB, ADA, DEBT, 0)).collection == Current()
