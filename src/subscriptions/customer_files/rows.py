"""Rows: what the cells of one customer say, and what is wrong with them, field by field.

A value is judged by the record that will hold it, so that a file may say what the API may say and
nothing else. How a day, an amount and an interval are written is decided in `values`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final, TypeVar, cast

from attrs import define, field

from subscriptions.billing_cycles import BillingCycle, Interval
from subscriptions.customer_files.tables import METADATA, Cells, RowError, row_error
from subscriptions.customer_files.values import (
    amount_of,
    anchor_of,
    behavior_of,
    day_of,
    interval_of,
    quantity_of,
    text_of,
)
from subscriptions.customers import Address, Customer, normalized_tags
from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.ids import CustomerId
from subscriptions.money import Currency, Money
from subscriptions.payment_methods import refuse_card_number
from subscriptions.records import Metadata, plain_text
from subscriptions.taxes import TaxBehavior

T = TypeVar("T")

_PERSON: Final = ("name", "company", "email", "tax_id", "language", "zone", "number")
_ADDRESS: Final = {
    "address_line1": "line1",
    "address_line2": "line2",
    "postal_code": "postal_code",
    "city": "city",
    "region": "region",
    "country": "country",
}
_PRICE: Final = ("product", "amount", "currency", "interval")
_CONTRACT: Final = (
    *_PRICE,
    "quantity",
    "tax_behavior",
    "start",
    "anchor",
    "paid_until",
    "trial_until",
    "subscription_external_id",
)
COLUMNS: Final = (
    "external_id",
    *_PERSON,
    *_ADDRESS,
    "tags",
    "gateway",
    "payment_token",
    *_CONTRACT,
)
"""The columns of a file, besides `metadata.x`."""


@frozen
class ImportedCustomer:
    """The customer of a row; every value is one that a customer's record takes."""

    external_id: str
    name: str
    company: str
    email: str | None
    tax_id: str
    number: str | None
    address: Address
    language: str
    zone: str | None
    tags: tuple[str, ...]
    metadata: Metadata


@frozen
class ImportedMethod:
    """How the customer of a row pays: a gateway and its token, or a gateway that needs none."""

    gateway: str
    token: str = field(repr=False)


@frozen
class ImportedSubscription:
    """The running subscription of a row: `first` is the first day to be billed.

    `cycle` counts periods from the anchor, and the period number `index` begins on `first`.
    """

    external_id: str
    product: str
    unit_price: Money
    tax_behavior: TaxBehavior
    quantity: int | Decimal
    cycle: BillingCycle
    index: int
    start: date | None
    paid_until: date | None
    trial_until: date | None

    @property
    def first(self) -> date:
        """The first day to be billed."""
        return self.cycle.start(self.index)


@frozen
class CustomerRow:
    """One good row of a file."""

    row: int
    customer: ImportedCustomer
    method: ImportedMethod | None
    subscription: ImportedSubscription | None


def read_rows(
    table: Iterable[tuple[int, Cells]],
) -> tuple[tuple[CustomerRow, ...], tuple[RowError, ...]]:
    """Return the good rows, and the errors of the others; what must be unique stands once."""
    rows: list[CustomerRow] = []
    errors: list[RowError] = []
    taken: dict[tuple[str, str], int] = {}
    for number, cells in table:
        reading = _Reading(number, cells)
        row = _row(reading)
        _claim(reading, taken)
        errors += reading.errors
        if row is not None and not reading.errors:
            rows.append(row)
    return tuple(rows), tuple(errors)


@define
class _Reading:
    """One row while it is read: each cell is asked for by name, and errors are kept."""

    row: int
    cells: Mapping[str, object]
    errors: list[RowError] = field(factory=list[RowError])

    def has(self, name: str) -> bool:
        value = self.cells.get(name)
        return value is not None and (not isinstance(value, str) or value.strip() != "")

    def refuse(self, name: str, value: object, expected: str) -> None:
        shown = "(hidden)" if name == "payment_token" else value
        error = row_error(self.row, name, shown, expected)
        if error not in self.errors:
            self.errors.append(error)

    def read(self, name: str, parse: Callable[[Any], T], default: T) -> T:
        """Return what a cell says; the default if it is empty, or wrong, which is noted."""
        if not self.has(name):
            return default
        value = self.cells[name]
        try:
            return parse(value.strip() if isinstance(value, str) else value)
        except ValidationError as error:
            self.refuse(name, value, error.expected)
        return default

    def text(self, name: str) -> str:
        return self.read(name, text_of, "")

    def needs(self, name: str) -> None:
        """Note that a cell is empty that must not be, unless it is wrong already."""
        if not self.has(name):
            self.refuse(name, self.cells.get(name, ""), "must not be empty")


def _claim(reading: _Reading, taken: dict[tuple[str, str], int]) -> None:
    """Note a value that must be unique and stands in an earlier row."""
    for name in ("external_id", "number", "subscription_external_id"):
        if reading.has(name):
            value = str(reading.cells[name]).strip()
            first = taken.setdefault((name, value), reading.row)
            if first != reading.row:
                reading.refuse(name, value, f"unique in the file; row {first} has it too")


def _row(reading: _Reading) -> CustomerRow | None:
    customer = _customer(reading)
    method = _method(reading)
    subscription = _subscription(reading)
    if customer is None:
        return None
    return CustomerRow(reading.row, customer, method, subscription)


# ---- the customer -----------------------------------------------------------------------------


def _customer(reading: _Reading) -> ImportedCustomer | None:
    reading.needs("external_id")
    reading.needs("name")
    parts = {part: reading.text(name) for name, part in _ADDRESS.items()}
    address = _judged(reading, {part: name for name, part in _ADDRESS.items()}, parts, Address)
    metadata = {
        name.removeprefix(METADATA): reading.text(name)
        for name in reading.cells
        if name.startswith(METADATA) and reading.has(name)
    }
    try:
        kept = Metadata(metadata)
    except ValidationError as error:
        reading.refuse(error.field.replace("[", ".").rstrip("]"), error.value, error.expected)
        kept = Metadata()
    tags: tuple[str, ...] = reading.read("tags", _tags, ())
    texts = {name: reading.text(name) for name in ("external_id", *_PERSON)}
    given: dict[str, object] = {name: text for name, text in texts.items() if text}
    columns = {name: name for name in ("external_id", *_PERSON)}
    probe = _judged(reading, columns, given, _a_customer)
    if address is None or probe is None:
        return None
    return ImportedCustomer(
        probe.external_id or "",
        probe.name,
        probe.company,
        probe.email,
        probe.tax_id,
        probe.number,
        address,
        probe.language,
        probe.zone,
        tags,
        kept,
    )


def _a_customer(**given: Any) -> Customer:  # noqa: ANN401 - the fields of a customer, to be judged
    return Customer(CustomerId("row"), "row", 1, given.pop("name", "row"), "row", **given)


def _judged(
    reading: _Reading,
    columns: Mapping[str, str],
    given: Mapping[str, object],
    build: Callable[..., T],
) -> T | None:
    """Build a record from fields; if it refuses them, note each field that it refuses by itself."""
    try:
        return build(**given)
    except ValidationError:
        for name, value in given.items():
            try:
                build(**{name: value})
            except ValidationError as error:
                reading.refuse(columns[name], value, error.expected)
    return None


def _tags(value: object) -> tuple[str, ...]:
    words: object = value.split() if isinstance(value, str) else value
    if not isinstance(words, list):
        raise ValidationError("tags", value, "tags separated by spaces, or a list of texts")
    tags = normalized_tags([text_of(word) for word in cast("list[object]", words)])
    _a_customer(tags=tags)
    return tags


# ---- how he pays ------------------------------------------------------------------------------


def _method(reading: _Reading) -> ImportedMethod | None:
    token = reading.read("payment_token", _token, "")
    gateway = reading.text("gateway")
    if reading.has("payment_token") and not gateway:
        reading.needs("gateway")
    return ImportedMethod(gateway, token) if gateway else None


def _token(value: object) -> str:
    return refuse_card_number("payment_token", plain_text("payment_token", text_of(value)))


# ---- what he has ------------------------------------------------------------------------------


def _subscription(reading: _Reading) -> ImportedSubscription | None:
    if not any(reading.has(name) for name in _CONTRACT):
        return None
    for name in _PRICE:
        reading.needs(name)
    currency = reading.read("currency", lambda value: Currency.of(text_of(value)), None)
    amount = reading.read("amount", lambda value: amount_of(value, currency), None)
    every = reading.read("interval", interval_of, None)
    behavior = reading.read("tax_behavior", behavior_of, TaxBehavior.EXCLUSIVE)
    quantity = reading.read("quantity", quantity_of, cast("int | Decimal", 1))
    product = reading.read(
        "product", lambda value: plain_text("", text_of(value), length_max=200), ""
    )
    external_id = reading.read(
        "subscription_external_id", lambda value: plain_text("", text_of(value), length_max=100), ""
    )
    days = {
        name: reading.read(name, day_of, None) for name in ("start", "paid_until", "trial_until")
    }
    start, paid_until, trial_until = days["start"], days["paid_until"], days["trial_until"]
    first = _first_day(reading, start, paid_until, trial_until)
    cycle = None if every is None or first is None else _cycle(reading, every, first)
    if amount is None or cycle is None or first is None:
        return None
    return ImportedSubscription(
        external_id or reading.text("external_id"),
        product,
        amount,
        behavior,
        quantity,
        cycle,
        cycle.index_of(first),
        start,
        paid_until,
        trial_until,
    )


def _first_day(
    reading: _Reading, start: date | None, paid_until: date | None, trial_until: date | None
) -> date | None:
    """Return the first day to be billed, and note days that contradict each other."""
    if reading.has("paid_until") and reading.has("trial_until"):
        reading.refuse("trial_until", trial_until or "", "empty, for paid_until is given")
        return None
    if not any(reading.has(name) for name in ("start", "paid_until", "trial_until")):
        reading.needs("paid_until")
        return None
    first = paid_until or trial_until
    name = "paid_until" if paid_until is not None else "trial_until"
    if (
        first is not None
        and start is not None
        and (first < start or (first == start and trial_until is not None))
    ):
        reading.refuse(name, first, f"a day after the start, {start}")
        return None
    if first is None and (reading.has("paid_until") or reading.has("trial_until")):
        return None  # it is wrong, and that is noted
    return first or start


def _cycle(reading: _Reading, every: Interval, first: date) -> BillingCycle | None:
    """Return the cycle from the anchor, one period of which begins on the first day."""
    anchor = reading.read("anchor", anchor_of, cast("date | int", first))
    if isinstance(anchor, int):
        counted_from = _anchor_day(anchor, every, first)
        if counted_from is None:
            expected = f"a day of the month from which {every} can end on {first}"
            reading.refuse("anchor", anchor, expected)
            return None
        return BillingCycle(counted_from, every)
    if anchor > first:
        reading.refuse("anchor", anchor, f"a day on or before {first}, the first day to be billed")
        return None
    cycle = BillingCycle(anchor, every)
    around = cycle.period_containing(first)
    if around.start != first:
        name = "paid_until" if reading.has("paid_until") else "trial_until"
        name = name if reading.has(name) else "start"
        expected = f"the first day of a period from the anchor: {around.start} or {around.end}"
        reading.refuse(name, first, expected)
        return None
    return cycle


def _anchor_day(day: int, every: Interval, first: date) -> date | None:
    """Return the latest day of this number from which a whole count of intervals ends on `first`.

    31 and 28 February are 31 January and one month; 29 and 28 February 2027 are 29 February 2024
    and three years.
    """
    months = every.step_months
    for back in range(9 * 12 // months + 1 if months else 0):
        year, month = divmod(first.year * 12 + first.month - 1 - back * months, 12)
        try:
            anchor = date(year, month + 1, day)
        except ValueError:
            continue
        if anchor <= first and BillingCycle(anchor, every).start(back) == first:
            return anchor
    return None
