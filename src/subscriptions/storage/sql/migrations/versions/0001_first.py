"""Make the first tables: one for each kind of record, the outbox's consumers, and a view.

Revision ID: 0001
Revises:
"""

# ruff: noqa: S608 - names and figures of this file

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


NONE: Mapping[str, int] = {}
ROWS = 1_000_000
ALL = ROWS // 10
MANY = ALL // 50
FEW = 20


def text(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text) for name in names]


def integers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger) for name in names]


def table(
    name: str,
    *columns: sa.Column[str] | sa.Column[int],
    unique: Sequence[Sequence[str]] = (),
    indexed: Mapping[str, int] = NONE,
    sorted_by: Mapping[str, int] = NONE,
    sparse: Sequence[str] = (),
    autoincrement: bool = False,
) -> None:
    """Make one table; `indexed` and `sorted_by` say of how many rows a value of theirs is.

    Rows without a value of a `sparse` one are not in its index.
    """
    op.create_table(
        name,
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        *columns,
        sa.Column("document", sa.Text, nullable=False),
        sa.UniqueConstraint("tenant", "id", name=f"{name}_id"),
        *[sa.UniqueConstraint("tenant", *key, name=f"{name}_{'_'.join(key)}") for key in unique],
        sqlite_autoincrement=autoincrement,
    )
    indexed = {"position": 1, **indexed}
    for column in indexed:
        present = sa.text(f"{column} IS NOT NULL") if column in sparse else None
        op.create_index(
            f"{name}_{column}",
            name,
            ["tenant", column],
            sqlite_where=present,
            postgresql_where=present,
        )
    for column in sorted_by:
        present = sa.text("due_at IS NOT NULL") if column == "due_at" else None
        op.create_index(
            f"{name}_{column}",
            name,
            ["tenant", column, "id"],
            sqlite_where=present,
            postgresql_where=present,
        )
    if op.get_bind().dialect.name == "sqlite":
        inform_planner(name, unique=unique, indexed=indexed, sorted_by=sorted_by)


def inform_planner(
    name: str,
    *,
    unique: Sequence[Sequence[str]],
    indexed: Mapping[str, int],
    sorted_by: Mapping[str, int],
) -> None:
    """Tell SQLite what its `ANALYZE` would find in a large database of ten tenants.

    Without it SQLite takes any condition on the first column of an index for a narrow one, and
    would look for the invoices of one customer among all of the tenant.
    """
    found = {f"{name}_{column}": [rows] for column, rows in indexed.items()}
    found |= {f"{name}_{column}": [rows, 1] for column, rows in sorted_by.items()}
    for place, key in enumerate([("id",), *unique], 1):
        found[f"sqlite_autoindex_{name}_{place}"] = [*[ALL] * (len(key) - 1), 1]
    op.execute(f"ANALYZE {name}")  # makes the table of findings, which is empty
    for index, rows in found.items():
        stat = " ".join(map(str, [ROWS, ALL, *rows]))
        op.execute(f"INSERT INTO sqlite_stat1 VALUES ('{name}', '{index}', '{stat}')")


def upgrade() -> None:
    table(
        "subs_customer",
        *text("due_at", "number", "external_id", "email", "name", "country", "token"),
        unique=[("number",), ("external_id",), ("token",)],
        indexed={"email": 1, "name": FEW},
        sorted_by={"due_at": MANY},
    )
    table(
        "subs_balance_entry",
        *text("customer", "cause", "invoice"),
        *integers("amount_minor", "balance_minor"),
        *text("currency", "at", "payment"),
        indexed={"customer": FEW},
    )
    table(
        "subs_grant",
        *text("due_at", "customer", "status", "category"),
        *integers("amount_minor", "left_minor"),
        *text("currency", "expires_at"),
        indexed={"customer": FEW, "status": ALL // 2},
        sorted_by={"due_at": MANY},
    )
    table(
        "subs_grant_entry",
        *text("customer", "grant_id", "invoice", "cause"),
        *integers("amount_minor", "left_minor"),
        *text("currency", "at"),
        indexed={"customer": FEW, "grant_id": FEW, "invoice": FEW},
    )
    table(
        "subs_payment_method",
        *text("customer", "gateway", "reference", "status"),
        indexed={"customer": FEW, "gateway": ALL, "reference": 1},
    )
    table("subs_product", *text("name"), unique=[("name",)])
    table(
        "subs_price",
        *text("product", "name", "currency", "customer"),
        indexed={"product": FEW, "name": FEW, "customer": FEW},
    )
    table(
        "subs_coupon",
        *text("name", "campaign", "status"),
        *integers("redeemed"),
        indexed={"name": FEW, "campaign": FEW, "status": ALL // 2},
    )
    table(
        "subs_promotion_code",
        *text("code", "coupon", "customer", "status"),
        *integers("redeemed"),
        unique=[("code",)],
        indexed={"coupon": MANY, "customer": FEW, "status": ALL // 2},
    )
    table(
        "subs_redemption",
        *text("coupon", "promotion_code", "customer", "subscription", "at"),
        indexed={"coupon": MANY, "promotion_code": FEW, "customer": FEW, "subscription": FEW},
    )
    table("subs_meter")
    table(
        "subs_usage",
        *text("subscription", "used_in", "billed_in", "occurred_at"),
        indexed={"subscription": MANY, "used_in": FEW, "billed_in": FEW},
        sorted_by={"occurred_at": 1},
    )
    table("subs_usage_level")
    table(
        "subs_subscription",
        *text("due_at", "customer", "status", "external_id", "paid_through"),
        unique=[("external_id",)],
        indexed={"customer": FEW, "status": ALL // 2},
        sorted_by={"due_at": MANY},
    )
    table(
        "subs_migration",
        *text("price", "status"),
        indexed={"price": FEW, "status": MANY},
    )
    table(
        "subs_invoice",
        *text("due_at", "customer", "subscription", "status", "number"),
        *text("issued_on", "due_on", "currency"),
        *integers("net_minor", "tax_minor", "total_minor", "paid_minor", "due_minor"),
        *text("seller", "series"),
        unique=[("number", "seller")],
        indexed={"customer": FEW, "subscription": FEW, "status": ALL // 2},
        sorted_by={"due_at": MANY, "issued_on": MANY},
    )
    table(
        "subs_credit_note",
        *text("customer", "invoice", "number", "issued_on", "currency"),
        *integers("net_minor", "tax_minor", "total_minor"),
        *text("seller", "series"),
        unique=[("number", "seller")],
        indexed={"customer": FEW, "invoice": 1},
        sorted_by={"issued_on": MANY},
    )
    table(
        "subs_pending_item",
        *text("customer", "waits_for", "status"),
        indexed={"customer": FEW, "waits_for": FEW},
    )
    table(
        "subs_pro_forma",
        *text("customer", "number"),
        indexed={"customer": FEW, "number": 1},
    )
    table(
        "subs_payment",
        *text("due_at", "customer", "invoice", "status", "gateway", "reference"),
        *integers("amount_minor"),
        *text("currency", "intended_at", "unallocated"),
        unique=[("gateway", "reference")],
        indexed={
            "customer": FEW,
            "invoice": 1,
            "status": ALL,
            "reference": 1,
            "unallocated": MANY,
        },
        sorted_by={"due_at": MANY},
        sparse=["unallocated"],
    )
    table(
        "subs_bank_line",
        *text("customer", "status", "account", "iban", "booked_on"),
        *integers("amount_minor"),
        *text("currency"),
        indexed={"customer": FEW, "status": ALL, "iban": FEW},
    )
    table(
        "subs_refund",
        *text("due_at", "customer", "payment", "status", "gateway"),
        *integers("amount_minor"),
        *text("currency", "intended_at"),
        indexed={"customer": FEW, "payment": 1, "status": ALL // 2},
        sorted_by={"due_at": MANY},
    )
    table(
        "subs_inbound",
        *text("due_at", "gateway", "event", "type", "status", "received_at"),
        unique=[("gateway", "event")],
        indexed={"status": ALL // 2},
        sorted_by={"due_at": MANY, "received_at": 1},
    )
    table(
        "subs_review_item",
        *text("status", "matter", "subject", "customer", "since"),
        indexed={"status": ALL // 2, "matter": ALL // 5, "subject": 1, "customer": FEW},
    )
    table(
        "subs_dispute",
        *text("due_at", "customer", "payment", "status", "kind", "gateway", "reference"),
        *integers("amount_minor"),
        *text("currency", "evidence_due_at"),
        indexed={"customer": FEW, "payment": 1, "status": ALL // 2},
        sorted_by={"due_at": MANY},
    )
    table(
        "subs_dunning_case",
        *text("due_at", "customer", "invoice", "status"),
        indexed={"customer": FEW, "invoice": 1, "status": ALL // 2},
        sorted_by={"due_at": MANY},
    )
    table("subs_dunning_policy")
    table("subs_number_series")
    table("subs_command")
    table(
        "subs_event",
        *text("subject"),
        *integers("sequence"),
        *text("customer", "type", "at"),
        indexed={"subject": FEW, "customer": FEW, "type": MANY},
        autoincrement=True,
    )
    op.create_table(
        "subs_consumer",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("consumer", sa.Text, primary_key=True),
        sa.Column("position", sa.BigInteger, nullable=False),
    )
    op.execute(INVOICE_LINES)


INVOICE_LINES = """
CREATE VIEW subs_invoice_lines AS
SELECT
    invoice.tenant AS tenant,
    invoice.id AS invoice,
    invoice.number AS number,
    invoice.customer AS customer,
    invoice.status AS status,
    invoice.issued_on AS issued_on,
    line.key + 1 AS line,
    json_extract(line.value, '$.description') AS description,
    json_extract(line.value, '$.quantity') AS quantity,
    json_extract(line.value, '$.net_minor') AS net_minor,
    json_extract(line.value, '$.currency') AS currency,
    json_extract(line.value, '$.rate.percent') AS tax_percent,
    json_extract(line.value, '$.price') AS price,
    json_extract(line.value, '$.period.start') AS period_start,
    json_extract(line.value, '$.period.end') AS period_end
FROM subs_invoice AS invoice, json_each(invoice.document, '$.lines') AS line
"""
