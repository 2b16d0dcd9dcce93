"""What happens to customers."""

from __future__ import annotations

from datetime import datetime

from subscriptions.frozen import frozen
from subscriptions.ids import CustomerId, InvoiceId, PaymentMethodId
from subscriptions.money import Money


@frozen
class CustomerCreated:
    """A customer exists from now on."""

    customer: CustomerId
    number: str


@frozen
class CustomerUpdated:
    """Fields of a customer changed; the event names them and holds no personal data."""

    customer: CustomerId
    fields: tuple[str, ...]


@frozen
class DefaultMethodChanged:
    """Another payment method is now the customer's default, or none is."""

    customer: CustomerId
    method: PaymentMethodId | None


@frozen
class BackupMethodChanged:
    """Another payment method is now tried after a decline, or none is."""

    customer: CustomerId
    method: PaymentMethodId | None


@frozen
class SmallDebtsChanged:
    """These invoices, too small to be charged alone, wait for the customer's next charge."""

    customer: CustomerId
    invoices: tuple[InvoiceId, ...]


@frozen
class CollectionHeld:
    """Nothing is charged to the customer from now on, for one reason more.

    `in_doubt` names the payment or refund that was set aside; None if a person holds it.
    """

    customer: CustomerId
    reason: str
    in_doubt: str | None = None


@frozen
class CollectionReleased:
    """One reason is gone for which nothing is charged; `held` says whether another one is left.

    Once none is, what was held is charged.
    """

    customer: CustomerId
    held: bool
    in_doubt: str | None = None


@frozen
class BalanceMoved:
    """What the customer has to his credit grew by an amount, or shrank where it is negative."""

    customer: CustomerId
    amount: Money
    balance: Money
    reason: str
    invoice: InvoiceId | None = None


@frozen
class TaxIdCheckPlanned:
    """Somebody is asked about the customer's tax id at an instant, ahead of the usual time."""

    customer: CustomerId
    at: datetime


@frozen
class TaxIdVerified:
    """A validator confirmed the customer's tax id; `request_id` is its receipt."""

    customer: CustomerId
    at: datetime
    request_id: str = ""


@frozen
class TaxIdRejected:
    """A validator said that there is no such tax id; tax is charged from now on."""

    customer: CustomerId
    at: datetime
    request_id: str = ""


@frozen
class TaxIdUnverified:
    """Nobody could say whether the tax id is good, `tries` times in a row; it is asked again.

    What was confirmed at `last_valid_at` holds until it is too old; then tax is charged.
    """

    customer: CustomerId
    at: datetime
    reason: str
    tries: int
    last_valid_at: datetime | None = None
