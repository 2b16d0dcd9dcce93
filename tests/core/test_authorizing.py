"""What is authorised first and captured later: every answer in every state, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from attrs import evolve

from subscriptions.decisions import Change
from subscriptions.errors import CurrencyMismatch, InvalidTransition, ValidationError
from subscriptions.ids import CustomerId, InvoiceId, PaymentId, PaymentMethodId
from subscriptions.money import EUR, Money
from subscriptions.payments import (
    ALLOWED,
    AUTHORIZATION_EXPIRED,
    VOIDED,
    ActionRequired,
    Allocation,
    Authorized,
    Capturing,
    Decline,
    Declined,
    Intended,
    Outcome,
    Payment,
    PaymentAuthorized,
    PaymentCaptureFailed,
    PaymentCaptureIntended,
    PaymentIntended,
    PaymentNotExecuted,
    PaymentOutcomeUnknown,
    PaymentRestReleased,
    PaymentSnapshot,
    PaymentState,
    PaymentSucceeded,
    PaymentVoided,
    PaymentWithdrawn,
    Processing,
    Release,
    Succeeded,
    Unknown,
    Voided,
    allocated,
    begin_capture,
    capture_intent,
    capture_is_young,
    charge_intent,
    intend_authorization,
    last_call_of_capture,
    merge,
    release,
    renew_capture,
    withdraw,
)

NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LATER = NOON + HOUR
EXPIRY = NOON + 7 * DAY
PAYMENT_ID, CUSTOMER = PaymentId("pay_1"), CustomerId("cus_1")
INVOICE = InvoiceId("inv_1")
WHOLE, PART = Money(5000, EUR), Money(1999, EUR)
HELD = Authorized(NOON, EXPIRY)
SAID: dict[str, Outcome] = {
    "voided": Outcome.DECLINED_SOFT,
    "expired": Outcome.DECLINED_SOFT,
    "refused": Outcome.DECLINED_HARD,
}
COMMANDS: dict[str, Callable[[Payment], Change]] = {
    "capture": lambda payment: begin_capture(payment, None, invoice=None, at=NOON, now=NOON),
    "release": lambda payment: release(payment, at=NOON),
}
CODES = {"voided": VOIDED, "expired": AUTHORIZATION_EXPIRED, "refused": "processor_error"}


def intended(invoice: InvoiceId | None = None) -> Payment:
    change = intend_authorization(
        PAYMENT_ID,
        WHOLE,
        tenant="acme",
        customer=CUSTOMER,
        invoice=invoice,
        gateway="card",
        method=PaymentMethodId("pm_1"),
        method_ref="pm_visa",
        at=NOON,
        now=NOON,
    )
    assert change.events == (PaymentIntended(PAYMENT_ID, CUSTOMER, invoice, WHOLE),)
    return after(change)


def in_state(state: PaymentState) -> Payment:
    return evolve(intended(), state=state)


def authorized() -> Payment:
    return in_state(HELD)


def capturing(amount: Money = PART) -> Payment:
    return after(begin_capture(authorized(), amount, invoice=INVOICE, at=NOON, now=NOON))


def captured(amount: Money = PART, *, at: datetime = LATER) -> Payment:
    return answered(capturing(amount), said(Outcome.SUCCEEDED, amount), at=at)


def after(change: Change | None) -> Payment:
    assert change is not None
    assert isinstance(change.after, Payment)
    return change.after


def said(
    outcome: Outcome,
    amount: Money = WHOLE,
    *,
    code: str | None = None,
    capturable: Money | None = None,
    expires_at: datetime | None = None,
) -> PaymentSnapshot:
    return PaymentSnapshot(
        outcome,
        amount,
        NOON,
        PAYMENT_ID,
        decline=None if code is None else Decline(code),
        expires_at=expires_at,
        capturable=capturable,
    )


def snapshot(outcome: Outcome, amount: Money = WHOLE) -> PaymentSnapshot:
    declined = outcome in (Outcome.DECLINED_SOFT, Outcome.DECLINED_HARD)
    return said(outcome, amount, code="card_declined" if declined else None)


def answered(payment: Payment, answer: PaymentSnapshot, *, at: datetime = LATER) -> Payment:
    return after(merge(payment, answer, at=at))


class TestAuthorizing:
    def test_what_is_asked_is_the_whole_amount_with_a_key_of_its_own(self) -> None:
        payment = intended(INVOICE)
        intent = charge_intent(payment)
        charge = charge_intent(evolve(payment, authorization=None))
        assert (intent.amount, intent.metadata["invoice"]) == (WHOLE, INVOICE)
        assert intent.key != charge.key
        for state in (HELD, Unknown(NOON, NOON), capturing().state):
            assert charge_intent(evolve(payment, state=state)) == intent
        assert charge_intent(evolve(payment, amount_minor=PART.minor)) == intent

    @pytest.mark.parametrize("minor", [0, -1])
    def test_nothing_is_not_authorised(self, minor: int) -> None:
        with pytest.raises(ValidationError, match="amount"):
            intend_authorization(
                PAYMENT_ID,
                Money(minor, EUR),
                tenant="acme",
                customer=CUSTOMER,
                invoice=None,
                gateway="card",
                method=PaymentMethodId("pm_1"),
                method_ref="pm_visa",
                at=NOON,
                now=NOON,
            )

    @pytest.mark.parametrize(
        "state",
        [
            Intended(NOON),
            Unknown(NOON, NOON),
            ActionRequired("https://bank.example", EXPIRY),
            Processing(NOON, NOON),
        ],
    )
    def test_what_the_bank_holds_is_authorised_until_it_says(self, state: PaymentState) -> None:
        change = merge(in_state(state), said(Outcome.AUTHORIZED, expires_at=EXPIRY), at=LATER)
        payment = after(change)
        assert payment.state == Authorized(LATER, EXPIRY)
        assert (payment.status, payment.due_at, payment.live) == ("authorized", EXPIRY, False)
        assert payment.authorized == payment.amount == WHOLE
        assert not payment.unallocated
        assert not payment.refundable
        assert change is not None
        event = PaymentAuthorized(PAYMENT_ID, CUSTOMER, None, WHOLE, EXPIRY)
        assert change.events == (event,)

    def test_a_gateway_that_does_not_say_how_long_holds_for_a_week(self) -> None:
        payment = answered(intended(), said(Outcome.AUTHORIZED))
        assert payment.due_at == LATER + 7 * DAY

    def test_what_was_captured_at_the_gateway_itself_is_money_and_its_rest_is_released(
        self,
    ) -> None:
        payment = answered(intended(), said(Outcome.SUCCEEDED, PART))
        assert payment.state == Succeeded(LATER)
        assert (payment.amount, payment.unallocated, payment.authorized) == (PART, PART, WHOLE)
        assert payment.due_at == LATER
        held = answered(authorized(), said(Outcome.SUCCEEDED, PART))
        assert (held.amount, held.due_at) == (PART, LATER)
        assert answered(authorized(), said(Outcome.SUCCEEDED)).due_at is None

    def test_a_charge_has_no_authorised_amount(self) -> None:
        assert evolve(intended(), authorization=None).authorized == Money(0, EUR)


class TestCapturing:
    def test_a_capture_is_intended_with_a_key_of_its_own(self) -> None:
        change = begin_capture(authorized(), PART, invoice=INVOICE, at=LATER, now=NOON)
        payment = after(change)
        assert payment.state == Capturing(HELD, 1999, LATER, LATER, NOON, LATER, 0, INVOICE)
        assert (payment.status, payment.due_at, payment.live) == ("capturing", LATER, True)
        assert change.events == (PaymentCaptureIntended(PAYMENT_ID, CUSTOMER, INVOICE, PART),)
        intent = capture_intent(payment)
        assert (intent.amount, intent.authorized, intent.created_at) == (PART, WHOLE, LATER)
        assert intent.key != charge_intent(payment).key
        assert capture_intent(evolve(payment, amount_minor=1, version=9)) == intent

    def test_another_capture_has_another_key(self) -> None:
        first = capturing()
        held = answered(first, said(Outcome.DECLINED_SOFT, PART, code="processor_error"))
        second = after(begin_capture(held, None, invoice=None, at=LATER, now=LATER))
        assert capture_intent(second).key != capture_intent(first).key
        assert capture_intent(second).amount == WHOLE

    @pytest.mark.parametrize("minor", [0, -1, 5001])
    def test_no_more_is_captured_than_was_authorised(self, minor: int) -> None:
        with pytest.raises(ValidationError, match="amount"):
            begin_capture(authorized(), Money(minor, EUR), invoice=None, at=NOON, now=NOON)

    def test_another_currency_is_refused(self) -> None:
        with pytest.raises(ValidationError, match="EUR"):
            begin_capture(authorized(), Money.of("1.00", "USD"), invoice=None, at=NOON, now=NOON)

    @pytest.mark.parametrize("command", ["capture", "release"])
    def test_only_what_is_held_is_captured_or_released(self, command: str) -> None:
        releasing = after(release(authorized(), at=NOON))
        refused = [
            in_state(state)
            for state in (Intended(NOON), Unknown(NOON, NOON), Succeeded(NOON), Voided(NOON, "x"))
        ]
        charged = evolve(authorized(), authorization=None)
        for payment in (*refused, capturing(), captured(), releasing, charged):
            with pytest.raises(InvalidTransition, match=command):
                COMMANDS[command](payment)

    def test_what_is_not_being_captured_has_no_intent(self) -> None:
        for payment in (authorized(), evolve(capturing(), authorization=None)):
            with pytest.raises(InvalidTransition):
                capture_intent(payment)

    def test_what_was_captured_is_money_and_the_rest_is_released_at_once(self) -> None:
        change = merge(capturing(), said(Outcome.SUCCEEDED, PART), at=LATER)
        payment = after(change)
        assert payment.state == Succeeded(LATER)
        assert (payment.amount, payment.unallocated, payment.refundable) == (PART, PART, PART)
        assert payment.due_at == LATER
        assert change is not None
        assert change.events == (PaymentSucceeded(PAYMENT_ID, CUSTOMER, INVOICE, PART),)
        assert allocated(payment, Allocation(INVOICE, 1999)).unallocated == Money(0, EUR)

    def test_where_all_was_captured_nothing_is_left_to_release(self) -> None:
        assert captured(WHOLE).due_at is None

    @pytest.mark.parametrize(
        ("word", "state"),
        [
            ("voided", Voided(LATER, "released")),
            ("expired", Declined(LATER, Decline(AUTHORIZATION_EXPIRED), hard=False)),
            ("refused", HELD),
        ],
    )
    def test_what_is_not_captured_is_over_or_held_still(
        self, word: str, state: PaymentState
    ) -> None:
        change = merge(capturing(), said(SAID[word], PART, code=CODES[word]), at=LATER)
        assert after(change).state == state
        assert change is not None
        event = PaymentCaptureFailed(PAYMENT_ID, CUSTOMER, INVOICE, PART, CODES[word])
        assert change.events == (event,)

    @pytest.mark.parametrize(
        "outcome",
        [
            Outcome.UNKNOWN,
            Outcome.NOT_EXECUTED,
            Outcome.PROCESSING,
            Outcome.AUTHORIZED,
            Outcome.REQUIRES_ACTION,
        ],
    )
    def test_silence_is_asked_about_with_the_same_key(self, outcome: Outcome) -> None:
        payment, at = capturing(), NOON
        key = capture_intent(payment)
        for wait in (5 * MINUTE, HOUR, 6 * HOUR, DAY, DAY):
            change = merge(payment, said(outcome), at=at)
            payment = after(change)
            at += wait
            assert payment.due_at == at
            assert capture_intent(payment) == key
            assert change is not None
            (event,) = change.events
            assert isinstance(event, PaymentOutcomeUnknown)
            assert event.ask_at == at
        # What nobody asked for says nothing new.
        assert merge(payment, said(outcome), at=at - MINUTE) is None

    def test_a_key_is_young_by_the_work_and_by_the_clock(self) -> None:
        state = capturing().state
        assert isinstance(state, Capturing)
        for at, now in product((NOON, NOON + 23 * HOUR), repeat=2):
            young = capture_is_young(state, at=at, now=now, window=DAY)
            assert young == (at == now == NOON)
        last = last_call_of_capture(state, window=DAY)
        assert last == NOON + 23 * HOUR + timedelta(seconds=30)

    def test_what_never_happened_is_sent_once_more_with_its_key(self) -> None:
        payment = capturing()
        change = renew_capture(payment, at=LATER, now=LATER + DAY)
        renewed = after(change)
        assert isinstance(renewed.state, Capturing)
        assert (renewed.state.fresh_at, renewed.state.keyed_at) == (LATER, LATER + DAY)
        assert renewed.due_at == LATER
        assert capture_intent(renewed) == capture_intent(payment)
        assert change is not None
        (event,) = change.events
        assert isinstance(event, PaymentNotExecuted)
        assert renew_capture(captured(), at=LATER, now=LATER) is None


class TestReleasing:
    def test_what_is_held_is_released_and_void(self) -> None:
        change = release(authorized(), at=LATER)
        releasing = after(change)
        assert change.events == (PaymentWithdrawn(PAYMENT_ID, CUSTOMER, None),)
        assert releasing.due_at == LATER
        assert after(withdraw(authorized(), at=LATER)) == releasing
        done = merge(releasing, said(Outcome.DECLINED_SOFT, code=VOIDED), at=LATER)
        payment = after(done)
        assert (payment.state, payment.due_at) == (Voided(LATER, "released"), None)
        assert done is not None
        assert done.events == (PaymentVoided(PAYMENT_ID, CUSTOMER, None, "released"),)

    @pytest.mark.parametrize("code", [VOIDED, AUTHORIZATION_EXPIRED])
    def test_what_nobody_captures_expires(self, code: str) -> None:
        payment = answered(authorized(), said(Outcome.DECLINED_SOFT, code=code), at=EXPIRY)
        assert payment.state == Voided(EXPIRY, AUTHORIZATION_EXPIRED)

    def test_what_the_gateway_gives_up_is_void_for_its_reason(self) -> None:
        payment = answered(authorized(), said(Outcome.DECLINED_HARD, code="fraud"), at=LATER)
        assert payment.state == Voided(LATER, "fraud")

    @pytest.mark.parametrize("asked", ["release", "expiry"])
    def test_it_is_asked_for_until_it_is_certain(self, asked: str) -> None:
        payment, at = authorized(), EXPIRY
        if asked == "release":
            payment, at = after(release(payment, at=LATER)), LATER
        for tries, wait in enumerate((5 * MINUTE, HOUR, 6 * HOUR, DAY), start=1):
            change = merge(payment, said(Outcome.UNKNOWN), at=at)
            payment = after(change)
            at += wait
            assert payment.due_at == at
            assert change is not None
            event = PaymentOutcomeUnknown(PAYMENT_ID, CUSTOMER, None, tries, at)
            assert change.events == (event,)
        assert isinstance(answered(payment, said(Outcome.SUCCEEDED)).state, Succeeded)

    def test_a_message_that_comes_again_says_nothing_new(self) -> None:
        assert merge(authorized(), said(Outcome.AUTHORIZED, expires_at=EXPIRY), at=LATER) is None
        assert withdraw(capturing(), at=LATER) is None

    def test_the_rest_is_free_when_the_gateway_says_so(self) -> None:
        free = said(Outcome.SUCCEEDED, PART, capturable=Money(0, EUR))
        change = merge(captured(), free, at=LATER)
        payment = after(change)
        assert (payment.state, payment.due_at) == (Succeeded(LATER), None)
        assert change is not None
        assert change.events == (PaymentRestReleased(PAYMENT_ID, CUSTOMER, WHOLE - PART),)
        assert merge(payment, free, at=LATER) is None

    @pytest.mark.parametrize(
        "answer",
        [
            said(Outcome.SUCCEEDED, PART),
            said(Outcome.SUCCEEDED, PART, capturable=WHOLE - PART),
            said(Outcome.UNKNOWN, PART),
            said(Outcome.NOT_EXECUTED, WHOLE),
            said(Outcome.AUTHORIZED, WHOLE, capturable=Money(0, EUR)),
        ],
    )
    def test_the_rest_is_asked_for_until_it_is_free_or_over(self, answer: PaymentSnapshot) -> None:
        payment = captured()
        assert merge(payment, answer, at=LATER - MINUTE) is None
        again = answered(payment, answer)
        assert again.due_at == LATER + 5 * MINUTE
        assert again.authorization is not None
        assert again.authorization.release == Release(LATER + 5 * MINUTE, EXPIRY, 1)
        assert again.amount == PART
        over = answered(again, answer, at=EXPIRY)
        assert over.due_at is None


class TestTables:
    @pytest.mark.parametrize("outcome", list(Outcome))
    @pytest.mark.parametrize(
        "payment",
        [
            intended(),
            in_state(Unknown(NOON, NOON)),
            in_state(ActionRequired("https://bank.example", EXPIRY)),
            in_state(Processing(NOON, NOON)),
            authorized(),
            capturing(),
            after(begin_capture(authorized(), None, invoice=None, at=LATER, now=NOON)),
            in_state(Declined(NOON, Decline("x"), hard=True)),
            in_state(Voided(NOON, "released")),
        ],
        ids=lambda payment: f"{payment.status}-{payment.version}-{payment.due_at}",
    )
    def test_every_answer_in_every_state_moves_as_the_table_says(
        self, payment: Payment, outcome: Outcome
    ) -> None:
        amount = PART if payment.status == "capturing" else WHOLE
        if isinstance(payment.state, Capturing):
            amount = Money(payment.state.amount_minor, EUR)
        change = merge(payment, snapshot(outcome, amount), at=LATER)
        if change is None:
            return
        moved = after(change)
        assert type(moved.state) in ALLOWED[type(payment.state)]
        assert moved.version == payment.version + 1
        assert len(change.events) == 1
        assert moved.amount_minor <= WHOLE.minor

    @pytest.mark.parametrize("outcome", [each for each in Outcome if each.value != "succeeded"])
    def test_a_success_stays_one(self, outcome: Outcome) -> None:
        for payment in (captured(WHOLE), captured(), captured(at=NOON)):
            change = merge(payment, snapshot(outcome, payment.amount), at=LATER)
            assert change is None or isinstance(after(change).state, Succeeded)

    @pytest.mark.parametrize(
        ("payment", "outcome", "amount"),
        [
            (intended(), Outcome.AUTHORIZED, PART),
            (intended(), Outcome.SUCCEEDED, Money(5001, EUR)),
            (authorized(), Outcome.SUCCEEDED, Money(0, EUR)),
            (authorized(), Outcome.DECLINED_SOFT, PART),
            (capturing(), Outcome.SUCCEEDED, WHOLE),
            (capturing(), Outcome.DECLINED_SOFT, Money(1, EUR)),
            (captured(), Outcome.SUCCEEDED, WHOLE),
            (captured(), Outcome.UNKNOWN, Money(1, EUR)),
        ],
    )
    def test_another_amount_is_refused(
        self, payment: Payment, outcome: Outcome, amount: Money
    ) -> None:
        with pytest.raises(ValidationError, match="amount"):
            merge(payment, snapshot(outcome, amount), at=LATER)

    def test_another_currency_is_refused(self) -> None:
        with pytest.raises(CurrencyMismatch):
            merge(authorized(), snapshot(Outcome.SUCCEEDED, Money.of("1.00", "USD")), at=LATER)

    def test_messages_about_what_was_before_change_nothing(self) -> None:
        late = said(Outcome.AUTHORIZED, expires_at=EXPIRY)
        for payment in (captured(WHOLE), captured()):
            assert merge(payment, late, at=LATER - MINUTE) is None
