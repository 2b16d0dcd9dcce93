"""The laws of the gateway port, to be inherited by whoever writes an adapter.

```
class TestMyGateway(GatewayLaws):
    token = "tok_good"

    @pytest.fixture
    def gateway(self) -> PaymentGateway:
        return MyGateway(...)  # fresh: nothing was charged yet
```

The kit sees money only through `list_since`, as the engine does. What an author can arrange (a
decline, a time-out, a webhook) is told by overriding the methods that are not laws; a law whose
method is missing fails, and is to be waived with a reason. The laws of giving money back are in
`RefundLaws`, and are skipped for a gateway that does not implement `Refunds`. Run it against a test
account: it charges, it gives back, and it deletes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest
from attrs import evolve, frozen

from subscriptions.errors import ValidationError
from subscriptions.gateways import (
    AbsentForSure,
    Found,
    GatewayEvent,
    PaymentGateway,
    Secret,
    WebhookRefused,
)
from subscriptions.ids import PaymentId, derived_id, gateway_key
from subscriptions.money import Money
from subscriptions.payment_methods import luhn_valid
from subscriptions.payments import MARGIN, ChargeIntent, Outcome, PaymentSnapshot
from subscriptions.testing.refund_laws import RefundLaws

CARD_NUMBER = "4242 4242 4242 4242"
BODY_BYTES_MAX = 1024 * 1024
TOLERANCE = timedelta(seconds=300)
# Lists are asked from well before the charge: the two clocks differ.
SKEW = timedelta(minutes=10)
DECLINES = (Outcome.DECLINED_SOFT, Outcome.DECLINED_HARD)
HOSTILE_TEXTS = (
    "",
    " ",
    ",",
    "v1",
    "v1,",
    "v1,=",
    "v1,€",
    "v1,\x00",
    "v1," + "A" * 100_000,
    " ".join(["v1,AAAA"] * 10_000),
    "v2,AAAA",
    "t=1,v1=0",
    "-1",
    "NaN",
    "1e9",
    "٣",
    "9" * 5000,
    "a.b",
    "\ud800",
    "\r\nwebhook-id: other",
)


@frozen
class SignedMessage:
    """A genuine webhook, as it would arrive, and the secret that it was signed with."""

    raw: bytes
    headers: Mapping[str, str]
    secret: Secret
    sent_at: datetime


@frozen
class Intents:
    """Makes the intents of one law: equal arguments make equal intents."""

    method_ref: str
    customer_ref: str
    unique: str
    at: datetime
    amount: Money

    def __call__(self, ordinal: int = 1, *, amount: Money | None = None) -> ChargeIntent:
        """Return the intent of the `ordinal`-th attempt on the law's only invoice."""
        attempt = PaymentId(derived_id("pay", self.unique, str(ordinal)))
        metadata = {"tenant": "laws", "attempt": attempt, "invoice": f"inv_{self.unique}"}
        return ChargeIntent(
            attempt,
            gateway_key("laws", "charge", attempt),
            amount if amount is not None else self.amount,
            self.method_ref,
            self.customer_ref,
            metadata,
            self.at,
        )


class GatewayLaws(RefundLaws, kit=True):
    """The laws that every gateway keeps. They cannot be overridden, only waived with a reason."""

    # ---- what the author gives --------------------------------------------------------------

    token: ClassVar[str] = ""
    """A token whose method can be charged."""
    unknown_token: ClassVar[str] = "tok_that_nobody_issued"  # noqa: S105 - it opens nothing
    """A token that the gateway does not know."""
    customer_ref: ClassVar[str] = "cus_laws"
    """The customer to whom methods are attached."""
    amounts: ClassVar[tuple[Money, ...]] = (
        Money.of("19.99", "EUR"),
        Money.of("0.01", "EUR"),
        Money.of("123456.78", "USD"),
    )
    """Amounts that the gateway takes; the first is charged where the amount does not matter."""
    unique: ClassVar[str] = ""
    """For a gateway that remembers earlier runs: a text that is new in each run."""
    other_secret: ClassVar[Secret] = Secret("whsec_YW5vdGhlciBzZWNyZXQgb2YgdGhlIGxhd3M=")
    """A webhook secret of the right form that signed nothing."""

    @pytest.fixture
    def gateway(self) -> PaymentGateway:
        """Return a fresh gateway; every author gives this fixture."""
        raise NotImplementedError("give a fixture named gateway")

    def now(self) -> datetime:
        """Return the present time, as the gateway sees it."""
        return datetime(2027, 1, 1, 12, tzinfo=UTC)

    def decline(self, gateway: PaymentGateway, *, hard: bool) -> None:
        """Let the next new charge be declined, softly or for good."""
        del gateway, hard
        self.missing("decline")

    def time_out(self, gateway: PaymentGateway, *, executed: bool) -> None:
        """Let the answer to the next charge get lost, with or without its effect."""
        del gateway, executed
        self.missing("time_out")

    def refuse_connection(self, gateway: PaymentGateway) -> None:
        """Let the next call of `charge` be refused before anything is sent."""
        del gateway
        self.missing("refuse_connection")

    def process(self, gateway: PaymentGateway) -> None:
        """Let the next new charge be one whose outcome takes days."""
        del gateway
        self.missing("process")

    def settle(self, gateway: PaymentGateway, intent: ChargeIntent, *, succeed: bool) -> None:
        """Let the days pass of a charge that is processing."""
        del gateway, intent, succeed
        self.missing("settle")

    def require_action(self, gateway: PaymentGateway) -> None:
        """Let the next new charge wait for the customer."""
        del gateway
        self.missing("require_action")

    def act(self, gateway: PaymentGateway, intent: ChargeIntent, *, succeed: bool) -> None:
        """Act as the customer whom a charge waits for."""
        del gateway, intent, succeed
        self.missing("act")

    def webhook(self, gateway: PaymentGateway, intent: ChargeIntent) -> SignedMessage:
        """Return a genuine message about a charge that was made."""
        del gateway, intent
        self.missing("webhook")

    @pytest.fixture
    def intend(self, gateway: PaymentGateway, request: pytest.FixtureRequest) -> Intents:
        """Return what makes the intents of one law, charged to a method that is good."""
        return self.intents(gateway, request.node.name)

    def intents(self, gateway: PaymentGateway, law: str) -> Intents:
        """Attach a good method and return what makes the intents of the law with this name."""
        method = gateway.attach(self.token, self.customer_ref)
        unique = derived_id("law", law, self.unique)
        return Intents(method.reference, self.customer_ref, unique, self.now(), self.amounts[0])

    # ---- capabilities -----------------------------------------------------------------------

    def test_capabilities_never_change_and_leave_time_to_repeat(
        self, gateway: PaymentGateway
    ) -> None:
        """What a gateway can do is a fact; a key that is forgotten within the margin is useless."""
        capabilities = gateway.capabilities
        assert capabilities == gateway.capabilities
        assert capabilities.in_flight_max >= 1
        assert capabilities.replay_window > MARGIN or not capabilities.collects

    # ---- charging ---------------------------------------------------------------------------

    def test_a_charge_succeeds_and_is_listed_once(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """A good method is charged, and the list has the charge."""
        assert gateway.charge(intend()).outcome is Outcome.SUCCEEDED
        assert succeeded(self.listed(gateway, intend)) == [intend().attempt_id]

    def test_an_answer_names_attempt_amount_reference_and_instant(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """The answer to a charge says what was charged, so that it can be compared."""
        answer = gateway.charge(intend())
        assert answer.attempt_id == intend().attempt_id
        assert answer.amount == intend().amount
        assert answer.gateway_ref
        assert answer.occurred_at.tzinfo is not None

    def test_amounts_cross_exactly(self, gateway: PaymentGateway, intend: Intents) -> None:
        """No amount changes on its way there, into the list, or back."""
        asked = [intend(number, amount=amount) for number, amount in enumerate(self.amounts)]
        for intent in asked:
            assert gateway.charge(intent).amount == intent.amount
        listed = {found.attempt_id: found.amount for found in self.listed(gateway, intend)}
        assert listed == {intent.attempt_id: intent.amount for intent in asked}

    def test_the_same_intent_again_gives_the_same_answer_and_one_charge(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """A repeat is a question, however often it comes."""
        answers = [gateway.charge(intend()) for _ in range(5)]
        assert answers == [answers[0]] * 5
        assert len(self.listed(gateway, intend)) == 1

    def test_repeats_may_come_in_any_order(self, gateway: PaymentGateway, intend: Intents) -> None:
        """The memory of keys is not only one of the last."""
        first = {ordinal: gateway.charge(intend(ordinal)) for ordinal in (1, 2, 3)}
        for ordinal in (2, 3, 1, 1, 3, 2):
            assert gateway.charge(intend(ordinal)) == first[ordinal]
        assert len(self.listed(gateway, intend)) == len(first)

    def test_two_attempts_are_two_charges(self, gateway: PaymentGateway, intend: Intents) -> None:
        """Another key is another charge, though all else is alike; their references differ."""
        one, other = gateway.charge(intend(1)), gateway.charge(intend(2))
        assert one.gateway_ref != other.gateway_ref
        assert len(succeeded(self.listed(gateway, intend))) == 2  # noqa: PLR2004 - two

    def test_keys_are_told_apart_by_their_last_character(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """A key of 64 characters is not cut off: cut off, the second charge would be lost."""
        for ordinal in (1, 2):
            key = derived_id("key", intend.unique).ljust(63, "0") + str(ordinal)
            answer = gateway.charge(evolve(intend(ordinal), key=key))
            assert answer.attempt_id == intend(ordinal).attempt_id
        assert len(succeeded(self.listed(gateway, intend))) == 2  # noqa: PLR2004 - two

    def test_a_key_that_comes_with_another_amount_is_unknown_and_moves_nothing(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """It is a defect of the caller, never a decline, and never a second charge."""
        gateway.charge(intend())
        other = intend(amount=intend().amount * 2)
        assert gateway.charge(other).outcome is Outcome.UNKNOWN
        assert [found.amount for found in self.listed(gateway, intend)] == [intend().amount]

    def test_a_key_that_comes_with_another_method_is_unknown_and_moves_nothing(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """The customer's new method belongs to a new attempt."""
        gateway.charge(intend())
        method = gateway.attach(self.token, f"{self.customer_ref}_2")
        other = evolve(intend(), method_ref=method.reference, customer_ref=f"{self.customer_ref}_2")
        assert gateway.charge(other).outcome is Outcome.UNKNOWN
        assert len(self.listed(gateway, intend)) == 1

    # ---- declines ---------------------------------------------------------------------------

    @pytest.mark.parametrize("hard", [False, True], ids=["soft", "hard"])
    def test_a_decline_is_an_answer_that_says_why(
        self, gateway: PaymentGateway, intend: Intents, *, hard: bool
    ) -> None:
        """It is returned, not raised; whether for good is part of it; no money moves."""
        self.decline(gateway, hard=hard)
        answer = gateway.charge(intend())
        assert answer.outcome is DECLINES[hard]
        assert answer.decline is not None
        assert answer.decline.code
        assert succeeded(self.listed(gateway, intend)) == []

    def test_a_declined_intent_stays_declined(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """A repeat is a question, not another try; another try is another attempt."""
        self.decline(gateway, hard=False)
        answer = gateway.charge(intend(1))
        assert gateway.charge(intend(1)) == answer
        assert gateway.charge(intend(2)).outcome is Outcome.SUCCEEDED
        assert succeeded(self.listed(gateway, intend)) == [intend(2).attempt_id]

    def test_reconcile_finds_a_decline(self, gateway: PaymentGateway, intend: Intents) -> None:
        """A decline whose answer was lost is known by asking."""
        self.decline(gateway, hard=True)
        answer = gateway.charge(intend())
        found = self.found(gateway, intend(), answer.gateway_ref)
        assert found.outcome is Outcome.DECLINED_HARD
        assert found.decline == answer.decline

    # ---- silence ----------------------------------------------------------------------------

    @pytest.mark.parametrize("executed", [False, True], ids=["lost", "executed"])
    def test_a_time_out_is_unknown(
        self, gateway: PaymentGateway, intend: Intents, *, executed: bool
    ) -> None:
        """After the first byte was sent, silence is neither a decline nor nothing."""
        self.time_out(gateway, executed=executed)
        answer = gateway.charge(intend())
        assert answer.outcome is Outcome.UNKNOWN
        assert (answer.attempt_id, answer.amount) == (intend().attempt_id, intend().amount)

    @pytest.mark.parametrize("executed", [False, True], ids=["lost", "executed"])
    def test_a_repeat_after_a_time_out_succeeds_and_charges_once(
        self, gateway: PaymentGateway, intend: Intents, *, executed: bool
    ) -> None:
        """Whether the first call had its effect or not, there is one charge in the end."""
        self.time_out(gateway, executed=executed)
        gateway.charge(intend())
        assert gateway.charge(intend()).outcome is Outcome.SUCCEEDED
        assert succeeded(self.listed(gateway, intend)) == [intend().attempt_id]

    def test_reconcile_finds_a_charge_whose_answer_was_lost(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """Without a reference, for the answer that would have told it was lost."""
        self.time_out(gateway, executed=True)
        gateway.charge(intend())
        found = self.found(gateway, intend(), None)
        assert found.outcome is Outcome.SUCCEEDED
        assert found.amount == intend().amount

    def test_reconcile_never_finds_a_call_that_was_lost(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """What did not happen is absent, or cannot be told yet."""
        self.time_out(gateway, executed=False)
        gateway.charge(intend())
        assert not isinstance(gateway.reconcile(intend(), None), Found)
        assert self.listed(gateway, intend) == []

    def test_a_refused_connection_is_not_executed_and_leaves_nothing(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """It is proof that nothing happened, and the same intent may be sent."""
        self.refuse_connection(gateway)
        assert gateway.charge(intend()).outcome is Outcome.NOT_EXECUTED
        assert self.listed(gateway, intend) == []
        assert gateway.charge(intend()).outcome is Outcome.SUCCEEDED
        assert succeeded(self.listed(gateway, intend)) == [intend().attempt_id]

    # ---- reconciling ------------------------------------------------------------------------

    def test_reconcile_finds_a_charge_with_and_without_its_reference(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """Both ways tell the same as the answer did."""
        answer = gateway.charge(intend())
        assert self.found(gateway, intend(), answer.gateway_ref) == answer
        assert self.found(gateway, intend(), None) == answer

    def test_reconcile_moves_no_money(self, gateway: PaymentGateway, intend: Intents) -> None:
        """Asking is not charging, before the charge and after it."""
        gateway.reconcile(intend(), None)
        assert self.listed(gateway, intend) == []
        answer = gateway.charge(intend())
        for _ in range(3):
            gateway.reconcile(intend(), answer.gateway_ref)
        assert len(self.listed(gateway, intend)) == 1

    def test_reconcile_never_says_absent_of_a_charge(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """Not even at once, while the list may lag: absence lets the invoice be charged again."""
        answer = gateway.charge(intend())
        for reference in (None, answer.gateway_ref, "of_another_charge"):
            assert not isinstance(gateway.reconcile(intend(), reference), AbsentForSure)

    def test_absence_is_as_of_an_instant_after_the_intent(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """An older list proves nothing. An attempt is not taken for another of its invoice."""
        gateway.charge(intend(1))
        self.catch_up(gateway)
        answer = gateway.reconcile(intend(2), None)
        assert not isinstance(answer, Found)
        if isinstance(answer, AbsentForSure):
            assert answer.as_of >= intend(2).created_at

    # ---- what takes days --------------------------------------------------------------------

    @pytest.mark.parametrize("succeed", [False, True], ids=["returned", "settled"])
    def test_a_slow_charge_is_processing_until_it_is_settled(
        self, gateway: PaymentGateway, intend: Intents, *, succeed: bool
    ) -> None:
        """While it is processing no money has arrived; then it has, or it was declined."""
        self.process(gateway)
        answer = gateway.charge(intend())
        assert answer.outcome is Outcome.PROCESSING
        assert succeeded(self.listed(gateway, intend)) == []
        self.settle(gateway, intend(), succeed=succeed)
        found = self.found(gateway, intend(), answer.gateway_ref)
        assert (found.outcome is Outcome.SUCCEEDED) == succeed
        assert (found.outcome in DECLINES) != succeed
        assert len(succeeded(self.listed(gateway, intend))) == int(succeed)

    def test_a_slow_charge_that_is_repeated_is_one_charge(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """Before and after it is settled."""
        self.process(gateway)
        gateway.charge(intend())
        gateway.charge(intend())
        self.settle(gateway, intend(), succeed=True)
        gateway.charge(intend())
        assert len(self.listed(gateway, intend)) == 1

    # ---- what waits for the customer --------------------------------------------------------

    def test_a_charge_that_needs_the_customer_says_where(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """It is not a decline: it has an https address, and no money has moved."""
        self.require_action(gateway)
        answer = gateway.charge(intend())
        assert answer.outcome is Outcome.REQUIRES_ACTION
        assert (answer.action_url or "").startswith("https://")
        assert succeeded(self.listed(gateway, intend)) == []

    @pytest.mark.parametrize("succeed", [False, True], ids=["failed", "done"])
    def test_what_the_customer_did_is_found(
        self, gateway: PaymentGateway, intend: Intents, *, succeed: bool
    ) -> None:
        """The customer's act ends the attempt, one way or the other."""
        self.require_action(gateway)
        answer = gateway.charge(intend())
        self.act(gateway, intend(), succeed=succeed)
        found = self.found(gateway, intend(), answer.gateway_ref)
        assert found.outcome is Outcome.SUCCEEDED if succeed else found.outcome in DECLINES
        assert len(succeeded(self.listed(gateway, intend))) == int(succeed)

    def test_void_stops_a_charge_that_waits_for_the_customer(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """Afterwards neither asking again nor repeating the intent takes money."""
        self.require_action(gateway)
        answer = gateway.charge(intend())
        for _ in range(2):
            voided = gateway.void(intend())
            assert voided.outcome is Outcome.DECLINED_SOFT
            assert voided.decline is not None
            assert voided.decline.code == "voided"
        assert gateway.charge(intend()).outcome is not Outcome.SUCCEEDED
        assert self.found(gateway, intend(), answer.gateway_ref).outcome in DECLINES
        assert succeeded(self.listed(gateway, intend)) == []

    def test_void_of_a_success_tells_the_success(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """The customer was faster; void is not a refund."""
        gateway.charge(intend())
        assert gateway.void(intend()).outcome is Outcome.SUCCEEDED
        assert succeeded(self.listed(gateway, intend)) == [intend().attempt_id]

    # ---- the list ---------------------------------------------------------------------------

    def test_the_list_has_every_charge_once_and_names_its_attempt(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """A charge whose answer was lost is found by it, also if it stands on page two."""
        asked = [intend(ordinal) for ordinal in range(30)]
        for intent in asked:
            gateway.charge(intent)
        listed = self.listed(gateway, intend)
        assert sorted(str(found.attempt_id) for found in listed) == sorted(
            intent.attempt_id for intent in asked
        )
        assert len({found.gateway_ref for found in listed}) == len(asked)

    def test_the_list_leaves_out_what_is_older(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """It starts where it was asked to start."""
        gateway.charge(intend())
        self.catch_up(gateway)
        assert self.ours(gateway.list_since(self.now() + timedelta(days=1)), intend) == []

    def test_listing_changes_nothing(self, gateway: PaymentGateway, intend: Intents) -> None:
        """It may be asked as often as one likes."""
        gateway.charge(intend())
        assert self.listed(gateway, intend) == self.listed(gateway, intend)

    # ---- methods ----------------------------------------------------------------------------

    def test_a_method_tells_no_card_number(self, gateway: PaymentGateway) -> None:
        """What is stored of a card is a reference and four digits."""
        method = gateway.attach(self.token, self.customer_ref)
        assert method.reference
        for text in (method.reference, method.type, method.brand, method.last4):
            for digits in re.findall(r"\d{13,19}", re.sub(r"[ -]", "", text)):
                assert not luhn_valid(digits)

    def test_an_unknown_token_is_refused(self, gateway: PaymentGateway) -> None:
        """It is the caller's mistake, and named as such."""
        with pytest.raises(ValidationError) as refused:
            gateway.attach(self.unknown_token, self.customer_ref)
        assert refused.value.field == "token"

    def test_a_card_number_is_refused_and_not_repeated(self, gateway: PaymentGateway) -> None:
        """It belongs neither here nor into a log."""
        with pytest.raises(ValidationError) as refused:
            gateway.attach(CARD_NUMBER, self.customer_ref)
        assert CARD_NUMBER not in str(refused.value)

    def test_detaching_twice_or_the_unknown_is_no_error(self, gateway: PaymentGateway) -> None:
        """What is to be gone is gone."""
        method = gateway.attach(self.token, self.customer_ref)
        gateway.detach(method.reference)
        gateway.detach(method.reference)
        gateway.detach(f"{method.reference}_that_never_was")

    def test_a_detached_method_is_not_charged(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """The customer took it away."""
        gateway.detach(intend.method_ref)
        assert gateway.charge(intend()).outcome is not Outcome.SUCCEEDED
        assert succeeded(self.listed(gateway, intend)) == []

    # ---- webhooks ---------------------------------------------------------------------------

    def test_a_genuine_webhook_is_read(self, gateway: PaymentGateway, intend: Intents) -> None:
        """It names the attempt and its amount; read twice, it has the same id."""
        message = self.sent(gateway, intend)
        event = read(gateway, message)
        assert event == read(gateway, message)
        assert event.id
        assert event.snapshot is not None
        assert event.snapshot.attempt_id == intend().attempt_id
        assert event.snapshot.amount == intend().amount

    def test_a_webhook_is_read_whatever_the_case_of_its_headers(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """Servers and proxies write their names as they like."""
        message = self.sent(gateway, intend)
        for change in (str.lower, str.upper, str.title):
            headers = {change(name): value for name, value in message.headers.items()}
            assert read(gateway, evolve(message, headers=headers)) == read(gateway, message)

    def test_a_tampered_webhook_is_refused(self, gateway: PaymentGateway, intend: Intents) -> None:
        """Not one byte may differ: changed, missing, added, or only a space more."""
        message = self.sent(gateway, intend)
        raw = message.raw
        for place in range(0, len(raw), 7):
            changed = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
            self.refused(gateway, evolve(message, raw=changed))
        for other in (b"", b"{}", raw[:-1], raw + b" ", b" " + raw, raw + raw, b"\xff" * 9):
            self.refused(gateway, evolve(message, raw=other))

    def test_an_endless_webhook_is_refused(self, gateway: PaymentGateway, intend: Intents) -> None:
        """More than a mebibyte is not read."""
        message = self.sent(gateway, intend)
        endless = message.raw + b" " * BODY_BYTES_MAX
        self.refused(gateway, evolve(message, raw=endless))

    @pytest.mark.parametrize("way", [-1, 1], ids=["old", "future"])
    def test_a_webhook_of_another_time_is_refused(
        self, gateway: PaymentGateway, intend: Intents, way: int
    ) -> None:
        """More than 300 s from now is a replay, or forged; a clock may differ by less."""
        message = self.sent(gateway, intend)
        near = message.sent_at - way * (TOLERANCE - timedelta(seconds=2))
        far = message.sent_at - way * (TOLERANCE + timedelta(seconds=2))
        assert read(gateway, message, now=near) == read(gateway, message)
        self.refused(gateway, message, now=far)

    def test_a_webhook_is_verified_with_every_secret(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """While a secret is replaced, both are good, in either order."""
        message = self.sent(gateway, intend)
        genuine = read(gateway, message)
        for secrets in ((message.secret, self.other_secret), (self.other_secret, message.secret)):
            event = gateway.parse_webhook(
                message.raw, message.headers, secrets=secrets, now=message.sent_at
            )
            assert event == genuine

    def test_a_webhook_of_another_secret_is_refused(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """So is one for which there is no secret at all."""
        message = self.sent(gateway, intend)
        for secrets in ((), (self.other_secret,), (self.other_secret, self.other_secret)):
            with pytest.raises(WebhookRefused):
                gateway.parse_webhook(
                    message.raw, message.headers, secrets=secrets, now=message.sent_at
                )

    def test_hostile_headers_are_refused_and_never_a_crash(
        self, gateway: PaymentGateway, intend: Intents
    ) -> None:
        """Each header is replaced by nonsense in turn; what comes out is the event or a refusal."""
        message = self.sent(gateway, intend)
        genuine = read(gateway, message)
        self.refused(gateway, evolve(message, headers={}))
        for name in message.headers:
            rest = {other: message.headers[other] for other in message.headers if other != name}
            for headers in (rest, *({**rest, name: text} for text in HOSTILE_TEXTS)):
                try:
                    event = read(gateway, evolve(message, headers=headers))
                except WebhookRefused:
                    continue
                # A header that proves nothing may say anything.
                assert event == genuine
        everything = dict.fromkeys(message.headers, "\ud800")
        self.refused(gateway, evolve(message, headers=everything))

    def test_a_body_that_is_no_message_is_refused(self, gateway: PaymentGateway) -> None:
        """Whatever the internet sends, without a signature."""
        bodies = (b"", b"null", b"[]", b'"text"', b"\x00", b"[" * 100_000, b'{"id":NaN}')
        for raw in bodies:
            with pytest.raises(WebhookRefused):
                gateway.parse_webhook(raw, {}, secrets=[self.other_secret], now=self.now())

    # ---- what laws are told with ------------------------------------------------------------

    def listed(self, gateway: PaymentGateway, intend: Intents) -> list[PaymentSnapshot]:
        """Return the law's own charges, once the list has caught up."""
        self.catch_up(gateway)
        return self.ours(gateway.list_since(intend.at - SKEW), intend)

    def ours(self, found: Iterable[PaymentSnapshot], intend: Intents) -> list[PaymentSnapshot]:
        """Return what belongs to the law: a test account may hold charges of others."""
        attempts = {intend(ordinal).attempt_id for ordinal in range(40)}
        return [snapshot for snapshot in found if snapshot.attempt_id in attempts]

    def found(
        self, gateway: PaymentGateway, intent: ChargeIntent, reference: str | None
    ) -> PaymentSnapshot:
        """Return what `reconcile` finds, once the list has caught up; fail if it finds nothing."""
        self.catch_up(gateway)
        answer = gateway.reconcile(intent, reference)
        assert isinstance(answer, Found), f"not found: {answer}"
        return answer.snapshot

    def sent(self, gateway: PaymentGateway, intend: Intents) -> SignedMessage:
        """Charge, and return the message about it."""
        gateway.charge(intend())
        return self.webhook(gateway, intend())

    def refused(
        self, gateway: PaymentGateway, message: SignedMessage, *, now: datetime | None = None
    ) -> None:
        """Assert that a message is refused, and that this is all that happens."""
        with pytest.raises(WebhookRefused):
            read(gateway, message, now=now)


def succeeded(found: Iterable[PaymentSnapshot]) -> list[PaymentId | None]:
    """Return whose money was taken, once for each time that it was."""
    return [snapshot.attempt_id for snapshot in found if snapshot.outcome is Outcome.SUCCEEDED]


def read(
    gateway: PaymentGateway, message: SignedMessage, *, now: datetime | None = None
) -> GatewayEvent:
    """Have the gateway read a message with its own secret, at the time that it was sent."""
    return gateway.parse_webhook(
        message.raw, message.headers, secrets=[message.secret], now=now or message.sent_at
    )
