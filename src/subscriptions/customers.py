"""Who is billed: the customer's record, its three identifiers, and what may be written into it.

The *id* never changes. The *number* is for people: the next of a range, or given by hand, unique.
The *external id* is the host's own, unique. The *token* is unguessable and belongs into links.
Nothing here decides what a customer owes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from enum import StrEnum
from typing import Any

from attrs import field, frozen

from subscriptions.billing_cycles import zone_info
from subscriptions.decisions import Change, Issue, changed, created
from subscriptions.errors import ValidationError
from subscriptions.ids import CustomerId, InvoiceId, PaymentMethodId
from subscriptions.invoice_numbering import Series
from subscriptions.money import Currency, Money
from subscriptions.records import Column, ColumnType, Kind, Metadata, evolve, plain_text

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


@frozen
class Customer:
    """One customer of one tenant. Records are immutable; commands return the next version.

    `balance` is what he has to his credit, one amount for each currency, none of them zero.
    `billing_anchor` is the day from which the periods of all his subscriptions are counted that
    are to share it.
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

    def __attrs_post_init__(self) -> None:
        plain_text("name", self.name, length_max=200)
        plain_text("company", self.company, length_max=200, empty=True)
        plain_text("tax_id", self.tax_id, length_max=40, empty=True)
        for part in ("number", "external_id"):
            value = getattr(self, part)
            if value is not None:
                plain_text(part, value, length_max=100)
        if self.email is not None and not _EMAIL.fullmatch(
            plain_text("email", self.email, length_max=EMAIL_LENGTH_MAX)
        ):
            raise ValidationError("email", self.email, "one address, such as 'ada@example.com'")
        if not _LANGUAGE.fullmatch(plain_text("language", self.language)):
            raise ValidationError(
                "language", self.language, "a BCP 47 tag, such as 'de' or 'pt-BR'"
            )
        if self.zone is not None:
            zone_info(self.zone)
        address: object = self.address
        if not isinstance(address, Address):
            raise ValidationError("address", address, "an Address, such as Address(country='DE')")
        for tag in self.tags:
            if not _TAG.fullmatch(plain_text("tags", tag)):
                raise ValidationError("tags", tag, "1 to 50 characters without spaces or commas")

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
class BalanceMoved:
    """What the customer has to his credit grew by an amount, or shrank where it is negative."""

    customer: CustomerId
    amount: Money
    balance: Money
    reason: str
    invoice: InvoiceId | None = None


EDITABLE = frozenset(
    {"name", "company", "email", "address", "tax_id", "language", "zone", "tags", "metadata"}
    | {"number", "external_id", "grouping"}
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


def update(customer: Customer, fields: Mapping[str, object]) -> Change | None:
    """Decide to edit fields; returns None if nothing would change.

    Raises `ValidationError` for a field that cannot be edited and for every wrong value.
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
