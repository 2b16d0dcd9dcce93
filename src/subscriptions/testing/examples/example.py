"""What an example is, and the names that examples share."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from subscriptions.frozen import frozen
from subscriptions.ids import (
    BankLineId,
    CouponId,
    CreditNoteId,
    CustomerId,
    DisputeId,
    DunningCaseId,
    GrantId,
    InvoiceId,
    PaymentId,
    PaymentMethodId,
    PendingItemId,
    PromotionCodeId,
    RefundId,
    ReviewItemId,
    SubscriptionId,
)
from subscriptions.money import EUR, Money
from subscriptions.records import AnyKind, Record
from subscriptions.taxes import TaxRate
from subscriptions.testing.builders import AT

LATER = AT + timedelta(days=1, microseconds=1)
CUSTOMER, METHOD = CustomerId("cus_ada"), PaymentMethodId("pm_ada")
SUBSCRIPTION, INVOICE = SubscriptionId("sub_ada"), InvoiceId("inv_ada")
COUPON, CODE = CouponId("cpn_welcome"), PromotionCodeId("promo_welcome")
PAYMENT, CASE = PaymentId("pay_ada"), DunningCaseId("dun_ada")
LINE = BankLineId("bkl_ada")
ITEM = PendingItemId("item_ada")
REVIEW = ReviewItemId("rev_ada")
REFUND, CREDIT_NOTE = RefundId("ref_ada"), CreditNoteId("cn_ada")
GRANT = GrantId("grn_ada")
DISPUTE = DisputeId("dp_ada")
DUE = Money(3451, EUR)
QUEBEC = (TaxRate(Decimal(5), name="GST"), TaxRate(Decimal("9.975"), name="QST"))


@frozen
class Example:
    """A record, and what it is an example of: its kind, then what is special about it."""

    name: str
    kind: AnyKind
    record: Record
