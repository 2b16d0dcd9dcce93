"""Identifiers: one type per record, and how an id is derived from business identity.

Ids of documents and payments are *derived*, so that a re-run, a retry and even a restore from an
old backup arrive at the same id and the same gateway key instead of a second invoice or charge.
Fresh ids are made by the engine and passed in: nothing here is random or reads a clock.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import NewType, Protocol

CustomerId = NewType("CustomerId", str)
PaymentMethodId = NewType("PaymentMethodId", str)
ProductId = NewType("ProductId", str)
PriceId = NewType("PriceId", str)
MeterId = NewType("MeterId", str)
UsageEventId = NewType("UsageEventId", str)
CarriedLevelId = NewType("CarriedLevelId", str)
CouponId = NewType("CouponId", str)
PromotionCodeId = NewType("PromotionCodeId", str)
RedemptionId = NewType("RedemptionId", str)
MigrationId = NewType("MigrationId", str)
SubscriptionId = NewType("SubscriptionId", str)
InvoiceId = NewType("InvoiceId", str)
CreditNoteId = NewType("CreditNoteId", str)
PaymentId = NewType("PaymentId", str)
RefundId = NewType("RefundId", str)
BankLineId = NewType("BankLineId", str)
DisputeId = NewType("DisputeId", str)
BalanceEntryId = NewType("BalanceEntryId", str)
GrantId = NewType("GrantId", str)
GrantEntryId = NewType("GrantEntryId", str)
DunningCaseId = NewType("DunningCaseId", str)
ReviewItemId = NewType("ReviewItemId", str)
InboundId = NewType("InboundId", str)
SeriesId = NewType("SeriesId", str)
PendingItemId = NewType("PendingItemId", str)
ProFormaId = NewType("ProFormaId", str)


class IdSource(Protocol):
    """Where fresh ids come from; the engine's is random, a test's may count."""

    def fresh(self, prefix: str) -> str:
        """Return an id that was never returned before, starting with `prefix` and `_`."""
        ...

    def secret(self) -> str:
        """Return at least 128 unguessable bits as ASCII: tokens of links, salts of hashes."""
        ...


def derived_id(prefix: str, *identity: str) -> str:
    """Derive an id from business identity: equal parts give the equal id, for ever.

    The parts are joined by a byte that none of them may hold, so `("a", "bc")` and `("ab", "c")`
    differ; one that holds it is a `ValueError`. The digest is SHA-256, of which 128 bits are kept.

    >>> derived_id("inv", "acme", "sub_1", "2027-01-31")
    'inv_95102efdee8b64aa4885d0683c94e976'
    >>> derived_id("inv", "a", "bc") == derived_id("inv", "ab", "c")
    False
    """
    return f"{prefix}_{sha256(_joined(identity)).hexdigest()[:32]}"


def gateway_key(*identity: str) -> str:
    """Derive the idempotency key that a gateway sees: 46 ASCII characters, the whole SHA-256.

    It holds no time, amount or card token: the same attempt asks with the same key for ever.

    >>> gateway_key("acme", "charge", "pay_1").startswith("v1:")
    True
    """
    return "v1:" + urlsafe_b64encode(sha256(_joined(identity)).digest())[:43].decode()


def _joined(identity: tuple[str, ...]) -> bytes:
    text = "\x1f".join(identity)
    if text.count("\x1f") != len(identity) - 1:
        raise ValueError(f"a part of an identity holds the separator: {identity!r}")
    return text.encode()
