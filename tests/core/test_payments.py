from datetime import UTC, datetime, timedelta
from itertools import permutations, product

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from subscriptions.decisions import Change
from subscriptions.errors import CurrencyMismatch, InvalidTransition, ValidationError
from subscriptions.ids import CustomerId, InvoiceId, PaymentId, PaymentMethodId
from subscriptions.money import EUR, JPY, USD, Money
from subscriptions.payments import (
    ACTION_WINDOW,
    ALLOWED,
    MARGIN,
    PAYMENT,
    PROCESSING_POLL,
    STATUS,
    VOID_AGAIN,
    ActionRequired,
    Advice,
    Allocation,
    Authorized,
    Capturing,
    Decline,
    Declined,
    Intended,
    Outcome,
    Payment,
    PaymentActionRequired,
    PaymentFailed,
    PaymentIntended,
    PaymentNotExecuted,
    PaymentOutcomeUnknown,
    PaymentProcessing,
    PaymentSnapshot,
    PaymentState,
    PaymentSucceeded,
    PaymentVoided,
    Processing,
    Succeeded,
    Unknown,
    Voided,
    allocated,
    backoff,
    charge_intent,
    intend,
    last_call,
    merge,
    payment_id,
    receive,
    replayable,
    void,
)

NOON = datetime(2027, 1, 31, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=10)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
CUSTOMER = CustomerId("cus_1")
INVOICE = InvoiceId("inv_1")
AMOUNT = Money(1999, EUR)
FUNDS = Decline("insufficient_funds")
LOST = Decline("lost_card", "reported lost", Advice.RETRY_NEVER)
URL = "https://bank.example/3ds"

TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=200)

STATES: tuple[PaymentState, ...] = (
    Intended(NOON),
    Unknown(NOON, NOON + 5 * MINUTE),
    ActionRequired(URL, NOON + ACTION_WINDOW),
    Processing(NOON, NOON + DAY),
    Succeeded(NOON),
    Declined(NOON, FUNDS, hard=False),
    Voided(NOON, "absent"),
)
# Which state an answer leads to, where the table of states allows it.
LEADS_TO: dict[Outcome, type[PaymentState]] = {
    Outcome.SUCCEEDED: Succeeded,
    Outcome.DECLINED_SOFT: Declined,
    Outcome.DECLINED_HARD: Declined,
    Outcome.REQUIRES_ACTION: ActionRequired,
    Outcome.PROCESSING: Processing,
    Outcome.NOT_EXECUTED: Intended,
    Outcome.UNKNOWN: Unknown,
    # Of a charge that is no answer.
    Outcome.AUTHORIZED: Unknown,
}
# The order in which what is known of an attempt grows; what is on a later place stays.
RANK: dict[type[PaymentState], int] = {
    Intended: 0,
    Unknown: 1,
    ActionRequired: 2,
    Processing: 3,
    Authorized: 3,
    Capturing: 3,
    Declined: 4,
    Voided: 4,
    Succeeded: 5,
}


def a_payment(state: PaymentState | None = None) -> Payment:
    change = intend(
        tenant="acme",
        customer=CUSTOMER,
        invoice=INVOICE,
        ordinal=1,
        amount_minor=AMOUNT.minor,
        currency=AMOUNT.currency,
        gateway="card",
        method=PaymentMethodId("pm_1"),
        method_ref="pm_visa",
        at=NOON,
        now=NOON,
    )
    assert isinstance(change.after, Payment)
    return change.after if state is None else evolve(change.after, state=state)


def snapshot(
    outcome: Outcome, *, amount: Money = AMOUNT, ref: str | None = None
) -> PaymentSnapshot:
    declines = {Outcome.DECLINED_SOFT: FUNDS, Outcome.DECLINED_HARD: LOST}
    url = URL if outcome is Outcome.REQUIRES_ACTION else None
    return PaymentSnapshot(
        outcome, amount, NOON, payment_id("acme", INVOICE, 1), ref, declines.get(outcome), url
    )


def merged(
    payment: Payment, outcome: Outcome, *, at: datetime = LATER
) -> tuple[Payment, tuple[object, ...]]:
    change = merge(payment, snapshot(outcome, ref="ch_1"), at=at)
    assert isinstance(change, Change)
    assert change.before is payment
    assert isinstance(change.after, Payment)
    return change.after, change.events


def folded(payment: Payment, answers: tuple[PaymentSnapshot, ...]) -> Payment:
    for answer in answers:
        change = merge(payment, answer, at=LATER)
        if change is not None:
            assert isinstance(change.after, Payment)
            payment = change.after
    return payment


class TestIntending:
    def test_an_intent_is_a_new_record_that_is_due_at_once(self) -> None:
        payment = a_payment()
        assert payment.state == Intended(NOON)
        assert payment.due_at == NOON
        assert (payment.version, payment.status, payment.live) == (1, "intended", True)
        assert payment.amount == AMOUNT

    def test_its_event_says_what_will_be_asked(self) -> None:
        change = intend(
            tenant="acme",
            customer=CUSTOMER,
            invoice=INVOICE,
            ordinal=2,
            amount_minor=1,
            currency=JPY,
            gateway="card",
            method=PaymentMethodId("pm_1"),
            method_ref="pm_visa",
            at=NOON,
            now=NOON,
        )
        id = payment_id("acme", INVOICE, 2)
        assert change.events == (PaymentIntended(id, CUSTOMER, INVOICE, Money(1, JPY)),)
        assert (change.kind, change.before) == (PAYMENT, None)

    @pytest.mark.parametrize("amount_minor", [0, -1])
    def test_nothing_is_not_charged(self, amount_minor: int) -> None:
        with pytest.raises(ValidationError):
            intend(
                tenant="acme",
                customer=CUSTOMER,
                invoice=INVOICE,
                ordinal=1,
                amount_minor=amount_minor,
                currency=EUR,
                gateway="card",
                method=PaymentMethodId("pm_1"),
                method_ref="pm_visa",
                at=NOON,
                now=NOON,
            )

    def test_ids_are_derived_from_tenant_invoice_and_ordinal(self) -> None:
        ids = {
            payment_id(tenant, InvoiceId(invoice), ordinal)
            for tenant, invoice, ordinal in product(("a", "b"), ("inv_1", "inv_2"), (1, 2))
        }
        assert len(ids) == 8
        assert payment_id("a", InvoiceId("inv_1"), 1) in ids

    @pytest.mark.parametrize("state", STATES)
    def test_what_is_asked_never_changes(self, state: PaymentState) -> None:
        first = charge_intent(a_payment())
        later = evolve(a_payment(state), version=7, reference="ch_1", parked="by hand")
        assert charge_intent(later) == first

    def test_a_key_is_short_ascii_and_holds_no_time_method_or_amount(self) -> None:
        payment = a_payment()
        key = charge_intent(payment).key
        other = evolve(
            payment,
            amount_minor=1,
            currency=USD,
            method_ref="pm_other",
            intended_at=LATER,
            customer=CustomerId("cus_2"),
        )
        assert charge_intent(other).key == key
        assert key.isascii()
        assert len(key) <= 64
        assert charge_intent(evolve(payment, tenant="other")).key != key
        assert charge_intent(evolve(payment, id=PaymentId("pay_2"))).key != key

    @given(tenant=TEXTS, id=TEXTS)
    def test_every_key_is_short_ascii(self, tenant: str, id: str) -> None:
        payment = evolve(a_payment(), tenant=tenant, id=PaymentId(id))
        key = charge_intent(payment).key
        assert key.isascii()
        assert len(key) <= 64

    def test_metadata_name_what_the_gateway_is_asked_for_later(self) -> None:
        payment = a_payment()
        metadata = {"tenant": "acme", "attempt": payment.id, "invoice": INVOICE}
        assert charge_intent(payment).metadata == metadata
        assert charge_intent(evolve(payment, invoice=None)).metadata["invoice"] == ""


class TestReplaying:
    @pytest.mark.parametrize("window", [24 * HOUR, 30 * DAY])
    def test_a_key_is_sent_until_an_hour_before_the_window_ends(self, window: timedelta) -> None:
        payment = a_payment()
        edge = NOON + window - MARGIN
        assert replayable(payment, at=NOON, now=NOON, window=window)
        assert replayable(payment, at=edge - timedelta(microseconds=1), now=NOON, window=window)
        assert not replayable(payment, at=edge, now=NOON, window=window)
        assert not replayable(payment, at=NOON + window, now=NOON, window=window)

    @pytest.mark.parametrize("window", [timedelta(hours=24), timedelta(days=7)])
    def test_a_key_ages_by_the_clock_while_a_run_catches_up(self, window: timedelta) -> None:
        payment = a_payment()
        monday = NOON + window
        assert not replayable(payment, at=NOON + MINUTE, now=monday, window=window)
        assert last_call(payment, window=window) < monday

    def test_a_gateway_without_memory_is_never_asked_twice(self) -> None:
        assert not replayable(a_payment(), at=NOON, now=NOON, window=timedelta(0))

    def test_waits_grow_to_a_day_and_never_end(self) -> None:
        waits = [backoff(tries) for tries in range(1, 8)]
        assert waits == [5 * MINUTE, HOUR, 6 * HOUR, DAY, DAY, DAY, DAY]


class TestSnapshots:
    @pytest.mark.parametrize("outcome", Outcome)
    def test_a_decline_has_a_reason_and_nothing_else_has(self, outcome: Outcome) -> None:
        declined = outcome in (Outcome.DECLINED_SOFT, Outcome.DECLINED_HARD)
        with pytest.raises(ValidationError):
            PaymentSnapshot(outcome, AMOUNT, NOON, decline=None if declined else FUNDS)
        sound = PaymentSnapshot(outcome, AMOUNT, NOON, decline=FUNDS if declined else None)
        assert (sound.decline is not None) == declined


class TestTables:
    def test_every_state_has_a_status_a_row_and_an_example(self) -> None:
        charged = {type(state) for state in STATES}
        assert {*charged, Authorized, Capturing} == set(STATUS) == set(ALLOWED) == set(RANK)
        assert len(set(STATUS.values())) == len(STATUS)

    def test_what_is_known_never_shrinks(self) -> None:
        for before, after in product(ALLOWED, ALLOWED):
            if after in ALLOWED[before]:
                assert RANK[after] >= RANK[before]

    @pytest.mark.parametrize(("state", "outcome"), list(product(STATES, Outcome)))
    def test_every_answer_in_every_state_moves_as_the_table_says(
        self, state: PaymentState, outcome: Outcome
    ) -> None:
        payment = a_payment(state)
        change = merge(payment, snapshot(outcome), at=LATER)
        target = LEADS_TO[outcome]
        if isinstance(state, Unknown) and outcome is Outcome.NOT_EXECUTED:
            # A repeat that was not sent says nothing of the first call.
            target = Unknown
        waits = isinstance(state, ActionRequired) and outcome is Outcome.REQUIRES_ACTION
        if target not in ALLOWED[type(state)] or waits:
            assert change is None
        else:
            assert change is not None
            assert isinstance(change.after, Payment)
            assert type(change.after.state) is target
            assert change.after.version == payment.version + 1
            assert len(change.events) == 1

    @pytest.mark.parametrize("state", STATES)
    def test_every_state_can_be_voided_or_not_as_the_table_says(self, state: PaymentState) -> None:
        payment = a_payment(state)
        if Voided not in ALLOWED[type(state)]:
            with pytest.raises(InvalidTransition) as refused:
                void(payment, reason="absent", at=LATER)
            assert refused.value.state == payment.status
            return
        change = void(payment, reason="absent", at=LATER)
        assert isinstance(change.after, Payment)
        assert change.after.state == Voided(LATER, "absent")
        assert change.after.version == payment.version + 1
        assert change.events == (PaymentVoided(payment.id, CUSTOMER, INVOICE, "absent"),)

    @pytest.mark.parametrize("state", STATES)
    def test_what_is_live_is_due_and_what_is_over_is_not(self, state: PaymentState) -> None:
        payment = a_payment(state)
        over = isinstance(state, Succeeded | Declined | Voided)
        assert payment.live != over
        assert (payment.due_at is None) == over
        assert evolve(payment, parked="poison").due_at is None

    def test_a_payment_is_due_when_its_state_says(self) -> None:
        due = [a_payment(state).due_at for state in STATES[:4]]
        assert due == [NOON, NOON + 5 * MINUTE, NOON + ACTION_WINDOW, NOON + DAY]

    def test_columns_say_what_the_record_says(self) -> None:
        payment = evolve(a_payment(), reference="ch_1")
        assert {column.name: column.get(payment) for column in PAYMENT.columns} == {
            "due_at": NOON,
            "customer": CUSTOMER,
            "invoice": INVOICE,
            "status": "intended",
            "gateway": "card",
            "reference": "ch_1",
            "amount_minor": 1999,
            "currency": "EUR",
            "intended_at": NOON,
            "unallocated": None,
        }


class TestMerging:
    def test_a_success(self) -> None:
        payment, events = merged(a_payment(), Outcome.SUCCEEDED)
        assert payment.state == Succeeded(LATER)
        assert payment.reference == "ch_1"
        assert payment.unallocated == AMOUNT
        assert events == (PaymentSucceeded(payment.id, CUSTOMER, INVOICE, AMOUNT),)

    @pytest.mark.parametrize(
        ("outcome", "decline", "hard"),
        [(Outcome.DECLINED_SOFT, FUNDS, False), (Outcome.DECLINED_HARD, LOST, True)],
    )
    def test_a_decline(self, outcome: Outcome, decline: Decline, *, hard: bool) -> None:
        payment, events = merged(a_payment(), outcome)
        assert payment.state == Declined(LATER, decline, hard)
        assert events == (PaymentFailed(payment.id, CUSTOMER, INVOICE, AMOUNT, decline.code, hard),)

    def test_an_action_has_seven_days(self) -> None:
        payment, events = merged(a_payment(), Outcome.REQUIRES_ACTION)
        assert payment.state == ActionRequired(URL, LATER + 7 * DAY)
        assert events == (PaymentActionRequired(payment.id, CUSTOMER, INVOICE, URL),)

    def test_an_action_without_an_address_is_still_no_decline(self) -> None:
        answer = evolve(snapshot(Outcome.REQUIRES_ACTION), action_url=None)
        assert folded(a_payment(), (answer,)).state == ActionRequired("", LATER + ACTION_WINDOW)

    def test_processing_is_asked_again_each_day_and_keeps_its_beginning(self) -> None:
        first, events = merged(a_payment(), Outcome.PROCESSING)
        assert first.state == Processing(LATER, LATER + PROCESSING_POLL)
        assert events == (PaymentProcessing(first.id, CUSTOMER, INVOICE),)
        second, _ = merged(first, Outcome.PROCESSING, at=LATER + DAY)
        assert second.state == Processing(LATER, LATER + 2 * DAY)

    def test_silence_is_asked_again_after_growing_waits_and_keeps_its_beginning(self) -> None:
        payment, at = a_payment(), NOON
        for tries, wait in enumerate((5 * MINUTE, HOUR, 6 * HOUR, DAY, DAY), start=1):
            payment, events = merged(payment, Outcome.UNKNOWN, at=at)
            assert payment.state == Unknown(NOON, at + wait, tries)
            assert events == (
                PaymentOutcomeUnknown(payment.id, CUSTOMER, INVOICE, tries, at + wait),
            )
            at += wait

    def test_what_was_not_executed_is_sent_again_after_growing_waits(self) -> None:
        payment, at = a_payment(), NOON
        for tries, wait in enumerate((5 * MINUTE, HOUR, 6 * HOUR, DAY, DAY), start=1):
            payment, events = merged(payment, Outcome.NOT_EXECUTED, at=at)
            assert payment.state == Intended(at + wait, tries)
            assert events == (PaymentNotExecuted(payment.id, CUSTOMER, INVOICE, tries, at + wait),)
            at += wait

    def test_a_repeat_that_does_not_get_through_leaves_the_outcome_unknown_and_is_repeated(
        self,
    ) -> None:
        # If it changed nothing, the payment would be due again at once, for ever.
        unknown, _ = merged(a_payment(), Outcome.UNKNOWN)
        again, events = merged(unknown, Outcome.NOT_EXECUTED, at=LATER + HOUR)
        assert again.state == Unknown(LATER, LATER + 2 * HOUR, 2)
        assert isinstance(events[0], PaymentOutcomeUnknown)

    @pytest.mark.parametrize(
        "outcome", [Outcome.UNKNOWN, Outcome.NOT_EXECUTED, Outcome.REQUIRES_ACTION]
    )
    def test_an_action_whose_time_is_over_and_that_is_not_voided_is_voided_again(
        self, outcome: Outcome
    ) -> None:
        waiting, _ = merged(a_payment(), Outcome.REQUIRES_ACTION, at=NOON)
        edge = NOON + ACTION_WINDOW
        early = merge(waiting, snapshot(outcome), at=edge - timedelta(microseconds=1))
        assert early is None
        again, events = merged(waiting, outcome, at=edge)
        assert again.state == ActionRequired(URL, edge + VOID_AGAIN)
        assert events == (PaymentOutcomeUnknown(again.id, CUSTOMER, INVOICE, 1, edge + VOID_AGAIN),)

    def test_an_answer_about_another_attempt_is_refused(self) -> None:
        mixed_up = evolve(snapshot(Outcome.SUCCEEDED), attempt_id=PaymentId("pay_of_another"))
        with pytest.raises(ValidationError) as caught:
            merge(a_payment(), mixed_up, at=LATER)
        assert caught.value.field == "attempt_id"

    def test_another_currency_is_refused(self) -> None:
        with pytest.raises(CurrencyMismatch):
            merge(a_payment(), snapshot(Outcome.SUCCEEDED, amount=Money(1999, USD)), at=LATER)

    @pytest.mark.parametrize("minor", [1998, 2000, 0, -1999, 199900])
    @pytest.mark.parametrize("outcome", Outcome)
    def test_another_amount_is_refused_whatever_the_answer(
        self, outcome: Outcome, minor: int
    ) -> None:
        with pytest.raises(ValidationError) as refused:
            merge(a_payment(), snapshot(outcome, amount=Money(minor, EUR)), at=LATER)
        assert refused.value.field == "amount"

    def test_a_reference_that_was_told_is_kept(self) -> None:
        told = folded(a_payment(), (snapshot(Outcome.PROCESSING, ref="ch_1"),))
        assert folded(told, (snapshot(Outcome.SUCCEEDED),)).reference == "ch_1"

    def test_a_late_success_wins_over_a_decline_and_a_void(self) -> None:
        for state in (Declined(NOON, LOST, hard=True), Voided(NOON, "absent")):
            payment, _ = merged(a_payment(state), Outcome.SUCCEEDED)
            assert isinstance(payment.state, Succeeded)

    @pytest.mark.parametrize(
        "answers",
        [
            (Outcome.SUCCEEDED, Outcome.DECLINED_SOFT, Outcome.PROCESSING, Outcome.UNKNOWN),
            (Outcome.SUCCEEDED, Outcome.REQUIRES_ACTION, Outcome.PROCESSING, Outcome.UNKNOWN),
            (Outcome.DECLINED_HARD, Outcome.REQUIRES_ACTION, Outcome.PROCESSING, Outcome.UNKNOWN),
            (Outcome.PROCESSING, Outcome.REQUIRES_ACTION, Outcome.UNKNOWN, Outcome.NOT_EXECUTED),
            (
                Outcome.SUCCEEDED,
                Outcome.DECLINED_SOFT,
                Outcome.PROCESSING,
                Outcome.REQUIRES_ACTION,
                Outcome.UNKNOWN,
                Outcome.NOT_EXECUTED,
            ),
        ],
    )
    def test_answers_in_any_order_come_to_one_state(self, answers: tuple[Outcome, ...]) -> None:
        snapshots = [snapshot(outcome, ref="ch_1") for outcome in answers]
        final = {
            (payment.status, payment.state, payment.reference)
            for payment in (folded(a_payment(), order) for order in permutations(snapshots))
        }
        assert len(final) == 1
        ((status, _, _),) = final
        highest = max((LEADS_TO[outcome] for outcome in answers), key=RANK.__getitem__)
        assert status == STATUS[highest]

    @given(
        before=st.sampled_from(STATES),
        answers=st.lists(st.sampled_from(list(Outcome)), max_size=12).map(tuple),
        more=st.lists(st.sampled_from(list(Outcome)), max_size=12).map(tuple),
    )
    def test_whatever_comes_a_success_stays_and_nothing_is_forgotten(
        self, before: PaymentState, answers: tuple[Outcome, ...], more: tuple[Outcome, ...]
    ) -> None:
        first = folded(a_payment(before), tuple(snapshot(outcome) for outcome in answers))
        second = folded(first, tuple(snapshot(outcome) for outcome in more))
        assert RANK[type(second.state)] >= RANK[type(first.state)] >= RANK[type(before)]
        taken = isinstance(before, Succeeded) or Outcome.SUCCEEDED in answers
        assert isinstance(first.state, Succeeded) == taken

    @pytest.mark.parametrize(
        "outcome", [Outcome.SUCCEEDED, Outcome.DECLINED_SOFT, Outcome.REQUIRES_ACTION]
    )
    def test_an_answer_that_comes_twice_says_nothing_new(self, outcome: Outcome) -> None:
        once, _ = merged(a_payment(), outcome)
        assert merge(once, snapshot(outcome), at=LATER + HOUR) is None


class TestReceiving:
    def test_money_that_came_in_has_succeeded_and_pays_nothing_yet(self) -> None:
        payment = received()
        assert payment.state == Succeeded(NOON)
        assert payment.invoice is None
        assert payment.reference == "bank-4711"
        assert payment.unallocated == AMOUNT
        assert (payment.live, payment.due_at, payment.version) == (False, None, 1)

    @pytest.mark.parametrize("minor", [0, -1])
    def test_nothing_does_not_come_in(self, minor: int) -> None:
        with pytest.raises(ValidationError):
            received(Money(minor, EUR))

    def test_allocations_add_up(self) -> None:
        first = allocated(received(), Allocation(INVOICE, 1000))
        assert first.unallocated == Money(999, EUR)
        other = Allocation(InvoiceId("inv_2"), 999)
        second = allocated(first, other)
        assert second.allocations == (Allocation(INVOICE, 1000), other)
        assert second.unallocated == Money(0, EUR)

    @pytest.mark.parametrize("amounts", [(2000,), (1999, 1), (2000, -1), (-1,), (0,)])
    def test_allocations_are_positive_and_never_exceed_what_came_in(
        self, amounts: tuple[int, ...]
    ) -> None:
        parts = [Allocation(INVOICE, amount) for amount in amounts]
        with pytest.raises(ValidationError):
            allocated(received(), *parts)

    @pytest.mark.parametrize("state", [s for s in STATES if not isinstance(s, Succeeded)])
    def test_what_was_not_received_pays_nothing(self, state: PaymentState) -> None:
        payment = a_payment(state)
        assert payment.unallocated == Money(0, EUR)
        with pytest.raises(InvalidTransition):
            allocated(payment, Allocation(INVOICE, 1))


def received(amount: Money = AMOUNT) -> Payment:
    return receive(
        PaymentId("pay_1"),
        amount,
        tenant="acme",
        customer=CUSTOMER,
        gateway="transfer",
        reference="bank-4711",
        at=NOON,
    )
