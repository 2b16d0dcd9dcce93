"""A line of a bank statement: as the bank wrote it, and as a record of what became of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import TypeAlias, assert_never

from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.ids import BankLineId, CustomerId, PaymentId, derived_id
from subscriptions.money import Money
from subscriptions.records import Column, ColumnType, Kind, plain_date, plain_text

TEXT_MAX = 2000
# What banks write where a line has no reference of its own.
_NO_REFERENCE = frozenset({"", "NONREF", "NOTPROVIDED"})


@frozen
class StatementLine:
    """What a bank says of one booking: money that came in, or went out where it is negative.

    `name` and `iban` are the other side's, `text` is what it wrote, `reference` a structured
    creditor reference, `bank_reference` the bank's own of this booking.
    """

    booked_on: date
    amount: Money
    name: str = ""
    iban: str = ""
    text: str = ""
    reference: str = ""
    bank_reference: str = ""

    def __attrs_post_init__(self) -> None:
        plain_date("booked_on", self.booked_on)
        given: object = self.amount
        if not isinstance(given, Money) or not given:
            raise ValidationError("amount", given, "a Money that is not zero")
        for name in ("name", "iban", "text", "reference", "bank_reference"):
            plain_text(name, getattr(self, name), length_max=TEXT_MAX, empty=True)

    @property
    def identity(self) -> tuple[str, ...]:
        """What tells this booking from others: the bank's reference, else all that it says."""
        amount = (str(self.booked_on), str(self.amount.minor), self.amount.currency.code)
        if self.bank_reference.strip().upper() not in _NO_REFERENCE:
            return ("reference", *amount, self.bank_reference.strip())
        said = (self.name, self.iban, self.text, self.reference)
        return ("content", *amount, *[" ".join(each.split()) for each in said])


@frozen
class Waiting:
    """A person must say whose money it is."""


@frozen
class Booked:
    """It is recorded as this payment; `by_hand` where a person said what it is."""

    at: datetime
    payment: PaymentId
    by_hand: bool = False


@frozen
class Dismissed:
    """A person said that it is none of a customer's."""

    at: datetime
    reason: str


@frozen
class Outgoing:
    """Money went out: it pays nothing here, and is kept to be seen."""


LineState: TypeAlias = Waiting | Booked | Dismissed | Outgoing


ALLOWED: dict[type[LineState], frozenset[type[LineState]]] = {
    Waiting: frozenset({Booked, Dismissed}),
    Outgoing: frozenset({Dismissed}),
    # What was dismissed by mistake can still be booked; what is booked is corrected on its payment.
    Dismissed: frozenset({Booked}),
    Booked: frozenset(),
}


STATUS: dict[type[LineState], str] = {
    Waiting: "waiting",
    Booked: "booked",
    Dismissed: "dismissed",
    Outgoing: "outgoing",
}


@frozen
class BankLine:
    """A line of a statement that was imported, and what became of it.

    `account` is the seller's own account. `ordinal` tells lines that are equal in everything: the
    second of two on one statement is another booking.
    """

    id: BankLineId
    tenant: str
    version: int
    account: str
    line: StatementLine
    ordinal: int
    state: LineState
    imported_at: datetime
    customer: CustomerId | None = None

    @property
    def status(self) -> str:
        """One word: waiting, booked, dismissed or outgoing."""
        return STATUS[type(self.state)]

    @property
    def payment(self) -> PaymentId | None:
        """The payment that it is recorded as, if it is."""
        match self.state:
            case Booked(payment=payment):
                return payment
            case Waiting() | Dismissed() | Outgoing():
                return None
            case other:
                assert_never(other)


BANK_LINE = Kind(
    "bank_line",
    BankLine,
    columns=(
        Column("customer", ColumnType.TEXT, lambda b: b.customer),
        Column("status", ColumnType.TEXT, lambda b: b.status),
        Column("account", ColumnType.TEXT, lambda b: b.account, indexed=False),
        Column("iban", ColumnType.TEXT, lambda b: b.line.iban or None),
        Column("booked_on", ColumnType.DAY, lambda b: b.line.booked_on, indexed=False),
        Column("amount_minor", ColumnType.INTEGER, lambda b: b.line.amount.minor, indexed=False),
        Column("currency", ColumnType.TEXT, lambda b: b.line.amount.currency.code, indexed=False),
    ),
)


def compact_iban(iban: str) -> str:
    """Return an IBAN as it is compared: capital letters without spaces.

    >>> compact_iban("de02 1203 0000 0000 2020 51")
    'DE02120300000000202051'
    """
    return re.sub(r"\s", "", iban).upper()


def identified(
    lines: Iterable[StatementLine], *, tenant: str, account: str
) -> Iterator[tuple[BankLineId, int, StatementLine]]:
    """Give each line of one statement the id that it has for ever, and its ordinal.

    A statement that is read again gives the same ids. So does a longer one, if it holds all of each
    day: a booking without a reference of the bank is told from its equals only by its place.
    """
    seen: Counter[tuple[str, ...]] = Counter()
    for line in lines:
        seen[line.identity] += 1
        ordinal = seen[line.identity]
        id = derived_id("bkl", tenant, account, *line.identity, str(ordinal))
        yield BankLineId(id), ordinal, line
