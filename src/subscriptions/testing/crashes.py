"""Crashing on purpose: at every commit and at every call of a gateway, one after the other.

A run is done once to count the points at which it could die, then again for each point: it dies
there, a new process starts on what was stored, and the outcome must be what it would have been.

    points = Points()
    bill(CrashingStorage(storage, points), CrashingGateway(gateway, points))
    for k in range(points.passed):
        ...                                      # fresh storage and gateway, Points(crash_at=k)
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Self, TypeVar

from attrs import define, field

from subscriptions.decisions import Change
from subscriptions.disputes import DisputeSnapshot
from subscriptions.events import Recorded
from subscriptions.frozen import frozen
from subscriptions.gateways import (
    Authorizes,
    Capabilities,
    FollowsTime,
    GatewayEvent,
    PaymentGateway,
    Reconciled,
    ReconciledRefund,
    Refunds,
    ReportsDisputes,
    Secret,
)
from subscriptions.payment_methods import MethodDetails
from subscriptions.payments import CaptureIntent, ChargeIntent, PaymentSnapshot
from subscriptions.records import Kind, Record
from subscriptions.refunds import RefundIntent, RefundSnapshot
from subscriptions.storage import Delivery, Found, Query, Storage, UnitOfWork

R = TypeVar("R", bound=Record)


class Crash(BaseException):
    """The process dies here; no ordinary handler may stop it."""


@define
class Points:
    """Counts the points at which a process could die, and dies at one of them.

    `names` says what each point was, for the report of a failing sweep.
    """

    crash_at: int | None = None
    passed: int = 0
    names: list[str] = field(factory=list[str])

    def here(self, name: str) -> None:
        """Die if this is the point; raises `Crash`."""
        point = self.passed
        self.passed += 1
        self.names.append(name)
        if point == self.crash_at:
            raise Crash(f"point {point}: {name}")


@frozen
class CrashingStorage:
    """A storage whose process may die just before and just after each commit."""

    storage: Storage
    points: Points

    def load(self, tenant: str, kind: Kind[R], ids: Collection[str], /) -> Mapping[str, R]:
        """Load from the storage."""
        return self.storage.load(tenant, kind, ids)

    def find(self, query: Query[R], /) -> Found[R]:
        """Find in the storage."""
        return self.storage.find(query)

    def begin(self) -> UnitOfWork:
        """Begin a unit of work whose commit may be the end."""
        return _CrashingUnitOfWork(self.storage.begin(), self.points)

    def undelivered(self, tenant: str, consumer: str, limit: int, /) -> Delivery:
        """Return the storage's undelivered events."""
        return self.storage.undelivered(tenant, consumer, limit)

    def acknowledge(self, tenant: str, consumer: str, position: str, /) -> None:
        """Acknowledge in the storage; the process may die just before and just after."""
        self.points.here("before acknowledging events")
        self.storage.acknowledge(tenant, consumer, position)
        self.points.here("after acknowledging events")


class _CrashingUnitOfWork:
    def __init__(self, unit: UnitOfWork, points: Points) -> None:
        self._unit = unit
        self._points = points
        self._wrote = "nothing"

    def load(self, tenant: str, kind: Kind[R], ids: Collection[str], /) -> Mapping[str, R]:
        return self._unit.load(tenant, kind, ids)

    def find(self, query: Query[R], /) -> Found[R]:
        return self._unit.find(query)

    def write(self, changes: Sequence[Change], events: Sequence[Recorded], /) -> None:
        self._unit.write(changes, events)
        self._wrote = ", ".join(sorted({change.kind.name for change in changes}))

    def lock(self, tenant: str, series: Collection[str], /) -> None:
        self._unit.lock(tenant, series)

    def commit(self) -> None:
        self._points.here(f"before committing {self._wrote}")
        self._unit.commit()
        self._points.here(f"after committing {self._wrote}")

    def rollback(self) -> None:
        self._unit.rollback()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        if error is None:
            self.commit()
        else:
            self.rollback()


@frozen
class CrashingGateway:
    """A gateway whose caller may die just before and just after each call."""

    gateway: PaymentGateway
    points: Points

    @property
    def capabilities(self) -> Capabilities:
        """What the gateway can do."""
        return self.gateway.capabilities

    def charge(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        """Charge; the process may die just before and just after."""
        self.points.here("before a charge")
        snapshot = self.gateway.charge(intent)
        self.points.here("after a charge")
        return snapshot

    def void(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        """Void; the process may die just before and just after."""
        self.points.here("before voiding a charge")
        snapshot = self.gateway.void(intent)
        self.points.here("after voiding a charge")
        return snapshot

    def reconcile(self, intent: ChargeIntent, gateway_ref: str | None, /) -> Reconciled:
        """Reconcile; the process may die just before and just after."""
        self.points.here("before reconciling")
        answer = self.gateway.reconcile(intent, gateway_ref)
        self.points.here("after reconciling")
        return answer

    def authorize(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        """Authorise; the process may die just before and just after."""
        assert isinstance(self.gateway, Authorizes)
        self.points.here("before an authorisation")
        snapshot = self.gateway.authorize(intent)
        self.points.here("after an authorisation")
        return snapshot

    def capture(self, intent: CaptureIntent, /) -> PaymentSnapshot:
        """Capture; the process may die just before and just after."""
        assert isinstance(self.gateway, Authorizes)
        self.points.here("before a capture")
        snapshot = self.gateway.capture(intent)
        self.points.here("after a capture")
        return snapshot

    def release(self, intent: ChargeIntent, /) -> PaymentSnapshot:
        """Release; the process may die just before and just after."""
        assert isinstance(self.gateway, Authorizes)
        self.points.here("before a release")
        snapshot = self.gateway.release(intent)
        self.points.here("after a release")
        return snapshot

    def refund(self, intent: RefundIntent, /) -> RefundSnapshot:
        """Refund; the process may die just before and just after."""
        assert isinstance(self.gateway, Refunds)
        self.points.here("before a refund")
        snapshot = self.gateway.refund(intent)
        self.points.here("after a refund")
        return snapshot

    def reconcile_refund(
        self, intent: RefundIntent, gateway_ref: str | None, /
    ) -> ReconciledRefund:
        """Reconcile a refund; the process may die just before and just after."""
        assert isinstance(self.gateway, Refunds)
        self.points.here("before reconciling a refund")
        answer = self.gateway.reconcile_refund(intent, gateway_ref)
        self.points.here("after reconciling a refund")
        return answer

    def attach(self, token: str, customer_ref: str, /) -> MethodDetails:
        """Attach a token; the process may die just before and just after."""
        self.points.here("before attaching a method")
        details = self.gateway.attach(token, customer_ref)
        self.points.here("after attaching a method")
        return details

    def detach(self, method_ref: str, /) -> None:
        """Detach; the process may die just before and just after."""
        self.points.here("before detaching a method")
        self.gateway.detach(method_ref)
        self.points.here("after detaching a method")

    def list_since(self, instant: datetime, /) -> Iterator[PaymentSnapshot]:
        """List the gateway's charges."""
        return self.gateway.list_since(instant)

    def list_disputes_since(self, instant: datetime, /) -> Iterator[DisputeSnapshot]:
        """List the gateway's disputes."""
        assert isinstance(self.gateway, ReportsDisputes)
        return self.gateway.list_disputes_since(instant)

    def parse_webhook(
        self,
        raw: bytes,
        headers: Mapping[str, str],
        /,
        *,
        secrets: Sequence[Secret],
        now: datetime,
    ) -> GatewayEvent:
        """Parse a message of the gateway."""
        return self.gateway.parse_webhook(raw, headers, secrets=secrets, now=now)

    def at(self, instant: datetime, /) -> None:
        """Tell the gateway the time, if it follows it."""
        if isinstance(self.gateway, FollowsTime):
            self.gateway.at(instant)
