"""A bank transfer: the way to pay that every customer has, and that nobody can charge.

The customer sends the money; it is recorded when the bank statement shows it. So this gateway
moves nothing, has nothing and is told nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from subscriptions.gateways import (
    AbsentForSure,
    Capabilities,
    GatewayEvent,
    Reconciled,
    Secret,
    WebhookRefused,
)
from subscriptions.payment_methods import MethodDetails, refuse_card_number
from subscriptions.payments import Advice, ChargeIntent, Decline, Outcome, PaymentSnapshot
from subscriptions.records import plain_text

VOIDED = Decline("voided", "A transfer takes no money", Advice.RETRY_AFTER)


class BankTransfer:
    """The gateway of money that the customer sends; `capabilities.collects` is False."""

    capabilities = Capabilities(replay_window=timedelta(0), collects=False)

    def charge(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        """Move nothing, and say so: `NOT_EXECUTED`, for it is certain."""
        return PaymentSnapshot(
            Outcome.NOT_EXECUTED, intent.amount, intent.created_at, intent.attempt_id
        )

    def void(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        """Confirm that the attempt takes no money."""
        return PaymentSnapshot(
            Outcome.DECLINED_SOFT,
            intent.amount,
            intent.created_at,
            intent.attempt_id,
            decline=VOIDED,
        )

    def reconcile(self, intent: ChargeIntent, gateway_ref: str | None, /) -> Reconciled:
        """Confirm that there is no such charge: there never is one."""
        del gateway_ref
        return AbsentForSure(intent.created_at)

    def attach(self, token: str, customer_ref: str, /) -> MethodDetails:
        """Return a method that is not automatic; the token may be any text but a card number."""
        refuse_card_number("token", plain_text("token", token))
        return MethodDetails(f"transfer.{customer_ref}", type="bank_transfer", automatic=False)

    def detach(self, method_ref: str, /) -> None:
        """Forget nothing: there is nothing to forget."""

    def list_since(self, instant: datetime, /) -> Iterator[PaymentSnapshot]:
        """List nothing."""
        del instant
        return iter(())

    def parse_webhook(
        self,
        raw: bytes,
        headers: Mapping[str, str],
        /,
        *,
        secrets: Sequence[Secret],
        now: datetime,
    ) -> GatewayEvent:
        """Refuse every message: nobody sends one."""
        del raw, headers, secrets, now
        raise WebhookRefused("a bank transfer sends no messages")
