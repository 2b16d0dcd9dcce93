"""Gateways with one planted defect each: how they give back, and money that is sent."""

# ruff: noqa: ARG002 - a defect is often that an argument is not looked at

from __future__ import annotations

from attrs import evolve

from subscriptions.gateways import (
    AbsentForSure,
    CannotTell,
    FoundRefund,
    Reconciled,
    ReconciledRefund,
)
from subscriptions.gateways.bank_transfer import BankTransfer
from subscriptions.gateways.fake import FakeGateway
from subscriptions.payment_methods import MethodDetails
from subscriptions.payments import ChargeIntent, Outcome, PaymentSnapshot
from subscriptions.refunds import RefundFailure, RefundIntent, RefundOutcome, RefundSnapshot


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


class ChargesTransfers(BankTransfer):
    """Says that the money has come."""

    def charge(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        return evolve(super().charge(intent), outcome=Outcome.SUCCEEDED)


class WaitsForTransfers(BankTransfer):
    """Cannot say that it has nothing."""

    def reconcile(self, intent: ChargeIntent, gateway_ref: str | None, /) -> Reconciled:
        return CannotTell()


class CannotVoidTransfers(BankTransfer):
    """Cannot say that it takes nothing."""

    def void(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        return evolve(super().void(intent), outcome=Outcome.UNKNOWN, decline=None)


class AutomaticTransfers(BankTransfer):
    """Lets invoices wait for a charge that nobody makes."""

    def attach(self, token: str, customer_ref: str, /) -> MethodDetails:
        return evolve(super().attach(token, customer_ref), automatic=True)
