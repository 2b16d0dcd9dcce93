import copy
import json
import pickle
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from attrs import evolve

from subscriptions.errors import GatewayError, InvalidTransition, ValidationError
from subscriptions.gateways import (
    AbsentForSure,
    CannotTell,
    Found,
    GatewayEvent,
    PaymentGateway,
    Secret,
    WebhookRefused,
)
from subscriptions.gateways.fake import (
    DECLINES,
    TOKENS,
    WEBHOOK_SECRET,
    FakeGateway,
    LedgerCharge,
    WebhookMessage,
)
from subscriptions.gateways.signatures import sign
from subscriptions.ids import PaymentId
from subscriptions.money import EUR, Money
from subscriptions.payments import Advice, ChargeIntent, Outcome
from subscriptions.refunds import RefundIntent
from subscriptions.testing.gateway_laws import GatewayLaws, SignedMessage

NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


# What four attempts on one invoice come to, said once more and independently of the tokens' table.
FATES = {
    "tok_visa": [Outcome.SUCCEEDED] * 4,
    "tok_mastercard": [Outcome.SUCCEEDED] * 4,
    "tok_amex": [Outcome.SUCCEEDED] * 4,
    "tok_sepa_debit": [Outcome.PROCESSING] * 4,
    "tok_sepa_debit_returned": [Outcome.PROCESSING] * 4,
    "tok_insufficient_funds": [Outcome.DECLINED_SOFT] * 4,
    "tok_insufficient_funds_twice": [Outcome.DECLINED_SOFT] * 2 + [Outcome.SUCCEEDED] * 2,
    "tok_processor_error": [Outcome.DECLINED_SOFT] * 4,
    "tok_card_declined": [Outcome.DECLINED_SOFT] * 4,
    "tok_lost_card": [Outcome.DECLINED_HARD] * 4,
    "tok_stolen_card": [Outcome.DECLINED_HARD] * 4,
    "tok_expired_card": [Outcome.DECLINED_HARD] * 4,
    "tok_requires_action": [Outcome.REQUIRES_ACTION] * 4,
    "tok_timeout_executed": [Outcome.UNKNOWN] * 4,
    "tok_timeout_not_executed": [Outcome.UNKNOWN] * 4,
}


class TestFakeGateway(GatewayLaws):
    applied = 101
    token = "tok_visa"  # noqa: S105 - it opens nothing

    @pytest.fixture
    def gateway(self) -> PaymentGateway:
        return FakeGateway(self.now)

    def decline(self, gateway: PaymentGateway, *, hard: bool) -> None:
        fake(gateway).decline_next("stolen_card" if hard else "insufficient_funds")

    def time_out(self, gateway: PaymentGateway, *, executed: bool) -> None:
        fake(gateway).time_out_next(executed=executed)

    def refuse_connection(self, gateway: PaymentGateway) -> None:
        fake(gateway).refuse_connection_next()

    def process(self, gateway: PaymentGateway) -> None:
        fake(gateway).process_next()

    def settle(self, gateway: PaymentGateway, intent: ChargeIntent, *, succeed: bool) -> None:
        fake(gateway).settle(intent.attempt_id, succeed=succeed)

    def require_action(self, gateway: PaymentGateway) -> None:
        fake(gateway).require_action_next()

    def act(self, gateway: PaymentGateway, intent: ChargeIntent, *, succeed: bool) -> None:
        fake(gateway).complete_action(intent.attempt_id, succeed=succeed)

    def fail_refund(self, gateway: PaymentGateway) -> None:
        fake(gateway).fail_refund_next()

    def time_out_refund(self, gateway: PaymentGateway, *, executed: bool) -> None:
        fake(gateway).time_out_refund_next(executed=executed)

    def refuse_refund_connection(self, gateway: PaymentGateway) -> None:
        fake(gateway).refuse_refund_connection_next()

    def pend_refund(self, gateway: PaymentGateway) -> None:
        fake(gateway).pend_refund_next()

    def settle_refund(
        self, gateway: PaymentGateway, intent: RefundIntent, *, succeed: bool
    ) -> None:
        fake(gateway).settle_refund(intent.refund_id, succeed=succeed)

    def refund_event(self, gateway: PaymentGateway, intent: RefundIntent) -> GatewayEvent:
        messages = fake(gateway).webhooks()
        message = next(each for each in messages if intent.refund_id.encode() in each.raw)
        secrets = [fake(gateway).webhook_secret]
        return gateway.parse_webhook(message.raw, message.headers, secrets=secrets, now=self.now())

    def webhook(self, gateway: PaymentGateway, intent: ChargeIntent) -> SignedMessage:
        return last_message(fake(gateway), intent)

    def pass_time(self, gateway: PaymentGateway, time: timedelta) -> None:
        fake(gateway).at(max(fake(gateway).now, self.now()) + time)

    def time_out_capture(self, gateway: PaymentGateway, *, executed: bool) -> None:
        fake(gateway).time_out_capture_next(executed=executed)

    def refuse_capture_connection(self, gateway: PaymentGateway) -> None:
        fake(gateway).refuse_capture_connection_next()

    def open_dispute(self, gateway: PaymentGateway, intent: ChargeIntent) -> None:
        fake(gateway).open_dispute(intent.attempt_id)

    def close_dispute(self, gateway: PaymentGateway, intent: ChargeIntent, *, won: bool) -> None:
        (reference,) = [
            each.reference for each in fake(gateway).disputes if each.attempt == intent.attempt_id
        ]
        if won:
            fake(gateway).win_dispute(reference)
        else:
            fake(gateway).lose_dispute(reference)

    def dispute_event(self, gateway: PaymentGateway, intent: ChargeIntent) -> GatewayEvent:
        del intent
        message = fake(gateway).webhooks()[-1]
        secrets = [fake(gateway).webhook_secret]
        return gateway.parse_webhook(message.raw, message.headers, secrets=secrets, now=self.now())


class TestFakeGatewayThatCapturesOften(TestFakeGateway):
    @pytest.fixture
    def gateway(self) -> PaymentGateway:
        return FakeGateway(self.now, multi_capture=True, in_flight_max=8)


class TestFakeGatewayWithALaggingList(TestFakeGateway):
    @pytest.fixture
    def gateway(self) -> PaymentGateway:
        return FakeGateway(list_lag=timedelta(minutes=1))

    def catch_up(self, gateway: PaymentGateway) -> None:
        fake(gateway).at(fake(gateway).now + timedelta(minutes=1))


def last_message(gateway: FakeGateway, intent: ChargeIntent) -> SignedMessage:
    message = gateway.webhooks()[-1]
    assert intent.attempt_id.encode() in message.raw
    return SignedMessage(message.raw, message.headers, WEBHOOK_SECRET, gateway.now)


def fake(gateway: PaymentGateway) -> FakeGateway:
    assert isinstance(gateway, FakeGateway)
    return gateway


def an_intent(
    attempt: str = "pay_1",
    *,
    method: str = "tok_visa",
    invoice: str = "inv_1",
    amount_minor: int = 1999,
    at: datetime = NOON,
) -> ChargeIntent:
    metadata = {"tenant": "acme", "attempt": attempt, "invoice": invoice}
    return ChargeIntent(
        PaymentId(attempt),
        f"v1:{attempt}",
        Money(amount_minor, EUR),
        method,
        "cus_1",
        metadata,
        at,
    )


def outcomes(gateway: FakeGateway, method: str, *, invoice: str = "inv_1") -> list[Outcome]:
    return [
        gateway.charge(an_intent(f"pay_{method}_{n}", method=method, invoice=invoice)).outcome
        for n in range(4)
    ]


class TestTokens:
    @pytest.mark.parametrize("token", TOKENS)
    def test_every_token_is_attached_with_what_may_be_shown(self, token: str) -> None:
        method = FakeGateway().attach(token, "cus_1")
        assert method.reference == f"{token.replace('tok_', 'pm_')}.cus_1"
        assert method.type in {"card", "sepa_debit"}
        assert len(method.last4) == 4
        assert (method.brand != "") == (method.type == "card") == (method.expires_on is not None)
        assert method.automatic

    @pytest.mark.parametrize("token", TOKENS)
    def test_the_fate_of_every_token(self, token: str) -> None:
        gateway = FakeGateway()
        assert outcomes(gateway, gateway.attach(token, "cus_1").reference) == FATES[token]

    def test_the_table_of_fates_is_complete(self) -> None:
        assert set(FATES) == set(TOKENS)

    def test_twice_means_twice_for_each_invoice(self) -> None:
        gateway = FakeGateway()
        method = gateway.attach("tok_insufficient_funds_twice", "cus_1").reference
        first = [
            gateway.charge(an_intent(f"pay_{n}", method=method, invoice=invoice)).outcome
            for n, invoice in enumerate(["inv_1", "inv_2", "inv_1", "inv_2", "inv_2", "inv_1"])
        ]
        assert first == [Outcome.DECLINED_SOFT] * 4 + [Outcome.SUCCEEDED] * 2

    def test_twice_is_not_counted_by_another_method(self) -> None:
        gateway = FakeGateway()
        gateway.charge(an_intent("pay_1", method="tok_insufficient_funds"))
        gateway.charge(an_intent("pay_2", method="tok_insufficient_funds"))
        answer = gateway.charge(an_intent("pay_3", method="tok_insufficient_funds_twice"))
        assert answer.outcome is Outcome.DECLINED_SOFT

    def test_a_second_method_of_the_same_token_is_another_method(self) -> None:
        gateway = FakeGateway()
        first, second = (gateway.attach("tok_visa", "cus_1").reference for _ in range(2))
        assert first != second
        gateway.detach(first)
        assert gateway.charge(an_intent("a", method=first)).outcome is Outcome.DECLINED_HARD
        assert gateway.charge(an_intent("b", method=second)).outcome is Outcome.SUCCEEDED

    def test_a_gateway_of_a_later_process_knows_the_methods_of_an_earlier_one(self) -> None:
        method = FakeGateway().attach("tok_lost_card", "cus_1").reference
        answer = FakeGateway().charge(an_intent(method=method))
        assert answer.decline is not None
        assert answer.decline.code == "lost_card"

    @pytest.mark.parametrize("token", ["tok_", "visa", "pm_visa", "", "tok\n\x00visa"])
    def test_an_unknown_token_is_refused(self, token: str) -> None:
        with pytest.raises(ValidationError) as refused:
            FakeGateway().attach(token, "cus_1")
        assert refused.value.field == "token"

    @pytest.mark.parametrize("method", ["", "pm_unknown.cus_1", "visa"])
    def test_an_unknown_method_is_declined_for_good(self, method: str) -> None:
        answer = FakeGateway().charge(an_intent(method=method))
        assert answer.outcome is Outcome.DECLINED_HARD
        assert answer.decline is not None
        assert answer.decline.code == "unknown_method"

    def test_the_time_out_tokens_charge_once_and_answer_the_second_call(self) -> None:
        for token, moved in (("tok_timeout_executed", 1999), ("tok_timeout_not_executed", 0)):
            gateway = FakeGateway()
            intent = an_intent(method=token)
            assert gateway.charge(intent).outcome is Outcome.UNKNOWN
            assert gateway.succeeded_minor("inv_1") == moved
            assert gateway.charge(intent).outcome is Outcome.SUCCEEDED
            assert gateway.succeeded_minor("inv_1") == 1999
            assert gateway.charge(an_intent("pay_2", method=token)).outcome is Outcome.UNKNOWN


class TestScripts:
    @pytest.mark.parametrize("code", DECLINES)
    def test_every_decline_code_is_soft_or_hard_as_its_table_says(self, code: str) -> None:
        gateway = FakeGateway()
        gateway.decline_next(code)
        answer = gateway.charge(an_intent())
        hard = answer.outcome is Outcome.DECLINED_HARD
        assert answer.decline is not None
        assert answer.decline.code == code
        assert hard == DECLINES[code].hard
        assert hard == (answer.decline.advice in {Advice.NEW_METHOD, Advice.RETRY_NEVER})

    @pytest.mark.parametrize("hard", [False, True])
    def test_hard_overrides_the_table_and_names_what_is_not_in_it(self, *, hard: bool) -> None:
        gateway = FakeGateway()
        for code in ("insufficient_funds", "lost_card", "of_tomorrow"):
            gateway.decline_next(code, hard=hard)
            answer = gateway.charge(an_intent(f"pay_{code}"))
            assert answer.outcome is (Outcome.DECLINED_HARD if hard else Outcome.DECLINED_SOFT)

    def test_an_unknown_decline_code_is_refused(self) -> None:
        gateway = FakeGateway()
        with pytest.raises(ValidationError):
            gateway.decline_next("insuficient_funds")
        assert gateway.charge(an_intent()).outcome is Outcome.SUCCEEDED

    def test_scripts_are_played_in_order_and_times_counts(self) -> None:
        gateway = FakeGateway()
        gateway.decline_next(times=2)
        gateway.require_action_next()
        gateway.process_next()
        gateway.refuse_connection_next()
        seen = [gateway.charge(an_intent(f"pay_{n}")).outcome for n in range(6)]
        assert seen == [
            Outcome.DECLINED_SOFT,
            Outcome.DECLINED_SOFT,
            Outcome.REQUIRES_ACTION,
            Outcome.PROCESSING,
            Outcome.NOT_EXECUTED,
            Outcome.SUCCEEDED,
        ]

    def test_a_fault_of_the_line_hits_a_repeat_and_a_decline_does_not(self) -> None:
        gateway = FakeGateway()
        gateway.charge(an_intent())
        gateway.refuse_connection_next()
        gateway.time_out_next(executed=True)
        gateway.decline_next()
        seen = [gateway.charge(an_intent()).outcome for _ in range(3)]
        assert seen == [Outcome.NOT_EXECUTED, Outcome.UNKNOWN, Outcome.SUCCEEDED]
        assert gateway.charge(an_intent("pay_2")).outcome is Outcome.DECLINED_SOFT

    def test_a_time_out_may_hide_a_decline(self) -> None:
        gateway = FakeGateway()
        gateway.time_out_next(executed=True, code="stolen_card")
        assert gateway.charge(an_intent()).outcome is Outcome.UNKNOWN
        assert gateway.charge(an_intent()).outcome is Outcome.DECLINED_HARD

    def test_a_time_out_may_hide_what_the_token_does(self) -> None:
        gateway = FakeGateway()
        gateway.time_out_next(executed=True)
        gateway.charge(an_intent(method="tok_sepa_debit"))
        found = gateway.reconcile(an_intent(method="tok_sepa_debit"), None)
        assert isinstance(found, Found)
        assert found.snapshot.outcome is Outcome.PROCESSING

    def test_an_ignored_question_gets_no_answer(self) -> None:
        gateway = FakeGateway()
        gateway.charge(an_intent())
        gateway.ignore_next(2)
        assert isinstance(gateway.reconcile(an_intent(), None), CannotTell)
        assert gateway.void(an_intent()).outcome is Outcome.UNKNOWN
        assert isinstance(gateway.reconcile(an_intent(), None), Found)

    def test_only_what_waits_can_be_ended(self) -> None:
        gateway = FakeGateway()
        gateway.charge(an_intent())
        with pytest.raises(InvalidTransition):
            gateway.settle(PaymentId("pay_1"))
        with pytest.raises(InvalidTransition):
            gateway.complete_action(PaymentId("pay_1"))
        with pytest.raises(ValidationError):
            gateway.settle(PaymentId("pay_2"))

    def test_a_customer_who_comes_after_the_void_is_too_late(self) -> None:
        gateway = FakeGateway()
        gateway.require_action_next()
        gateway.charge(an_intent())
        gateway.void(an_intent())
        with pytest.raises(InvalidTransition):
            gateway.complete_action(PaymentId("pay_1"))
        assert gateway.succeeded_minor("inv_1") == 0


class TestKeys:
    def test_key_age_is_judged_by_the_first_call(self) -> None:
        gateway = FakeGateway()
        gateway.charge(an_intent())
        gateway.at(NOON + 23 * HOUR)
        gateway.charge(an_intent())
        gateway.at(NOON + 24 * HOUR - timedelta(microseconds=1))
        gateway.charge(an_intent())
        assert gateway.succeeded_minor("inv_1") == 1999

    def test_past_the_window_a_repeat_is_a_second_charge_and_the_books_show_it(self) -> None:
        gateway = FakeGateway()
        first = gateway.charge(an_intent())
        gateway.at(NOON + 24 * HOUR)
        second = gateway.charge(an_intent())
        assert second.outcome is Outcome.SUCCEEDED
        assert first.gateway_ref != second.gateway_ref
        assert gateway.succeeded_minor("inv_1") == 2 * 1999
        assert [charge.attempt for charge in gateway.charges] == ["pay_1", "pay_1"]

    def test_a_window_too_short_to_ask_again_in_is_refused(self) -> None:
        with pytest.raises(ValidationError, match="replay_window"):
            FakeGateway(replay_window=HOUR)

    def test_the_window_is_configurable(self) -> None:
        gateway = FakeGateway(replay_window=2 * HOUR)
        assert gateway.capabilities.replay_window == 2 * HOUR
        gateway.charge(an_intent())
        gateway.charge(an_intent("pay_2", at=NOON + 2 * HOUR))
        gateway.charge(an_intent())
        assert len(gateway.charges_for("inv_1")) == 3

    @pytest.mark.parametrize(
        "other",
        [
            evolve(an_intent(), amount=Money(1, EUR)),
            evolve(an_intent(), attempt_id=PaymentId("pay_2")),
            evolve(an_intent(), method_ref="tok_mastercard"),
            evolve(an_intent(), customer_ref="cus_2"),
            evolve(an_intent(), metadata={}),
        ],
    )
    def test_a_key_with_other_facts_is_an_alert_and_never_a_charge(
        self, other: ChargeIntent
    ) -> None:
        gateway = FakeGateway()
        gateway.charge(an_intent())
        assert gateway.charge(other).outcome is Outcome.UNKNOWN
        assert len(gateway.charges) == 1
        assert [(alert.at, alert.key) for alert in gateway.alerts] == [(NOON, "v1:pay_1")]

    @pytest.mark.parametrize("key", ["", "k" * 65, "schlüssel"])
    def test_a_malformed_key_is_a_defect(self, key: str) -> None:
        gateway = FakeGateway()
        with pytest.raises(GatewayError):
            gateway.charge(evolve(an_intent(), key=key))
        assert gateway.charges == ()

    @pytest.mark.parametrize("amount_minor", [0, -1])
    def test_an_amount_that_is_not_positive_is_a_defect(self, amount_minor: int) -> None:
        with pytest.raises(GatewayError):
            FakeGateway().charge(an_intent(amount_minor=amount_minor))

    def test_another_key_for_the_same_attempt_is_another_charge(self) -> None:
        # This is what a key with a random part does after a crash.
        gateway = FakeGateway()
        gateway.charge(an_intent())
        gateway.charge(evolve(an_intent(), key="another"))
        assert gateway.succeeded_minor("inv_1") == 2 * 1999

    def test_threads_that_send_one_intent_make_one_charge(self) -> None:
        gateway = FakeGateway()
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(gateway.charge, [an_intent()] * 200))
        assert answers == [answers[0]] * 200
        assert len(gateway.charges) == 1


class TestTime:
    def test_time_is_the_latest_instant_told_and_never_goes_back(self) -> None:
        told = [NOON + HOUR]
        gateway = FakeGateway(lambda: told[0])
        assert gateway.now == NOON + HOUR
        gateway.charge(an_intent(at=NOON + 3 * HOUR))
        assert gateway.now == NOON + 3 * HOUR
        gateway.at(NOON + 2 * HOUR)
        assert gateway.now == NOON + 3 * HOUR
        told[0] = NOON + 4 * HOUR
        assert gateway.now == NOON + 4 * HOUR
        told[0] = NOON
        assert gateway.now == NOON + 4 * HOUR

    def test_without_a_clock_the_intents_tell_the_time(self) -> None:
        gateway = FakeGateway()
        assert gateway.charge(an_intent()).occurred_at == NOON
        assert gateway.charge(an_intent("pay_2", at=NOON + DAY)).occurred_at == NOON + DAY

    def test_a_naive_instant_is_refused(self) -> None:
        with pytest.raises(ValidationError):
            FakeGateway().at(datetime(2027, 1, 1))  # noqa: DTZ001 - this is what is refused

    @pytest.mark.parametrize(
        ("token", "outcome"),
        [
            ("tok_sepa_debit", Outcome.SUCCEEDED),
            ("tok_sepa_debit_returned", Outcome.DECLINED_SOFT),
        ],
    )
    def test_a_debit_is_settled_when_its_days_have_passed(
        self, token: str, outcome: Outcome
    ) -> None:
        gateway = FakeGateway()
        gateway.charge(an_intent(method=token))
        gateway.at(NOON + 5 * DAY - timedelta(microseconds=1))
        assert gateway.charges[0].outcome is Outcome.PROCESSING
        gateway.at(NOON + 9 * DAY)
        (charge,) = gateway.charges
        assert charge.outcome is outcome
        assert charge.changed_at == NOON + 5 * DAY
        assert charge.created_at == NOON

    def test_what_was_settled_early_is_not_settled_again(self) -> None:
        gateway = FakeGateway()
        gateway.process_next(days=3, succeed=True)
        gateway.charge(an_intent())
        gateway.settle(PaymentId("pay_1"), succeed=False, code="account_closed")
        gateway.at(NOON + 4 * DAY)
        assert gateway.charges[0].outcome is Outcome.DECLINED_HARD

    def test_debits_are_settled_in_the_order_of_their_days(self) -> None:
        gateway = FakeGateway()
        for number, days in enumerate((3, 1, 2)):
            gateway.process_next(days=days)
            gateway.charge(an_intent(f"pay_{number}"))
        gateway.webhooks()
        gateway.at(NOON + 3 * DAY)
        settled = [read(gateway, message) for message in gateway.webhooks()]
        assert settled == ["pay_1", "pay_2", "pay_0"]


class TestLists:
    def test_a_charge_newer_than_the_lag_can_not_be_told_without_its_reference(self) -> None:
        gateway = FakeGateway(list_lag=timedelta(seconds=60))
        answer = gateway.charge(an_intent())
        assert isinstance(gateway.reconcile(an_intent(), None), CannotTell)
        assert gateway.reconcile(an_intent(), answer.gateway_ref) == Found(answer)
        assert list(gateway.list_since(NOON)) == []
        gateway.at(NOON + timedelta(seconds=60))
        assert gateway.reconcile(an_intent(), None) == Found(answer)
        assert list(gateway.list_since(NOON)) == [answer]

    def test_absence_is_proven_only_when_the_list_is_newer_than_the_last_call(self) -> None:
        gateway = FakeGateway(list_lag=timedelta(seconds=60))
        gateway.at(NOON + HOUR)
        gateway.time_out_next(executed=False)
        gateway.charge(an_intent())
        assert isinstance(gateway.reconcile(an_intent(), None), CannotTell)
        gateway.at(NOON + HOUR + timedelta(seconds=60))
        assert gateway.reconcile(an_intent(), None) == AbsentForSure(NOON + HOUR)

    def test_an_intent_that_was_never_sent_is_absent(self) -> None:
        assert FakeGateway().reconcile(an_intent(), None) == AbsentForSure(NOON)

    def test_of_two_charges_of_one_attempt_the_one_that_took_money_is_found(self) -> None:
        gateway = FakeGateway()
        taken = gateway.charge(an_intent())
        gateway.decline_next()
        gateway.charge(evolve(an_intent(), key="another"))
        assert gateway.reconcile(an_intent(), None) == Found(taken)

    def test_the_list_starts_at_an_instant_and_says_what_is_so_now(self) -> None:
        gateway = FakeGateway()
        gateway.process_next(days=1)
        for hours in range(4):
            gateway.charge(an_intent(f"pay_{hours}", at=NOON + hours * HOUR))
        listed = [found.attempt_id for found in gateway.list_since(NOON + 2 * HOUR)]
        assert listed == ["pay_2", "pay_3"]
        gateway.at(NOON + DAY)
        assert next(gateway.list_since(NOON)).outcome is Outcome.SUCCEEDED

    def test_the_books_tell_what_was_asked(self) -> None:
        gateway = FakeGateway()
        gateway.charge(an_intent())
        gateway.charge(evolve(an_intent("pay_2", invoice=""), metadata={}))
        first, second = gateway.charges
        assert (first.invoice, first.key, first.amount) == ("inv_1", "v1:pay_1", Money(1999, EUR))
        assert second.invoice == ""
        assert gateway.charges_for("inv_1") == (first,)
        assert gateway.succeeded_minor("inv_2") == 0


class TestVoid:
    def test_void_of_what_never_arrived_holds_when_it_arrives_late(self) -> None:
        gateway = FakeGateway()
        assert gateway.void(an_intent()).outcome is Outcome.DECLINED_SOFT
        late = gateway.charge(an_intent())
        assert late.outcome is Outcome.DECLINED_SOFT
        assert late == gateway.void(an_intent())
        assert gateway.charges == ()

    def test_what_is_on_its_way_through_the_banks_is_not_stopped(self) -> None:
        gateway = FakeGateway()
        gateway.process_next()
        gateway.charge(an_intent())
        assert gateway.void(an_intent()).outcome is Outcome.PROCESSING

    def test_void_of_a_decline_tells_the_decline(self) -> None:
        gateway = FakeGateway()
        gateway.decline_next("lost_card")
        answer = gateway.charge(an_intent())
        assert gateway.void(an_intent()) == answer


def read(gateway: FakeGateway, message: WebhookMessage) -> str:
    event = gateway.parse_webhook(
        message.raw, message.headers, secrets=[WEBHOOK_SECRET], now=gateway.now
    )
    assert event.snapshot is not None
    return str(event.snapshot.attempt_id)


class TestWebhooks:
    def test_every_change_of_state_is_a_message_that_says_what_the_books_say(self) -> None:
        gateway = FakeGateway()
        gateway.process_next(days=1, succeed=False)
        gateway.charge(an_intent("pay_1"))
        gateway.require_action_next()
        gateway.charge(an_intent("pay_2"))
        gateway.complete_action(PaymentId("pay_2"))
        gateway.charge(an_intent("pay_3"))
        gateway.at(NOON + DAY)
        messages = gateway.webhooks()
        events = [
            gateway.parse_webhook(m.raw, m.headers, secrets=[WEBHOOK_SECRET], now=gateway.now)
            for m in messages
        ]
        assert [event.type for event in events] == [
            "payment.processing",
            "payment.requires_action",
            "payment.succeeded",
            "payment.succeeded",
            "payment.declined_soft",
        ]
        assert len({event.id for event in events}) == len(events)
        assert [event.id for event in events] == [message.id for message in messages]
        last = {event.snapshot.attempt_id: event.snapshot for event in events if event.snapshot}
        assert last == {charge.attempt: charge.snapshot for charge in gateway.charges}
        assert gateway.webhooks() == []

    def test_a_call_that_had_no_effect_sends_nothing(self) -> None:
        gateway = FakeGateway()
        gateway.time_out_next(executed=False)
        gateway.charge(an_intent())
        gateway.refuse_connection_next()
        gateway.charge(an_intent())
        assert gateway.webhooks() == []
        gateway.charge(an_intent())
        gateway.charge(an_intent())
        assert len(gateway.webhooks()) == 1

    def test_a_message_is_sent_again_with_its_id_and_a_new_signature(self) -> None:
        gateway = FakeGateway()
        gateway.charge(an_intent())
        (message,) = gateway.webhooks()
        gateway.at(NOON + 3 * DAY)
        with pytest.raises(WebhookRefused):
            read(gateway, message)
        again = gateway.send_again(message.id)
        assert (again.id, again.raw) == (message.id, message.raw)
        assert read(gateway, again) == "pay_1"
        with pytest.raises(ValidationError):
            gateway.send_again("of_another_gateway")

    def test_a_message_that_is_not_about_a_payment_is_an_event_without_one(self) -> None:
        event = parse(b'{"type":"payout.paid","data":{}}')
        assert (event.type, event.snapshot) == ("payout.paid", None)

    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b"\xff",
            b"null",
            b"[]",
            b'"text"',
            b"{}",
            b'{"type":1}',
            b'{"type":"payment.succeeded"}',
            b'{"type":"payment.succeeded","data":null}',
            b'{"type":"a","type":"b"}',
            b'{"type":"a","data":NaN}',
            b'{"type":"a\\u0000"}',
            b'{"type":"a","n":' + b"9" * 5000 + b"}",
            b'{"type":' + b"[" * 100_000,
            '{"type":"a"}'.encode("utf-16"),
        ],
    )
    def test_a_genuine_body_that_makes_no_sense_is_refused(self, raw: bytes) -> None:
        with pytest.raises(WebhookRefused):
            parse(raw)

    @pytest.mark.parametrize(
        "change",
        [
            {"outcome": "paid"},
            {"amount_minor": 19.99},
            {"amount_minor": True},
            {"amount_minor": "1999"},
            {"amount_minor": 2**63},
            {"currency": "eur"},
            {"currency": None},
            {"attempt": None},
            {"reference": ["ch_1"]},
            {"decline": {"code": "lost_card", "message": "", "advice": "retry_never"}},
            {"decline": {"code": "lost_card"}},
            {"outcome": "declined_soft"},
            {"action_url": 1},
        ],
    )
    def test_a_genuine_message_with_an_impossible_value_is_refused(
        self, change: Mapping[str, object]
    ) -> None:
        gateway = FakeGateway()
        gateway.charge(an_intent())
        body = json.loads(gateway.webhooks()[0].raw)
        parse(json.dumps(body).encode())
        body["data"].update(change)
        with pytest.raises(WebhookRefused):
            parse(json.dumps(body).encode())

    def test_a_timestamp_without_zone_is_refused(self) -> None:
        gateway = FakeGateway()
        gateway.charge(an_intent())
        body = json.loads(gateway.webhooks()[0].raw)
        body["timestamp"] = "2027-01-01T12:00:00"
        with pytest.raises(WebhookRefused):
            parse(json.dumps(body).encode())

    def test_a_gateway_signs_with_its_own_secret(self) -> None:
        secret = Secret("of this test")
        gateway = FakeGateway(webhook_secret=secret)
        gateway.charge(an_intent())
        (message,) = gateway.webhooks()
        with pytest.raises(WebhookRefused):
            read(gateway, message)
        event = gateway.parse_webhook(message.raw, message.headers, secrets=[secret], now=NOON)
        assert event.id == message.id


def parse(raw: bytes) -> GatewayEvent:
    headers = sign(raw, id="evt_1", at=NOON, secret=WEBHOOK_SECRET)
    return FakeGateway().parse_webhook(raw, headers, secrets=[WEBHOOK_SECRET], now=NOON)


class TestDeterminism:
    def play(self, gateway: FakeGateway) -> list[object]:
        gateway.decline_next()
        gateway.time_out_next(executed=True)
        seen: list[object] = [gateway.attach("tok_visa", "cus_1")]
        for number, token in enumerate(TOKENS):
            seen.append(gateway.charge(an_intent(f"pay_{number}", method=token)))
        gateway.at(NOON + 10 * DAY)
        return [*seen, gateway.charges, *gateway.webhooks()]

    def test_two_gateways_that_are_told_the_same_say_the_same(self) -> None:
        assert self.play(FakeGateway()) == self.play(FakeGateway())

    @pytest.mark.parametrize("way", ["pickle", "deepcopy"])
    def test_a_copy_goes_on_by_itself(self, way: str) -> None:
        gateway = FakeGateway()
        gateway.charge(an_intent())
        gateway.decline_next()
        other = pickle.loads(pickle.dumps(gateway)) if way == "pickle" else copy.deepcopy(gateway)  # noqa: S301
        assert other.charges == gateway.charges
        assert other.charge(an_intent()) == gateway.charge(an_intent())
        assert other.charge(an_intent("pay_2")).outcome is Outcome.DECLINED_SOFT
        assert len(gateway.charges) == 1

    def test_the_order_of_unrelated_charges_does_not_matter(self) -> None:
        books: list[list[LedgerCharge]] = []
        for order in permutations(["tok_visa", "tok_insufficient_funds_twice", "tok_lost_card"]):
            gateway = FakeGateway()
            for token in order:
                gateway.charge(an_intent(f"pay_{token}", method=token, invoice=token))
            books.append(sorted(gateway.charges, key=lambda charge: charge.attempt))
        assert all(book == books[0] for book in books)
