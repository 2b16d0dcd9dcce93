"""Statements as CSV: every bank has its own columns, so a format says which are which.

A file is read whole or not at all: of a statement with a line that nobody understands, nothing is
booked.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from io import StringIO

from attrs import field

from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.money import Money
from subscriptions.statements.line import StatementLine, compact_iban

# An amount by its sign of thousands: all of them are parted, or none.
_AMOUNT = {
    ",": re.compile(r"[+-]?([0-9]+|[0-9]{1,3}(,[0-9]{3})+)(\.[0-9]+)?"),
    ".": re.compile(r"[+-]?([0-9]+|[0-9]{1,3}(\.[0-9]{3})+)(,[0-9]+)?"),
}

FIELDS = ("booked_on", "amount", "currency", "name", "iban", "text", "reference", "bank_reference")


@frozen
class CsvFormat:
    r"""How a bank writes its CSV: what its columns are called, what parts cells, how numbers look.

    `columns` names the bank's column for each of `FIELDS` that it calls otherwise; a field without
    a column is empty. `currency` is that of files without such a column.

    >>> german = CsvFormat(
    ...     {"booked_on": "Buchungstag", "amount": "Betrag", "text": "Verwendungszweck"},
    ...     delimiter=";", decimal=",", date_format="%d.%m.%Y", currency="EUR",
    ... )
    >>> read_csv("Buchungstag;Betrag;Verwendungszweck\n05.01.2027;1.029,00;RE 4711\n", german)
    (StatementLine(booked_on=datetime.date(2027, 1, 5), amount=Money.of("1029.00", "EUR"), ...
    """

    columns: Mapping[str, str] = field(factory=dict[str, str])
    delimiter: str = ","
    decimal: str = "."
    date_format: str = "%Y-%m-%d"
    currency: str = "EUR"

    def __attrs_post_init__(self) -> None:
        for name in self.columns:
            if name not in FIELDS:
                raise ValidationError("columns", name, f"one of {', '.join(FIELDS)}")
        if self.decimal not in (".", ","):
            raise ValidationError("decimal", self.decimal, "'.' or ','")


DEFAULT = CsvFormat()


def read_csv(content: str, format: CsvFormat = DEFAULT) -> tuple[StatementLine, ...]:
    """Read the lines of a statement; the first row says what the columns are.

    Raises `ValidationError` with the row for what is no statement: a column or a value is missing,
    a date or an amount is none.
    """
    rows = csv.DictReader(
        StringIO(content.removeprefix("\ufeff")), delimiter=format.delimiter, strict=True
    )
    try:
        header = rows.fieldnames or ()
        for name in ("booked_on", "amount"):
            column = format.columns.get(name, name)
            if column not in header:
                expected = f"a column {column!r}, or a CsvFormat that says how the bank writes it"
                raise ValidationError("row 1", ", ".join(header), expected)
        return tuple([_line(row, number, format) for number, row in enumerate(rows, 2)])
    except csv.Error as error:
        raise ValidationError(f"row {rows.line_num + 1}", str(error), "a row of CSV") from None


def _line(row: Mapping[str, str | None], number: int, format: CsvFormat) -> StatementLine:
    def cell(name: str) -> str:
        return (row.get(format.columns.get(name, name)) or "").strip()

    try:
        return StatementLine(
            _day(cell("booked_on"), format),
            _amount(cell("amount"), cell("currency") or format.currency, format),
            cell("name"),
            compact_iban(cell("iban")),
            cell("text"),
            cell("reference"),
            cell("bank_reference"),
        )
    except ValidationError as error:
        raise ValidationError(f"row {number}: {error.field}", error.value, error.expected) from None


def _day(text: str, format: CsvFormat) -> date:
    try:
        return datetime.strptime(text, format.date_format).date()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        raise ValidationError("booked_on", text, f"a day such as {format.date_format}") from None


def _amount(text: str, currency: str, format: CsvFormat) -> Money:
    thousands = "," if format.decimal == "." else "."
    compact = text.replace(" ", "")
    # What has the other sign where no thousands end is written otherwise: it is not guessed.
    if _AMOUNT[thousands].fullmatch(compact) is None:
        example = f"1{thousands}234{format.decimal}56"
        raise ValidationError("amount", text, f"an amount such as {example}")
    plain = compact.replace(thousands, "").replace(format.decimal, ".")
    return Money.of(Decimal(plain), currency)
