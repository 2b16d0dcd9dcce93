"""Valid records for tests, one function for each kind: sensible defaults, changed by keyword.

What must be unique (a token, a number, a reference) is made from the id, so two records of
different ids never clash. All belong together: the invoice is Ada's, for her subscription, and is
what the price says. Nothing here is random or reads a clock.

>>> a_customer(name="Grace Hopper").name
'Grace Hopper'
>>> an_invoice().total
Money.of("34.51", "EUR")
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Final, TypeVar

from attrs import AttrsInstance, evolve

from subscriptions import credit_notes, customers, grants, invoices
from subscriptions.balance import BalanceEntry, Cause
from subscriptions.billing_cycles import BillingCycle, Interval, Period
from subscriptions.catalog import Price, Product
from subscriptions.coupons import Coupon, PromotionCode, Redemption
from subscriptions.credit_notes import CreditNote
from subscriptions.customers import Address, Customer
from subscriptions.decisions import created
from subscriptions.discounts import PercentOff
from subscriptions.disputes import Dispute, DisputeKind
from subscriptions.disputes import Opened as DisputeOpened
from subscriptions.dunning import DEFAULT_POLICY, DunningCase, StoredPolicy
from subscriptions.events import Recorded, record
from subscriptions.grants import Category, Grant, GrantEntry
from subscriptions.idempotency import CommandRecord, command_id
from subscriptions.ids import (
    BalanceEntryId,
    BankLineId,
    CouponId,
    CreditNoteId,
    CustomerId,
    DisputeId,
    DunningCaseId,
    GrantEntryId,
    GrantId,
    InvoiceId,
    MeterId,
    PaymentId,
    PaymentMethodId,
    PendingItemId,
    PriceId,
    ProductId,
    ProFormaId,
    PromotionCodeId,
    RedemptionId,
    RefundId,
    SeriesId,
    SubscriptionId,
)
from subscriptions.invoice_numbering import Series
from subscriptions.invoices import Charge, Invoice, LineKind, LineRef, Part, Seller
from subscriptions.lifecycle import Active, Debit, Item, Planned, PlannedItem, Subscription
from subscriptions.migrations import Migration, migration_id
from subscriptions.money import EUR, Money
from subscriptions.number_series import NumberSeries
from subscriptions.payment_methods import MethodDetails, PaymentMethod, Usable
from subscriptions.payments import Allocation, Payment, Succeeded
from subscriptions.pending_items import PendingItem
from subscriptions.pricing import PerUnit
from subscriptions.pro_forma import ProForma
from subscriptions.pro_forma import make as make_pro_forma
from subscriptions.proration import Proration
from subscriptions.refunds import Refund
from subscriptions.refunds import Succeeded as RefundSucceeded
from subscriptions.statements import BankLine, Booked, StatementLine
from subscriptions.taxes import TaxBehavior, TaxRate
from subscriptions.usage import CarriedLevel, Meter, UsageEvent, level_id, usage_id

R = TypeVar("R", bound=AttrsInstance)

TENANT: Final = "acme"
"""The tenant of every record, if none is given."""
START: Final = date(2027, 1, 31)
"""The day on which everything begins."""
AT: Final = datetime(2027, 1, 31, 9, 30, tzinfo=UTC)
"""The instant at which everything happened."""
SEGMENT: Final = datetime(2027, 1, 31, tzinfo=UTC)
"""The instant since which usage is counted."""


def a_seller(**changes: object) -> Seller:
    """Return a seller in Berlin."""
    address = Address("Unter den Linden 1", postal_code="10117", city="Berlin", country="DE")
    seller = Seller(
        "Acme GmbH",
        address=address,
        tax_id="DE123456789",
        email="billing@acme.example",
        iban="DE02120300000000202051",
        zone="Europe/Berlin",
    )
    return _with(seller, changes)


def a_customer(id: str = "cus_ada", /, **changes: object) -> Customer:
    """Return a customer with an e-mail address, a number and a token."""
    customer = Customer(
        CustomerId(id),
        TENANT,
        1,
        "Ada Lovelace",
        token=f"token-{id}",
        number=f"C-{id}",
        email="ada@example.com",
        address=Address("1 St James's Square", postal_code="SW1Y 4JH", city="London", country="GB"),
    )
    return _with(customer, changes)


def a_payment_method(id: str = "pm_ada", /, **changes: object) -> PaymentMethod:
    """Return a card that may be charged."""
    details = MethodDetails(f"card-{id}", brand="visa", last4="4242", expires_on=date(2030, 12, 31))
    method = PaymentMethod(
        PaymentMethodId(id), TENANT, 1, CustomerId("cus_ada"), "card", details, Usable(), AT
    )
    return _with(method, changes)


def a_product(id: str = "prod_pro", /, **changes: object) -> Product:
    """Return a product that is on offer."""
    return _with(Product(ProductId(id), TENANT, 1, f"Product {id}"), changes)


def a_price(id: str = "price_pro", /, **changes: object) -> Price:
    """Return a price of 29.00 EUR for each unit and month."""
    price = Price(
        PriceId(id),
        TENANT,
        1,
        ProductId("prod_pro"),
        "Pro",
        PerUnit(Decimal("29.00")),
        EUR,
        Interval.months(1),
    )
    return _with(price, changes)


def a_meter(id: str = "api_calls", /, **changes: object) -> Meter:
    """Return a meter that adds up quantities."""
    return _with(Meter(MeterId(id), TENANT, 1, "API calls"), changes)


def a_usage_event(event: str = "evt_1", /, **changes: object) -> UsageEvent:
    """Return an API call of Ada's subscription, in its first month; its id follows from `event`."""
    used = UsageEvent(
        usage_id(TENANT, event),
        TENANT,
        1,
        event,
        SubscriptionId("sub_ada"),
        MeterId("api_calls"),
        1,
        AT,
        AT,
        SEGMENT,
        SEGMENT,
        Period(START, date(2027, 2, 28)),
    )
    return _with(used, changes)


def a_carried_level(quantity: int | Decimal = 10, /, **changes: object) -> CarriedLevel:
    """Return the level with which the first month of Ada's subscription begins."""
    subscription, meter = SubscriptionId("sub_ada"), MeterId("storage")
    id = level_id(TENANT, subscription, meter, SEGMENT)
    level = CarriedLevel(id, TENANT, 1, subscription, meter, SEGMENT, Decimal(quantity))
    return _with(level, changes)


def a_coupon(id: str = "cpn_welcome", /, **changes: object) -> Coupon:
    """Return a coupon of 20 % off the first period, for everything and everybody."""
    return _with(Coupon(CouponId(id), TENANT, 1, "Welcome", PercentOff(20)), changes)


def a_promotion_code(id: str = "promo_welcome", /, **changes: object) -> PromotionCode:
    """Return a code of the coupon; what is typed follows from the id."""
    code = PromotionCode(PromotionCodeId(id), TENANT, 1, CouponId("cpn_welcome"), f"code-{id}")
    return _with(code, changes)


def a_redemption(id: str = "red_ada", /, **changes: object) -> Redemption:
    """Return Ada's first redemption of the coupon, for her subscription, by its code."""
    redemption = Redemption(
        RedemptionId(id),
        TENANT,
        1,
        CouponId("cpn_welcome"),
        PromotionCodeId("promo_welcome"),
        CustomerId("cus_ada"),
        SubscriptionId("sub_ada"),
        1,
        AT,
    )
    return _with(redemption, changes)


def an_item(**changes: object) -> Item:
    """Return one unit of the price, of which the first month is billed."""
    item = Item(PriceId("price_pro"), 1, BillingCycle(START, Interval.months(1)), date(2027, 2, 28))
    return _with(item, changes)


def a_subscription(id: str = "sub_ada", /, **changes: object) -> Subscription:
    """Return a running subscription of which the first month is billed."""
    subscription = Subscription(
        SubscriptionId(id),
        TENANT,
        1,
        CustomerId("cus_ada"),
        EUR,
        "Europe/Berlin",
        (an_item(),),
        Active(START),
    )
    return _with(subscription, changes)


def a_debit(**changes: object) -> Debit:
    """Return what the item was charged for its first month, all of it still standing."""
    debit = Debit(
        1,
        PriceId("price_pro"),
        Period(START, date(2027, 2, 28)),
        2900,
        TaxRate(Decimal(19)),
        TaxBehavior.EXCLUSIVE,
        0,
        InvoiceId("inv_ada"),
    )
    return _with(debit, changes)


def a_pending_credit(**changes: object) -> Charge:
    """Return a credit of 10.00 EUR for unused time that waits for the next invoice."""
    charge = Charge(
        "Pro",
        -1000,
        TaxRate(Decimal(19)),
        period=Period(date(2027, 2, 18), date(2027, 2, 28)),
        price=PriceId("price_pro"),
        kind=LineKind.CREDIT,
        product=ProductId("prod_pro"),
        subscription=SubscriptionId("sub_ada"),
        item=1,
        part=Part(-2900, Fraction(18, 28), Fraction(1)),
        credits=LineRef(InvoiceId("inv_ada"), 0),
    )
    return _with(charge, changes)


def a_plan(**changes: object) -> Planned:
    """Return a change to five units that takes effect in June."""
    items = (PlannedItem(PriceId("price_pro"), 5, 1),)
    return _with(Planned(date(2027, 6, 1), items, Proration(), cause="seats"), changes)


def a_move(**changes: object) -> Planned:
    """Return a plan of a migration: to the next version of the price in June, told in May."""
    price, to = PriceId("price_pro"), PriceId("price_pro_2")
    move = PlannedItem(to, None, 1, instead_of=price)
    plan = Planned(
        date(2027, 6, 1),
        (move,),
        Proration(mode="none"),
        cause=a_migration().id,
        announce_on=date(2027, 5, 1),
    )
    return _with(plan, changes)


def a_migration(**changes: object) -> Migration:
    """Return a migration to the next version of a price in June."""
    price, to, on = PriceId("price_pro"), PriceId("price_pro_2"), date(2027, 6, 1)
    migration = Migration(migration_id(TENANT, price, to, on), TENANT, 1, price, to, on)
    return _with(migration, changes)


def a_draft(id: str = "inv_ada", /, **changes: object) -> Invoice:
    """Return a draft of 29.00 EUR and 19 % tax, without a number."""
    charge = Charge(
        "Pro",
        2900,
        TaxRate(Decimal(19)),
        unit_price=Decimal("29.00"),
        period=Period(START, date(2027, 2, 28)),
        price=PriceId("price_pro"),
    )
    composed = invoices.compose(
        InvoiceId(id),
        a_customer(),
        [charge],
        currency=EUR,
        seller=a_seller(),
        automatic=False,
        subscription=SubscriptionId("sub_ada"),
    )
    return _with(evolve(composed, version=1), changes)


def an_invoice(id: str = "inv_ada", /, **changes: object) -> Invoice:
    """Return a final invoice of 34.51 EUR that is owed, numbered and sealed.

    The seal covers the changes, so that a changed invoice still verifies.
    """
    issue = invoices.finalize(
        evolve(a_draft(id), version=0), a_customer(), seller=a_seller(), salt=f"salt-{id}"
    )
    draft = issue.after
    assert isinstance(draft, Invoice)
    sealed = invoices.seal(draft, before=None, number=f"INV-{id}", previous_hash="", at=AT).after
    assert isinstance(sealed, Invoice)
    invoice = _with(sealed, changes)
    return invoice if "hash" in changes else evolve(invoice, hash=invoices.content_hash(invoice))


def a_credit_note(id: str = "cn_ada", /, **changes: object) -> CreditNote:
    """Return a credit note of all of the invoice of 34.51 EUR, numbered and sealed.

    The seal covers the changes, so that a changed note still verifies.
    """
    invoice = an_invoice()
    composed = credit_notes.compose(
        invoice,
        credit_notes.of_lines(invoice, []),
        a_customer(),
        ordinal=1,
        division=credit_notes.divide(invoice, invoice.total),
        reason="a mistake",
        seller=a_seller(),
        salt=f"salt-{id}",
    )
    draft = evolve(composed, id=CreditNoteId(id))
    sealed = credit_notes.seal(draft, number=f"CN-{id}", previous_hash="", at=AT).after
    assert isinstance(sealed, CreditNote)
    note = _with(sealed, changes)
    return note if "hash" in changes else evolve(note, hash=credit_notes.content_hash(note))


def a_pending_item(id: str = "item_ada", /, **changes: object) -> PendingItem:
    """Return two hours of work that wait for Ada's next invoice."""
    item = PendingItem(
        PendingItemId(id),
        TENANT,
        1,
        CustomerId("cus_ada"),
        None,
        "Work",
        Money(5000, EUR),
        2,
        Money(10000, EUR),
        TaxBehavior.EXCLUSIVE,
        AT,
    )
    return _with(item, changes)


def a_pro_forma(id: str = "pf_ada", /, **changes: object) -> ProForma:
    """Return a pro-forma invoice of 34.51 EUR for Ada, without a number."""
    shown = evolve(a_draft("inv_shown"), version=0)
    made = make_pro_forma(ProFormaId(id), shown, a_customer(), a_seller(), at=AT).after
    assert isinstance(made, ProForma)
    return _with(made, changes)


def a_payment(id: str = "pay_ada", /, **changes: object) -> Payment:
    """Return a payment that succeeded and pays the invoice in full."""
    payment = Payment(
        PaymentId(id),
        TENANT,
        1,
        CustomerId("cus_ada"),
        "card",
        3451,
        EUR,
        Succeeded(AT),
        AT,
        invoice=InvoiceId("inv_ada"),
        method=PaymentMethodId("pm_ada"),
        method_ref="card-pm_ada",
        reference=f"ch-{id}",
        allocations=(Allocation(InvoiceId("inv_ada"), 3451),),
    )
    return _with(payment, changes)


def a_refund(id: str = "ref_ada", /, **changes: object) -> Refund:
    """Return a refund of a part of the payment, which succeeded."""
    refund = Refund(
        RefundId(id),
        TENANT,
        1,
        CustomerId("cus_ada"),
        PaymentId("pay_ada"),
        1,
        "card",
        "ch-pay_ada",
        1451,
        EUR,
        "a mistake",
        RefundSucceeded(AT),
        intended_at=AT,
        fresh_at=AT,
        keyed_at=AT,
        reference=f"re-{id}",
    )
    return _with(refund, changes)


def a_bank_line(id: str = "bkl_ada", /, **changes: object) -> BankLine:
    """Return a line of a statement that is recorded as the payment."""
    line = StatementLine(
        AT.date(),
        Money(3451, EUR),
        "Ada Lovelace",
        "DE02120300000000202051",
        "INV-2027-00001",
        bank_reference=f"2027-{id}",
    )
    record = BankLine(
        BankLineId(id),
        TENANT,
        2,
        "DE89370400440532013000",
        line,
        1,
        Booked(AT, PaymentId("pay_ada")),
        AT,
        CustomerId("cus_ada"),
    )
    return _with(record, changes)


def a_dispute(id: str = "dp_ada", /, **changes: object) -> Dispute:
    """Return a chargeback of the whole payment, which took the money and is under review."""
    dispute = Dispute(
        DisputeId(id),
        TENANT,
        1,
        CustomerId("cus_ada"),
        PaymentId("pay_ada"),
        "card",
        f"at-the-gateway-{id}",
        DisputeKind.CHARGEBACK,
        3451,
        EUR,
        "fraudulent",
        DisputeOpened(),
        said_at=AT,
        noted_at=AT,
        funds_withdrawn=True,
    )
    return _with(dispute, changes)


def a_balance_entry(id: str = "bal_ada", /, **changes: object) -> BalanceEntry:
    """Return the entry of a goodwill credit, the first movement of the balance."""
    entry = BalanceEntry(
        BalanceEntryId(id),
        TENANT,
        1,
        CustomerId("cus_ada"),
        2,
        500,
        500,
        EUR,
        Cause.ADJUSTMENT,
        AT,
        reason="goodwill",
    )
    return _with(entry, changes)


def a_grant(id: str = "grn_ada", /, **changes: object) -> Grant:
    """Return promotional credit of 10.00 EUR that pays everything and never expires."""
    grant = Grant(
        GrantId(id),
        TENANT,
        1,
        CustomerId("cus_ada"),
        1000,
        1000,
        EUR,
        Category.PROMOTIONAL,
        AT,
        AT,
        state=grants.Active(),
    )
    return _with(grant, changes)


def a_grant_entry(id: str = "gre_ada", /, **changes: object) -> GrantEntry:
    """Return the entry that a grant was made with."""
    entry = GrantEntry(
        GrantEntryId(id),
        TENANT,
        1,
        GrantId("grn_ada"),
        CustomerId("cus_ada"),
        1,
        1000,
        1000,
        EUR,
        grants.Cause.GRANTED,
        AT,
    )
    return _with(entry, changes)


def a_dunning_case(id: str = "dun_ada", /, **changes: object) -> DunningCase:
    """Return a case that has just begun to climb the default ladder."""
    case = DunningCase(
        DunningCaseId(id),
        TENANT,
        1,
        CustomerId("cus_ada"),
        InvoiceId("inv_ada"),
        SubscriptionId("sub_ada"),
        DEFAULT_POLICY,
        AT,
    )
    return _with(case, changes)


def a_dunning_policy(id: str = "default", /, **changes: object) -> StoredPolicy:
    """Return the default policy as the host set it."""
    return _with(StoredPolicy(id, TENANT, 1, evolve(DEFAULT_POLICY, name=id)), changes)


def a_number_series(
    id: str = "seller/invoice/INV-{counter:05}", /, **changes: object
) -> NumberSeries:
    """Return a series that has given one number."""
    _, series = Series("INV-{counter:05}").next(on=START)
    return _with(NumberSeries(SeriesId(id), TENANT, 1, series, "0" * 64, AT), changes)


def a_command(key: str = "sign-up-1", /, **changes: object) -> CommandRecord:
    """Return the record of a command that came with an idempotency key."""
    command = CommandRecord(
        command_id(TENANT, key), TENANT, 1, "customers.create", "f" * 64, "customer", "cus_ada", AT
    )
    return _with(command, changes)


def an_event(**changes: object) -> Recorded:
    """Return the first event of the customer."""
    customer = a_customer()
    body = customers.CustomerCreated(customer.id, customer.number or "")
    return _with(record(created(customers.CUSTOMER, customer, body), at=AT)[0], changes)


def _with(value: R, changes: Mapping[str, object]) -> R:
    return evolve(value, **changes)  # type: ignore[misc]  # which class it is, is not known
