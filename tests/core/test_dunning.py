from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import count, product
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subscriptions.decisions import Change
from subscriptions.dunning import (
    DEFAULT_POLICY,
    DUNNING_CASE,
    STATUS,
    Action,
    CancelSubscription,
    CaseState,
    DunningCase,
    DunningExhausted,
    DunningHeld,
    DunningPolicy,
    DunningPolicySet,
    DunningPostponed,
    DunningReleased,
    DunningReminderDue,
    DunningStarted,
    DunningStepTaken,
    DunningStopped,
    Exhausted,
    FinalAction,
    Held,
    MarkUncollectible,
    MarkUnpaid,
    Reminder,
    Retries,
    Retry,
    Running,
    Step,
    Stopped,
    StoredPolicy,
    case_id,
    hold,
    postpone,
    release,
    set_policy,
    start,
    stop,
    take_step,
)
from subscriptions.errors import InvalidTransition, ValidationError
from subscriptions.ids import CustomerId, DunningCaseId, InvoiceId, SubscriptionId
from subscriptions.records import evolve
from subscriptions.testing.builders import a_dunning_case

quick = settings(derandomize=True, max_examples=200, deadline=None, database=None)

FAILED = datetime(2027, 1, 31, 9, 30, tzinfo=UTC)
DAY = timedelta(days=1)
CASE, ADA, INV = DunningCaseId("dun_ada"), CustomerId("cus_ada"), InvoiceId("inv_ada")
SHORT = DunningPolicy(retries=Retries.after_days(1), steps=[Reminder(0)])

STATES: tuple[CaseState, ...] = (
    Running(),
    Held("promised to pay", FAILED),
    Stopped(FAILED, "paid"),
    Exhausted(FAILED),
)


def a_case(policy: DunningPolicy = SHORT, **changes: object) -> DunningCase:
    return a_dunning_case(CASE, policy=policy, failed_at=FAILED, **changes)


def after(change: Change | None) -> DunningCase:
    assert change is not None
    assert isinstance(change.after, DunningCase)
    return change.after


# ---- the policy -----------------------------------------------------------------------------


class TestThePolicy:
    @pytest.mark.parametrize(
        ("make", "field"),
        [
            (lambda: Retries.after_days(3, 1), "retries"),
            (lambda: Retries.after_days(1, 1), "retries"),
            (lambda: Retries.after_days(-1), "retries"),
            (lambda: Retries.after_days(731), "retries"),
            (lambda: Retries((1.5,)), "retries"),  # type: ignore[arg-type]
            (lambda: Retries((True,)), "retries"),
            (lambda: Reminder(-1), "after_days"),
            (lambda: Reminder(731), "after_days"),
            (lambda: Reminder(1, level=0), "level"),
            (lambda: Reminder(1, level=10), "level"),
            (lambda: DunningPolicy(name=""), "name"),
            (lambda: DunningPolicy(name="x" * 101), "name"),
            (lambda: DunningPolicy(final=()), "final"),
            (lambda: DunningPolicy(final=[CancelSubscription(), CancelSubscription()]), "final"),
            (lambda: DunningPolicy(final=[CancelSubscription(), MarkUnpaid()]), "final"),
            (lambda: DunningPolicy(final=[MarkUnpaid(), CancelSubscription()]), "final"),
            (lambda: DunningPolicy(final=[MarkUncollectible(), MarkUnpaid()]), "final"),
            (lambda: DunningPolicy(final_after_days=6), "final_after_days"),
            (lambda: DunningPolicy(final_after_days=731), "final_after_days"),
            (lambda: DunningPolicy(steps=[Reminder(9)], final_after_days=8), "final_after_days"),
        ],
        ids=map(str, count()),
    )
    def test_what_is_wrong_is_named(self, make: Callable[[], object], field: str) -> None:
        with pytest.raises(ValidationError) as refused:
            make()
        assert refused.value.field == field

    @pytest.mark.parametrize(
        "final",
        [
            (CancelSubscription(),),
            (MarkUnpaid(),),
            (MarkUncollectible(),),
            (CancelSubscription(), MarkUncollectible()),
        ],
    )
    def test_final_actions_that_go_together(self, final: tuple[FinalAction, ...]) -> None:
        assert DunningPolicy(final=final).final == final
        assert DunningPolicy(final=[*final]).final == final

    def test_one_final_action_needs_no_list(self) -> None:
        assert DunningPolicy(final=MarkUnpaid()).final == (MarkUnpaid(),)
        assert DunningPolicy().final == (CancelSubscription(),)

    def test_without_retries_and_reminders_it_ends_at_once(self) -> None:
        policy = DunningPolicy(retries=Retries())
        assert policy.schedule(failed_at=FAILED) == (Step(FAILED, CancelSubscription()),)

    def test_the_default_is_a_fortnight(self) -> None:
        days = [
            ((step.at - FAILED).days, type(step.action).__name__)
            for step in DEFAULT_POLICY.schedule(failed_at=FAILED)
        ]
        assert days == [
            (0, "Reminder"),
            (1, "Retry"),
            (3, "Retry"),
            (5, "Retry"),
            (5, "Reminder"),
            (7, "Retry"),
            (14, "CancelSubscription"),
            (14, "MarkUncollectible"),
        ]

    def test_by_default_it_ends_after_the_last_retry_or_reminder(self) -> None:
        late = DunningPolicy(retries=Retries.after_days(2), steps=[Reminder(30)])
        assert late.schedule(failed_at=FAILED)[-1] == Step(FAILED + 30 * DAY, CancelSubscription())


def a_policy(
    days: set[int],
    reminders: list[Reminder],
    days_more: int | None,
    final: tuple[FinalAction, ...],
) -> DunningPolicy:
    last = max([*days, *(each.after_days for each in reminders)], default=0)
    return DunningPolicy(
        retries=Retries(tuple(sorted(days))),
        steps=reminders,
        final=final,
        final_after_days=None if days_more is None else last + days_more,
    )


POLICIES = st.builds(
    a_policy,
    st.sets(st.integers(0, 60), max_size=6),
    st.lists(st.builds(Reminder, st.integers(0, 60), st.integers(1, 9)), max_size=6),
    st.none() | st.integers(0, 60),
    st.sampled_from(
        [(CancelSubscription(),), (MarkUnpaid(),), (CancelSubscription(), MarkUncollectible())]
    ),
)


def rank(action: Action) -> int:
    return 0 if isinstance(action, Retry) else 1 if isinstance(action, Reminder) else 2


@quick
@given(POLICIES)
def test_a_schedule_is_in_order_and_complete(policy: DunningPolicy) -> None:
    steps = policy.schedule(failed_at=FAILED)
    order = [(step.at, rank(step.action)) for step in steps]
    assert order == sorted(order), "by day; retries before reminders, the final actions last"
    assert [step.at for step in steps if isinstance(step.action, Retry)] == [
        FAILED + day * DAY for day in policy.retries.days
    ]
    reminders = [step.action for step in steps if isinstance(step.action, Reminder)]
    assert reminders == sorted(policy.steps, key=lambda each: each.after_days)
    last = steps[-len(policy.final) :]
    assert tuple(step.action for step in last) == policy.final
    assert len({step.at for step in last}) == 1
    assert all(step.at <= last[0].at for step in steps)


@quick
@given(POLICIES, st.lists(st.sampled_from(["step", "skip", "postpone", "hold"]), max_size=20))
def test_a_case_takes_every_step_once_in_order_and_ends(
    policy: DunningPolicy, turns: list[str]
) -> None:
    case = a_case(policy)
    steps = policy.schedule(failed_at=FAILED)
    taken: list[Action] = []
    for turn in [*turns, *["step"] * len(steps)]:
        if case.status != "running":
            break
        version = case.version
        match turn:
            case "postpone":
                change = postpone(case, until=FAILED + DAY)
            case "hold":
                held = after(hold(case, reason="wait", until=None, at=FAILED))
                change = release(held, at=FAILED + DAY)
                version = held.version
            case _:
                change = take_step(case, at=FAILED, skipped="no card" if turn == "skip" else "")
                taken += [e.action for e in change.events if isinstance(e, DunningStepTaken)]
        case = after(change)
        assert case.version == version + len(change.events)
    assert case.status == "exhausted"
    assert taken == [step.action for step in steps]
    assert (case.upcoming, case.due_at) == (None, None)


# ---- the case -------------------------------------------------------------------------------


class TestACase:
    def test_it_begins_running_with_the_policy_of_that_time(self) -> None:
        change = start(
            SHORT,
            tenant="acme",
            customer=ADA,
            invoice=INV,
            subscription=SubscriptionId("sub_ada"),
            attempt=1,
            at=FAILED,
        )
        case = after(change)
        assert (case.version, case.status, case.policy) == (1, "running", SHORT)
        assert case.id == case_id("acme", INV, 1) != case_id("acme", INV, 2)
        assert change.events == (DunningStarted(case.id, ADA, INV, "default"),)
        assert case.due_at == FAILED

    def test_states_have_one_word_each(self) -> None:
        assert set(STATUS) == set(get_args(CaseState))
        words = [a_case(state=state).status for state in STATES]
        assert words == ["running", "held", "stopped", "exhausted"]

    @pytest.mark.parametrize(
        ("command", "state"),
        [*product(["take_step", "hold", "release", "stop"], STATES)],
    )
    def test_every_pair_is_allowed_or_refused(self, command: str, state: CaseState) -> None:
        case = a_case(state=state)
        commands: dict[str, Callable[[], Change | None]] = {
            "take_step": lambda: take_step(case, at=FAILED),
            "hold": lambda: hold(case, reason="wait", until=None, at=FAILED),
            "release": lambda: release(case, at=FAILED),
            "stop": lambda: stop(case, reason="paid", at=FAILED),
        }
        allowed = {
            "take_step": (Running,),
            "hold": (Running,),
            "release": (Held,),
            "stop": (Running, Held),
        }
        if isinstance(state, allowed[command]):
            assert after(commands[command]()).version > case.version
        elif command == "stop":
            assert stop(case, reason="paid", at=FAILED) is None, "it is over already"
        else:
            with pytest.raises(InvalidTransition) as refused:
                commands[command]()
            assert (refused.value.state, refused.value.command) == (case.status, command)

    def test_a_reminder_is_said_to_be_due_unless_it_is_skipped(self) -> None:
        change = take_step(a_case(), at=FAILED)
        assert change.events == (
            DunningStepTaken(CASE, ADA, INV, 0, Reminder(0)),
            DunningReminderDue(CASE, ADA, INV, 1),
        )
        skipped = take_step(a_case(), at=FAILED, skipped="no address")
        assert skipped.events == (DunningStepTaken(CASE, ADA, INV, 0, Reminder(0), "no address"),)

    def test_the_last_step_exhausts_it(self) -> None:
        last = a_case(next_step=2)
        change = take_step(last, at=FAILED + DAY)
        assert change.events == (
            DunningStepTaken(CASE, ADA, INV, 2, CancelSubscription()),
            DunningExhausted(CASE, ADA, INV),
        )
        assert after(change).state == Exhausted(FAILED + DAY)

    def test_a_postponed_step_waits_and_the_next_does_not(self) -> None:
        case = a_case(next_step=1)
        assert case.due_at == FAILED + DAY
        change = postpone(case, until=FAILED + 3 * DAY)
        assert change.events == (DunningPostponed(CASE, ADA, FAILED + 3 * DAY),)
        assert after(change).due_at == FAILED + 3 * DAY
        assert after(postpone(case, until=FAILED)).due_at == FAILED + DAY, "never earlier"
        assert after(take_step(after(change), at=FAILED)).wait_until is None

    def test_a_hold_waits_until_it_ends_or_is_released(self) -> None:
        change = hold(a_case(), reason="payday", until=FAILED + 2 * DAY, at=FAILED)
        held = after(change)
        assert change.events == (DunningHeld(CASE, ADA, "payday", FAILED + 2 * DAY),)
        assert held.due_at == FAILED + 2 * DAY
        endless = after(hold(a_case(), reason="in court", until=None, at=FAILED))
        assert (endless.due_at, endless.upcoming) == (None, Step(FAILED, Reminder(0)))

    def test_what_is_left_comes_later_by_the_time_it_was_held(self) -> None:
        held = after(hold(a_case(next_step=1), reason="wait", until=None, at=FAILED + DAY / 2))
        change = release(held, at=FAILED + 30 * DAY)
        assert change.events == (DunningReleased(CASE, ADA),)
        assert after(change).due_at == FAILED + 30 * DAY + DAY / 2
        assert after(release(held, at=FAILED)).due_at == FAILED + DAY, "never earlier"

    @pytest.mark.parametrize("reason", ["", "  ", "bell\x07"])
    def test_a_hold_has_a_reason(self, reason: str) -> None:
        with pytest.raises(ValidationError) as refused:
            hold(a_case(), reason=reason, until=None, at=FAILED)
        assert refused.value.field == "reason"

    @pytest.mark.parametrize("state", STATES[:2])
    def test_it_stops_when_there_is_nothing_left_to_collect(self, state: CaseState) -> None:
        change = stop(a_case(state=state), reason="paid", at=FAILED)
        assert change is not None
        assert change.events == (DunningStopped(CASE, ADA, INV, "paid"),)
        assert after(change).state == Stopped(FAILED, "paid")
        assert after(change).due_at is None

    def test_what_is_parked_is_not_due(self) -> None:
        assert evolve(a_case(), parked="no gateway").due_at is None

    def test_columns_say_what_the_record_says(self) -> None:
        case = a_case()
        assert {column.name: column.get(case) for column in DUNNING_CASE.columns} == {
            "due_at": FAILED,
            "customer": "cus_ada",
            "invoice": "inv_ada",
            "status": "running",
        }


def test_a_policy_is_set_under_its_name_and_replaced() -> None:
    first = set_policy(None, SHORT, tenant="acme")
    assert first.after == StoredPolicy("default", "acme", 1, SHORT)
    assert first.events == (DunningPolicySet("default"),)
    assert isinstance(first.after, StoredPolicy)
    second = set_policy(first.after, DEFAULT_POLICY, tenant="acme")
    assert (second.before, second.after.version) == (first.after, 2)


def test_days_are_days_by_the_clock_not_by_the_calendar() -> None:
    # Offsets count from an instant: a change of the clocks moves no step by an hour.
    failed = datetime(2027, 3, 27, 12, tzinfo=UTC)
    (step, *_) = DunningPolicy(retries=Retries.after_days(2)).schedule(failed_at=failed)
    assert step.at == datetime(2027, 3, 29, 12, tzinfo=UTC)
    assert step.at.date() == date(2027, 3, 29)
