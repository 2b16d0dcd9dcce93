"""Gateways with one planted defect each: the kit must name it, or its laws prove nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import cache
from inspect import signature
from itertools import product
from typing import TypeAlias

import pytest

from subscriptions.gateways import (
    FollowsTime,
    GatewayEvent,
    PaymentGateway,
)
from subscriptions.gateways.bank_transfer import BankTransfer
from subscriptions.gateways.fake import FakeGateway
from subscriptions.payments import ChargeIntent
from subscriptions.refunds import RefundIntent
from subscriptions.testing.gateway_laws import GatewayLaws, SignedMessage
from tests.gateways.defective_captures import (
    BelievesTheKeyOfACapture,
    CapturesAgain,
    CapturesOftenButSaysOnce,
    CapturesWhatWasDeclined,
    HoldsForLessThanItSays,
    HoldsTwice,
    KeepsTheRest,
    ReleasesNothing,
    TakesWhatItShouldHold,
    TakesWhenTheCustomerActs,
    cannot_tell_what_was_never_held,
    captures_all_of_it,
    captures_more_in_parts,
    captures_more_than_is_held,
    captures_nothing,
    captures_what_was_refused,
    refuses_late_captures_for_no_reason,
    takes_a_lost_capture_for_a_decline,
)
from tests.gateways.defective_charges import (
    AllDeclinesAreSoft,
    AnswersInMajorUnits,
    AsksTheCustomerNowhere,
    CannotRefundAnyMore,
    ChangesItsMind,
    ClaimsAbsence,
    ClaimsAbsenceTooEarly,
    CutsKeys,
    DeclinesInSilence,
    DetachesWithAnError,
    ForgetsKeys,
    ListsEachChargeOnce,
    ListsEverything,
    ListsOnePage,
    ListsWithoutAttempt,
    NothingHappensInSilence,
    RaisesDeclines,
    ReconcilesByCharging,
    ReconcilesByInvoice,
    Sound,
    TakesAnyToken,
    TellsTheCard,
    VoidsNothing,
)
from tests.gateways.defective_disputes import (
    DisputesEverything,
    DisputesNobodysCharge,
    GivesBackWhatIsGone,
    ListsEveryDispute,
    NeverDecides,
    TellsDisputesAsNothing,
    UndoesDisputedCharges,
)
from tests.gateways.defective_figures import (
    AnswersFromTheFuture,
    AnswersRepeatsAnew,
    ExecutesWhatWasRefused,
    FindsUnderAnotherName,
    ForgetsOldCharges,
    KeepsKeysByThread,
    KeepsKeysForAnHour,
    ListsUnderAnotherName,
    ListsWhatIsNewer,
    ListsWithoutMetadata,
    LosesWhatIsTooMuch,
    RefusesTheLeast,
    TakesNeighboursForEqual,
    dinars_have_cents,
    large_amounts_are_rounded,
    yen_have_cents,
)
from tests.gateways.defective_refunds import (
    AsksByRefunding,
    AutomaticTransfers,
    CannotVoidTransfers,
    ChargesTransfers,
    ClaimsNoRefund,
    FailsInSilence,
    ForgetsRefundKeys,
    GivesNoReference,
    NoLineIsDown,
    PendingIsDone,
    RaisesRefusals,
    RefundsWholeCharges,
    WaitsForTransfers,
)
from tests.gateways.defective_webhooks import (
    BelievesEveryWebhook,
    CrashesOnHostileHeaders,
    GivesEachReadingAnotherId,
    IgnoresTheTimeOfWebhooks,
    KnowsHeadersByOneCase,
    KnowsOneSecret,
    ReadsAnyEncoding,
    ReadsBeforeItVerifies,
    TellsRefundsAsPayments,
    TellsWishes,
)

Make: TypeAlias = Callable[[], PaymentGateway]

APPLIED = 101
APPLIED_TO_TRANSFERS = 10


class Laws(GatewayLaws):
    """The kit as an author would fill it in for any of these gateways."""

    __test__ = False
    applied = APPLIED
    token = "tok_visa"  # noqa: S105 - it opens nothing

    def pass_time(self, gateway: PaymentGateway, time: timedelta) -> None:
        fake(gateway).at(fake(gateway).now + time)

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
        del intent
        message = fake(gateway).webhooks()[-1]
        secret = fake(gateway).webhook_secret
        return SignedMessage(message.raw, message.headers, secret, self.now())


def fake(gateway: PaymentGateway) -> FakeGateway:
    assert isinstance(gateway, FakeGateway)
    return gateway


class TransferLaws(GatewayLaws):
    """The kit for gateways of money that is sent."""

    __test__ = False
    applied = APPLIED_TO_TRANSFERS
    token = "anything"  # noqa: S105 - it opens nothing


def run(make: Make, name: str) -> None:
    """Run one law against a gateway, with every value of its parameters."""
    kit = Laws() if make().capabilities.collects else TransferLaws()
    law = kit.laws[name]
    choices = {
        mark.args[0]: mark.args[1]
        for mark in getattr(law, "pytestmark", [])
        if mark.name == "parametrize"
    }
    for values in product(*choices.values()):
        gateway = make()
        if isinstance(gateway, FollowsTime):
            gateway.at(kit.now())
        given: dict[str, object] = {"gateway": gateway, **dict(zip(choices, values, strict=True))}
        if "intend" in signature(law).parameters:
            given["intend"] = kit.intents(gateway, name)
        law(kit, **given)


@cache
def broken(make: Make) -> set[str]:
    """Return the names of the laws that a gateway does not keep."""
    names: set[str] = set()
    for name in GatewayLaws.applicable(make()):
        try:
            run(make, name)
        # A law is broken by whatever it raises; pytest's own failure is no Exception.
        except (Exception, pytest.fail.Exception):  # noqa: BLE001
            names.add(name)
    return names


def lagging() -> FakeGateway:
    return ClaimsAbsence(list_lag=timedelta(minutes=1))


CAUGHT: dict[Make, set[str]] = {
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
    ChangesItsMind: {"test_capabilities_never_change_and_leave_time_to_repeat"},
    GivesEachReadingAnotherId: {"test_a_genuine_webhook_is_read"},
    ListsEachChargeOnce: {"test_listing_changes_nothing"},
    KnowsHeadersByOneCase: {"test_a_webhook_is_read_whatever_the_case_of_its_headers"},
    DisputesEverything: {"test_a_charge_that_nobody_disputes_is_in_no_list"},
    DisputesNobodysCharge: {
        "test_a_dispute_is_listed_with_its_payment_and_what_it_has_taken",
        "test_disputes_are_listed_from_when_they_last_changed",
        "test_a_dispute_that_ends_says_how_under_the_same_reference",
        "test_a_message_about_a_dispute_says_what_the_list_says",
        "test_a_dispute_does_not_undo_the_charge",
        "test_what_a_dispute_has_taken_is_not_given_back_as_well",
    },
    ListsEveryDispute: {"test_disputes_are_listed_from_when_they_last_changed"},
    NeverDecides: {"test_a_dispute_that_ends_says_how_under_the_same_reference"},
    TellsDisputesAsNothing: {"test_a_message_about_a_dispute_says_what_the_list_says"},
    UndoesDisputedCharges: {"test_a_dispute_does_not_undo_the_charge"},
    GivesBackWhatIsGone: {"test_what_a_dispute_has_taken_is_not_given_back_as_well"},
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
    CannotRefundAnyMore: {"test_as_many_laws_apply_as_the_author_says"},
    KeepsKeysForAnHour: {
        "test_a_key_is_known_until_the_end_of_its_window",
        "test_a_key_whose_answer_was_lost_is_known_as_long",
    },
    ForgetsOldCharges: {"test_what_was_charged_is_found_long_after_its_key_is_forgotten"},
    ListsWhatIsNewer: {"test_a_list_begins_with_the_instant_that_is_asked_for"},
    AnswersFromTheFuture: {"test_an_answer_is_of_its_time"},
    KeepsKeysByThread: {"test_one_intent_from_eight_threads_is_one_charge"},
    LosesWhatIsTooMuch: {"test_as_many_charges_at_once_as_are_said_are_as_many_charges"},
    yen_have_cents: {"test_a_currency_without_minor_units_crosses_exactly"},
    dinars_have_cents: {"test_a_currency_of_three_decimals_crosses_exactly"},
    large_amounts_are_rounded: {"test_the_largest_amount_crosses_exactly"},
    RefusesTheLeast: {"test_the_least_amount_crosses_exactly"},
    TakesNeighboursForEqual: {"test_a_neighbouring_amount_is_another_one"},
    ListsWithoutMetadata: {"test_metadata_survive_to_the_list"},
    ListsUnderAnotherName: {"test_the_answer_the_list_and_asking_say_the_same"},
    FindsUnderAnotherName: {"test_what_is_unknown_is_the_same_by_asking_and_by_repeating"},
    AnswersRepeatsAnew: {"test_the_same_intent_again_gives_the_same_answer_and_one_charge"},
    ExecutesWhatWasRefused: {
        "test_what_was_not_executed_never_shows",
        "test_a_refused_connection_is_not_executed_and_leaves_nothing",
    },
    ReadsAnyEncoding: {"test_a_webhook_in_another_encoding_is_refused"},
    TellsWishes: {"test_a_webhook_says_what_asking_says"},
    TakesWhatItShouldHold: {"test_an_authorisation_holds_an_amount_and_takes_nothing"},
    HoldsTwice: {"test_the_same_authorisation_again_gives_the_same_answer_and_holds_once"},
    CapturesWhatWasDeclined: {"test_an_authorisation_that_is_declined_holds_nothing"},
    TakesWhenTheCustomerActs: {
        "test_an_authorisation_that_needs_the_customer_holds_when_he_has_acted"
    },
    captures_nothing: {"test_all_that_is_held_can_be_captured"},
    captures_all_of_it: {"test_a_part_of_what_is_held_can_be_captured"},
    captures_more_than_is_held: {
        "test_no_more_is_captured_than_is_held",
        "test_where_one_capture_is_possible_a_second_takes_nothing",
    },
    captures_more_in_parts: {
        "test_where_several_captures_are_possible_they_never_exceed_what_is_held"
    },
    cannot_tell_what_was_never_held: {"test_what_was_never_authorised_cannot_be_captured"},
    CapturesAgain: {
        "test_the_same_capture_again_gives_the_same_answer_and_takes_once",
        "test_a_capture_key_that_comes_with_another_amount_is_unknown_and_takes_nothing",
    },
    CapturesOftenButSaysOnce: {"test_where_one_capture_is_possible_a_second_takes_nothing"},
    BelievesTheKeyOfACapture: {
        "test_a_capture_key_that_comes_with_another_amount_is_unknown_and_takes_nothing"
    },
    takes_a_lost_capture_for_a_decline: {
        "test_a_capture_that_times_out_is_unknown_and_a_repeat_takes_once"
    },
    captures_what_was_refused: {"test_a_refused_connection_captures_nothing"},
    ReleasesNothing: {"test_what_is_released_is_held_no_more"},
    KeepsTheRest: {"test_what_was_not_captured_is_released_and_what_was_stays"},
    HoldsForLessThanItSays: {"test_what_is_held_can_be_captured_until_its_end"},
    refuses_late_captures_for_no_reason: {
        "test_a_capture_that_comes_too_late_is_declined_as_expired"
    },
    ChargesTransfers: {"test_what_is_not_collected_is_not_executed"},
    WaitsForTransfers: {"test_what_is_not_collected_is_absent_for_sure"},
    CannotVoidTransfers: {"test_what_is_not_collected_is_void_for_sure"},
    AutomaticTransfers: {"test_a_method_that_is_not_charged_is_not_automatic"},
}

# What these do is what many laws are about.
WIDE: frozenset[Make] = frozenset(
    {
        AnswersFromTheFuture,
        AnswersInMajorUnits,
        AnswersRepeatsAnew,
        AsksByRefunding,
        CapturesAgain,
        CapturesWhatWasDeclined,
        ClaimsAbsence,
        ClaimsNoRefund,
        DeclinesInSilence,
        FailsInSilence,
        FindsUnderAnotherName,
        ForgetsKeys,
        ForgetsRefundKeys,
        GivesEachReadingAnotherId,
        GivesNoReference,
        HoldsForLessThanItSays,
        KeepsKeysByThread,
        KeepsKeysForAnHour,
        KeepsTheRest,
        ListsEachChargeOnce,
        ListsWithoutAttempt,
        LosesWhatIsTooMuch,
        NothingHappensInSilence,
        RaisesDeclines,
        RaisesRefusals,
        ReadsBeforeItVerifies,
        ReconcilesByCharging,
        RefundsWholeCharges,
        ReleasesNothing,
        TakesWhatItShouldHold,
        TakesWhenTheCustomerActs,
        cannot_tell_what_was_never_held,
        captures_all_of_it,
        captures_more_in_parts,
        captures_more_than_is_held,
        captures_nothing,
        lagging,
        takes_a_lost_capture_for_a_decline,
    }
)


def captures_often() -> FakeGateway:
    return FakeGateway(multi_capture=True)


@pytest.mark.parametrize("make", [Sound, captures_often, BankTransfer])
def test_a_gateway_without_a_defect_keeps_every_law(make: Make) -> None:
    assert broken(make) == set()


@pytest.mark.parametrize("make", CAUGHT)
def test_a_defect_breaks_the_laws_that_name_it(make: Make) -> None:
    assert CAUGHT[make] <= broken(make)


@pytest.mark.parametrize("make", CAUGHT)
def test_a_defect_of_one_thing_breaks_no_other_law(make: Make) -> None:
    assert (broken(make) == CAUGHT[make]) == (make not in WIDE)


def test_every_law_is_broken_by_some_defect() -> None:
    assert set[str]().union(*(broken(make) for make in CAUGHT)) == set(GatewayLaws.laws)
