"""Files of running customers, as other billing systems export them: texts in, rows and errors out.

Decided here: which columns there are, how each is written, and what is wrong with a row, field by
field. Never here: whether a customer is known already, what a gateway says of a token, or a file.

One row is one customer with, perhaps, a way to pay and a running subscription. CSV (RFC 4180) and
JSON (a list of objects) have the same columns:

| column | what it holds |
| --- | --- |
| `external_id` | the host's own id of the customer: needed, and what makes an import repeatable |
| `name` | needed; `company`, `email`, `tax_id` may stand beside it |
| `number` | the customer number, where it is kept; else the next of the range |
| `address_line1` `address_line2` `postal_code` `city` `region` `country` | the billing address |
| `language` `zone` | a BCP 47 tag (else "en"), an IANA zone (else the seller's) |
| `tags` | separated by spaces; in JSON also a list |
| `gateway` `payment_token` | how the customer pays; without a token by himself, by bank transfer |
| `product` `amount` `currency` `interval` | the price of one unit: "29.00", "EUR", "month" |
| `quantity` `tax_behavior` | else 1 and "exclusive" |
| `paid_until` | the first day that is not paid |
| `trial_until` | instead of it: the first day after the trial |
| `start` | when it began or will begin |
| `anchor` | the day from which periods are counted, or the day of the month: "31" |
| `subscription_external_id` | else the customer's `external_id` |
| `metadata.x` | the customer's metadata `x`; in JSON also an object `metadata` |

Days are ISO 8601, amounts plain decimal texts, intervals "week", "month", "3 months", "yearly". An
empty cell is an absent one.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from subscriptions.customer_files.rows import (
    COLUMNS,
    CustomerRow,
    ImportedCustomer,
    ImportedMethod,
    ImportedSubscription,
    read_rows,
)
from subscriptions.customer_files.tables import RowError, Table, read_csv, read_json
from subscriptions.errors import ValidationError

__all__ = [
    "COLUMNS",
    "CustomerRow",
    "FileFormat",
    "ImportedCustomer",
    "ImportedMethod",
    "ImportedSubscription",
    "RowError",
    "read",
]

FileFormat: TypeAlias = Literal["csv", "json"]


def read(
    text: str, *, format: FileFormat
) -> tuple[int, tuple[CustomerRow, ...], tuple[RowError, ...]]:
    r"""Return how many rows there are, the good ones, and what is wrong with the others.

    A row is good or it has errors, one for each wrong field. A file that cannot be read as a table
    (no header, an unknown column, broken JSON) has no good row. Rows of a CSV file are numbered as
    a spreadsheet shows them, so that the header is row 1; the first object of a JSON list is 1.

    Raises `ValidationError` for another format.

    >>> count, rows, errors = read("external_id,name\nc1,Ada Lovelace\nc2,\n", format="csv")
    >>> count, rows[0].customer.name
    (2, 'Ada Lovelace')
    >>> errors
    (RowError(row=3, field='name', value='', message='must not be empty'),)
    """
    if format not in ("csv", "json"):
        raise ValidationError("format", format, "'csv' or 'json'")
    table: Table = read_csv(text, COLUMNS) if format == "csv" else read_json(text, COLUMNS)
    rows, errors = read_rows(table.rows)
    return table.count, rows, tuple(sorted((*table.errors, *errors), key=lambda e: e.row))
