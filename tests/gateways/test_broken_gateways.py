"""Gateways with one planted defect each: the kit must name it, or its laws prove nothing."""

# ruff: noqa: ARG002 - a defect is often that an argument is not looked at

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from inspect import signature
from itertools import product

import pytest
from attrs import evolve

from subscriptions.gateways import (
    AbsentForSure,
    CannotTell,
    Found,
    FoundRefund,
    GatewayEvent,
    PaymentGateway,
    Reconciled,
    ReconciledRefund,
    Secret,
    WebhookRefused,
)
from subscriptions.gateways.fake import FakeGateway
from subscriptions.gateways.fake.messages import read
from subscriptions.payment_methods import MethodDetails
from subscriptions.payments import ChargeIntent, Decline, Outcome, PaymentSnapshot
from subscriptions.refunds import RefundFailure, RefundIntent, RefundOutcome, RefundSnapshot
from subscriptions.testing.gateway_laws import GatewayLaws, SignedMessage


class Sound(FakeGateway):
    """The gateway without a defect."""


class ForgetsKeys(FakeGateway):
    """Charges again for each call: the worst that an adapter can do."""

    calls = 0

    def charge(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        self.calls += 1
        return super().charge(evolve(intent, key=f"{intent.key[:50]}{self.calls}"))


class CutsKeys(FakeGateway):
    """Shortens a key by cutting it off, so that two attempts share one."""

    def charge(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        return super().charge(evolve(intent, key=intent.key[:40]))


class DeclinesInSilence(FakeGateway):
    """Takes a time-out for a decline: the customer is charged again while the first succeeded."""

    def charge(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        answer = super().charge(intent)
        if answer.outcome is not Outcome.UNKNOWN:
            return answer
        return evolve(answer, outcome=Outcome.DECLINED_SOFT, decline=Decline("timeout"))


class NothingHappensInSilence(FakeGateway):
    """Takes a time-out for proof that nothing happened."""

    def charge(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        answer = super().charge(intent)
        if answer.outcome is not Outcome.UNKNOWN:
            return answer
        return evolve(answer, outcome=Outcome.NOT_EXECUTED)


class RaisesDeclines(FakeGateway):
    """Raises for a decline, as many client libraries do."""

    def charge(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        answer = super().charge(intent)
        if answer.decline is not None:
            raise RuntimeError(answer.decline.code)
        return answer


class AllDeclinesAreSoft(FakeGateway):
    """Lets a stolen card be tried for ever."""

    def charge(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        answer = super().charge(intent)
        if answer.outcome is not Outcome.DECLINED_HARD:
            return answer
        return evolve(answer, outcome=Outcome.DECLINED_SOFT)


class ClaimsAbsence(FakeGateway):
    """Takes a search that found nothing for proof."""

    def reconcile(self, intent: ChargeIntent, gateway_ref: str | None, /) -> Reconciled:
        answer = super().reconcile(intent, gateway_ref)
        if isinstance(answer, CannotTell) or gateway_ref is None:
            return AbsentForSure(intent.created_at)
        return answer


class ClaimsAbsenceTooEarly(FakeGateway):
    """Proves absence by a list that is older than the intent."""

    def reconcile(self, intent: ChargeIntent, gateway_ref: str | None, /) -> Reconciled:
        answer = super().reconcile(intent, gateway_ref)
        if isinstance(answer, AbsentForSure):
            return AbsentForSure(intent.created_at - timedelta(hours=1))
        return answer


class ReconcilesByCharging(FakeGateway):
    """Asks by sending the intent again, even though the first call never arrived."""

    def reconcile(self, intent: ChargeIntent, gateway_ref: str | None, /) -> Reconciled:
        return Found(self.charge(intent))


class ReconcilesByInvoice(FakeGateway):
    """Finds another attempt of the same invoice."""

    def reconcile(self, intent: ChargeIntent, gateway_ref: str | None, /) -> Reconciled:
        charges = self.charges_for(intent.metadata["invoice"])
        if charges:
            return Found(charges[0].snapshot)
        return super().reconcile(intent, gateway_ref)


class VoidsNothing(FakeGateway):
    """Says voided and leaves the customer's link alive."""

    def void(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        return PaymentSnapshot(
            Outcome.DECLINED_SOFT,
            intent.amount,
            intent.created_at,
            intent.attempt_id,
            decline=Decline("voided"),
        )


class ListsOnePage(FakeGateway):
    """Returns the first page of the list and no more."""

    def list_since(self, instant: datetime, /) -> Iterator[PaymentSnapshot]:
        return iter(list(super().list_since(instant))[:20])


class ListsWithoutAttempt(FakeGateway):
    """Forgets to send the metadata by which a charge is recognised."""

    def list_since(self, instant: datetime, /) -> Iterator[PaymentSnapshot]:
        return (evolve(found, attempt_id=None) for found in super().list_since(instant))


class ListsEverything(FakeGateway):
    """Ignores where the list is to start."""

    def list_since(self, instant: datetime, /) -> Iterator[PaymentSnapshot]:
        return (charge.snapshot for charge in self.charges)


class AnswersInMajorUnits(FakeGateway):
    """Loses the cents."""

    def charge(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        answer = super().charge(intent)
        cents = answer.amount.minor % 100
        return evolve(answer, amount=evolve(answer.amount, minor=answer.amount.minor - cents))


class AsksTheCustomerNowhere(FakeGateway):
    """Says that the customer must act, but not where."""

    def charge(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        return evolve(super().charge(intent), action_url=None)


class TakesAnyToken(FakeGateway):
    """Attaches whatever it is given."""

    def attach(self, token: str, customer_ref: str, /) -> MethodDetails:
        return MethodDetails(f"pm_visa.{customer_ref}")


class TellsTheCard(FakeGateway):
    """Has the card number for a reference, disguised."""

    def attach(self, token: str, customer_ref: str, /) -> MethodDetails:
        return evolve(super().attach(token, customer_ref), brand="visa 4242 4242 4242 4242")


class DetachesWithAnError(FakeGateway):
    """Raises for a method that is gone already."""

    def detach(self, method_ref: str, /) -> None:
        if method_ref in self.gone:
            raise KeyError(method_ref)
        self.gone.add(method_ref)

    def __init__(self) -> None:
        super().__init__()
        self.gone: set[str] = set()


class BelievesEveryWebhook(FakeGateway):
    """Reads a message without asking who sent it."""

    def parse_webhook(
        self,
        raw: bytes,
        headers: Mapping[str, str],
        /,
        *,
        secrets: Sequence[Secret],
        now: datetime,
    ) -> GatewayEvent:
        return read("evt_1", raw)


class IgnoresTheTimeOfWebhooks(FakeGateway):
    """Accepts a genuine message however old."""

    def parse_webhook(
        self,
        raw: bytes,
        headers: Mapping[str, str],
        /,
        *,
        secrets: Sequence[Secret],
        now: datetime,
    ) -> GatewayEvent:
        return super().parse_webhook(raw, headers, secrets=secrets, now=self.now)


class KnowsOneSecret(FakeGateway):
    """Tries only the first secret."""

    def parse_webhook(
        self,
        raw: bytes,
        headers: Mapping[str, str],
        /,
        *,
        secrets: Sequence[Secret],
        now: datetime,
    ) -> GatewayEvent:
        return super().parse_webhook(raw, headers, secrets=secrets[:1], now=now)


class CrashesOnHostileHeaders(FakeGateway):
    """Takes the parts of the signature without looking whether there are any."""

    def parse_webhook(
        self,
        raw: bytes,
        headers: Mapping[str, str],
        /,
        *,
        secrets: Sequence[Secret],
        now: datetime,
    ) -> GatewayEvent:
        for name, value in headers.items():
            if name.lower() == "webhook-signature":
                _version, _signature = value.split(",")
        return super().parse_webhook(raw, headers, secrets=secrets, now=now)


class ReadsBeforeItVerifies(FakeGateway):
    """Parses the body first, and crashes on what is no JSON."""

    def parse_webhook(
        self,
        raw: bytes,
        headers: Mapping[str, str],
        /,
        *,
        secrets: Sequence[Secret],
        now: datetime,
    ) -> GatewayEvent:
        raw.decode("ascii")
        if not raw:
            raise ValueError("empty")
        return super().parse_webhook(raw, headers, secrets=secrets, now=now)


class KnowsHeadersByOneCase(FakeGateway):
    """Looks headers up as this machine's web server happens to write them."""

    def parse_webhook(
        self,
        raw: bytes,
        headers: Mapping[str, str],
        /,
        *,
        secrets: Sequence[Secret],
        now: datetime,
    ) -> GatewayEvent:
        if headers and "webhook-id" not in headers:
            raise WebhookRefused("no id")
        return super().parse_webhook(raw, headers, secrets=secrets, now=now)


class GivesEachReadingAnotherId(FakeGateway):
    """Has no id by which a message that comes twice is known."""

    readings = 0

    def parse_webhook(
        self,
        raw: bytes,
        headers: Mapping[str, str],
        /,
        *,
        secrets: Sequence[Secret],
        now: datetime,
    ) -> GatewayEvent:
        self.readings += 1
        event = super().parse_webhook(raw, headers, secrets=secrets, now=now)
        return evolve(event, id=f"evt_{self.readings}")


class ListsEachChargeOnce(FakeGateway):
    """Moves a cursor of its own, so that what was listed before is not listed again."""

    listed = 0

    def list_since(self, instant: datetime, /) -> Iterator[PaymentSnapshot]:
        found = list(super().list_since(instant))[self.listed :]
        self.listed += len(found)
        return iter(found)


class ForgetsRefundKeys(FakeGateway):
    """Gives back again for each call."""

    calls = 0

    def refund(self, intent: RefundIntent, /) -> RefundSnapshot:
        self.calls += 1
        return super().refund(evolve(intent, key=f"{intent.key[:50]}{self.calls}"))


class FailsInSilence(FakeGateway):
    """Takes a time-out for a refusal: the customer gets his money twice."""

    def refund(self, intent: RefundIntent, /) -> RefundSnapshot:
        answer = super().refund(intent)
        if answer.outcome is not RefundOutcome.UNKNOWN:
            return answer
        return evolve(answer, outcome=RefundOutcome.FAILED, failure=RefundFailure("timeout"))


class RaisesRefusals(FakeGateway):
    """Raises for a refund that is refused."""

    def refund(self, intent: RefundIntent, /) -> RefundSnapshot:
        answer = super().refund(intent)
        if answer.failure is not None:
            raise RuntimeError(answer.failure.code)
        return answer


class NoLineIsDown(FakeGateway):
    """Takes a refused connection for silence."""

    def refund(self, intent: RefundIntent, /) -> RefundSnapshot:
        answer = super().refund(intent)
        if answer.outcome is not RefundOutcome.NOT_EXECUTED:
            return answer
        return evolve(answer, outcome=RefundOutcome.UNKNOWN)


class RefundsWholeCharges(FakeGateway):
    """Gives everything back, whatever part was asked for."""

    def refund(self, intent: RefundIntent, /) -> RefundSnapshot:
        whole = next(each.amount for each in self.charges if each.attempt == intent.attempt_id)
        return super().refund(evolve(intent, amount=whole))


class GivesNoReference(FakeGateway):
    """Tells no reference by which a refund could be asked about."""

    def refund(self, intent: RefundIntent, /) -> RefundSnapshot:
        return evolve(super().refund(intent), gateway_ref=None)


class PendingIsDone(FakeGateway):
    """Takes a refund that was accepted for one that was made."""

    def refund(self, intent: RefundIntent, /) -> RefundSnapshot:
        answer = super().refund(intent)
        if answer.outcome is not RefundOutcome.PENDING:
            return answer
        return evolve(answer, outcome=RefundOutcome.SUCCEEDED)


class ClaimsNoRefund(FakeGateway):
    """Takes a search that found nothing for proof, and searches by the reference alone."""

    def reconcile_refund(
        self, intent: RefundIntent, gateway_ref: str | None, /
    ) -> ReconciledRefund:
        answer = super().reconcile_refund(intent, gateway_ref)
        if isinstance(answer, FoundRefund) and answer.snapshot.gateway_ref != gateway_ref:
            return AbsentForSure(self.now)
        return answer


class AsksByRefunding(FakeGateway):
    """Asks what became of a refund by sending it again."""

    def reconcile_refund(
        self, intent: RefundIntent, gateway_ref: str | None, /
    ) -> ReconciledRefund:
        return FoundRefund(self.refund(intent))


class TellsRefundsAsPayments(FakeGateway):
    """Does not tell a message about a refund from others."""

    def parse_webhook(
        self,
        raw: bytes,
        headers: Mapping[str, str],
        /,
        *,
        secrets: Sequence[Secret],
        now: datetime,
    ) -> GatewayEvent:
        return evolve(super().parse_webhook(raw, headers, secrets=secrets, now=now), refund=None)


class Laws(GatewayLaws):
    """The kit as an author would fill it in for any of these gateways."""

    __test__ = False
    token = "tok_visa"  # noqa: S105 - it opens nothing

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
        message = fake(gateway).webhooks()[-1]
        secret = fake(gateway).webhook_secret
        return SignedMessage(message.raw, message.headers, secret, self.now())


def fake(gateway: PaymentGateway) -> FakeGateway:
    assert isinstance(gateway, FakeGateway)
    return gateway


def run(make: Callable[[], FakeGateway], name: str) -> None:
    """Run one law against a gateway, with every value of its parameters."""
    kit = Laws()
    law = kit.laws[name]
    choices = {
        mark.args[0]: mark.args[1]
        for mark in getattr(law, "pytestmark", [])
        if mark.name == "parametrize"
    }
    for values in product(*choices.values()):
        gateway = make()
        gateway.at(kit.now())
        given: dict[str, object] = {"gateway": gateway, **dict(zip(choices, values, strict=True))}
        if "intend" in signature(law).parameters:
            given["intend"] = kit.intents(gateway, name)
        law(kit, **given)


@cache
def broken(make: Callable[[], FakeGateway]) -> set[str]:
    """Return the names of the laws that a gateway does not keep."""
    names: set[str] = set()
    for name in GatewayLaws.laws:
        try:
            run(make, name)
        # A law is broken by whatever it raises; pytest's own failure is no Exception.
        except (Exception, pytest.fail.Exception):  # noqa: BLE001
            names.add(name)
    return names


def lagging() -> FakeGateway:
    return ClaimsAbsence(list_lag=timedelta(minutes=1))


def forgetful() -> FakeGateway:
    return FakeGateway(replay_window=timedelta(minutes=30))


CAUGHT: dict[Callable[[], FakeGateway], set[str]] = {
    ForgetsKeys: {
        "test_the_same_intent_again_gives_the_same_answer_and_one_charge",
        "test_repeats_may_come_in_any_order",
        "test_a_repeat_after_a_time_out_succeeds_and_charges_once",
        "test_a_declined_intent_stays_declined",
        "test_a_slow_charge_that_is_repeated_is_one_charge",
        "test_a_key_that_comes_with_another_amount_is_unknown_and_moves_nothing",
        "test_a_key_that_comes_with_another_method_is_unknown_and_moves_nothing",
    },
    CutsKeys: {"test_keys_are_told_apart_by_their_last_character"},
    DeclinesInSilence: {"test_a_time_out_is_unknown"},
    NothingHappensInSilence: {"test_a_time_out_is_unknown"},
    RaisesDeclines: {"test_a_decline_is_an_answer_that_says_why"},
    AllDeclinesAreSoft: {"test_a_decline_is_an_answer_that_says_why"},
    ClaimsAbsence: {
        "test_reconcile_never_says_absent_of_a_charge",
        "test_reconcile_finds_a_charge_whose_answer_was_lost",
    },
    lagging: {"test_reconcile_never_says_absent_of_a_charge"},
    ClaimsAbsenceTooEarly: {"test_absence_is_as_of_an_instant_after_the_intent"},
    ReconcilesByCharging: {
        "test_reconcile_moves_no_money",
        "test_reconcile_never_finds_a_call_that_was_lost",
    },
    ReconcilesByInvoice: {"test_absence_is_as_of_an_instant_after_the_intent"},
    VoidsNothing: {
        "test_void_stops_a_charge_that_waits_for_the_customer",
        "test_void_of_a_success_tells_the_success",
    },
    ListsOnePage: {"test_the_list_has_every_charge_once_and_names_its_attempt"},
    ListsWithoutAttempt: {"test_the_list_has_every_charge_once_and_names_its_attempt"},
    ListsEverything: {"test_the_list_leaves_out_what_is_older"},
    AnswersInMajorUnits: {"test_amounts_cross_exactly"},
    AsksTheCustomerNowhere: {"test_a_charge_that_needs_the_customer_says_where"},
    TakesAnyToken: {
        "test_an_unknown_token_is_refused",
        "test_a_card_number_is_refused_and_not_repeated",
    },
    TellsTheCard: {"test_a_method_tells_no_card_number"},
    DetachesWithAnError: {
        "test_detaching_twice_or_the_unknown_is_no_error",
        "test_a_detached_method_is_not_charged",
    },
    BelievesEveryWebhook: {
        "test_a_tampered_webhook_is_refused",
        "test_a_webhook_of_another_time_is_refused",
        "test_a_webhook_of_another_secret_is_refused",
        "test_hostile_headers_are_refused_and_never_a_crash",
        "test_an_endless_webhook_is_refused",
    },
    IgnoresTheTimeOfWebhooks: {"test_a_webhook_of_another_time_is_refused"},
    KnowsOneSecret: {"test_a_webhook_is_verified_with_every_secret"},
    CrashesOnHostileHeaders: {"test_hostile_headers_are_refused_and_never_a_crash"},
    ReadsBeforeItVerifies: {
        "test_a_tampered_webhook_is_refused",
        "test_a_body_that_is_no_message_is_refused",
    },
    forgetful: {"test_capabilities_never_change_and_leave_time_to_repeat"},
    GivesEachReadingAnotherId: {"test_a_genuine_webhook_is_read"},
    ListsEachChargeOnce: {"test_listing_changes_nothing"},
    KnowsHeadersByOneCase: {"test_a_webhook_is_read_whatever_the_case_of_its_headers"},
    ForgetsRefundKeys: {
        "test_the_same_refund_again_gives_the_same_answer_and_one_refund",
        "test_a_refund_key_with_another_amount_is_unknown_and_moves_nothing",
        "test_a_refund_that_times_out_is_unknown_and_a_repeat_gives_back_once",
    },
    FailsInSilence: {"test_a_refund_that_times_out_is_unknown_and_a_repeat_gives_back_once"},
    RaisesRefusals: {
        "test_a_charge_that_never_was_gives_nothing_back",
        "test_a_refund_that_fails_says_why_and_gives_nothing_back",
        "test_parts_are_given_back_one_by_one_and_never_more_than_was_charged",
    },
    NoLineIsDown: {"test_a_refused_connection_gives_nothing_back"},
    RefundsWholeCharges: {"test_parts_are_given_back_one_by_one_and_never_more_than_was_charged"},
    GivesNoReference: {"test_a_refund_succeeds_and_says_what_was_given_back"},
    PendingIsDone: {"test_a_slow_refund_is_pending_until_it_is_settled"},
    ClaimsNoRefund: {
        "test_absence_is_never_claimed_of_a_refund",
        "test_a_refund_whose_answer_was_lost_is_found_by_asking",
    },
    AsksByRefunding: {"test_asking_about_a_refund_finds_it_and_gives_nothing_back"},
    TellsRefundsAsPayments: {"test_a_message_about_a_refund_names_it"},
}


def test_a_gateway_without_a_defect_keeps_every_law() -> None:
    assert broken(Sound) == set()


@pytest.mark.parametrize("make", CAUGHT)
def test_a_defect_breaks_the_laws_that_name_it(make: Callable[[], FakeGateway]) -> None:
    assert CAUGHT[make] <= broken(make)


def test_every_law_is_broken_by_some_defect() -> None:
    assert set[str]().union(*(broken(make) for make in CAUGHT)) == set(GatewayLaws.laws)
