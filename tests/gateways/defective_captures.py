"""Gateways with one planted defect each: how they hold, capture and release."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from attrs import evolve

from subscriptions.gateways import (
    Found,
    Reconciled,
)
from subscriptions.gateways.fake import FakeGateway
from subscriptions.ids import PaymentId
from subscriptions.payments import CaptureIntent, ChargeIntent, Decline, Outcome, PaymentSnapshot


class TakesWhatItShouldHold(FakeGateway):
    """Charges at once."""

    def authorize(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        return evolve(self.charge(intent), outcome=Outcome.AUTHORIZED, expires_at=self.now)


class HoldsTwice(FakeGateway):
    """Holds again for each call."""

    calls = 0

    def authorize(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        self.calls += 1
        return super().authorize(evolve(intent, key=f"{intent.key[:50]}{self.calls}"))


class TakesWhenTheCustomerActs(FakeGateway):
    """Takes what was to be held as soon as the customer has confirmed it."""

    confirmed = False

    def complete_action(self, attempt_id: PaymentId, *, succeed: bool = True) -> None:
        super().complete_action(attempt_id, succeed=succeed)
        self.confirmed = True

    def reconcile(self, intent: ChargeIntent, gateway_ref: str | None, /) -> Reconciled:
        answer = super().reconcile(intent, gateway_ref)
        if self.confirmed and isinstance(answer, Found):
            return Found(evolve(answer.snapshot, outcome=Outcome.SUCCEEDED))
        return answer


def capturing(
    change: Callable[[FakeGateway, CaptureIntent, PaymentSnapshot], PaymentSnapshot],
    ask: Callable[[CaptureIntent], CaptureIntent] = lambda intent: intent,
    *,
    multi_capture: bool = False,
) -> FakeGateway:
    """Make a gateway that asks for other captures, or answers otherwise."""

    class Captures(FakeGateway):
        def capture(self, intent: CaptureIntent, /) -> PaymentSnapshot:
            return change(self, intent, super().capture(ask(intent)))

    return Captures(multi_capture=multi_capture)


def declined_if(answer: PaymentSnapshot, code: str) -> bool:
    return answer.decline is not None and answer.decline.code == code


def _agrees(
    gateway: FakeGateway, intent: CaptureIntent, answer: PaymentSnapshot
) -> PaymentSnapshot:
    if not declined_if(answer, "capture_not_possible"):
        return answer
    return evolve(answer, outcome=Outcome.SUCCEEDED, decline=None)


def _knows_nothing(
    gateway: FakeGateway, intent: CaptureIntent, answer: PaymentSnapshot
) -> PaymentSnapshot:
    if not declined_if(answer, "capture_not_possible"):
        return answer
    return evolve(answer, outcome=Outcome.UNKNOWN, decline=None)


def _refuses(
    gateway: FakeGateway, intent: CaptureIntent, answer: PaymentSnapshot
) -> PaymentSnapshot:
    refused = Decline("capture_not_possible")
    return evolve(answer, outcome=Outcome.DECLINED_SOFT, decline=refused)


def _says_no_reason(
    gateway: FakeGateway, intent: CaptureIntent, answer: PaymentSnapshot
) -> PaymentSnapshot:
    return answer if answer.decline is None else evolve(answer, decline=Decline("declined"))


def _takes_silence_for_a_decline(
    gateway: FakeGateway, intent: CaptureIntent, answer: PaymentSnapshot
) -> PaymentSnapshot:
    if answer.outcome is not Outcome.UNKNOWN:
        return answer
    return evolve(answer, outcome=Outcome.DECLINED_SOFT, decline=Decline("time_out"))


def _goes_on_though_refused(
    gateway: FakeGateway, intent: CaptureIntent, answer: PaymentSnapshot
) -> PaymentSnapshot:
    if answer.outcome is Outcome.NOT_EXECUTED:
        FakeGateway.capture(gateway, intent)
    return answer


def _as_it_is(
    gateway: FakeGateway, intent: CaptureIntent, answer: PaymentSnapshot
) -> PaymentSnapshot:
    return answer


def _all_of_it(intent: CaptureIntent) -> CaptureIntent:
    return evolve(intent, amount=intent.authorized)


def captures_more_than_is_held() -> FakeGateway:
    return capturing(_agrees)


def captures_more_in_parts() -> FakeGateway:
    return capturing(_agrees, multi_capture=True)


def cannot_tell_what_was_never_held() -> FakeGateway:
    return capturing(_knows_nothing)


def captures_nothing() -> FakeGateway:
    return capturing(_refuses)


def captures_all_of_it() -> FakeGateway:
    return capturing(_as_it_is, _all_of_it)


def takes_a_lost_capture_for_a_decline() -> FakeGateway:
    return capturing(_takes_silence_for_a_decline)


def captures_what_was_refused() -> FakeGateway:
    return capturing(_goes_on_though_refused)


def refuses_late_captures_for_no_reason() -> FakeGateway:
    return capturing(_says_no_reason)


class CapturesAgain(FakeGateway):
    """Captures again for each call."""

    calls = 0

    def __init__(self) -> None:
        super().__init__(multi_capture=True)

    def capture(self, intent: CaptureIntent, /) -> PaymentSnapshot:
        self.calls += 1
        return super().capture(evolve(intent, key=f"{intent.key[:50]}{self.calls}"))


class CapturesOftenButSaysOnce(FakeGateway):
    """Takes parts for as long as there are any, and does not say so."""

    def __init__(self) -> None:
        super().__init__(multi_capture=True)
        self.capabilities = evolve(self.capabilities, multi_capture=False)


class BelievesTheKeyOfACapture(FakeGateway):
    """Does not look at what came with a key."""

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[str, CaptureIntent] = {}

    def capture(self, intent: CaptureIntent, /) -> PaymentSnapshot:
        return super().capture(self.known.setdefault(intent.key, intent))


class ReleasesNothing(FakeGateway):
    """Says that it is void, and holds on."""

    def release(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        return PaymentSnapshot(
            Outcome.DECLINED_SOFT,
            intent.amount,
            intent.created_at,
            intent.attempt_id,
            decline=Decline("voided"),
        )


class KeepsTheRest(FakeGateway):
    """Releases only what was not captured at all."""

    def __init__(self) -> None:
        super().__init__(multi_capture=True)
        self.capabilities = evolve(self.capabilities, multi_capture=False)

    def release(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        captured = [each for each in self.charges if each.captured_minor]
        return captured[0].snapshot if captured else super().release(intent)


class HoldsForLessThanItSays(FakeGateway):
    """Says a week, and holds for three days."""

    def __init__(self) -> None:
        super().__init__(authorization_validity=timedelta(days=3))
        self.holds = self.capabilities
        self.says = evolve(self.holds, authorization_validity=timedelta(days=7))
        self.capabilities = self.says

    def authorize(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        self.capabilities = self.holds
        answer = super().authorize(intent)
        self.capabilities = self.says
        return answer


class CapturesWhatWasDeclined(FakeGateway):
    """Takes what the bank has refused to hold."""

    def capture(self, intent: CaptureIntent, /) -> PaymentSnapshot:
        answer = super().capture(intent)
        if not any(each.outcome is Outcome.DECLINED_SOFT for each in self.charges):
            return answer
        return evolve(answer, outcome=Outcome.SUCCEEDED, decline=None)
