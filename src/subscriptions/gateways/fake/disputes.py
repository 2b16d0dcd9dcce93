"""How charges of the fake gateway come back: its books of disputes and of returned debits.

A dispute takes the money in these books alone, and what we make of it is compared with them. Time
is an argument; the gateway has it, and the lock.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from attrs import define, evolve, field

from subscriptions.disputes import DisputeKind, DisputeStatus
from subscriptions.errors import InvalidTransition, ValidationError
from subscriptions.gateways.fake.charges import ChargeBooks
from subscriptions.gateways.fake.ledger import LedgerCharge, LedgerDispute
from subscriptions.gateways.fake.outbox import Outbox
from subscriptions.ids import PaymentId
from subscriptions.money import Money
from subscriptions.payments import Outcome


@define
class DisputeBooks:
    """The disputes of one fake gateway."""

    outbox: Outbox
    charges: ChargeBooks
    ledger: list[LedgerDispute] = field(factory=list[LedgerDispute])

    def open(
        self,
        attempt_id: PaymentId,
        amount: Money | None,
        now: datetime,
        *,
        reason: str,
        kind: DisputeKind,
        evidence_days: int,
        funds_withdrawn: bool,
        fee: Money | None,
    ) -> LedgerDispute:
        """Open a dispute of a charge that took money, by default of all that is left of it."""
        charge = self._charge(attempt_id)
        dispute = LedgerDispute(
            f"dp_{charge.reference.removeprefix('ch_')}_{self._count(attempt_id) + 1}",
            attempt_id,
            charge.reference,
            self._amount(charge, amount),
            kind,
            DisputeStatus.OPENED,
            reason,
            now,
            now,
            now + timedelta(days=evidence_days),
            funds_withdrawn,
            fee,
        )
        return self._put(dispute)

    def returned(
        self, attempt_id: PaymentId, amount: Money | None, now: datetime, *, code: str
    ) -> LedgerDispute:
        """Let a debit come back that had succeeded: nothing is asked, the money is gone."""
        charge = self._charge(attempt_id)
        dispute = LedgerDispute(
            f"rt_{charge.reference.removeprefix('ch_')}_{self._count(attempt_id) + 1}",
            attempt_id,
            charge.reference,
            self._amount(charge, amount),
            DisputeKind.RETURN,
            DisputeStatus.LOST,
            code,
            now,
            now,
            funds_withdrawn=True,
        )
        return self._put(dispute)

    def move(
        self,
        reference: str,
        status: DisputeStatus,
        now: datetime,
        *,
        kind: DisputeKind | None = None,
    ) -> LedgerDispute:
        """Let a dispute stand otherwise; with `kind` an inquiry becomes a chargeback."""
        place = self._place(reference)
        dispute = self.ledger[place]
        if dispute.status is status and kind in (None, dispute.kind):
            raise InvalidTransition(f"dispute {reference}", dispute.status, f"become {status}")
        moved = evolve(
            dispute,
            status=status,
            kind=dispute.kind if kind is None else kind,
            funds_withdrawn=dispute.funds_withdrawn or kind is DisputeKind.CHARGEBACK,
            changed_at=now,
            changes=dispute.changes + 1,
        )
        self.ledger[place] = moved
        self.outbox.put(moved)
        return moved

    def taken_minor(self, attempt_id: PaymentId) -> int:
        """Return how much disputes have taken of a charge."""
        return sum([x.taken_minor for x in self.ledger if x.attempt == attempt_id])

    def since(self, instant: datetime) -> list[LedgerDispute]:
        """Return what changed at or after an instant, oldest first."""
        return [each for each in self.ledger if each.changed_at >= instant]

    def _put(self, dispute: LedgerDispute) -> LedgerDispute:
        self.ledger.append(dispute)
        self.outbox.put(dispute)
        return dispute

    def _charge(self, attempt_id: PaymentId) -> LedgerCharge:
        place = self.charges.position(attempt_id)
        if place is None:
            raise ValidationError("attempt_id", attempt_id, "an attempt that was charged")
        charge = self.charges.ledger[place]
        if charge.outcome is not Outcome.SUCCEEDED:
            raise InvalidTransition(f"charge of {attempt_id}", charge.outcome.value, "dispute")
        return charge

    def _amount(self, charge: LedgerCharge, amount: Money | None) -> Money:
        if amount is not None:
            return amount
        left = charge.amount.minor - self.taken_minor(charge.attempt)
        return Money(left, charge.amount.currency)

    def _count(self, attempt_id: PaymentId) -> int:
        return sum([each.attempt == attempt_id for each in self.ledger])

    def _place(self, reference: str) -> int:
        for place, each in enumerate(self.ledger):
            if each.reference == reference:
                return place
        raise ValidationError("reference", reference, "a dispute that was opened")
