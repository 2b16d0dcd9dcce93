"""What happens to invoices, in the past tense."""

from __future__ import annotations

from datetime import date
from typing import TypeAlias

from subscriptions.frozen import frozen
from subscriptions.ids import CreditNoteId, CustomerId, InvoiceId, PaymentId, SubscriptionId
from subscriptions.money import Money


@frozen
class InvoiceDrafted:
    """An invoice was drafted; it has no number and is not owed."""

    invoice: InvoiceId
    customer: CustomerId
    total: Money


@frozen
class InvoiceTaxPending:
    """A draft waits, because a tax engine was asked in vain, `tries` times; it is asked again."""

    invoice: InvoiceId
    customer: CustomerId
    reason: str
    tries: int


@frozen
class InvoiceFinalized:
    """An invoice was numbered and is owed from now on; it never changes again."""

    invoice: InvoiceId
    customer: CustomerId
    subscription: SubscriptionId | None
    number: str
    total: Money
    due_on: date


@frozen
class InvoicePaid:
    """Nothing is owed on the invoice any more."""

    invoice: InvoiceId
    customer: CustomerId
    subscription: SubscriptionId | None
    number: str
    total: Money


@frozen
class InvoicePartlyPaid:
    """Money was allocated to the invoice; some is still owed."""

    invoice: InvoiceId
    customer: CustomerId
    amount: Money
    amount_due: Money


@frozen
class InvoiceReopened:
    """Money that had paid the invoice is gone, so that much is owed again: `amount_due` in all."""

    invoice: InvoiceId
    customer: CustomerId
    subscription: SubscriptionId | None
    payment: PaymentId
    amount: Money
    amount_due: Money


@frozen
class InvoiceDisputeEnded:
    """The invoice is short of nothing any more because of disputes of this payment."""

    invoice: InvoiceId
    customer: CustomerId
    payment: PaymentId


@frozen
class CollectionStarted:
    """A further attempt to charge the invoice began."""

    invoice: InvoiceId
    customer: CustomerId
    payment: PaymentId


@frozen
class CollectionEnded:
    """An attempt to charge the invoice is over and paid nothing of it."""

    invoice: InvoiceId
    customer: CustomerId
    payment: PaymentId


@frozen
class AttemptCounted:
    """An attempt on the invoice turned up that the books did not know; it was its `ordinal`-th."""

    invoice: InvoiceId
    customer: CustomerId
    payment: PaymentId
    ordinal: int


@frozen
class InvoiceOverdue:
    """The invoice could not be collected, or its due day has passed; dunning looks after it."""

    invoice: InvoiceId
    customer: CustomerId
    subscription: SubscriptionId | None
    amount_due: Money


@frozen
class InvoiceDunningEnded:
    """Dunning does not look after the invoice any more."""

    invoice: InvoiceId
    customer: CustomerId


@frozen
class InvoiceVoided:
    """The invoice should not have been; its number stays taken."""

    invoice: InvoiceId
    customer: CustomerId
    reason: str


@frozen
class InvoiceHeld:
    """It would be charged or reminded of, but nothing is collected of the customer now."""

    invoice: InvoiceId
    customer: CustomerId
    amount: Money


@frozen
class InvoiceReleased:
    """It is held no longer."""

    invoice: InvoiceId
    customer: CustomerId


@frozen
class InvoiceLeftForLater:
    """What is owed is too little to be charged alone: it waits for the customer's next charge."""

    invoice: InvoiceId
    customer: CustomerId
    amount_due: Money


@frozen
class InvoiceReplaced:
    """A void invoice was made again: the other one says what is owed instead."""

    invoice: InvoiceId
    customer: CustomerId
    by: InvoiceId


@frozen
class InvoiceSent:
    """The host is to send the invoice, for the `ordinal`-th time that it was asked to.

    To whom is on the invoice: `invoice.sendings[ordinal - 1].recipient`.
    """

    invoice: InvoiceId
    customer: CustomerId
    ordinal: int


@frozen
class InvoiceCredited:
    """A credit note took something off the invoice: of what was owed, or of what was paid."""

    invoice: InvoiceId
    customer: CustomerId
    credit_note: CreditNoteId
    total: Money
    amount_due: Money


@frozen
class InvoiceMarkedUncollectible:
    """The invoice was given up; it can still be paid."""

    invoice: InvoiceId
    customer: CustomerId
    amount_due: Money
    reason: str


Event: TypeAlias = (
    InvoicePaid
    | InvoicePartlyPaid
    | InvoiceReopened
    | InvoiceDisputeEnded
    | CollectionStarted
    | CollectionEnded
    | AttemptCounted
    | InvoiceOverdue
    | InvoiceDunningEnded
    | InvoiceVoided
    | InvoiceLeftForLater
    | InvoiceHeld
    | InvoiceReleased
    | InvoiceReplaced
    | InvoiceSent
    | InvoiceCredited
    | InvoiceMarkedUncollectible
)
