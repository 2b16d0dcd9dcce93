"""Gateways with one planted defect each: amounts, times, threads, and what is said where."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from threading import get_ident

from attrs import evolve

from subscriptions.gateways import (
    CannotTell,
    Found,
    Reconciled,
)
from subscriptions.gateways.fake import FakeGateway
from subscriptions.money import Money
from subscriptions.payments import ChargeIntent, Outcome, PaymentSnapshot


class KeepsKeysForAnHour(FakeGateway):
    """Says a day, and forgets keys each hour."""

    def charge(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        hours = int(self.now.timestamp() // 3600)
        return super().charge(evolve(intent, key=f"{intent.key[:50]}{hours}"))


class ForgetsOldCharges(FakeGateway):
    """Knows nothing of what was charged a month ago."""

    def reconcile(self, intent: ChargeIntent, gateway_ref: str | None, /) -> Reconciled:
        if self.now - intent.created_at > timedelta(days=30):
            return CannotTell("archived")
        return super().reconcile(intent, gateway_ref)


class ListsWhatIsNewer(FakeGateway):
    """Leaves out the instant that was asked for."""

    def list_since(self, instant: datetime, /) -> Iterator[PaymentSnapshot]:
        return super().list_since(instant + timedelta(microseconds=1))


class AnswersFromTheFuture(FakeGateway):
    """Has a clock in another zone."""

    def charge(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        answer = super().charge(intent)
        return evolve(answer, occurred_at=answer.occurred_at + timedelta(hours=2))


class KeepsKeysByThread(FakeGateway):
    """Has a memory of keys for each thread."""

    def charge(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        return super().charge(evolve(intent, key=f"{intent.key[:40]}{get_ident()}"[:64]))


class LosesWhatIsTooMuch(FakeGateway):
    """Says that the eighth of a second was charged, and never does it."""

    def charge(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        made = self.charges
        if len(made) == 7 and intent.attempt_id not in {each.attempt for each in made}:
            return evolve(made[0].snapshot, attempt_id=intent.attempt_id)
        return super().charge(intent)


def answering(change: Callable[[Money], int]) -> type[FakeGateway]:
    """Make a gateway that answers with other amounts."""

    class Answers(FakeGateway):
        def charge(self, intent: ChargeIntent, /) -> PaymentSnapshot:
            answer = super().charge(intent)
            return evolve(answer, amount=Money(change(answer.amount), answer.amount.currency))

    return Answers


def yen_have_cents() -> FakeGateway:
    return answering(lambda amount: amount.minor * (100 if amount.currency.code == "JPY" else 1))()


def dinars_have_cents() -> FakeGateway:
    def tenths(amount: Money) -> int:
        return amount.minor // 10 * 10 if amount.currency.code == "KWD" else amount.minor

    return answering(tenths)()


def large_amounts_are_rounded() -> FakeGateway:
    return answering(lambda amount: round(amount.minor, -1 if amount.minor > 10**9 else 0))()


class RefusesTheLeast(FakeGateway):
    """Declines what is not worth the trouble."""

    def charge(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        if intent.amount.minor < 50:
            self.decline_next("limit_exceeded")
        return super().charge(intent)


class TakesNeighboursForEqual(FakeGateway):
    """Compares amounts as floats do: nearly."""

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[str, ChargeIntent] = {}

    def charge(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        first = self.known.setdefault(intent.key, intent)
        near = abs(first.amount.minor - intent.amount.minor) <= 1
        return super().charge(evolve(intent, amount=first.amount) if near else intent)


class ListsWithoutMetadata(FakeGateway):
    """Does not say whose a charge is."""

    def list_since(self, instant: datetime, /) -> Iterator[PaymentSnapshot]:
        found = super().list_since(instant)
        return (evolve(each, tenant=None, invoice=None) for each in found)


class ListsUnderAnotherName(FakeGateway):
    """Has another reference in its list."""

    def list_since(self, instant: datetime, /) -> Iterator[PaymentSnapshot]:
        found = super().list_since(instant)
        return (evolve(each, gateway_ref=f"list_{each.gateway_ref}") for each in found)


class FindsUnderAnotherName(FakeGateway):
    """Finds what it had charged, as something else."""

    def reconcile(self, intent: ChargeIntent, gateway_ref: str | None, /) -> Reconciled:
        answer = super().reconcile(intent, gateway_ref)
        if isinstance(answer, Found):
            return Found(evolve(answer.snapshot, gateway_ref=f"q_{answer.snapshot.gateway_ref}"))
        return answer


class AnswersRepeatsAnew(FakeGateway):
    """Answers a repeat with the time of the repeat."""

    calls = 0

    def charge(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        self.calls += 1
        answer = super().charge(intent)
        return evolve(answer, occurred_at=answer.occurred_at + timedelta(seconds=self.calls))


class ExecutesWhatWasRefused(FakeGateway):
    """Takes a connection that broke down later for one that was refused."""

    def charge(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        answer = super().charge(intent)
        if answer.outcome is Outcome.NOT_EXECUTED:
            super().charge(intent)
        return answer
