"""The parties of an invoice: who sells, in which series, and how both are printed."""

from __future__ import annotations

import re

from attrs import field

from subscriptions.billing_cycles import zone_info
from subscriptions.customers import Address
from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.invoice_numbering import Reset, Series
from subscriptions.records import plain_text


@frozen(cache_hash=True)
class SellerSnapshot:
    """The seller as printed; later changes of the seller do not reach it."""

    name: str
    address: Address
    tax_id: str
    email: str
    iban: str


@frozen
class Seller:
    """Who sells: what is printed on invoices, the zone of its days, its number series.

    `terms_days` is how many days a customer has who pays by himself. Each series is kept for ever
    under (seller, kind, pattern); another pattern begins another series. A pattern of invoices or
    credit notes with `{customer}` in it gives each customer a series of his own, by his number.

    What is billed for a period stays a draft for `draft_window_hours`, and then becomes final by
    itself. Pro-forma invoices have numbers only if there are `pro_forma_numbers`.
    """

    name: str = "Seller"
    id: str = "seller"
    address: Address = Address()
    tax_id: str = ""
    email: str = ""
    iban: str = ""
    zone: str = "UTC"
    terms_days: int = 14
    invoice_numbers: Series = Series("INV-{year}-{counter:05}", reset=Reset.YEARLY)
    customer_numbers: Series = Series("{counter:06}")
    credit_note_numbers: Series = Series("CN-{year}-{counter:05}", reset=Reset.YEARLY)
    pro_forma_numbers: Series | None = None
    draft_window_hours: int = 0
    snapshot: SellerSnapshot = field(init=False, eq=False, repr=False)
    """What is printed of it on an invoice of now."""
    _invoices: tuple[str, Series] = field(init=False, eq=False, repr=False)
    _of_all: bool = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        printed = SellerSnapshot(self.name, self.address, self.tax_id, self.email, self.iban)
        object.__setattr__(self, "snapshot", printed)
        # Each invoice of a run asks for it.
        object.__setattr__(self, "_invoices", (self.invoice_series, self.invoice_numbers))
        object.__setattr__(self, "_of_all", not self.invoice_numbers.per_customer)
        plain_text("seller.name", self.name, length_max=200)
        if "/" in plain_text("seller.id", self.id, length_max=40):
            raise ValidationError("seller.id", self.id, "a name without slashes")
        zone_info(self.zone)
        if not 0 <= self.terms_days <= 365:  # noqa: PLR2004 - a year
            raise ValidationError("seller.terms_days", self.terms_days, "0 to 365 days")
        if (
            type(self.draft_window_hours) is not int
            or not 0 <= self.draft_window_hours <= _DRAFT_WINDOW_MAX
        ):
            expected = f"0 to {_DRAFT_WINDOW_MAX} hours"
            raise ValidationError("seller.draft_window_hours", self.draft_window_hours, expected)
        if self.customer_numbers.per_customer:
            pattern = self.customer_numbers.pattern
            raise ValidationError("seller.customer_numbers", pattern, "no {customer}: it is one")
        for name in ("invoice_numbers", "credit_note_numbers", "pro_forma_numbers"):
            series: Series | None = getattr(self, name)
            if series is not None and _RUNS_TOGETHER.search(series.pattern):
                # Number 1 of customer 11 would be number 11 of customer 1.
                expected = "something other than digits between {customer} and {counter}"
                raise ValidationError(f"seller.{name}", series.pattern, expected)

    @property
    def invoice_series(self) -> str:
        """The id of the series of its invoices."""
        return f"{self.id}/invoice/{self.invoice_numbers.pattern}"

    @property
    def customer_series(self) -> str:
        """The id of the series of its customers' numbers."""
        return f"{self.id}/customer/{self.customer_numbers.pattern}"

    @property
    def credit_note_series(self) -> str:
        """The id of the series of its credit notes."""
        return f"{self.id}/credit_note/{self.credit_note_numbers.pattern}"

    def invoices_of(self, customer: str | None) -> tuple[str, Series]:
        """Return the id of the series for invoices of a customer's number, and how it starts.

        Raises `ValidationError` for a series for each customer without such a number.
        """
        return self._invoices if self._of_all else _of(*self._invoices, customer)

    def credit_notes_of(self, customer: str | None) -> tuple[str, Series]:
        """Return the id of the series for credit notes of a customer's number, and its start."""
        return _of(self.credit_note_series, self.credit_note_numbers, customer)

    def pro_formas_of(self, customer: str | None) -> tuple[str, Series]:
        """Return the id of the series for pro-forma invoices of a customer's number, and its start.

        Raises `ValidationError` if they have no numbers.
        """
        numbers = self.pro_forma_numbers
        if numbers is None:
            raise ValidationError("seller.pro_forma_numbers", None, "a series")
        return _of(f"{self.id}/pro_forma/{numbers.pattern}", numbers, customer)


def _of(id: str, numbers: Series, customer: str | None) -> tuple[str, Series]:
    if not numbers.per_customer:
        return id, numbers
    return f"{id}/{customer}", numbers.of_customer(customer or "")


# The day belongs to a fixed number of digits, and so does the month.
_RUNS_TOGETHER = re.compile(
    r"\{customer\}([0-9]|\{year\}|\{month\})*\{counter|"
    r"\{counter[^}]*\}([0-9]|\{year\}|\{month\})*\{customer"
)


_DRAFT_WINDOW_MAX = 24 * 31


@frozen
class Party:
    """The customer as printed; later changes of the customer do not reach it."""

    name: str
    company: str
    address: Address
    tax_id: str
    email: str | None
    number: str | None
    language: str
