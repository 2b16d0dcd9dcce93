"""Gateways that tell wrongly what came back, one planted defect each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from attrs import evolve

from subscriptions.disputes import DisputeKind, DisputeSnapshot, DisputeStatus
from subscriptions.gateways import Found, GatewayEvent, Reconciled, Secret
from subscriptions.gateways.fake import FakeGateway
from subscriptions.gateways.fake.disputes import DisputeBooks
from subscriptions.payments import Advice, ChargeIntent, Decline, Outcome
from subscriptions.refunds import RefundIntent, RefundSnapshot


class DisputesEverything(FakeGateway):
    """Takes its list of charges for one of disputes."""

    def list_disputes_since(self, instant: datetime, /) -> Iterator[DisputeSnapshot]:
        disputed = {each.attempt for each in self.disputes}
        yield from super().list_disputes_since(instant)
        for charge in self.charges:
            if charge.attempt not in disputed:
                yield DisputeSnapshot(
                    f"none_{charge.reference}",
                    charge.attempt,
                    charge.reference,
                    charge.amount,
                    DisputeKind.INQUIRY,
                    DisputeStatus.OPENED,
                    "",
                    charge.created_at,
                )


class DisputesNobodysCharge(FakeGateway):
    """Names the dispute where it should name the charge."""

    def list_disputes_since(self, instant: datetime, /) -> Iterator[DisputeSnapshot]:
        for each in super().list_disputes_since(instant):
            yield evolve(each, attempt_id=None, gateway_ref=each.dispute_ref)


class ListsEveryDispute(FakeGateway):
    """Lists disputes from the beginning of time."""

    def list_disputes_since(self, instant: datetime, /) -> Iterator[DisputeSnapshot]:
        del instant
        return iter([each.snapshot for each in self.disputes])


class NeverDecides(FakeGateway):
    """Lists a dispute as it was opened, whatever became of it."""

    def list_disputes_since(self, instant: datetime, /) -> Iterator[DisputeSnapshot]:
        for each in super().list_disputes_since(instant):
            yield evolve(each, status=DisputeStatus.OPENED)


class TellsDisputesAsNothing(FakeGateway):
    """Does not read what its messages say of disputes."""

    def parse_webhook(
        self,
        raw: bytes,
        headers: Mapping[str, str],
        /,
        *,
        secrets: Sequence[Secret],
        now: datetime,
    ) -> GatewayEvent:
        return evolve(super().parse_webhook(raw, headers, secrets=secrets, now=now), dispute=None)


class UndoesDisputedCharges(FakeGateway):
    """Takes a dispute for a decline of what had succeeded."""

    def reconcile(self, intent: ChargeIntent, gateway_ref: str | None, /) -> Reconciled:
        answer = super().reconcile(intent, gateway_ref)
        if isinstance(answer, Found) and intent.attempt_id in {x.attempt for x in self.disputes}:
            decline = Decline("disputed", "", Advice.RETRY_NEVER)
            outcome = Outcome.DECLINED_HARD
            return Found(evolve(answer.snapshot, outcome=outcome, decline=decline))
        return answer


class GivesBackWhatIsGone(FakeGateway):
    """Does not look at its disputes when it gives money back."""

    def refund(self, intent: RefundIntent, /) -> RefundSnapshot:
        books = self._disputes
        self._disputes = DisputeBooks(self._outbox, self._charges)
        try:
            return super().refund(intent)
        finally:
            self._disputes = books
