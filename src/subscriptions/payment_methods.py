"""How a customer pays: a gateway's token and what may be shown of it. Never a card number.

A method is usable until the gateway refuses it for good or it is detached. Which method is the
default is a fact of the customer, so there is never more than one.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import TypeAlias, assert_never

from subscriptions.decisions import Change, changed, created
from subscriptions.errors import InvalidTransition, ValidationError
from subscriptions.frozen import frozen
from subscriptions.ids import CustomerId, DisputeId, PaymentMethodId
from subscriptions.records import Column, ColumnType, Kind, evolve, plain_text

_CARD_NUMBER = re.compile(r"(?:\d[ -]?){13,19}")


def luhn_valid(digits: str) -> bool:
    """Return whether the digits carry a valid check digit (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value  # noqa: PLR2004 - the digit sum of 10…18
    return total % 10 == 0


def refuse_card_number(name: str, value: str) -> str:
    """Return `value`, or raise `ValidationError` if it looks like a card number.

    A card number in a database puts the host under the full PCI DSS; the gateway's token does not.
    The error does not repeat the value.
    """
    if _CARD_NUMBER.fullmatch(value) and luhn_valid(re.sub(r"\D", "", value)):
        raise ValidationError(name, "(hidden)", "a gateway's token, never a card number")
    return value


@frozen
class MethodDetails:
    """What a gateway tells of a method when it is attached.

    `reference` is what later charges name. `automatic` methods can be charged without the
    customer; for the others (a bank transfer) money arrives when the customer sends it.
    """

    reference: str
    type: str = "card"
    brand: str = ""
    last4: str = ""
    expires_on: date | None = None
    automatic: bool = True

    def __attrs_post_init__(self) -> None:
        refuse_card_number("reference", plain_text("reference", self.reference))
        if self.last4 and not re.fullmatch(r"[0-9]{4}", self.last4):
            raise ValidationError("last4", "(hidden)", "exactly four digits")


@frozen
class Usable:
    """The method may be charged."""


@frozen
class Refused:
    """The gateway declined the method for good; it is not charged again."""

    code: str
    at: datetime


@frozen
class Held:
    """Charges of it are disputed: it is not charged by itself until these have ended."""

    disputes: tuple[DisputeId, ...]
    since: datetime


@frozen
class Detached:
    """The customer or the host took the method away."""

    at: datetime


MethodState: TypeAlias = Usable | Refused | Held | Detached


@frozen
class PaymentMethod:
    """One way to pay of one customer, at one gateway."""

    id: PaymentMethodId
    tenant: str
    version: int
    customer: CustomerId
    gateway: str
    details: MethodDetails
    state: MethodState
    attached_at: datetime

    @property
    def usable(self) -> bool:
        """Whether it may be charged."""
        return isinstance(self.state, Usable)

    @property
    def status(self) -> str:
        """One word: usable, refused, held or detached."""
        match self.state:
            case Usable():
                return "usable"
            case Refused():
                return "refused"
            case Held():
                return "held"
            case Detached():
                return "detached"
            case other:
                assert_never(other)


PAYMENT_METHOD = Kind(
    "payment_method",
    PaymentMethod,
    columns=(
        Column("customer", ColumnType.TEXT, lambda m: m.customer),
        Column("gateway", ColumnType.TEXT, lambda m: m.gateway),
        Column("reference", ColumnType.TEXT, lambda m: m.details.reference),
        Column("status", ColumnType.TEXT, lambda m: m.status, indexed=False),
    ),
)


@frozen
class PaymentMethodAttached:
    """A customer has a new way to pay."""

    customer: CustomerId
    method: PaymentMethodId
    gateway: str


@frozen
class PaymentMethodRefused:
    """A gateway declined the method for good; the customer must give another one."""

    customer: CustomerId
    method: PaymentMethodId
    code: str


@frozen
class PaymentMethodHeld:
    """A charge of the method is disputed: it is not charged by itself until that has ended."""

    customer: CustomerId
    method: PaymentMethodId
    dispute: DisputeId


@frozen
class PaymentMethodReleased:
    """A dispute ended in the seller's favour; the method is `usable` if it was the last one."""

    customer: CustomerId
    method: PaymentMethodId
    dispute: DisputeId
    usable: bool


@frozen
class PaymentMethodDetached:
    """A customer's way to pay was taken away."""

    customer: CustomerId
    method: PaymentMethodId


def attach(
    id: PaymentMethodId,
    details: MethodDetails,
    *,
    tenant: str,
    customer: CustomerId,
    gateway: str,
    at: datetime,
) -> Change:
    """Decide to attach what the gateway described."""
    method = PaymentMethod(id, tenant, 1, customer, gateway, details, Usable(), at)
    return created(PAYMENT_METHOD, method, PaymentMethodAttached(customer, id, gateway))


def refuse(method: PaymentMethod, *, code: str, at: datetime) -> Change | None:
    """Decide that the method is not to be charged again; None if that is so already."""
    if isinstance(method.state, Refused | Detached):
        return None
    after = evolve(method, state=Refused(code, at), version=method.version + 1)
    event = PaymentMethodRefused(method.customer, method.id, code)
    return changed(PAYMENT_METHOD, method, after, event)


def detach(method: PaymentMethod, *, at: datetime) -> Change:
    """Decide to take the method away; raises `InvalidTransition` if it is gone already."""
    if isinstance(method.state, Detached):
        raise InvalidTransition(f"payment_method {method.id}", method.status, "detach")
    after = evolve(method, state=Detached(at), version=method.version + 1)
    return changed(PAYMENT_METHOD, method, after, PaymentMethodDetached(method.customer, method.id))


def hold(method: PaymentMethod, dispute: DisputeId, *, at: datetime) -> Change | None:
    """Decide that the method is not to be charged while a dispute lasts; None if it is not anyway.

    >>> from subscriptions.testing.builders import AT, a_payment_method
    >>> hold(a_payment_method(), DisputeId("dp_1"), at=AT).after.status
    'held'
    """
    match method.state:
        case Usable():
            state = Held((dispute,), at)
        case Held(disputes=disputes, since=since) if dispute not in disputes:
            state = Held((*disputes, dispute), since)
        case Held() | Refused() | Detached():
            return None
        case other:
            assert_never(other)
    after = evolve(method, state=state, version=method.version + 1)
    event = PaymentMethodHeld(method.customer, method.id, dispute)
    return changed(PAYMENT_METHOD, method, after, event)


def release(method: PaymentMethod, dispute: DisputeId) -> Change | None:
    """Decide that a dispute holds the method no more; None if it does not hold it."""
    if not isinstance(method.state, Held) or dispute not in method.state.disputes:
        return None
    left = tuple([each for each in method.state.disputes if each != dispute])
    state = Held(left, method.state.since) if left else Usable()
    after = evolve(method, state=state, version=method.version + 1)
    event = PaymentMethodReleased(method.customer, method.id, dispute, not left)
    return changed(PAYMENT_METHOD, method, after, event)
