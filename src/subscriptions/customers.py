"""Who is billed: the customer's record, its three identifiers, and what may be written into it.

The *id* never changes. The *number* is for people: the next of a range, or given by hand, unique.
The *external id* is the host's own, unique. The *token* is unguessable and belongs into links.
Nothing here decides what a customer owes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Any, assert_never

from attrs import field, frozen

from subscriptions.billing_cycles import zone_info
from subscriptions.decisions import Change, Issue, changed, created
from subscriptions.errors import ValidationError
from subscriptions.grants import Grant
from subscriptions.ids import CustomerId, InvoiceId, PaymentMethodId
from subscriptions.invoice_numbering import Series
from subscriptions.money import Currency, Money
from subscriptions.records import Column, ColumnType, Kind, Metadata, evolve, plain_text
from subscriptions.tax_ids import (
    DEFAULT_POLICY,
    Invalid,
    TaxIdAnswer,
    TaxIdCheck,
    TaxIdPolicy,
    Unavailable,
    Valid,
    answered,
    ask_again_at,
    normalized,
)
from subscriptions.taxes import TaxExemption

_COUNTRY = re.compile(r"[A-Z]{2}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?")
_EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>]+")
# The longest forward path of SMTP, without its angle brackets (RFC 5321, 4.5.3.1.3).
EMAIL_LENGTH_MAX = 254
_TAG = re.compile(r"[^\s,]{1,50}")


def country_code(name: str, value: object) -> str:
    """Return an ISO 3166-1 alpha-2 country code, or raise `ValidationError`."""
    if not isinstance(value, str) or not _COUNTRY.fullmatch(value):
        raise ValidationError(name, value, "a country code of two capital letters, such as 'DE'")
    return value


@frozen
class Address:
    """A postal address; every part may be empty, the country is two capital letters or empty."""

    line1: str = ""
    line2: str = ""
    postal_code: str = ""
    city: str = ""
    region: str = ""
    country: str = ""

    def __attrs_post_init__(self) -> None:
        for part in ("line1", "line2", "postal_code", "city", "region"):
            plain_text(f"address.{part}", getattr(self, part), length_max=200, empty=True)
        if self.country != "":
            # None, for nobody knows, would be stored and never be read again.
            country_code("address.country", self.country)


def email_address(name: str, value: object) -> str:
    """Return an e-mail address, or raise `ValidationError`."""
    if value is None or not _EMAIL.fullmatch(plain_text(name, value, length_max=EMAIL_LENGTH_MAX)):
        raise ValidationError(name, value, "one address, such as 'ada@example.com'")
    return str(value)


class Grouping(StrEnum):
    """How what several subscriptions of a customer cost comes on invoices."""

    EACH = "each"
    """Each subscription has its own invoices."""
    DAY = "day"
    """What is due on one day in one currency is on one invoice."""


def read_grouping(value: Grouping | str) -> Grouping:
    """Return a grouping, or raise `ValidationError`."""
    try:
        return Grouping(value)
    except ValueError:
        raise ValidationError("grouping", value, "'each' or 'day'") from None


class CollectionMethod(StrEnum):
    """How what is owed is collected."""

    CHARGE_AUTOMATICALLY = "charge_automatically"
    """The way to pay is charged when an invoice is final; without one, a transfer is awaited."""
    SEND_INVOICE = "send_invoice"
    """Nothing is charged; the invoice says until when the customer pays."""


def read_collection_method(value: CollectionMethod | str) -> CollectionMethod:
    """Return a collection method, or raise `ValidationError`."""
    try:
        return CollectionMethod(value)
    except ValueError:
        words = "'charge_automatically' or 'send_invoice'"
        raise ValidationError("collection_method", value, words) from None


def read_terms_days(value: object) -> int:
    """Return how many days a customer has to pay, from 0 to 365, or raise `ValidationError`."""
    if type(value) is not int or not 0 <= value <= 365:  # noqa: PLR2004 - a year
        raise ValidationError("terms_days", value, "0 to 365 days")
    return value


@frozen
class Customer:
    """One customer of one tenant. Records are immutable; commands return the next version.

    `balance` is what he has to his credit, one amount for each currency, none of them zero.
    `billing_anchor` is the day from which the periods of all his subscriptions are counted that
    are to share it. `seller` is the id of the legal entity that he buys from (None: the main one),
    `pending_items` counts what waits for his next invoice. `tax_id_check` is what was last said of
    the tax id, `tax_id_check_at` when somebody is asked about it next, `tax_exemption` why he is
    charged no tax.

    `backup_method` is tried once where the other declined softly. He has `terms_days` to pay by
    himself (None: the seller's). `small_debts` are invoices too small to be charged alone, which
    are charged with the next.

    `grants` are those of his credit grants that can still pay something, as they stand: whatever
    moves one of them moves him, so that nothing is spent twice.
    """

    id: CustomerId
    tenant: str
    version: int
    name: str
    token: str = field(repr=False)
    number: str | None = None
    external_id: str | None = None
    company: str = ""
    email: str | None = None
    address: Address = Address()
    tax_id: str = ""
    language: str = "en"
    zone: str | None = None
    default_method: PaymentMethodId | None = None
    tags: tuple[str, ...] = ()
    metadata: Metadata = Metadata()
    balance: tuple[Money, ...] = ()
    grouping: Grouping = field(default=Grouping.EACH, converter=read_grouping)
    billing_anchor: date | None = None
    tax_id_check: TaxIdCheck | None = None
    tax_id_check_at: datetime | None = None
    parked: str | None = None
    seller: str | None = None
    pending_items: int = 0
    collection_method: CollectionMethod = CollectionMethod.CHARGE_AUTOMATICALLY
    backup_method: PaymentMethodId | None = None
    terms_days: int | None = None
    small_debts: tuple[InvoiceId, ...] = ()
    grants: tuple[Grant, ...] = ()
    tax_exemption: TaxExemption | None = None

    def __attrs_post_init__(self) -> None:
        plain_text("name", self.name, length_max=200)
        plain_text("company", self.company, length_max=200, empty=True)
        plain_text("tax_id", self.tax_id, length_max=40, empty=True)
        for part in ("number", "external_id"):
            value = getattr(self, part)
            if value is not None:
                plain_text(part, value, length_max=100)
        if self.email is not None:
            email_address("email", self.email)
        if self.seller is not None:
            plain_text("seller", self.seller, length_max=40)
        if not _LANGUAGE.fullmatch(plain_text("language", self.language)):
            raise ValidationError(
                "language", self.language, "a BCP 47 tag, such as 'de' or 'pt-BR'"
            )
        if self.zone is not None:
            zone_info(self.zone)
        address: object = self.address
        if not isinstance(address, Address):
            raise ValidationError("address", address, "an Address, such as Address(country='DE')")
        exemption: object = self.tax_exemption
        if exemption is not None and not isinstance(exemption, TaxExemption):
            raise ValidationError("tax_exemption", exemption, "a TaxExemption with its reason")
        for tag in self.tags:
            if not _TAG.fullmatch(plain_text("tags", tag)):
                raise ValidationError("tags", tag, "1 to 50 characters without spaces or commas")
        if self.terms_days is not None:
            read_terms_days(self.terms_days)

    @property
    def due_at(self) -> datetime | None:
        """When somebody is to be asked about the tax id; None if nobody is, or parked."""
        return self.tax_id_check_at if self.parked is None else None

    @property
    def country(self) -> str:
        """The country of the billing address, or an empty text."""
        return self.address.country

    def credit_minor(self, currency: Currency) -> int:
        """Return what he has to his credit in a currency, in minor units; never negative."""
        for amount in self.balance:
            if amount.currency == currency:
                return amount.minor
        return 0


CUSTOMER = Kind(
    "customer",
    Customer,
    columns=(
        Column("due_at", ColumnType.INSTANT, lambda c: c.due_at),
        Column("number", ColumnType.TEXT, lambda c: c.number),
        Column("external_id", ColumnType.TEXT, lambda c: c.external_id),
        Column("email", ColumnType.TEXT, lambda c: c.email),
        Column("name", ColumnType.TEXT, lambda c: c.name),
        Column("country", ColumnType.TEXT, lambda c: c.address.country, indexed=False),
        Column("token", ColumnType.TEXT, lambda c: c.token),
    ),
    unique=(("number",), ("external_id",), ("token",)),
)


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


EDITABLE = frozenset(
    {"name", "company", "email", "address", "tax_id", "language", "zone", "tags", "metadata"}
    | {"number", "external_id", "grouping", "seller"}
    | {"collection_method", "terms_days", "tax_exemption"}
)


def normalized_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Return the tags once each, sorted; a single text is refused, for it is not a list of tags."""
    given: object = tags
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ValidationError("tags", given, "a list of tags, not one text")
    return tuple(sorted(set(tags)))


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
