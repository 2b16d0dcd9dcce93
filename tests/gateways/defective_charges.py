"""Gateways with one planted defect each: what they charge, list, attach and say of it."""

# ruff: noqa: ARG002 - a defect is often that an argument is not looked at

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from attrs import evolve

from subscriptions.gateways import (
    AbsentForSure,
    CannotTell,
    Capabilities,
    Found,
    Reconciled,
)
from subscriptions.gateways.fake import FakeGateway
from subscriptions.payment_methods import MethodDetails
from subscriptions.payments import ChargeIntent, Decline, Outcome, PaymentSnapshot


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


class Fickle(Capabilities):
    """Never what it was a moment ago."""

    def __eq__(self, other: object) -> bool:
        return False

    __hash__ = Capabilities.__hash__


class ChangesItsMind(FakeGateway):
    """Can do something else each time that it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.capabilities = Fickle(authorization_validity=timedelta(days=7), partial_capture=True)


class ListsEachChargeOnce(FakeGateway):
    """Moves a cursor of its own, so that what was listed before is not listed again."""

    listed = 0

    def list_since(self, instant: datetime, /) -> Iterator[PaymentSnapshot]:
        found = list(super().list_since(instant))[self.listed :]
        self.listed += len(found)
        return iter(found)


class CannotRefundAnyMore(FakeGateway):
    """Has lost a method, so that laws fall silent."""

    refund = None  # type: ignore[assignment]  # that is the defect
