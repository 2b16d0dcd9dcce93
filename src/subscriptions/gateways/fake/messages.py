"""What the fake gateway's webhooks say: how a message is written, signed and read again.

Nothing here verifies: a body is read after `gateways.signatures` has found it genuine.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NoReturn

from subscriptions.disputes import DisputeKind, DisputeSnapshot, DisputeStatus
from subscriptions.errors import DomainError
from subscriptions.frozen import frozen
from subscriptions.gateways import GatewayEvent, Secret, WebhookRefused
from subscriptions.gateways.fake.ledger import LedgerCharge, LedgerDispute, LedgerRefund
from subscriptions.gateways.signatures import sign
from subscriptions.ids import PaymentId, RefundId
from subscriptions.money import Currency, Money
from subscriptions.payments import Advice, Decline, Outcome, PaymentSnapshot
from subscriptions.records import aware, plain_text
from subscriptions.refunds import RefundFailure, RefundOutcome, RefundSnapshot


@frozen
class WebhookMessage:
    """A signed message, as it would arrive at the host."""

    id: str
    raw: bytes
    headers: Mapping[str, str]


def write(charge: LedgerCharge, *, id: str, at: datetime, secret: Secret) -> WebhookMessage:
    """Return the message that a charge has reached its state, signed at an instant."""
    decline = charge.decline
    body = {
        "type": f"payment.{charge.outcome.value}",
        "timestamp": charge.changed_at.isoformat(),
        "data": {
            "attempt": charge.attempt,
            "reference": charge.reference,
            "outcome": charge.outcome.value,
            "amount_minor": charge.amount.minor,
            "currency": charge.amount.currency.code,
            "metadata": dict(charge.intent.metadata),
            "decline": None
            if decline is None
            else {
                "code": decline.code,
                "message": decline.message,
                "advice": decline.advice.value,
            },
            "action_url": charge.action_url,
            **_held(charge),
        },
    }
    return _signed(body, id=id, at=at, secret=secret)


def _held(charge: LedgerCharge) -> dict[str, object]:
    if charge.expires_at is None:
        return {}
    return {
        "expires_at": charge.expires_at.isoformat(),
        "capturable_minor": charge.capturable_minor,
    }


def write_refund(refund: LedgerRefund, *, id: str, at: datetime, secret: Secret) -> WebhookMessage:
    """Return the message that a refund has reached its state, signed at an instant."""
    failure = refund.failure
    body = {
        "type": f"refund.{refund.outcome.value}",
        "timestamp": refund.changed_at.isoformat(),
        "data": {
            "refund": refund.refund,
            "metadata": dict(refund.intent.metadata),
            "attempt": refund.attempt,
            "reference": refund.reference,
            "outcome": refund.outcome.value,
            "amount_minor": refund.amount.minor,
            "currency": refund.amount.currency.code,
            "failure": None
            if failure is None
            else {"code": failure.code, "message": failure.message},
        },
    }
    return _signed(body, id=id, at=at, secret=secret)


def write_dispute(
    dispute: LedgerDispute, *, id: str, at: datetime, secret: Secret
) -> WebhookMessage:
    """Return the message that a dispute has reached its state, signed at an instant."""
    due_at, fee = dispute.evidence_due_at, dispute.fee
    body = {
        "type": f"dispute.{dispute.status.value}",
        "timestamp": dispute.changed_at.isoformat(),
        "data": {
            "dispute": dispute.reference,
            "attempt": dispute.attempt,
            "reference": dispute.charge,
            "kind": dispute.kind.value,
            "status": dispute.status.value,
            "reason": dispute.reason,
            "amount_minor": dispute.amount.minor,
            "currency": dispute.amount.currency.code,
            "evidence_due_at": None if due_at is None else due_at.isoformat(),
            "funds_withdrawn": dispute.funds_withdrawn,
            "fee_minor": None if fee is None else fee.minor,
        },
    }
    return _signed(body, id=id, at=at, secret=secret)


def _signed(body: Mapping[str, object], *, id: str, at: datetime, secret: Secret) -> WebhookMessage:
    raw = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return WebhookMessage(id, raw, sign(raw, id=id, at=at, secret=secret))


def read(id: str, raw: bytes) -> GatewayEvent:
    """Read a verified body; raises `WebhookRefused` for whatever this gateway does not write."""
    try:
        body = json.loads(
            raw.decode("utf-8"), object_pairs_hook=_unique_keys, parse_constant=_no_constant
        )
        kind = _text(body["type"])
        snapshot = _snapshot(body) if kind.startswith("payment.") else None
        refund = _refund(body) if kind.startswith("refund.") else None
        dispute = _dispute(body) if kind.startswith("dispute.") else None
    # A body nested too deep raises RecursionError, a number too long ValueError.
    except (ValueError, TypeError, LookupError, RecursionError, DomainError) as reason:
        raise WebhookRefused("the body is not readable") from reason
    return GatewayEvent(id, kind, snapshot, refund, dispute)


def _snapshot(body: dict[str, Any]) -> PaymentSnapshot:
    data = body["data"]
    decline, url = data["decline"], data["action_url"]
    currency = Currency(data["currency"])
    until, held = data.get("expires_at"), data.get("capturable_minor")
    return PaymentSnapshot(
        Outcome(data["outcome"]),
        Money(data["amount_minor"], currency),
        aware("timestamp", datetime.fromisoformat(body["timestamp"])),
        PaymentId(_text(data["attempt"])),
        _text(data["reference"]),
        None
        if decline is None
        else Decline(_text(decline["code"]), _text(decline["message"]), Advice(decline["advice"])),
        None if url is None else _text(url),
        expires_at=None if until is None else aware("expires_at", datetime.fromisoformat(until)),
        capturable=None if held is None else Money(held, currency),
        tenant=_named(data, "tenant"),
        invoice=_named(data, "invoice"),
    )


def _named(data: dict[str, Any], name: str) -> str | None:
    value = data["metadata"].get(name)
    return None if value is None else _text(value)


def _refund(body: dict[str, Any]) -> RefundSnapshot:
    data = body["data"]
    failure = data["failure"]
    return RefundSnapshot(
        RefundOutcome(data["outcome"]),
        Money(data["amount_minor"], Currency(data["currency"])),
        aware("timestamp", datetime.fromisoformat(body["timestamp"])),
        RefundId(_text(data["refund"])),
        _text(data["reference"]),
        None
        if failure is None
        else RefundFailure(_text(failure["code"]), _text(failure["message"])),
        _named(data, "tenant"),
    )


def _dispute(body: dict[str, Any]) -> DisputeSnapshot:
    data = body["data"]
    currency, due_at, fee = Currency(data["currency"]), data["evidence_due_at"], data["fee_minor"]
    withdrawn = data["funds_withdrawn"]
    if not isinstance(withdrawn, bool):
        raise TypeError("funds_withdrawn is true or false")
    return DisputeSnapshot(
        _text(data["dispute"]),
        PaymentId(_text(data["attempt"])),
        _text(data["reference"]),
        Money(data["amount_minor"], currency),
        DisputeKind(data["kind"]),
        DisputeStatus(data["status"]),
        _text(data["reason"]),
        aware("timestamp", datetime.fromisoformat(body["timestamp"])),
        None if due_at is None else aware("evidence_due_at", datetime.fromisoformat(due_at)),
        withdrawn,
        None if fee is None else Money(fee, currency),
    )


def _text(value: object) -> str:
    return plain_text("body", value, empty=True)


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    # Of two equal keys json keeps the last, another reader the first: neither is what was signed.
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key came twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")
