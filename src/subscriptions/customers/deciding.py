"""What becomes of a customer: each function returns the change and its event."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, assert_never

from subscriptions.customers.customer import CUSTOMER, CollectionHold, Customer
from subscriptions.customers.events import (
    BackupMethodChanged,
    BalanceMoved,
    CollectionHeld,
    CollectionReleased,
    CustomerCreated,
    CustomerUpdated,
    DefaultMethodChanged,
    SmallDebtsChanged,
    TaxIdCheckPlanned,
    TaxIdRejected,
    TaxIdUnverified,
    TaxIdVerified,
)
from subscriptions.decisions import Change, Issue, changed, created
from subscriptions.errors import InvalidTransition, ValidationError
from subscriptions.grants import Grant
from subscriptions.ids import InvoiceId, PaymentMethodId
from subscriptions.invoice_numbering import Series
from subscriptions.money import Money
from subscriptions.records import evolve, plain_text
from subscriptions.tax_ids import (
    DEFAULT_POLICY,
    Invalid,
    TaxIdAnswer,
    TaxIdPolicy,
    Unavailable,
    Valid,
    answered,
    ask_again_at,
    normalized,
)

EDITABLE = frozenset(
    {"name", "company", "email", "address", "tax_id", "language", "zone", "tags", "metadata"}
    | {"number", "external_id", "grouping", "seller"}
    | {"collection_method", "terms_days", "tax_exemption"}
)


def create(customer: Customer, *, series: str, numbers: Series) -> Change | Issue:
    """Decide to create `customer`: with its own number, or with the next of the series."""
    if customer.number is not None:
        return created(CUSTOMER, customer, CustomerCreated(customer.id, customer.number))
    return Issue(CUSTOMER, None, customer, series, numbers)


def numbered(customer: Customer, *, number: str) -> Change:
    """Give a new customer the number that its series took for it."""
    after = evolve(customer, number=number)
    return created(CUSTOMER, after, CustomerCreated(after.id, number))


def update(
    customer: Customer, fields: Mapping[str, object], *, ask_at: datetime | None = None
) -> Change | None:
    """Decide to edit fields; returns None if nothing would change.

    Another tax id forgets what was said of the one before, and is asked about at `ask_at`; another
    spelling of the same one is no other. Raises `ValidationError` for a field that cannot be edited
    and for every wrong value.
    """
    for name in fields:
        if name not in EDITABLE:
            raise ValidationError("field", name, f"one of {', '.join(sorted(EDITABLE))}")
    moved = tuple(sorted(name for name in fields if getattr(customer, name) != fields[name]))
    if not moved:
        return None
    if "number" in moved and fields["number"] is None:
        raise ValidationError("number", None, "a customer keeps a number")
    edits: dict[str, Any] = {name: fields[name] for name in moved}
    if "tax_id" in moved and normalized(customer.tax_id) != normalized(str(fields["tax_id"])):
        edits |= {"tax_id_check": None, "tax_id_check_at": ask_at}
    after = evolve(customer, **edits, version=customer.version + 1)
    return changed(CUSTOMER, customer, after, CustomerUpdated(customer.id, moved))


def move_balance(
    customer: Customer, amount: Money, *, reason: str, invoice: InvoiceId | None = None
) -> Change:
    """Decide to add to what a customer has to his credit, or with a negative amount to use it.

    Raises `ValidationError` if more would be used than there is.
    """
    minor = customer.credit_minor(amount.currency) + amount.minor
    if minor < 0 or not amount.minor:
        there = Money(customer.credit_minor(amount.currency), amount.currency)
        raise ValidationError("amount", amount, f"not zero, and at most {there} of use")
    others = [each for each in customer.balance if each.currency != amount.currency]
    left = Money(minor, amount.currency)
    kept = [*others, left] if minor else others
    balance = tuple(sorted(kept, key=lambda each: each.currency.code))
    after = evolve(customer, balance=balance, version=customer.version + 1)
    return changed(
        CUSTOMER, customer, after, BalanceMoved(customer.id, amount, left, reason, invoice)
    )


def count_pending_items(customer: Customer, more: int) -> Change:
    """Decide that so many more items, or fewer, wait for his next invoice."""
    after = evolve(
        customer, pending_items=customer.pending_items + more, version=customer.version + 1
    )
    event = CustomerUpdated(customer.id, ("pending_items",))
    return changed(CUSTOMER, customer, after, event)


def hold(customer: Customer, *grants: Grant) -> Change:
    """Decide that grants of his are now as given; he holds those that can still pay something."""
    given = {grant.id: grant for grant in grants}
    kept = [given.pop(grant.id, grant) for grant in customer.grants]
    held = tuple([grant for grant in [*kept, *given.values()] if grant.live])
    after = evolve(customer, grants=held, version=customer.version + 1)
    return changed(CUSTOMER, customer, after, CustomerUpdated(customer.id, ("grants",)))


def set_billing_anchor(customer: Customer, anchor: date) -> Change:
    """Decide from which day the periods are counted that his subscriptions share."""
    after = evolve(customer, billing_anchor=anchor, version=customer.version + 1)
    event = CustomerUpdated(customer.id, ("billing_anchor",))
    return changed(CUSTOMER, customer, after, event)


def set_default_method(customer: Customer, method: PaymentMethodId | None) -> Change | None:
    """Decide which payment method is the default; None if it is already."""
    if customer.default_method == method:
        return None
    after = evolve(customer, default_method=method, version=customer.version + 1)
    return changed(CUSTOMER, customer, after, DefaultMethodChanged(customer.id, method))


def set_backup_method(customer: Customer, method: PaymentMethodId | None) -> Change | None:
    """Decide which payment method is tried after the one that is charged; None if it is already."""
    if customer.backup_method == method:
        return None
    after = evolve(customer, backup_method=method, version=customer.version + 1)
    return changed(CUSTOMER, customer, after, BackupMethodChanged(customer.id, method))


def forget_method(customer: Customer, method: PaymentMethodId) -> Change | None:
    """Decide that a method is neither default nor backup any more; None if it is neither."""
    default, backup = customer.default_method, customer.backup_method
    events: list[object] = []
    if default == method:
        default = None
        events.append(DefaultMethodChanged(customer.id, None))
    if backup == method:
        backup = None
        events.append(BackupMethodChanged(customer.id, None))
    if not events:
        return None
    version = customer.version + len(events)
    after = evolve(customer, default_method=default, backup_method=backup, version=version)
    return changed(CUSTOMER, customer, after, *events)


def set_small_debts(customer: Customer, invoices: tuple[InvoiceId, ...]) -> Change | None:
    """Decide which invoices wait for his next charge; None if it is these already."""
    if customer.small_debts == invoices:
        return None
    after = evolve(customer, small_debts=invoices, version=customer.version + 1)
    return changed(CUSTOMER, customer, after, SmallDebtsChanged(customer.id, invoices))


def hold_collection(customer: Customer, *, reason: str, at: datetime) -> Change:
    """Decide that nothing is charged to a customer until a person releases it.

    Raises `InvalidTransition` if a person holds it already, `ValidationError` without a reason.
    """
    hold = customer.collection_hold
    reason = plain_text("reason", reason)
    if hold is not None and hold.reason:
        raise InvalidTransition(f"customer {customer.id}", "held", "hold_collection")
    wanted = CollectionHold(at, reason) if hold is None else evolve(hold, reason=reason)
    return _held(customer, wanted, CollectionHeld(customer.id, reason))


def doubt(customer: Customer, record: str, *, reason: str, at: datetime) -> Change | None:
    """Decide that nothing is charged to a customer while a record is set aside.

    `record` is the id of a payment or refund of his. None if it is known to be in doubt.
    """
    hold = customer.collection_hold or CollectionHold(at)
    if record in hold.in_doubt:
        return None
    wanted = evolve(hold, in_doubt=(*hold.in_doubt, record))
    return _held(customer, wanted, CollectionHeld(customer.id, reason, record))


def release_collection(customer: Customer) -> Change:
    """Decide that a person holds it no longer; what is in doubt holds it still.

    Raises `InvalidTransition` unless a person does.
    """
    hold = customer.collection_hold
    if hold is None or not hold.reason:
        state = "not held" if hold is None else "in doubt"
        instead = "" if hold is None else f"settle {', '.join(hold.in_doubt)} with payments.resolve"
        raise InvalidTransition(f"customer {customer.id}", state, "release_collection", instead)
    left = evolve(hold, reason="") if hold.in_doubt else None
    return _held(customer, left, CollectionReleased(customer.id, left is not None))


def trust(customer: Customer, record: str) -> Change | None:
    """Decide that a record is in doubt no longer; None if it was not."""
    hold = customer.collection_hold
    if hold is None or record not in hold.in_doubt:
        return None
    others = tuple([each for each in hold.in_doubt if each != record])
    left = evolve(hold, in_doubt=others) if others or hold.reason else None
    return _held(customer, left, CollectionReleased(customer.id, left is not None, record))


def _held(
    customer: Customer, hold: CollectionHold | None, event: CollectionHeld | CollectionReleased
) -> Change:
    after = evolve(customer, collection_hold=hold, version=customer.version + 1)
    return changed(CUSTOMER, customer, after, event)


def ask_about_tax_id(customer: Customer, at: datetime) -> Change | None:
    """Decide to ask about the tax id at an instant; None if that is planned already.

    Raises `ValidationError` for a customer without a tax id.
    """
    if not customer.tax_id:
        raise ValidationError("tax_id", "", "a customer with a tax id")
    if customer.tax_id_check_at == at:
        return None
    return _planned(customer, at)


def record_tax_id_answer(
    customer: Customer,
    tax_id: str,
    answer: TaxIdAnswer,
    *,
    at: datetime,
    source: str,
    policy: TaxIdPolicy = DEFAULT_POLICY,
    again: bool = True,
) -> Change:
    """Decide what an answer about a tax id, asked at `at`, makes of the customer.

    `again` says that somebody can be asked again. An answer about another tax id than the customer
    has by now is dropped, and what he has now is asked about after the first of the waits.
    """
    if normalized(customer.tax_id) != normalized(tax_id):
        return _planned(customer, at + policy.retries[0])
    check = answered(customer.tax_id_check, tax_id, answer, at=at, source=source)
    event: TaxIdVerified | TaxIdRejected | TaxIdUnverified
    match answer:
        case Valid():
            event = TaxIdVerified(customer.id, at, answer.request_id)
        case Invalid():
            event = TaxIdRejected(customer.id, at, answer.request_id)
        case Unavailable():
            event = TaxIdUnverified(customer.id, at, check.reason, check.tries, check.last_valid_at)
        case other:
            assert_never(other)
    after = evolve(
        customer,
        tax_id_check=check,
        tax_id_check_at=ask_again_at(check, policy) if again else None,
        version=customer.version + 1,
    )
    return changed(CUSTOMER, customer, after, event)


def _planned(customer: Customer, at: datetime) -> Change:
    after = evolve(customer, tax_id_check_at=at, version=customer.version + 1)
    return changed(CUSTOMER, customer, after, TaxIdCheckPlanned(customer.id, at))
