"""What may be given back of a payment, and what the answers of a gateway make of a refund."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations, product

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from subscriptions import payments
from subscriptions.decisions import Change
from subscriptions.errors import CurrencyMismatch, InvalidTransition, ValidationError
from subscriptions.ids import InvoiceId, PaymentId, RefundId
from subscriptions.money import EUR, USD, Money
from subscriptions.payments import (
    MARGIN,
    TIMEOUT,
    Allocation,
    Payment,
    PaymentRefunded,
    PaymentRefundReleased,
    PaymentRefundReserved,
    confirm_refund,
    release_refund,
    reserve_refund,
    take_back_refund,
)
from subscriptions.refunds import (
    ALLOWED,
    POLL,
    REFUND,
    STATUS,
    Failed,
    Intended,
    Pending,
    Refund,
    RefundFailed,
    RefundFailure,
    RefundIntended,
    RefundNotExecuted,
    RefundOutcome,
    RefundPending,
    RefundResolved,
    RefundSnapshot,
    RefundState,
    RefundSucceeded,
    RefundUnknown,
    Succeeded,
    Unknown,
    contradicts,
    intend,
    last_call,
    merge,
    refund_id,
    refund_intent,
    renew,
    replayable,
    resolve,
)
from subscriptions.testing.builders import a_payment, a_refund

NOON = datetime(2027, 1, 31, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=10)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
WINDOW = timedelta(hours=24)
ID = RefundId("ref_1")
CLOSED = RefundFailure("account_closed", "Closed")

STATES: tuple[RefundState, ...] = (
    Intended(NOON),
    Unknown(NOON, NOON + 5 * MINUTE),
    Pending(NOON, NOON + DAY),
    Succeeded(NOON),
    Failed(NOON, CLOSED),
)


def payment_of(change: Change) -> Payment:
    assert isinstance(change.after, Payment)
    return change.after


def refund_of(change: Change | None) -> Refund:
    assert change is not None
    assert change.kind is REFUND
    assert isinstance(change.after, Refund)
    return change.after


def said(outcome: RefundOutcome, refund: Refund) -> RefundSnapshot:
    failure = CLOSED if outcome is RefundOutcome.FAILED else None
    return RefundSnapshot(outcome, refund.amount, LATER, refund.id, "re_1", failure)


# ---- how much of a payment -----------------------------------------------------------------------


def test_what_is_reserved_is_no_more_refundable_and_not_yet_refunded() -> None:
    payment = a_payment()
    change = reserve_refund(payment, Money(1000, EUR), refund=ID)
    after = payment_of(change)
    assert (after.refundable, after.refunded) == (Money(2451, EUR), Money(0, EUR))
    assert after.refunds == 1
    assert change.events == (
        PaymentRefundReserved(payment.id, payment.customer, ID, Money(1000, EUR)),
    )


def test_what_was_confirmed_is_refunded_and_stays_gone() -> None:
    reserved = payment_of(reserve_refund(a_payment(), Money(1000, EUR), refund=ID))
    change = confirm_refund(reserved, Money(1000, EUR), refund=ID)
    after = payment_of(change)
    assert (after.refundable, after.refunded) == (Money(2451, EUR), Money(1000, EUR))
    assert change.events == (PaymentRefunded(reserved.id, reserved.customer, ID, Money(1000, EUR)),)


def test_what_was_released_or_came_back_is_refundable_again() -> None:
    whole = Money(3451, EUR)
    reserved = payment_of(reserve_refund(a_payment(), whole, refund=ID))
    confirmed = payment_of(confirm_refund(reserved, whole, refund=ID))
    for change in (
        release_refund(reserved, whole, refund=ID),
        take_back_refund(confirmed, whole, refund=ID),
    ):
        after = payment_of(change)
        assert (after.refundable, after.refunded) == (whole, Money(0, EUR))
        assert after.refunds == 1
        assert change.events == (PaymentRefundReleased(after.id, after.customer, ID, whole),)


@pytest.mark.parametrize("amount", [Money(0, EUR), Money(-1, EUR), Money(3452, EUR), Money(1, USD)])
def test_an_amount_that_is_not_there_is_refused(amount: Money) -> None:
    with pytest.raises(ValidationError) as refused:
        reserve_refund(a_payment(), amount, refund=ID)
    assert refused.value.field == "amount"


@pytest.mark.parametrize(
    "state",
    [
        payments.Intended(NOON),
        payments.Unknown(NOON, LATER),
        payments.Processing(NOON, LATER),
        payments.Declined(NOON, payments.Decline("51"), hard=False),
        payments.Voided(NOON, "never"),
    ],
)
def test_what_took_no_money_gives_none_back(state: payments.PaymentState) -> None:
    payment = a_payment(state=state, allocations=())
    assert payment.refundable == Money(0, EUR)
    with pytest.raises(InvalidTransition) as refused:
        reserve_refund(payment, Money(1, EUR), refund=ID)
    assert refused.value.state == payment.status


def test_what_is_given_back_comes_out_of_what_pays_nothing_first() -> None:
    parts = (Allocation(InvoiceId("inv_1"), 3000),)
    payment = a_payment(allocations=parts)
    assert payment.unallocated == Money(451, EUR)
    some = payment_of(reserve_refund(payment, Money(400, EUR), refund=ID))
    assert some.unallocated == Money(51, EUR)
    more = payment_of(reserve_refund(some, Money(400, EUR), refund=ID))
    assert more.unallocated == Money(0, EUR)
    with pytest.raises(ValidationError):
        payments.allocated(some, Allocation(InvoiceId("inv_2"), 52))
    assert payments.allocated(some, Allocation(InvoiceId("inv_2"), 51)).unallocated == Money(0, EUR)


@given(st.lists(st.tuples(st.integers(-5, 2000), st.sampled_from(["ok", "fail", "late", "open"]))))
def test_what_is_reserved_and_given_back_never_exceeds_what_was_taken(
    wanted: list[tuple[int, str]],
) -> None:
    payment = a_payment()
    held = given_back = 0
    for minor, fate in wanted:
        amount = Money(minor, EUR)
        try:
            payment = payment_of(reserve_refund(payment, amount, refund=ID))
        except ValidationError:
            assert minor <= 0 or minor > 3451 - held - given_back
            continue
        match fate:
            case "ok":
                payment = payment_of(confirm_refund(payment, amount, refund=ID))
                given_back += minor
            case "fail":
                payment = payment_of(release_refund(payment, amount, refund=ID))
            case "late":
                payment = payment_of(confirm_refund(payment, amount, refund=ID))
                payment = payment_of(take_back_refund(payment, amount, refund=ID))
            case _:
                held += minor
        assert payment.refunded.minor == given_back
        assert payment.refundable.minor == 3451 - held - given_back >= 0


# ---- the intent ----------------------------------------------------------------------------------


def test_an_intent_is_frozen_and_its_id_and_key_follow_from_the_payment() -> None:
    payment = a_payment(refunds=2)
    change = intend(
        payment,
        Money(1000, EUR),
        reason="a mistake",
        at=NOON,
        now=LATER,
        invoice=InvoiceId("inv_2"),
        from_balance=True,
    )
    refund = refund_of(change)
    assert refund.id == refund_id(payment.tenant, payment.id, 3)
    assert (refund.ordinal, refund.gateway, refund.charge_ref) == (3, "card", payment.reference)
    assert (refund.state, refund.due_at) == (Intended(NOON), NOON)
    assert (refund.intended_at, refund.fresh_at, refund.keyed_at) == (NOON, NOON, LATER)
    assert (refund.reason, refund.invoice, refund.from_balance) == ("a mistake", "inv_2", True)
    assert change.events == (
        RefundIntended(refund.id, payment.customer, payment.id, Money(1000, EUR)),
    )
    sent = refund_intent(refund)
    later = evolve(refund, state=Unknown(NOON, LATER), reference="re_1", keyed_at=LATER + DAY)
    assert refund_intent(later) == sent
    assert (sent.attempt_id, sent.charge_ref) == (payment.id, payment.reference)
    assert (sent.amount, sent.created_at) == (Money(1000, EUR), NOON)
    assert sent.metadata == {"tenant": "acme", "refund": refund.id, "payment": payment.id}


def test_each_refund_of_each_payment_of_each_tenant_has_its_key() -> None:
    ids = {
        refund_id(tenant, PaymentId(payment), ordinal)
        for tenant, payment, ordinal in product(("a", "b"), ("pay_1", "pay_2"), (1, 2))
    }
    assert len(ids) == 8
    keys = {refund_intent(a_refund(id)).key for id in ids}
    assert len(keys) == 8


def test_a_refund_needs_a_reason() -> None:
    with pytest.raises(ValidationError) as refused:
        intend(a_payment(), Money(1, EUR), reason=" ", at=NOON, now=NOON)
    assert refused.value.field == "reason"


def test_a_failure_is_given_exactly_when_it_failed() -> None:
    for outcome, failure in product(RefundOutcome, (None, CLOSED)):
        if (outcome is RefundOutcome.FAILED) == (failure is not None):
            RefundSnapshot(outcome, Money(1, EUR), NOON, failure=failure)
            continue
        with pytest.raises(ValidationError):
            RefundSnapshot(outcome, Money(1, EUR), NOON, failure=failure)


# ---- states --------------------------------------------------------------------------------------


def test_a_refund_is_due_while_its_outcome_is_open_unless_it_is_parked() -> None:
    due = {type(state): a_refund(state=state).due_at for state in STATES}
    assert due == {
        Intended: NOON,
        Unknown: NOON + 5 * MINUTE,
        Pending: NOON + DAY,
        Succeeded: None,
        Failed: None,
    }
    for state in STATES:
        refund = a_refund(state=state)
        assert refund.open == (refund.due_at is not None)
        assert refund.status == STATUS[type(state)]
        assert a_refund(state=state, parked="a bug").due_at is None


LEADS_TO: dict[RefundOutcome, type[RefundState]] = {
    RefundOutcome.SUCCEEDED: Succeeded,
    RefundOutcome.FAILED: Failed,
    RefundOutcome.PENDING: Pending,
    RefundOutcome.UNKNOWN: Unknown,
}


@pytest.mark.parametrize(("state", "outcome"), list(product(STATES, LEADS_TO)), ids=str)
def test_an_answer_leads_where_the_table_allows_and_else_says_nothing(
    state: RefundState, outcome: RefundOutcome
) -> None:
    refund = a_refund(state=state, reference=None)
    change = merge(refund, said(outcome, refund), at=LATER)
    if LEADS_TO[outcome] not in ALLOWED[type(state)]:
        assert change is None
        return
    after = refund_of(change)
    assert type(after.state) is LEADS_TO[outcome]
    assert after.reference == "re_1"
    assert after.version == refund.version + 1


def test_each_answer_has_its_event() -> None:
    refund = a_refund(state=Intended(NOON))
    about = (refund.id, refund.customer, refund.payment)
    expected = {
        RefundOutcome.SUCCEEDED: (
            Succeeded(LATER),
            RefundSucceeded(*about, refund.amount),
        ),
        RefundOutcome.FAILED: (
            Failed(LATER, CLOSED),
            RefundFailed(*about, refund.amount, "account_closed"),
        ),
        RefundOutcome.PENDING: (Pending(LATER, LATER + POLL), RefundPending(*about)),
        RefundOutcome.UNKNOWN: (
            Unknown(LATER, LATER + 5 * MINUTE, 1),
            RefundUnknown(*about, 1, LATER + 5 * MINUTE),
        ),
        RefundOutcome.NOT_EXECUTED: (
            Intended(LATER + 5 * MINUTE, 1),
            RefundNotExecuted(*about, 1, LATER + 5 * MINUTE),
        ),
    }
    for outcome, (state, event) in expected.items():
        change = merge(refund, said(outcome, refund), at=LATER)
        assert refund_of(change).state == state
        assert change is not None
        assert change.events == (event,)


def test_silence_goes_on_and_is_asked_about_less_and_less_often() -> None:
    refund = a_refund(state=Intended(NOON))
    waits: list[timedelta] = []
    for _ in range(6):
        refund = refund_of(merge(refund, said(RefundOutcome.UNKNOWN, refund), at=NOON))
        assert isinstance(refund.state, Unknown)
        assert refund.state.since == NOON
        waits.append(refund.state.ask_at - NOON)
    assert waits == [5 * MINUTE, HOUR, 6 * HOUR, DAY, DAY, DAY]


def test_what_was_asked_and_is_not_reached_now_is_as_unknown_as_before() -> None:
    refund = a_refund(state=Unknown(NOON, LATER, 2))
    after = refund_of(merge(refund, said(RefundOutcome.NOT_EXECUTED, refund), at=LATER))
    assert after.state == Unknown(NOON, LATER + 6 * HOUR, 3)


def test_a_line_that_stays_down_is_tried_less_and_less_often() -> None:
    refund = a_refund(state=Intended(NOON, 1))
    after = refund_of(merge(refund, said(RefundOutcome.NOT_EXECUTED, refund), at=NOON))
    assert after.state == Intended(NOON + HOUR, 2)


def test_pending_is_pending_since_the_first_time() -> None:
    refund = a_refund(state=Pending(NOON, LATER))
    after = refund_of(merge(refund, said(RefundOutcome.PENDING, refund), at=LATER))
    assert after.state == Pending(NOON, LATER + POLL)


@pytest.mark.parametrize(
    "order",
    list(permutations([RefundOutcome.PENDING, RefundOutcome.SUCCEEDED, RefundOutcome.FAILED])),
    ids=str,
)
def test_a_failure_wins_in_whatever_order_the_answers_come(order: list[RefundOutcome]) -> None:
    refund = a_refund(state=Intended(NOON))
    for outcome in (*order, *order):
        change = merge(refund, said(outcome, refund), at=LATER)
        refund = refund if change is None else refund_of(change)
    assert refund.state == Failed(LATER, CLOSED)


def test_an_answer_about_something_else_is_refused() -> None:
    refund = a_refund(state=Intended(NOON))
    right = said(RefundOutcome.SUCCEEDED, refund)
    merge(refund, evolve(right, refund_id=None), at=LATER)
    with pytest.raises(ValidationError) as other_refund:
        merge(refund, evolve(right, refund_id=RefundId("ref_2")), at=LATER)
    assert other_refund.value.field == "refund_id"
    with pytest.raises(ValidationError) as other_amount:
        merge(refund, evolve(right, amount=Money(1, EUR)), at=LATER)
    assert other_amount.value.field == "amount"
    with pytest.raises(CurrencyMismatch):
        merge(refund, evolve(right, amount=Money(1451, USD)), at=LATER)


# ---- asking again --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "now", "young"),
    [
        (NOON, NOON, True),
        (NOON + WINDOW - MARGIN - MINUTE, NOON, True),
        (NOON + WINDOW - MARGIN, NOON, False),
        (NOON, NOON + WINDOW - MARGIN, False),
    ],
)
def test_a_key_is_young_by_the_clock_and_by_the_time_of_the_work(
    at: datetime, now: datetime, *, young: bool
) -> None:
    refund = a_refund(state=Intended(NOON), fresh_at=NOON, keyed_at=NOON)
    assert replayable(refund, at=at, now=now, window=WINDOW) == young


def test_the_last_call_is_given_up_after_its_time_out() -> None:
    refund = a_refund(fresh_at=NOON, keyed_at=NOON + DAY)
    end = WINDOW - MARGIN + TIMEOUT
    assert last_call(refund, window=WINDOW) == NOON + DAY + end
    assert last_call(refund, window=WINDOW, simulated=True) == NOON + end


@pytest.mark.parametrize("state", [Intended(NOON, 3), Unknown(NOON, LATER, 3)])
def test_what_the_gateway_never_had_is_sent_again_with_its_old_key(state: RefundState) -> None:
    refund = a_refund(state=state, fresh_at=NOON, keyed_at=NOON)
    change = renew(refund, at=NOON + DAY, now=NOON + 2 * DAY)
    after = refund_of(change)
    assert after.state == Intended(NOON + DAY, 3)
    assert (after.fresh_at, after.keyed_at) == (NOON + DAY, NOON + 2 * DAY)
    assert refund_intent(after) == refund_intent(refund)
    assert change is not None
    assert change.events == (
        RefundNotExecuted(refund.id, refund.customer, refund.payment, 3, NOON + DAY),
    )


def test_what_the_gateway_was_at_work_on_is_for_a_person() -> None:
    with pytest.raises(InvalidTransition):
        renew(a_refund(state=Pending(NOON, LATER)), at=NOON, now=NOON)


@pytest.mark.parametrize("state", [Succeeded(NOON), Failed(NOON, CLOSED)])
def test_what_is_known_is_not_sent_again(state: RefundState) -> None:
    assert renew(a_refund(state=state), at=NOON, now=NOON) is None


# ---- a person's word ----------------------------------------------------------------------------


@pytest.mark.parametrize("state", STATES[:3])
@pytest.mark.parametrize(
    ("outcome", "ends"), [("succeeded", Succeeded), ("never_happened", Failed)]
)
def test_a_person_settles_what_is_open(
    state: RefundState, outcome: str, ends: type[RefundState]
) -> None:
    refund = a_refund(state=state, parked="another amount")
    change = resolve(refund, outcome, reference="re_9", reason="seen", at=LATER)
    after = refund_of(change)
    assert (type(after.state), after.parked) == (ends, None)
    assert change.events[0] == RefundResolved(
        refund.id, refund.customer, refund.payment, outcome, "seen"
    )
    assert after.version == refund.version + 2
    if isinstance(after.state, Failed):
        assert after.state.failure == RefundFailure(payments.RESOLVED, "seen")
    else:
        assert after.reference == "re_9"


@pytest.mark.parametrize(
    ("state", "parked", "outcome"),
    [
        (Succeeded(NOON), None, "succeeded"),
        (Succeeded(NOON), "bug", "never_happened"),
        (Failed(NOON, CLOSED), None, "never_happened"),
        (Failed(NOON, CLOSED), "bug", "succeeded"),
    ],
)
def test_what_is_known_is_not_settled_otherwise(
    state: RefundState, parked: str | None, outcome: str
) -> None:
    with pytest.raises(InvalidTransition):
        resolve(
            a_refund(state=state, parked=parked), outcome, reference="re_9", reason="no", at=LATER
        )


@pytest.mark.parametrize(
    ("state", "outcome"),
    [(Succeeded(NOON), "succeeded"), (Failed(NOON, CLOSED), "never_happened")],
)
def test_what_is_known_and_in_question_is_only_released(state: RefundState, outcome: str) -> None:
    refund = a_refund(state=state, parked="another amount")
    after = refund_of(resolve(refund, outcome, reference=None, reason="it is so", at=LATER))
    assert (after.state, after.parked) == (state, None)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"outcome": "perhaps", "reference": "re_1", "reason": "who knows"}, "outcome"),
        ({"outcome": "succeeded", "reference": None, "reason": "seen"}, "reference"),
        ({"outcome": "never_happened", "reference": None, "reason": ""}, "reason"),
    ],
)
def test_a_word_on_a_refund_needs_an_outcome_a_reference_and_a_reason(
    given: dict[str, str | None], field: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        resolve(a_refund(state=Intended(NOON)), at=LATER, **given)  # type: ignore[arg-type]  # wrong ones
    assert refused.value.field == field


def test_a_gateway_contradicts_only_a_person_who_said_that_it_never_happened() -> None:
    refund = a_refund(state=Unknown(NOON, NOON))
    never = refund_of(resolve(refund, "never_happened", reference=None, reason="no", at=LATER))
    assert contradicts(never, said(RefundOutcome.SUCCEEDED, never))
    assert not contradicts(never, said(RefundOutcome.FAILED, never))
    failed = a_refund(state=Failed(NOON, CLOSED))
    assert not contradicts(failed, said(RefundOutcome.SUCCEEDED, failed))
    assert not contradicts(refund, said(RefundOutcome.SUCCEEDED, refund))
