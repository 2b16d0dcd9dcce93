"""Valid records for tests, one function for each kind: sensible defaults, changed by keyword.

What must be unique (a token, a number, a reference) is made from the id, so two records of
different ids never clash. All belong together: the invoice is Ada's, for her subscription, and is
what the price says. Nothing here is random or reads a clock.

>>> a_customer(name="Grace Hopper").name
'Grace Hopper'
>>> an_invoice().total
Money.of("34.51", "EUR")
"""

from subscriptions.testing.builders.catalog import (
    a_carried_level,
    a_coupon,
    a_meter,
    a_price,
    a_product,
    a_promotion_code,
    a_redemption,
    a_usage_event,
)
from subscriptions.testing.builders.customers import (
    a_balance_entry,
    a_customer,
    a_grant,
    a_grant_entry,
    a_payment_method,
    a_seller,
)
from subscriptions.testing.builders.defaults import AT, SEGMENT, START, TENANT
from subscriptions.testing.builders.events import a_command, an_event
from subscriptions.testing.builders.invoices import (
    a_credit_note,
    a_draft,
    a_number_series,
    a_pending_item,
    a_pro_forma,
    an_invoice,
)
from subscriptions.testing.builders.payments import (
    a_bank_line,
    a_dispute,
    a_dunning_case,
    a_dunning_policy,
    a_payment,
    a_refund,
)
from subscriptions.testing.builders.subscriptions import (
    a_debit,
    a_migration,
    a_move,
    a_pending_credit,
    a_plan,
    a_subscription,
    an_item,
)

__all__ = [
    "AT",
    "SEGMENT",
    "START",
    "TENANT",
    "a_balance_entry",
    "a_bank_line",
    "a_carried_level",
    "a_command",
    "a_coupon",
    "a_credit_note",
    "a_customer",
    "a_debit",
    "a_dispute",
    "a_draft",
    "a_dunning_case",
    "a_dunning_policy",
    "a_grant",
    "a_grant_entry",
    "a_meter",
    "a_migration",
    "a_move",
    "a_number_series",
    "a_payment",
    "a_payment_method",
    "a_pending_credit",
    "a_pending_item",
    "a_plan",
    "a_price",
    "a_pro_forma",
    "a_product",
    "a_promotion_code",
    "a_redemption",
    "a_refund",
    "a_seller",
    "a_subscription",
    "a_usage_event",
    "an_event",
    "an_invoice",
    "an_item",
]
