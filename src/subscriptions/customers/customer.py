"""The customer as a record: who is billed, where, and how he pays."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime
from enum import StrEnum

from attrs import field

from subscriptions.billing_cycles import zone_info
from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.grants import Grant
from subscriptions.ids import CustomerId, InvoiceId, PaymentMethodId
from subscriptions.money import Currency, Money
from subscriptions.records import Column, ColumnType, Kind, Metadata, plain_text
from subscriptions.tax_ids import TaxIdCheck
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
class CollectionHold:
    """Why nothing is charged to a customer since an instant; invoices go on being issued.

    `reason` is what a person gave, empty if none did. `in_doubt` are the ids of his payments and
    refunds that are set aside: while nobody knows what these came to, nobody adds to it.
    """

    since: datetime
    reason: str = ""
    in_doubt: tuple[str, ...] = ()


def normalized_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Return the tags once each, sorted; a single text is refused, for it is not a list of tags."""
    given: object = tags
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ValidationError("tags", given, "a list of tags, not one text")
    return tuple(sorted(set(tags)))


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

    `collection_hold` says that nothing is charged to him now, and why; None as a rule.
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
    collection_hold: CollectionHold | None = None

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
