"""What may happen to an invoice: commands, the table of what is allowed, and what they change.

Of a final invoice nothing moves but what was paid or credited, who looks after it, and the state.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias, assert_never

from subscriptions.decisions import Change, changed
from subscriptions.errors import InvalidTransition, ValidationError
from subscriptions.frozen import frozen
from subscriptions.ids import CreditNoteId, InvoiceId, PaymentId
from subscriptions.invoices.events import (
    AttemptCounted,
    CollectionEnded,
    CollectionStarted,
    Event,
    InvoiceCredited,
    InvoiceDisputeEnded,
    InvoiceDunningEnded,
    InvoiceHeld,
    InvoiceLeftForLater,
    InvoiceMarkedUncollectible,
    InvoiceOverdue,
    InvoicePaid,
    InvoicePartlyPaid,
    InvoiceReleased,
    InvoiceReopened,
    InvoiceReplaced,
    InvoiceSent,
    InvoiceVoided,
)
from subscriptions.invoices.invoice import (
    INVOICE,
    Draft,
    Invoice,
    InvoiceState,
    Open,
    Paid,
    Sending,
    Uncollectible,
    Void,
)
from subscriptions.money import Money
from subscriptions.records import evolve, plain_text


@frozen
class StartCollection:
    """An attempt to charge it begins."""

    payment: PaymentId


@frozen
class EndCollection:
    """The attempt is over and brought no money."""

    payment: PaymentId


@frozen
class CountAttempt:
    """An attempt is known of that the books did not know; `live` says that its outcome is open."""

    payment: PaymentId
    ordinal: int
    live: bool


@frozen
class ApplyPayment:
    """Money is allocated to it."""

    payment: PaymentId
    amount_minor: int
    at: datetime


@frozen
class TakeBack:
    """Money that had been allocated to it is gone: a dispute, or a debit that came back.

    `held` says that it is not to be charged by itself then: a dispute is not a retry. `small` says
    that what is owed then waits for another charge again; otherwise it is dunned.
    """

    payment: PaymentId
    amount_minor: int
    held: bool
    small: bool = False


@frozen
class EndDispute:
    """It is short of nothing any more because of disputes of this payment."""

    payment: PaymentId


@frozen
class LeaveForLater:
    """What is owed is too little to be charged alone."""


@frozen
class HoldCollection:
    """Nothing is collected of its customer now, so it waits until that is over."""


@frozen
class ReleaseCollection:
    """That is over: it is charged at `charge_at`; with None it goes on as it stands."""

    charge_at: datetime | None = None


@frozen
class ApplyCredit:
    """A credit note names it: its total is taken off what is owed, as far as it is owed."""

    credit_note: CreditNoteId
    total_minor: int
    at: datetime


@frozen
class StartDunning:
    """It could not be collected, or its due day has passed."""


@frozen
class EndDunning:
    """Its dunning case is closed."""


@frozen
class MarkVoid:
    """It should not have been."""

    reason: str
    at: datetime


@frozen
class MarkUncollectible:
    """Give it up; it can still be paid."""

    reason: str
    at: datetime


@frozen
class Replace:
    """It was void; make it again as another invoice."""

    by: InvoiceId


@frozen
class Send:
    """Send it to an address once more."""

    recipient: str
    at: datetime


Command: TypeAlias = (
    StartCollection
    | EndCollection
    | CountAttempt
    | ApplyPayment
    | TakeBack
    | EndDispute
    | LeaveForLater
    | HoldCollection
    | ReleaseCollection
    | ApplyCredit
    | StartDunning
    | EndDunning
    | MarkVoid
    | MarkUncollectible
    | Replace
    | Send
)


ALLOWED: dict[type[InvoiceState], frozenset[type[Command]]] = {
    # A draft that is not wanted has no number to keep, but it stays to be seen.
    Draft: frozenset({MarkVoid}),
    Open: frozenset(
        {
            StartCollection,
            EndCollection,
            CountAttempt,
            ApplyPayment,
            TakeBack,
            EndDispute,
            LeaveForLater,
            HoldCollection,
            ReleaseCollection,
            ApplyCredit,
            StartDunning,
            EndDunning,
            MarkVoid,
            MarkUncollectible,
            Send,
        }
    ),
    # An attempt may still be under way when the invoice is paid otherwise or given up.
    Paid: frozenset(
        {EndCollection, CountAttempt, TakeBack, EndDispute, ApplyCredit, EndDunning, Send}
    ),
    Void: frozenset({EndDispute, CountAttempt, EndDunning, Replace}),
    Uncollectible: frozenset(
        {
            EndCollection,
            CountAttempt,
            ApplyPayment,
            TakeBack,
            EndDispute,
            ApplyCredit,
            EndDunning,
            MarkVoid,
            Send,
        }
    ),
}


def decide(invoice: Invoice, *commands: Command) -> Change:
    """Decide what the commands, in order, make of the invoice.

    Raises `InvalidTransition` if the state does not allow one of them; then nothing happens.
    """
    after = invoice
    events: list[object] = []
    for command in commands:
        if type(command) not in ALLOWED[type(after.state)]:
            raise _refused(after, command)
        for event in _events(after, command):
            after = apply(after, command, event)
            events.append(event)
    return changed(INVOICE, invoice, after, *events)


def _refused(invoice: Invoice, command: Command) -> InvalidTransition:
    name = f"invoice {invoice.number or invoice.id}"
    moved = isinstance(invoice.state, Paid) or invoice.paid_minor or invoice.credited_minor
    instead = "use credit_notes.create" if isinstance(command, MarkVoid) and moved else ""
    return InvalidTransition(name, invoice.status, type(command).__name__, instead)


def _events(invoice: Invoice, command: Command) -> tuple[Event, ...]:
    id, customer = invoice.id, invoice.customer
    match command:
        case StartCollection(payment=payment):
            if invoice.collecting is not None:
                raise _refused(invoice, command)
            return (CollectionStarted(id, customer, payment),)
        case EndCollection(payment=payment):
            if invoice.collecting != payment:
                raise _refused(invoice, command)
            return (CollectionEnded(id, customer, payment),)
        case CountAttempt(payment=payment, ordinal=ordinal):
            return (AttemptCounted(id, customer, payment, ordinal),)
        case ApplyPayment():
            return _apply_payment(invoice, command)
        case TakeBack():
            return _take_back(invoice, command)
        case EndDispute(payment=payment):
            if payment not in invoice.disputed:
                raise _refused(invoice, command)
            return (InvoiceDisputeEnded(id, customer, payment),)
        case ApplyCredit():
            return _apply_credit(invoice, command)
        case StartDunning():
            if invoice.dunning:
                raise _refused(invoice, command)
            return (InvoiceOverdue(id, customer, invoice.subscription, invoice.amount_due),)
        case EndDunning():
            if not invoice.dunning:
                raise _refused(invoice, command)
            return (InvoiceDunningEnded(id, customer),)
        case MarkVoid(reason=reason):
            # What was paid must be given back by a credit note, and money under way may arrive.
            money = invoice.paid_minor or invoice.credited_minor
            if money or invoice.collecting is not None:
                raise _refused(invoice, command)
            return (InvoiceVoided(id, customer, plain_text("reason", reason)),)
        case MarkUncollectible(reason=reason):
            reason = plain_text("reason", reason)
            return (InvoiceMarkedUncollectible(id, customer, invoice.amount_due, reason),)
        case LeaveForLater():
            if invoice.small or invoice.dunning:
                raise _refused(invoice, command)
            return (InvoiceLeftForLater(id, customer, invoice.amount_due),)
        case HoldCollection():
            if invoice.held:
                raise _refused(invoice, command)
            return (InvoiceHeld(id, customer, invoice.amount_due),)
        case ReleaseCollection():
            if not invoice.held:
                raise _refused(invoice, command)
            return (InvoiceReleased(id, customer),)
        case Replace(by=by):
            # What never had a number was no document, and once is enough.
            if invoice.number is None or invoice.replaced_by is not None:
                raise _refused(invoice, command)
            return (InvoiceReplaced(id, customer, by),)
        case Send():
            return (InvoiceSent(id, customer, len(invoice.sendings) + 1),)
        case other:
            assert_never(other)


def _apply_payment(invoice: Invoice, command: ApplyPayment) -> tuple[Event, ...]:
    if not 0 < command.amount_minor <= invoice.due_minor:
        amount = Money(command.amount_minor, invoice.currency)
        raise ValidationError("amount", amount, f"more than zero, at most {invoice.amount_due}")
    if command.amount_minor == invoice.due_minor:
        number = invoice.number or ""
        return (
            InvoicePaid(invoice.id, invoice.customer, invoice.subscription, number, invoice.total),
        )
    amount = Money(command.amount_minor, invoice.currency)
    return (InvoicePartlyPaid(invoice.id, invoice.customer, amount, invoice.amount_due - amount),)


def _take_back(invoice: Invoice, command: TakeBack) -> tuple[Event, ...]:
    amount = Money(command.amount_minor, invoice.currency)
    if not 0 < command.amount_minor <= invoice.paid_minor:
        raise ValidationError("amount", amount, f"more than zero, at most {invoice.paid}")
    owed = evolve(invoice, state=Open()).amount_due + amount
    return (
        InvoiceReopened(
            invoice.id, invoice.customer, invoice.subscription, command.payment, amount, owed
        ),
    )


def _apply_credit(invoice: Invoice, command: ApplyCredit) -> tuple[Event, ...]:
    total, due = Money(command.total_minor, invoice.currency), invoice.amount_due
    if total.minor <= 0:
        raise ValidationError("total", total, "more than zero")
    id, customer = invoice.id, invoice.customer
    left = due - min(total, due)
    credited = InvoiceCredited(id, customer, command.credit_note, total, left)
    if left or not due:
        return (credited,)
    number = invoice.number or ""
    return (credited, InvoicePaid(id, customer, invoice.subscription, number, invoice.total))


def apply(invoice: Invoice, command: Command, event: Event) -> Invoice:
    """Return the state after an event of a command: the only place where a final invoice moves."""
    version = invoice.version + 1
    match command:
        case StartCollection(payment=payment):
            return evolve(
                invoice,
                collecting=payment,
                attempts=invoice.attempts + 1,
                charge_at=None,
                held=False,
                version=version,
            )
        case EndCollection():
            return evolve(invoice, collecting=None, version=version)
        case CountAttempt(payment=payment, ordinal=ordinal, live=live):
            # The next attempt is to have another id than any that was ever made.
            collecting = payment if live and invoice.collecting is None else invoice.collecting
            attempts = max(invoice.attempts, ordinal)
            return evolve(invoice, attempts=attempts, collecting=collecting, version=version)
        case ApplyPayment(payment=payment, amount_minor=amount_minor, at=at):
            return evolve(
                invoice,
                paid_minor=invoice.paid_minor + amount_minor,
                state=Paid(at) if isinstance(event, InvoicePaid) else invoice.state,
                collecting=None if invoice.collecting == payment else invoice.collecting,
                version=version,
            )
        case TakeBack(payment=payment, amount_minor=amount_minor, held=held, small=small):
            disputed = invoice.disputed
            return evolve(
                invoice,
                paid_minor=invoice.paid_minor - amount_minor,
                state=Open() if isinstance(invoice.state, Paid) else invoice.state,
                disputed=(*disputed, payment) if held and payment not in disputed else disputed,
                reopened=invoice.reopened + 1,
                small=small,
                held=False,
                version=version,
            )
        case EndDispute(payment=payment):
            left = tuple([each for each in invoice.disputed if each != payment])
            return evolve(invoice, disputed=left, version=version)
        case ApplyCredit(at=at) if isinstance(event, InvoicePaid):
            return evolve(invoice, state=Paid(at), version=version)
        case ApplyCredit(total_minor=total_minor):
            credited_minor = invoice.credited_minor + min(total_minor, invoice.due_minor)
            return evolve(invoice, credited_minor=credited_minor, version=version)
        case StartDunning():
            return evolve(invoice, dunning=True, charge_at=None, version=version)
        case EndDunning():
            return evolve(invoice, dunning=False, version=version)
        case MarkVoid(reason=reason, at=at):
            return evolve(invoice, state=Void(at, reason), version=version)
        case MarkUncollectible(reason=reason, at=at):
            return evolve(invoice, state=Uncollectible(at, reason), version=version)
        case LeaveForLater():
            return evolve(invoice, small=True, charge_at=None, version=version)
        case HoldCollection():
            return evolve(invoice, held=True, charge_at=None, version=version)
        case ReleaseCollection(charge_at=charge_at):
            return evolve(invoice, held=False, charge_at=charge_at, version=version)
        case Replace(by=by):
            return evolve(invoice, replaced_by=by, version=version)
        case Send(recipient=recipient, at=at):
            sendings = (*invoice.sendings, Sending(at, recipient))
            return evolve(invoice, sendings=sendings, version=version)
        case other:
            assert_never(other)
