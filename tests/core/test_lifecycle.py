from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import reduce
from itertools import product
from typing import cast, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subscriptions.billing_cycles import BillingCycle, Interval, Period, first_instant
from subscriptions.errors import InvalidTransition, ValidationError
from subscriptions.ids import CustomerId, InvoiceId, PriceId, SubscriptionId
from subscriptions.lifecycle import (
    ALLOWED,
    SUBSCRIPTION,
    Active,
    Begin,
    BillPeriods,
    Cancel,
    Cancellation,
    CancellationScheduled,
    CancellationWithdrawn,
    ClearPastDue,
    Collection,
    Command,
    Contract,
    Current,
    End,
    Ended,
    EndReason,
    EndTrial,
    Event,
    Item,
    MarkPastDue,
    MarkUnpaid,
    PastDue,
    Scheduled,
    Subscription,
    SubscriptionCreated,
    SubscriptionDebtWrittenOff,
    SubscriptionEnded,
    SubscriptionPastDue,
    SubscriptionRecovered,
    SubscriptionRenewed,
    SubscriptionStarted,
    SubscriptionUnpaid,
    TrialEnded,
    Trialing,
    TrialStarted,
    UndoCancel,
    Unpaid,
    apply,
    check_end,
    create,
    decide,
    end_of_paid_time,
    next_commands,
)
from subscriptions.records import Metadata, evolve
from subscriptions.testing.builders import a_subscription, an_item

quick = settings(derandomize=True, max_examples=200, deadline=None, database=None)

START = date(2027, 1, 31)
NOON = datetime(2027, 2, 10, 12, tzinfo=UTC)
MONTHLY = BillingCycle(START, Interval.months(1))
SUB, ADA = SubscriptionId("sub_ada"), CustomerId("cus_ada")
DEBT, OTHER = InvoiceId("inv_debt"), InvoiceId("inv_other")

CONTRACTS: tuple[Contract, ...] = (
    Scheduled(START),
    Trialing(START),
    Active(START),
    Ended(NOON, EndReason.CANCELED),
)
# One command of each type, such that a state that allows its type can follow it.
COMMANDS: tuple[Command, ...] = (
    Begin(),
    EndTrial(),
    BillPeriods(date(2027, 3, 31)),
    Cancel(date(2027, 4, 1), "too expensive"),
    UndoCancel(),
    End(NOON, EndReason.PAYMENT_FAILED),
    MarkPastDue(OTHER),
    ClearPastDue(DEBT),
    MarkUnpaid(),
)


def a_sub(**changes: object) -> Subscription:
    return a_subscription(SUB, zone="UTC", **changes)


def debtor(contract: Contract, collection: Collection | None = None) -> Subscription:
    """Return a subscription of which something is owed and which is to be cancelled."""
    return a_sub(
        contract=contract,
        collection=PastDue((DEBT,)) if collection is None else collection,
        cancellation=Cancellation(date(2027, 6, 1)),
    )


class TestTheTable:
    def test_it_names_every_state_and_every_command(self) -> None:
        assert set(ALLOWED) == set(get_args(Contract))
        assert {type(each) for each in CONTRACTS} == set(ALLOWED)
        assert {type(each) for each in COMMANDS} == set(get_args(Command))
        assert frozenset[type[Command]]().union(*ALLOWED.values()) == set(get_args(Command))

    @pytest.mark.parametrize(("contract", "command"), [*product(CONTRACTS, COMMANDS)])
    def test_every_pair_is_allowed_or_refused(self, contract: Contract, command: Command) -> None:
        before = debtor(contract)
        if type(command) in ALLOWED[type(contract)]:
            change = decide(before, command)
            assert change.before is before
            assert change.after.version == before.version + 1
            assert change.after != before
            return
        with pytest.raises(InvalidTransition) as refused:
            decide(before, command)
        assert refused.value.state == before.status
        assert refused.value.command == type(command).__name__
        assert before == debtor(contract), "and nothing changed"

    def test_what_has_ended_allows_nothing(self) -> None:
        assert ALLOWED[Ended] == frozenset()

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

    def test_there_must_be_a_cancellation_to_undo(self) -> None:
        for contract in (Scheduled(START), Trialing(START), Active(START)):
            with pytest.raises(InvalidTransition):
                decide(a_sub(contract=contract), UndoCancel())

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


class TestBilling:
    def test_a_period_is_billed_once_and_the_next_one_is_next(self) -> None:
        sub = a_sub()
        assert sub.items[0].next_period == Period(date(2027, 2, 28), date(2027, 3, 31))
        renewed = decide(sub, BillPeriods(date(2027, 2, 28)))
        assert renewed.events == (
            SubscriptionRenewed(SUB, ADA, (0,), (Period(date(2027, 2, 28), date(2027, 3, 31)),)),
        )
        assert after(sub, BillPeriods(date(2027, 2, 28))).items[0].next_index == 2

    def test_only_items_that_are_due_are_billed(self) -> None:
        yearly = an_item(cycle=BillingCycle(START, Interval.years(1)), price=PriceId("yearly"))
        sub = a_sub(items=(yearly, an_item()))
        renewed = after(sub, BillPeriods(date(2027, 2, 28)))
        assert [item.next_index for item in renewed.items] == [1, 2]
        assert renewed.paid_through == date(2028, 1, 31)
        both = after(renewed, *[BillPeriods(date(2028, 1, 31))])
        assert [item.next_index for item in both.items] == [2, 3]

    def test_nothing_due_is_refused(self) -> None:
        with pytest.raises(InvalidTransition):
            decide(a_sub(), BillPeriods(date(2027, 2, 27)))

    def test_an_item_is_billed_one_period_at_a_time(self) -> None:
        sub = a_sub()
        assert after(sub, BillPeriods(date(2027, 12, 1))).items[0].next_index == 2

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
        assert next_commands(a_sub(parked="no rate"), at=NOON + timedelta(days=99)) == ()

    @pytest.mark.parametrize(
        ("contract", "commands"),
        [
            (Scheduled(START), (Begin(), BillPeriods(START))),
            (Scheduled(START, date(2027, 2, 14)), (Begin(),)),
            (Trialing(START), (EndTrial(), BillPeriods(START))),
            (Active(START), (BillPeriods(START),)),
            (Ended(NOON, EndReason.CANCELED), ()),
        ],
    )
    def test_what_is_done_then(self, contract: Contract, commands: tuple[Command, ...]) -> None:
        sub = a_sub(contract=contract, items=(an_item(next_index=0),))
        at = first_instant(START, "UTC")
        assert next_commands(sub, at=at) == commands
        assert next_commands(sub, at=at - timedelta(microseconds=1)) == ()
        if commands:
            assert after(sub, *commands).due_at != sub.due_at, "what is done is not due again"

    @pytest.mark.parametrize("contract", CONTRACTS[:3])
    def test_a_cancellation_comes_before_everything_else_of_its_day(
        self, contract: Contract
    ) -> None:
        sub = a_sub(
            contract=contract, items=(an_item(next_index=0),), cancellation=Cancellation(START)
        )
        due_at = first_instant(START, "UTC")
        assert next_commands(sub, at=NOON) == (End(due_at, EndReason.CANCELED),)

    def test_a_cancellation_that_is_not_due_yet_lets_the_period_be_billed(self) -> None:
        sub = a_sub(cancellation=Cancellation(date(2027, 3, 10)))
        assert next_commands(sub, at=datetime(2027, 2, 28, tzinfo=UTC)) == (
            BillPeriods(date(2027, 2, 28)),
        )


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
        yearly = an_item(cycle=BillingCycle(START, Interval.years(1)))
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
            (Ended(NOON, EndReason.CANCELED), PastDue((DEBT,)), "canceled"),
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
ANY_COMMAND: st.SearchStrategy[Command] = st.one_of(
    st.builds(Begin),
    st.builds(EndTrial),
    st.builds(BillPeriods, DAYS),
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
    first = a_sub(contract=contract, items=(an_item(next_index=0),))
    now = first
    happened: tuple[object, ...] = ()
    ended = False
    for command in commands:
        try:
            change = decide(now, command)
        except InvalidTransition:
            continue
        assert not ended, "nothing follows an end"
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
    assert periods == [MONTHLY.period(n) for n in range(len(periods))]


def test_the_first_event_is_in_the_record_already() -> None:
    sub = a_sub()
    assert apply(sub, SubscriptionCreated(SUB, ADA, START)) is sub
    assert apply(a_sub(), SubscriptionRecovered(SUB, ADA, DEBT, 0)).collection == Current()
