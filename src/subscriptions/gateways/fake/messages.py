"""What the fake gateway's webhooks say: how a message is written, signed and read again.

Nothing here verifies: a body is read after `gateways.signatures` has found it genuine.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NoReturn

from attrs import frozen

from subscriptions.errors import DomainError
from subscriptions.gateways import GatewayEvent, Secret, WebhookRefused
from subscriptions.gateways.fake.ledger import LedgerCharge, LedgerRefund
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
        },
    }
    return _signed(body, id=id, at=at, secret=secret)


def write_refund(refund: LedgerRefund, *, id: str, at: datetime, secret: Secret) -> WebhookMessage:
    """Return the message that a refund has reached its state, signed at an instant."""
    failure = refund.failure
    body = {
        "type": f"refund.{refund.outcome.value}",
        "timestamp": refund.changed_at.isoformat(),
        "data": {
            "refund": refund.refund,
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
    # A body nested too deep raises RecursionError, a number too long ValueError.
    except (ValueError, TypeError, LookupError, RecursionError, DomainError) as reason:
        raise WebhookRefused("the body is not readable") from reason
    return GatewayEvent(id, kind, snapshot, refund)


def _snapshot(body: dict[str, Any]) -> PaymentSnapshot:
    data = body["data"]
    decline, url = data["decline"], data["action_url"]
    return PaymentSnapshot(
        Outcome(data["outcome"]),
        Money(data["amount_minor"], Currency(data["currency"])),
        aware("timestamp", datetime.fromisoformat(body["timestamp"])),
        PaymentId(_text(data["attempt"])),
        _text(data["reference"]),
        None
        if decline is None
        else Decline(_text(decline["code"]), _text(decline["message"]), Advice(decline["advice"])),
        None if url is None else _text(url),
    )


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
