"""One record of every kind in every state, one event of every type, one of every choice.

Storages must return them unchanged, and each has its golden file. A class that is added to a union
without an example here fails a test. Nothing here is random or reads a clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from attrs import evolve, frozen

from subscriptions import (
    balance,
    catalog,
    coupons,
    credit_notes,
    customers,
    disputes,
    dunning,
    events,
    grants,
    idempotency,
    inbox,
    invoices,
    lifecycle,
    migrations,
    number_series,
    payment_methods,
    payments,
    pending_items,
    pro_forma,
    refunds,
    review,
    statements,
    usage,
)
from subscriptions.billing_cycles import BillingCycle, Interval, Period
from subscriptions.contract_terms import Terms
from subscriptions.customers import Address
from subscriptions.decisions import RecordParked, RecordUnparked
from subscriptions.discounts import AmountOff, DiscountShare
from subscriptions.ids import (
    BankLineId,
    CouponId,
    CreditNoteId,
    CustomerId,
    DisputeId,
    DunningCaseId,
    GrantId,
    InboundId,
    InvoiceId,
    MeterId,
    MigrationId,
    PaymentId,
    PaymentMethodId,
    PendingItemId,
    PriceId,
    ProductId,
    ProFormaId,
    PromotionCodeId,
    RedemptionId,
    RefundId,
    ReviewItemId,
    SubscriptionId,
)
from subscriptions.invoice_numbering import Reset, Series
from subscriptions.money import CHF, EUR, JPY, USD, Money, Rounding
from subscriptions.pricing import (
    Flat,
    FreeUnits,
    Graduated,
    GraduatedPercentage,
    Package,
    Percentage,
    PerUnit,
    PriceModel,
    RateTier,
    Stairstep,
    Step,
    Tier,
    Volume,
)
from subscriptions.proration import Cap, ChangeDay, Credit, Mode, Proration, ProrationUnit
from subscriptions.records import AnyKind, Metadata, Record
from subscriptions.tax_ids import TaxIdCheck
from subscriptions.taxes import (
    TaxableLine,
    TaxBehavior,
    TaxCategory,
    TaxExemption,
    TaxFlag,
    TaxRate,
    tax_totals,
)
from subscriptions.testing.builders import (
    AT,
    START,
    TENANT,
    a_balance_entry,
    a_bank_line,
    a_carried_level,
    a_command,
    a_coupon,
    a_credit_note,
    a_customer,
    a_debit,
    a_dispute,
    a_draft,
    a_dunning_case,
    a_dunning_policy,
    a_grant,
    a_grant_entry,
    a_meter,
    a_migration,
    a_move,
    a_number_series,
    a_payment,
    a_payment_method,
    a_pending_credit,
    a_pending_item,
    a_plan,
    a_price,
    a_pro_forma,
    a_product,
    a_promotion_code,
    a_redemption,
    a_refund,
    a_seller,
    a_subscription,
    a_usage_event,
    an_event,
    an_invoice,
    an_item,
)

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


@frozen
class Example:
    """A record, and what it is an example of: its kind, then what is special about it."""

    name: str
    kind: AnyKind
    record: Record


def examples() -> tuple[Example, ...]:
    """Return all examples; no two have one kind and one id, so all can be stored together."""
    return (
        *_customers(),
        *_balance(),
        *_grants(),
        *_payment_methods(),
        *_catalog(),
        *_usage(),
        *_coupons(),
        *_subscriptions(),
        *_migrations(),
        *_invoices(),
        *_credit_notes(),
        *_pending_items(),
        *_payments(),
        *_refunds(),
        *_disputes(),
        *_bank_lines(),
        *_inbox(),
        *_review(),
        *_dunning(),
        *_others(),
        *_events(),
    )


def _customers() -> Iterator[Example]:
    yield Example("customer", customers.CUSTOMER, a_customer())
    full = a_customer(
        "cus_full",
        balance=(Money(500, EUR), Money(7, USD)),
        grouping=customers.Grouping.DAY,
        billing_anchor=START,
        version=7,
        external_id="crm-4711",
        company="Analytical Engines Ltd",
        address=Address("1 Square", "Flat 2", "SW1Y 4JH", "London", "Westminster", "GB"),
        tax_id="GB999999973",
        language="pt-BR",
        zone="America/Sao_Paulo",
        default_method=METHOD,
        tags=("founder", "vip"),
        metadata=Metadata({"z": "1", "a": "", "emoji": "🧾"}),
    )
    yield Example("customer.full", customers.CUSTOMER, full)
    paying = a_customer(
        "cus_paying",
        collection_method=customers.CollectionMethod.SEND_INVOICE,
        backup_method=METHOD,
        terms_days=30,
        small_debts=(INVOICE,),
    )
    yield Example("customer.paying", customers.CUSTOMER, paying)
    holding = a_customer("cus_holding", version=4, grants=(a_grant(), _full_grant("grn_held")))
    yield Example("customer.holding", customers.CUSTOMER, holding)
    checked = TaxIdCheck(
        "DE136695976",
        valid=True,
        at=LATER,
        last_valid_at=AT,
        request_id="WAPIAAAAW1",
        name="Analytical Engines",
        address="1 Square, London",
        source="vies",
        tries=2,
        reason="MS_UNAVAILABLE",
    )
    yield Example(
        "customer.tax_id_checked",
        customers.CUSTOMER,
        a_customer(
            "cus_checked", tax_id="DE136695976", tax_id_check=checked, tax_id_check_at=LATER
        ),
    )
    exempt = TaxExemption("Exempt: diplomatic mission", "15-1", START, date(2027, 12, 31))
    yield Example(
        "customer.exempt", customers.CUSTOMER, a_customer("cus_exempt", tax_exemption=exempt)
    )
    bare = a_customer("cus_bare", number=None, email=None, address=Address())
    yield Example("customer.bare", customers.CUSTOMER, bare)


def _balance() -> Iterator[Example]:
    for cause in balance.Cause:
        used = cause in {balance.Cause.APPLIED, balance.Cause.REFUND}
        entry = a_balance_entry(
            f"bal_{cause.value}",
            cause=cause,
            amount_minor=-500 if used else 500,
            balance_minor=0 if used else 500,
            invoice=None if cause is balance.Cause.ADJUSTMENT else INVOICE,
            refund=REFUND if "refund" in cause.value else None,
            reason="goodwill" if cause is balance.Cause.ADJUSTMENT else "",
        )
        yield Example(f"balance_entry.{cause.value}", balance.BALANCE_ENTRY, entry)


def _grants() -> Iterator[Example]:
    yield Example("grant", grants.GRANT, a_grant())
    states: dict[str, grants.GrantState] = {
        "pending": grants.Pending(),
        "used_up": grants.UsedUp(LATER),
        "expired": grants.Expired(LATER),
        "voided": grants.Voided(LATER, "given by mistake"),
    }
    for name, state in states.items():
        ended = a_grant(f"grn_{name}", state=state, left_minor=1000 if name == "pending" else 0)
        yield Example(f"grant.{name}", grants.GRANT, ended)
    yield Example("grant.full", grants.GRANT, _full_grant("grn_full"))
    for cause in grants.Cause:
        entry = a_grant_entry(
            f"gre_{cause.value}",
            cause=cause,
            amount_minor=400 if cause is grants.Cause.RETURNED else -400,
            left_minor=600,
            ordinal=2,
            invoice=INVOICE if cause in {grants.Cause.APPLIED, grants.Cause.RETURNED} else None,
            credit_note=CREDIT_NOTE if cause is grants.Cause.RETURNED else None,
            into=GrantId("grn_next") if cause is grants.Cause.ROLLED_OVER else None,
        )
        yield Example(f"grant_entry.{cause.value}", grants.GRANT_ENTRY, entry)


def _full_grant(id: str) -> grants.Grant:
    scope = grants.Scope(
        (ProductId("pro"),), (PriceId("pro_monthly"),), (SUBSCRIPTION,), metered=True
    )
    return a_grant(
        id,
        version=3,
        left_minor=600,
        category=grants.Category.PAID,
        expires_at=LATER,
        priority=7,
        scope=scope,
        rollover=grants.Rollover(50, Money(300, EUR), 90, 3),
        name="Prepaid usage",
        reason="Order 4711",
        origin=GrantId("grn_before"),
        parked="DomainError: looked odd",
    )


def _payment_methods() -> Iterator[Example]:
    states: tuple[payment_methods.MethodState, ...] = (
        payment_methods.Usable(),
        payment_methods.Refused("stolen_card", LATER),
        payment_methods.Held((DISPUTE, DisputeId("dp_2")), LATER),
        payment_methods.Detached(LATER),
    )
    for state in states:
        method = a_payment_method(f"pm_{_word(state)}", state=state)
        yield Example(f"payment_method.{_word(state)}", payment_methods.PAYMENT_METHOD, method)
    details = payment_methods.MethodDetails("transfer", type="bank_transfer", automatic=False)
    transfer = a_payment_method("pm_transfer", gateway="transfer", details=details)
    yield Example("payment_method.transfer", payment_methods.PAYMENT_METHOD, transfer)


def _catalog() -> Iterator[Example]:
    yield Example("product", catalog.PRODUCT, a_product())
    gone = a_product("prod_old", archived=True, metadata=Metadata({"until": "2026"}))
    yield Example("product.archived", catalog.PRODUCT, gone)
    addon = a_product(
        "prod_addon",
        requires=(ProductId("prod_pro"), ProductId("prod_old")),
        excludes=(ProductId("prod_basic"),),
        entitlements=(
            catalog.Entitlement("priority support"),
            catalog.Entitlement("seats", 1, per_unit=True),
            catalog.Entitlement("storage", Decimal("0.5"), meter="gigabytes"),
        ),
    )
    yield Example("product.addon", catalog.PRODUCT, addon)
    priced = {
        "per_unit": a_price("price_per_unit", model=PerUnit(Decimal("0.000000000001"))),
        "flat": a_price("price_flat", model=Flat(Decimal("29.00"))),
        "daily": a_price("price_daily", every=Interval.days(30), currency=USD),
        "weekly": a_price("price_weekly", every=Interval.weeks(2), currency=JPY),
        "yearly": a_price("price_yearly", every=Interval.years(1), currency=CHF),
        "once": a_price("price_once", every=None, tax_behavior=TaxBehavior.INCLUSIVE),
        "archived": a_price("price_archived", archived=True, version=2),
        "metered": a_price(
            "price_metered", arrears=True, meter="api calls", trial_usage_billed=True
        ),
        "terms": a_price(
            "price_terms",
            minimum_minor=10000,
            setup_minor=4900,
            trial=Interval.days(14),
            introductory=(
                catalog.Introductory(3, PerUnit(Decimal("9.00"))),
                catalog.Introductory(1, Flat(Decimal("19.00"))),
            ),
            term_periods=24,
        ),
        "superseded": a_price(
            "price_superseded",
            version=2,
            superseded_by=PriceId("price_versioned"),
            superseded_on=START,
        ),
        "versioned": a_price(
            "price_versioned", valid_from=START, supersedes=PriceId("price_superseded")
        ),
        "overriding": a_price(
            "price_overriding", customer=CUSTOMER, overrides=PriceId("price_pro")
        ),
    }
    for name, price in priced.items():
        yield Example(f"price.{name}", catalog.PRICE, price)
    for name, model in _price_models().items():
        yield Example(f"price.{name}", catalog.PRICE, a_price(f"price_{name}", model=model))


def _price_models() -> dict[str, PriceModel]:
    tiers = (
        Tier(up_to=10, unit="1.00"),
        Tier(up_to=Decimal("100.5"), unit="0.50", flat="3.00"),
        Tier(unit="0.000000000001"),
    )
    graduated = Graduated(tiers)
    return {
        "graduated": graduated,
        "graduated_without_zero": Graduated(tiers, bill_zero=False),
        "volume": Volume(tiers),
        "stairstep": Stairstep((Step(up_to=10, price="9.00"), Step(price="49.00"))),
        "package": Package(size=100, price="5.00", free=100),
        "percentage": Percentage("1.5", fixed="0.30"),
        "percentage_full": Percentage(
            "2.9000000001",
            fixed="0.30",
            free_amount="1000.00",
            free_events=3,
            minimum="0.50",
            maximum="25.00",
        ),
        "graduated_percentage": GraduatedPercentage(
            (RateTier(up_to=1000, rate="2.9", flat="5.00"), RateTier(rate="2"))
        ),
        "free_units": FreeUnits(1000, graduated),
    }


def _coupons() -> Iterator[Example]:
    full = a_coupon(
        "cpn_full",
        version=4,
        terms=AmountOff((Money.of("5.00", "EUR"), Money.of("600", "JPY"))),
        duration=coupons.Periods(3),
        products=(ProductId("prod_pro"),),
        currencies=(EUR,),
        redeem_from=START,
        redeem_until=date(2027, 3, 1),
        max_redemptions=100,
        max_per_customer=1,
        first_purchase_only=True,
        minimum=Money.of("20.00", "EUR"),
        stackable=False,
        campaign="Spring 2027",
        archived=True,
        redeemed=2,
        metadata=Metadata({"affiliate": "grace"}),
    )
    forever = a_coupon("cpn_forever", duration=coupons.Forever())
    for name, coupon in {"once": a_coupon(), "full": full, "forever": forever}.items():
        yield Example(f"coupon.{name}", coupons.COUPON, coupon)
    private = a_promotion_code(
        "promo_private",
        version=3,
        customer=CUSTOMER,
        redeem_from=START,
        redeem_until=date(2027, 3, 1),
        max_redemptions=1,
        active=False,
        redeemed=1,
        metadata=Metadata({"sent": "by post"}),
    )
    yield Example("promotion_code", coupons.PROMOTION_CODE, a_promotion_code())
    yield Example("promotion_code.private", coupons.PROMOTION_CODE, private)
    yield Example("redemption", coupons.REDEMPTION, a_redemption())
    by_id = a_redemption("red_by_id", promotion_code=None, ordinal=2)
    yield Example("redemption.by_id", coupons.REDEMPTION, by_id)


def _usage() -> Iterator[Example]:
    made = {
        "sum": a_meter(),
        "count": a_meter("logins", aggregation=usage.Aggregation.COUNT),
        "max": a_meter("peak", aggregation=usage.Aggregation.MAX),
        "last": a_meter("seats", aggregation=usage.Aggregation.LAST),
        "time_weighted": a_meter("storage", aggregation=usage.Aggregation.TIME_WEIGHTED),
        "full": a_meter(
            "users",
            name="Active users",
            aggregation=usage.Aggregation.UNIQUE,
            counted_property="user",
            filters=(usage.Filter("plan", ("pro", "team")), usage.Filter("region", ("eu",))),
            rounding=usage.QuantityRounding(usage.RoundingMode.UP, 10),
        ),
    }
    for mode in usage.RoundingMode:
        rounding = usage.QuantityRounding(mode, "0.01")
        made[f"round_{mode}"] = a_meter(f"round {mode}", rounding=rounding)
    for name, meter in made.items():
        yield Example(f"meter.{name}", usage.METER, meter)
    late = a_usage_event(
        "evt/2",
        quantity=Decimal("-0.000000000001"),
        recorded_at=LATER,
        billed_with=datetime(2027, 2, 28, tzinfo=UTC),
        properties=Metadata({"user": "ada", "region": "eu"}),
    )
    yield Example("usage", usage.USAGE, a_usage_event())
    yield Example("usage.late", usage.USAGE, late)
    yield Example("usage_level", usage.LEVEL, a_carried_level(Decimal("12.5"), version=2))


def _subscriptions() -> Iterator[Example]:
    yearly = BillingCycle(START, Interval.years(1))
    two = (an_item(), an_item(quantity=Decimal("0.000000000001"), cycle=yearly))
    made = {
        "scheduled": a_subscription("sub_scheduled", contract=lifecycle.Scheduled(START)),
        "scheduled_trial": a_subscription(
            "sub_scheduled_trial", contract=lifecycle.Scheduled(START, date(2027, 2, 14))
        ),
        "trialing": a_subscription(
            "sub_trialing", contract=lifecycle.Trialing(date(2027, 2, 14)), version=2
        ),
        "active": a_subscription("sub_active"),
        "own_way_to_pay": a_subscription(
            "sub_own_way_to_pay",
            payment_method=METHOD,
            collection_method=customers.CollectionMethod.CHARGE_AUTOMATICALLY,
        ),
        "ended": a_subscription(
            "sub_ended", contract=lifecycle.Ended(LATER, lifecycle.EndReason.CANCELED)
        ),
        "ended_payment_failed": a_subscription(
            "sub_ended_payment_failed",
            contract=lifecycle.Ended(LATER, lifecycle.EndReason.PAYMENT_FAILED),
            collection=lifecycle.PastDue((INVOICE,)),
        ),
        "incomplete": a_subscription(
            "sub_incomplete",
            contract=lifecycle.Incomplete(START, INVOICE, LATER),
            payment_window_hours=23,
        ),
        "rich": a_subscription(
            "sub_rich",
            items=(
                an_item(
                    number=2,
                    had=(lifecycle.Had(PriceId("price_basic"), 2, START),),
                    billed=3,
                    last_minor=2900,
                    next_end=date(2027, 3, 15),
                ),
                an_item(
                    number=4,
                    arrears=True,
                    meter="api_calls",
                    since=AT,
                    usage_billed_minor=100,
                    first_stub=lifecycle.FirstStub.FULL,
                    free=(lifecycle.Free(AT, LATER),),
                ),
            ),
            start=START,
            debits=(
                a_debit(grants=(lifecycle.Grant(a_coupon().applied(), 290, 2900),)),
                a_debit(invoice=None, begin=Fraction(10, 31)),
                a_debit(item=2, rate=_QUEBEC[0], more_rates=_QUEBEC[1:]),
            ),
            pending=(a_pending_credit(),),
            schedule=(a_plan(), a_move()),
            discounts=(a_coupon().applied(),),
            pause=lifecycle.Pause(START, collect=False, resume_on=date(2027, 6, 1)),
            terms=Terms(minimum=Interval.years(1), notice=Interval.months(1)),
            trial_end=lifecycle.TrialEnd.PAUSE,
            ends_on=date(2029, 1, 31),
            catch_up=lifecycle.CatchUp.SKIP,
            catch_up_max=12,
            threshold=DUE,
            usage_check_at=AT,
            survey=lifecycle.Survey("too dear", "really"),
        ),
        "past_due": a_subscription("sub_past_due", collection=lifecycle.PastDue((INVOICE,))),
        "unpaid": a_subscription(
            "sub_unpaid", collection=lifecycle.Unpaid((INVOICE, InvoiceId("inv_2")))
        ),
        "canceling": a_subscription(
            "sub_canceling", cancellation=lifecycle.Cancellation(date(2027, 6, 30), "too dear")
        ),
        "full": a_subscription(
            "sub_full", items=two, external_id="order-1", metadata=Metadata({"b": "2", "a": "1"})
        ),
        "parked": a_subscription("sub_parked", parked="PriceGone: price_pro"),
    }
    for name, subscription in (made | _of_every_choice()).items():
        yield Example(f"subscription.{name}", lifecycle.SUBSCRIPTION, subscription)


def _of_every_choice() -> dict[str, lifecycle.Subscription]:
    """Return a subscription for each word of its choices that no other example has."""
    made: dict[str, lifecycle.Subscription] = {}
    for reason in lifecycle.EndReason:
        contract = lifecycle.Ended(LATER, reason)
        made[f"end_{reason}"] = a_subscription(f"sub_end_{reason}", contract=contract)
    for settlement in lifecycle.Settlement:
        cancellation = lifecycle.Cancellation(date(2027, 6, 30), settlement=settlement)
        made[f"settle_{settlement}"] = a_subscription(
            f"sub_settle_{settlement}", cancellation=cancellation
        )
    for policy in lifecycle.CatchUp:
        made[f"catch_up_{policy}"] = a_subscription(f"sub_catch_up_{policy}", catch_up=policy)
    for end in lifecycle.TrialEnd:
        made[f"trial_end_{end}"] = a_subscription(f"sub_trial_end_{end}", trial_end=end)
    for stub in lifecycle.FirstStub:
        made[f"stub_{stub}"] = a_subscription(f"sub_stub_{stub}", items=(an_item(first_stub=stub),))
    policies = (
        *[Proration(mode=mode) for mode in Mode],
        *[Proration(unit=unit) for unit in ProrationUnit],
        Proration(credit=Credit.NONE, cap=Cap.PAID, change_day=ChangeDay.OLD),
    )
    plans = tuple(a_plan(proration=policy, whole=True, remove=(2,)) for policy in policies)
    made["planned"] = a_subscription("sub_planned", schedule=plans)
    return made


def _invoices() -> Iterator[Example]:
    made = {
        "draft": a_draft("inv_draft"),
        "open": an_invoice("inv_open"),
        "paid": an_invoice("inv_paid", state=invoices.Paid(LATER), paid_minor=3451, version=2),
        "void": an_invoice("inv_void", state=invoices.Void(LATER, "a mistake"), version=2),
        "uncollectible": an_invoice(
            "inv_uncollectible", state=invoices.Uncollectible(LATER, "insolvent"), version=3
        ),
        "collecting": an_invoice("inv_collecting", collecting=PAYMENT, attempts=2),
        "dunning": an_invoice("inv_dunning", dunning=True, paid_minor=1),
        "parked": an_invoice("inv_parked", parked="UnreadableRecord: customer"),
        "every_tax": _with_every_tax(an_invoice("inv_every_tax")),
        "balance": an_invoice("inv_balance", balance_minor=451, activates=True),
        "granted": an_invoice("inv_granted", balance_minor=451, granted_minor=1000),
        "credited": an_invoice("inv_credited", credited_minor=1451),
        "disputed": an_invoice("inv_disputed", disputed=(PAYMENT,), reopened=2, dunning=True),
        "replaced": an_invoice(
            "inv_replaced", state=invoices.Void(LATER, "x"), replaced_by=INVOICE, version=3
        ),
        "replacing": an_invoice(
            "inv_replacing", replaces=INVOICE, sendings=(invoices.Sending(LATER, "a@example.com"),)
        ),
        "sent": an_invoice(
            "inv_sent", collection_method=customers.CollectionMethod.SEND_INVOICE, terms_days=30
        ),
        "small": an_invoice("inv_small", small=True),
        "charged_with_small": an_invoice("inv_charged_with_small", charge_at=LATER),
        "several_taxes": _with_several_taxes(an_invoice("inv_several_taxes")),
        "taxing": a_draft(
            "inv_taxing",
            finalize_at=LATER,
            taxing=invoices.Taxing(2, "ConnectionError", gives_back=True),
        ),
        "quoted": an_invoice("inv_quoted", tax_quote="fake:quote-1"),
        "every_line": _with_every_line(a_draft("inv_every_line", finalize_at=LATER)),
    }
    for name, invoice in made.items():
        yield Example(f"invoice.{name}", invoices.INVOICE, invoice)


def _credit_notes() -> Iterator[Example]:
    yield Example("credit_note", credit_notes.CREDIT_NOTE, a_credit_note())
    every = _with_every_tax(an_invoice())
    paid = evolve(every, paid_minor=every.total_minor, state=invoices.Paid(LATER))
    given_back = Money(paid.total_minor - 300, EUR)
    note = credit_notes.compose(
        paid,
        credit_notes.of_lines(paid, []),
        a_customer(),
        ordinal=2,
        division=credit_notes.divide(
            paid, paid.total, refund=Money(100, EUR), balance=Money(200, EUR), outside=given_back
        ),
        reason="a mistake",
        seller=a_seller(),
        salt="salt",
    )
    sealed = credit_notes.seal(note, number="CN-2", previous_hash="0" * 64, at=LATER).after
    yield Example("credit_note.every_tax", credit_notes.CREDIT_NOTE, sealed)
    taxed = _with_several_taxes(an_invoice())
    amounts = credit_notes.of_lines(taxed, [], {0: Money(500, EUR)})
    part = a_credit_note("cn_several_taxes", lines=amounts.lines, taxes=amounts.taxes)
    part = evolve(
        part,
        net_minor=amounts.net_minor,
        tax_minor=amounts.tax_minor,
        total_minor=amounts.total_minor,
        division=credit_notes.Division(amounts.total_minor, 0, 0, 0),
    )
    part = evolve(part, hash=credit_notes.content_hash(part))
    yield Example("credit_note.several_taxes", credit_notes.CREDIT_NOTE, part)
    granted = credit_notes.Division(3000, 0, 0, 0, 451)
    returned = a_credit_note("cn_granted", division=granted)
    yield Example("credit_note.granted", credit_notes.CREDIT_NOTE, returned)
    yield Example(
        "credit_note.erased",
        credit_notes.CREDIT_NOTE,
        a_credit_note("cn_erased", party=None, salt=""),
    )
    for rounding in Rounding:
        invoice = a_draft(f"inv_{rounding.value}", rounding=rounding)
        yield Example(f"invoice.{rounding.value}", invoices.INVOICE, invoice)


def _pending_items() -> Iterator[Example]:
    states: tuple[pending_items.ItemState, ...] = (
        pending_items.Waiting(),
        pending_items.Invoiced(INVOICE, LATER),
        pending_items.Withdrawn(LATER),
    )
    for state in states:
        word = pending_items.STATUS[type(state)]
        waiting = a_pending_item(f"item_{word}", subscription=SUBSCRIPTION, state=state)
        yield Example(f"pending_item.{word}", pending_items.PENDING_ITEM, waiting)
    taxed = a_pending_item("item_taxed", tax_category="books", tax_rates=_QUEBEC)
    yield Example("pending_item.taxed", pending_items.PENDING_ITEM, taxed)
    yield Example("pro_forma", pro_forma.PRO_FORMA, a_pro_forma())
    numbered = a_pro_forma("pf_numbered", number="PF-1")
    yield Example("pro_forma.numbered", pro_forma.PRO_FORMA, numbered)


def _with_every_tax(invoice: invoices.Invoice) -> invoices.Invoice:
    rates = [
        TaxRate(Decimal("20.0975"))
        if category is TaxCategory.STANDARD
        else TaxRate(Decimal(0), category)
        if category is TaxCategory.ZERO
        else TaxRate(Decimal(0), category, f"reason {category.value}")
        for category in TaxCategory
    ]
    behaviors = [TaxBehavior.INCLUSIVE, *[TaxBehavior.EXCLUSIVE] * (len(rates) - 1)]
    totals = tax_totals(
        [TaxableLine(1000, r, b) for r, b in zip(rates, behaviors, strict=True)],
        rounding=invoice.rounding,
    )
    lines = tuple(
        invoices.Line(
            f"line {rate.category.value}",
            Decimal("1.50"),
            None,
            1000,
            net_minor,
            EUR,
            rate,
            behavior,
            None,
            None,
        )
        for rate, behavior, net_minor in zip(rates, behaviors, totals.line_nets_minor, strict=True)
    )
    changed = evolve(
        invoice,
        lines=lines,
        taxes=totals.groups,
        net_minor=totals.net_minor,
        tax_minor=totals.tax_minor,
        total_minor=totals.gross_minor,
    )
    return evolve(changed, hash=invoices.content_hash(changed))


_QUEBEC = (TaxRate(Decimal(5), name="GST"), TaxRate(Decimal("9.975"), name="QST"))


def _with_several_taxes(invoice: invoices.Invoice) -> invoices.Invoice:
    """Return an invoice on which a line bears two taxes, and each kind of evidence was missing."""
    charges = [
        invoices.Charge(
            f"line {flag.value}", 1000, _QUEBEC[0], more_rates=_QUEBEC[1:], tax_flag=flag
        )
        for flag in TaxFlag
    ]
    composed = invoices.compose(
        invoice.id, a_customer(), charges, currency=EUR, seller=a_seller(), automatic=False
    )
    changed = evolve(
        invoice,
        lines=composed.lines,
        taxes=composed.taxes,
        net_minor=composed.net_minor,
        tax_minor=composed.tax_minor,
        total_minor=composed.total_minor,
    )
    return evolve(changed, hash=invoices.content_hash(changed))


def _with_every_line(invoice: invoices.Invoice) -> invoices.Invoice:
    """Return a customer's invoice of two subscriptions, on which a line of every kind stands."""
    month, rate = Period(START, date(2027, 2, 28)), TaxRate(Decimal(19))
    rest = Period(date(2027, 2, 10), month.end)
    welcome = DiscountShare(COUPON, "Welcome", 580)
    twice = (welcome, DiscountShare(CouponId("cpn_forever"), "Friend", 232))
    special: dict[invoices.LineKind, dict[str, object]] = {
        invoices.LineKind.PERIOD: {"amount_minor": 2900, "discounts": twice, "phase": 1},
        invoices.LineKind.CREDIT: {
            "amount_minor": -1491,
            "period": rest,
            "part": invoices.Part(-2320, Fraction(10, 28), Fraction(1)),
            "credits": invoices.LineRef(INVOICE, 0),
        },
        invoices.LineKind.DEBIT: {
            "period": rest,
            "part": invoices.Part(1556, Fraction(1, 3), Fraction(1), ProrationUnit.THIRTIETHS, 30),
        },
        invoices.LineKind.USAGE: {
            "usage": invoices.Measured(
                "api_calls", Decimal("1000.5"), 12, before_minor=200, taken_back=1
            ),
        },
        invoices.LineKind.LATE_USAGE: {
            "usage": invoices.Measured("api_calls", Decimal(1010), 13, Decimal("1000.5")),
        },
        invoices.LineKind.TRUE_UP: {
            "part": invoices.Part(2000, Fraction(), Fraction(1, 86_400), ProrationUnit.SECOND),
        },
        invoices.LineKind.SETUP: {"period": None},
        invoices.LineKind.ONE_OFF: {"period": None, "subscription": None, "item": None},
    }
    lines = tuple(
        evolve(
            invoices.Line(
                f"line {kind.value}",
                1,
                None,
                1000,
                1000,
                EUR,
                rate,
                TaxBehavior.EXCLUSIVE,
                month,
                PriceId("price_pro"),
                kind,
                SUBSCRIPTION if place else SubscriptionId("sub_full"),
                place + 1,
            ),
            **special[kind],  # type: ignore[arg-type]  # each is a field of a line
        )
        for place, kind in enumerate(invoices.LineKind)
    )
    lines = tuple(evolve(line, net_minor=line.amount_minor - line.discount_minor) for line in lines)
    totals = tax_totals(
        [TaxableLine(line.net_minor, line.rate, line.behavior) for line in lines],
        rounding=invoice.rounding,
    )
    return evolve(
        invoice,
        subscription=None,
        lines=lines,
        taxes=totals.groups,
        net_minor=totals.net_minor,
        tax_minor=totals.tax_minor,
        total_minor=totals.gross_minor,
    )


def _payments() -> Iterator[Example]:
    states: dict[str, payments.PaymentState] = {
        "intended": payments.Intended(LATER, 2),
        "unknown": payments.Unknown(AT, LATER, 3),
        "requires_action": payments.ActionRequired("https://bank.example/3ds", LATER),
        "processing": payments.Processing(AT, LATER),
        "succeeded": payments.Succeeded(AT),
        "void": payments.Voided(LATER, "never executed"),
        "authorized": payments.Authorized(AT, LATER),
        "capturing": payments.Capturing(
            payments.Authorized(AT, LATER), 1200, AT, AT, LATER, LATER, 2, INVOICE
        ),
    }
    for name, state in states.items():
        payment = a_payment(f"pay_{name}", state=state, allocations=())
        if isinstance(state, payments.Authorized | payments.Capturing):
            payment = evolve(payment, authorization=payments.Authorization(3451, 1))
        yield Example(f"payment.{name}", payments.PAYMENT, payment)
    for advice in payments.Advice:
        decline = payments.Decline("05", "do not honour", advice)
        hard = advice is payments.Advice.RETRY_NEVER
        state = payments.Declined(LATER, decline, hard)
        payment = a_payment(f"pay_declined_{advice.value}", state=state, allocations=())
        yield Example(f"payment.declined.{advice.value}", payments.PAYMENT, payment)
    parts = (payments.Allocation(INVOICE, 451), payments.Allocation(InvoiceId("inv_2"), 3000))
    received = a_payment(
        "pay_received",
        gateway="transfer",
        invoice=None,
        method=None,
        method_ref="",
        reference=None,
        allocations=parts,
    )
    yield Example("payment.received", payments.PAYMENT, received)
    parked = a_payment("pay_parked", parked="another amount", allocations=())
    together = a_payment(
        "pay_together",
        also=(payments.Allocation(InvoiceId("inv_small"), 20),),
        allocations=(payments.Allocation(INVOICE, 451),),
        balanced_minor=500,
    )
    yield Example("payment.together", payments.PAYMENT, together)
    yield Example("payment.parked", payments.PAYMENT, parked)
    held = payments.Authorization(5000, 2, payments.Release(LATER, LATER, 1))
    captured = a_payment("pay_captured", authorization=held)
    yield Example("payment.captured", payments.PAYMENT, captured)
    given_back = a_payment("pay_refunded", refunds=3, refunding_minor=1451, refunded_minor=2000)
    yield Example("payment.refunded", payments.PAYMENT, given_back)
    disputed = a_payment(
        "pay_disputed",
        disputes=2,
        disputed_minor=1500,
        allocations=(payments.Allocation(INVOICE, 1951),),
        withheld=(payments.Allocation(INVOICE, 1500),),
        unbalanced_minor=1,
    )
    yield Example("payment.disputed", payments.PAYMENT, disputed)


def _bank_lines() -> Iterator[Example]:
    states: dict[str, statements.LineState] = {
        "waiting": statements.Waiting(),
        "booked_by_hand": statements.Booked(LATER, PAYMENT, by_hand=True),
        "dismissed": statements.Dismissed(LATER, "rent"),
        "outgoing": statements.Outgoing(),
    }
    yield Example("bank_line.booked", statements.BANK_LINE, a_bank_line())
    for name, state in states.items():
        line = a_bank_line(f"bkl_{name}", state=state, customer=None, ordinal=2)
        yield Example(f"bank_line.{name}", statements.BANK_LINE, line)
    bare = statements.StatementLine(START, Money(-1, JPY))
    line = a_bank_line("bkl_bare", line=bare, state=statements.Outgoing(), customer=None)
    yield Example("bank_line.bare", statements.BANK_LINE, line)


def _refunds() -> Iterator[Example]:
    states: dict[str, refunds.RefundState] = {
        "intended": refunds.Intended(LATER, 2),
        "unknown": refunds.Unknown(AT, LATER, 3),
        "pending": refunds.Pending(AT, LATER),
        "succeeded": refunds.Succeeded(AT),
        "failed": refunds.Failed(LATER, refunds.RefundFailure("account_closed", "Closed")),
    }
    for name, state in states.items():
        refund = a_refund(f"ref_{name}", state=state)
        yield Example(f"refund.{name}", refunds.REFUND, refund)
    settled = a_refund(
        "ref_settled", invoice=INVOICE, from_balance=True, charge_ref=None, reference=None
    )
    yield Example("refund.from_balance", refunds.REFUND, settled)
    surplus = a_refund("ref_surplus", off_balance_minor=300)
    yield Example("refund.off_balance", refunds.REFUND, surplus)
    parked = a_refund("ref_parked", parked="another amount", state=refunds.Intended(AT))
    yield Example("refund.parked", refunds.REFUND, parked)


def _disputes() -> Iterator[Example]:
    states: dict[str, disputes.DisputeState] = {
        "opened": disputes.Opened(LATER),
        "withdrawn": disputes.Withdrawn(LATER),
        "won": disputes.Won(LATER),
        "lost": disputes.Lost(LATER),
    }
    for name, state in states.items():
        yield Example(f"dispute.{name}", disputes.DISPUTE, a_dispute(f"dp_{name}", state=state))
    for reopen in disputes.Reopen:
        policy = disputes.DisputePolicy(reopen, hold_method=False)
        given = a_dispute(f"dp_{reopen}", policy=policy, apply_at=LATER)
        yield Example(f"dispute.{reopen}", disputes.DISPUTE, given)
    for kind in disputes.DisputeKind:
        given = a_dispute(f"dp_{kind}", kind=kind, fee=Money(1500, EUR), invoices=(INVOICE,))
        yield Example(f"dispute.{kind}", disputes.DISPUTE, given)
    parked = a_dispute("dp_parked", parked="another amount", apply_at=LATER)
    yield Example("dispute.parked", disputes.DISPUTE, parked)


def _inbox() -> Iterator[Example]:
    said = payments.PaymentSnapshot(
        payments.Outcome.DECLINED_HARD,
        DUE,
        AT,
        PAYMENT,
        "ch_1",
        payments.Decline("05", "do not honour", payments.Advice.RETRY_NEVER),
        tenant=TENANT,
        invoice=INVOICE,
    )
    states: dict[str, inbox.InboundState] = {
        "waiting": inbox.Waiting(LATER, 2),
        "processed": inbox.Processed(LATER),
        "ignored": inbox.Ignored(LATER, "of another tenant"),
        "unmatched": inbox.Unmatched(LATER),
    }
    message = inbox.Inbound(
        InboundId("in"), TENANT, 2, "card", "evt", "charge.failed", AT, inbox.Waiting(AT), said
    )
    for name, state in states.items():
        id = InboundId(f"in_{name}")
        each = evolve(message, id=id, event=f"evt_{name}", state=state)
        yield Example(f"inbound.{name}", inbox.INBOUND, each)
    given_back = refunds.RefundSnapshot(
        refunds.RefundOutcome.FAILED,
        DUE,
        AT,
        REFUND,
        "re_1",
        refunds.RefundFailure("account_closed", "Closed"),
    )
    refund = evolve(
        message,
        id=InboundId("in_refund"),
        event="evt_refund",
        payment=None,
        refund=given_back,
        swept=True,
        parked="bug",
    )
    yield Example("inbound.refund", inbox.INBOUND, refund)
    disputed = disputes.DisputeSnapshot(
        "dp_at_the_gateway",
        PAYMENT,
        "ch_1",
        DUE,
        disputes.DisputeKind.RETURN,
        disputes.DisputeStatus.LOST,
        "AM04",
        AT,
        LATER,
        funds_withdrawn=True,
        fee=Money(300, EUR),
    )
    dispute = evolve(
        message,
        id=InboundId("in_dispute"),
        event="evt_dispute",
        payment=None,
        dispute=disputed,
    )
    yield Example("inbound.dispute", inbox.INBOUND, dispute)
    yield from _of_every_outcome(message, refund, dispute)
    pruned = evolve(
        message,
        id=InboundId("in_pruned"),
        event="evt_pruned",
        payment=None,
        state=inbox.Pruned(LATER),
    )
    yield Example("inbound.pruned", inbox.INBOUND, pruned)


def _of_every_outcome(
    message: inbox.Inbound, refund: inbox.Inbound, dispute: inbox.Inbound
) -> Iterator[Example]:
    """Return a message of everything that a gateway may say."""
    assert message.payment is not None
    assert refund.refund is not None
    assert dispute.dispute is not None
    told: dict[str, inbox.Inbound] = {}
    for outcome in payments.Outcome:
        if outcome not in (payments.Outcome.DECLINED_SOFT, payments.Outcome.DECLINED_HARD):
            said = evolve(message.payment, outcome=outcome, decline=None)
            told[f"payment_{outcome.value}"] = evolve(message, payment=said)
    soft = evolve(message.payment, outcome=payments.Outcome.DECLINED_SOFT)
    told["payment_declined_soft"] = evolve(message, payment=soft)
    for word in refunds.RefundOutcome:
        if word is not refunds.RefundOutcome.FAILED:
            given = evolve(refund.refund, outcome=word, failure=None, tenant=TENANT)
            told[f"refund_{word.value}"] = evolve(refund, refund=given)
    for status in disputes.DisputeStatus:
        stands = evolve(dispute.dispute, status=status)
        told[f"dispute_{status.value}"] = evolve(dispute, dispute=stands)
    for kind in disputes.DisputeKind:
        contested = evolve(dispute.dispute, kind=kind, funds_withdrawn=False)
        told[f"dispute_{kind.value}"] = evolve(dispute, dispute=contested)
    for name, each in told.items():
        record = evolve(each, id=InboundId(f"in_{name}"), event=f"evt_{name}")
        yield Example(f"inbound.{name}", inbox.INBOUND, record)


def _review() -> Iterator[Example]:
    item = review.ReviewItem(
        REVIEW,
        TENANT,
        1,
        review.Matter.PARKED,
        "payment",
        PAYMENT,
        AT,
        "the gateway did not say",
        CUSTOMER,
        DUE,
    )
    for matter in review.Matter:
        each = evolve(item, id=ReviewItemId(f"rev_{matter.value}"), matter=matter)
        yield Example(f"review_item.{matter.value}", review.REVIEW_ITEM, each)
    closed = evolve(
        item,
        id=ReviewItemId("rev_closed"),
        version=2,
        customer=None,
        amount=None,
        closed=review.Closed(LATER, "found"),
    )
    yield Example("review_item.closed", review.REVIEW_ITEM, closed)


def _dunning() -> Iterator[Example]:
    states: dict[str, dunning.CaseState] = {
        "running": dunning.Running(),
        "held": dunning.Held("asked for time", AT, LATER),
        "held_without_end": dunning.Held("in court", AT),
        "stopped": dunning.Stopped(LATER, "paid"),
        "exhausted": dunning.Exhausted(LATER),
    }
    for name, state in states.items():
        case = a_dunning_case(f"dun_{name}", state=state, next_step=2)
        yield Example(f"dunning_case.{name}", dunning.DUNNING_CASE, case)
    waiting = a_dunning_case("dun_waiting", wait_until=LATER, subscription=None, parked="bug")
    yield Example("dunning_case.waiting", dunning.DUNNING_CASE, waiting)
    unpaid = dunning.DunningPolicy(
        retries=dunning.Retries.after_days(3),
        steps=(dunning.Reminder(1, level=9),),
        final=dunning.MarkUnpaid(),
        name="gentle",
        try_backup=False,
    )
    yield Example("dunning_policy", dunning.DUNNING_POLICY, a_dunning_policy())
    gentle = a_dunning_policy("gentle", policy=unpaid)
    yield Example("dunning_policy.gentle", dunning.DUNNING_POLICY, gentle)


def _migrations() -> Iterator[Example]:
    states = (migrations.InPlace(), migrations.Undoing(), migrations.Undone())
    for state in states:
        word = migrations.STATUSES[type(state)]
        id = MigrationId(f"mig_{word}")
        migration = a_migration(id=id, version=5, state=state, planned=3, withdrawn=2)
        yield Example(f"migration.{word}", migrations.MIGRATION, migration)
    told = a_migration(notice=Interval.months(1))
    yield Example("migration.planning", migrations.MIGRATION, told)


def _others() -> Iterator[Example]:
    for reset in Reset:
        series = Series(
            "{prefix}-{customer}-{year}{month}-{counter:03}",
            reset=reset,
            start=10,
            prefix="RE",
            customer="K7",
        )
        stands = a_number_series(f"series_{reset.value}", series=series, last_hash="", last_at=None)
        yield Example(f"number_series.{reset.value}", number_series.NUMBER_SERIES, stands)
    yield Example("number_series.running", number_series.NUMBER_SERIES, a_number_series())
    yield Example("command", idempotency.COMMAND, a_command())


def event_bodies() -> tuple[events.Event, ...]:
    """Return one event of every type, in the order of the union; some types more than once."""
    period = Period(START, date(2027, 2, 28))
    return (
        customers.CustomerCreated(CUSTOMER, "C-cus_ada"),
        customers.CustomerUpdated(CUSTOMER, ("email", "name")),
        customers.DefaultMethodChanged(CUSTOMER, METHOD),
        customers.BackupMethodChanged(CUSTOMER, METHOD),
        customers.SmallDebtsChanged(CUSTOMER, (INVOICE,)),
        customers.BalanceMoved(CUSTOMER, Money(-500, EUR), DUE, "applied", INVOICE),
        grants.GrantCreated(GRANT, CUSTOMER, DUE, "paid", GrantId("grn_before")),
        grants.GrantBegan(GRANT, CUSTOMER),
        grants.GrantApplied(GRANT, CUSTOMER, INVOICE, Money(500, EUR), DUE),
        grants.GrantReturned(GRANT, CUSTOMER, INVOICE, Money(500, EUR), DUE),
        grants.GrantExpired(GRANT, CUSTOMER, DUE),
        grants.GrantRolledOver(GRANT, CUSTOMER, GrantId("grn_next"), DUE),
        grants.GrantVoided(GRANT, CUSTOMER, DUE, "given by mistake"),
        customers.TaxIdCheckPlanned(CUSTOMER, LATER),
        customers.TaxIdVerified(CUSTOMER, AT, "WAPIAAAAW1"),
        customers.TaxIdRejected(CUSTOMER, AT, "WAPIAAAAW2"),
        customers.TaxIdUnverified(CUSTOMER, LATER, "MS_UNAVAILABLE", 2, AT),
        payment_methods.PaymentMethodAttached(CUSTOMER, METHOD, "card"),
        payment_methods.PaymentMethodRefused(CUSTOMER, METHOD, "stolen_card"),
        payment_methods.PaymentMethodHeld(CUSTOMER, METHOD, DISPUTE),
        payment_methods.PaymentMethodReleased(CUSTOMER, METHOD, DISPUTE, usable=True),
        payment_methods.PaymentMethodDetached(CUSTOMER, METHOD),
        catalog.ProductAdded(ProductId("prod_pro"), "Pro"),
        catalog.ProductArchived(ProductId("prod_pro")),
        catalog.PriceAdded(ProductId("prod_pro"), PriceId("price_pro")),
        catalog.PriceVersioned(
            ProductId("prod_pro"), PriceId("price_pro"), PriceId("price_pro_2"), START
        ),
        catalog.PriceOverridden(
            ProductId("prod_pro"), PriceId("price_ada"), PriceId("price_pro"), CUSTOMER
        ),
        usage.MeterAdded(MeterId("api_calls"), "API calls"),
        catalog.PriceArchived(ProductId("prod_pro"), PriceId("price_pro")),
        coupons.CouponCreated(COUPON, "Welcome"),
        coupons.CouponRedeemed(COUPON, CUSTOMER, SUBSCRIPTION, RedemptionId("red_ada"), CODE),
        coupons.CouponArchived(COUPON),
        coupons.PromotionCodeCreated(CODE, COUPON, "WELCOME", None),
        coupons.PromotionCodeRedeemed(CODE, COUPON, RedemptionId("red_ada")),
        coupons.PromotionCodeDeactivated(CODE, COUPON),
        migrations.MigrationStarted(
            a_migration().id, PriceId("price_pro"), PriceId("price_pro_2"), date(2027, 6, 1)
        ),
        migrations.MigrationProgressed(a_migration().id, 3, 2),
        migrations.MigrationPlanned(
            a_migration().id, PriceId("price_pro"), PriceId("price_pro_2"), date(2027, 6, 1), 3
        ),
        migrations.MigrationUndoStarted(a_migration().id),
        migrations.MigrationUndone(
            a_migration().id, PriceId("price_pro"), PriceId("price_pro_2"), 2, 1
        ),
        lifecycle.SubscriptionCreated(SUBSCRIPTION, CUSTOMER, START),
        lifecycle.TrialStarted(SUBSCRIPTION, CUSTOMER, START),
        lifecycle.TrialEnded(SUBSCRIPTION, CUSTOMER, START),
        lifecycle.SubscriptionStarted(SUBSCRIPTION, CUSTOMER, START),
        lifecycle.TrialEndMoved(SUBSCRIPTION, CUSTOMER, START),
        lifecycle.SubscriptionRenewed(
            SUBSCRIPTION, CUSTOMER, (1,), (period,), (2900,), INVOICE, (a_debit(),), (COUPON,), 1
        ),
        lifecycle.PeriodsSkipped(SUBSCRIPTION, CUSTOMER, (1,), START),
        lifecycle.UsageBilled(SUBSCRIPTION, CUSTOMER, (1,), (DUE,), INVOICE),
        lifecycle.UsageCheckScheduled(SUBSCRIPTION, CUSTOMER, AT),
        lifecycle.SubscriptionChanged(
            SUBSCRIPTION,
            CUSTOMER,
            AT,
            (an_item(number=2),),
            (a_debit(),),
            (a_pending_credit(),),
            "migration",
            INVOICE,
            planned=True,
            first_line=3,
        ),
        lifecycle.ChangeScheduled(SUBSCRIPTION, CUSTOMER, a_plan()),
        lifecycle.PlannedChangeAnnounced(SUBSCRIPTION, CUSTOMER, a_move(), DUE, None),
        lifecycle.ScheduledChangesWithdrawn(SUBSCRIPTION, CUSTOMER, None),
        lifecycle.CouponApplied(SUBSCRIPTION, CUSTOMER, a_coupon().applied("WELCOME")),
        lifecycle.CouponRemoved(SUBSCRIPTION, CUSTOMER, COUPON),
        lifecycle.FirstPaymentAwaited(SUBSCRIPTION, CUSTOMER, INVOICE, LATER),
        lifecycle.SubscriptionActivated(SUBSCRIPTION, CUSTOMER),
        lifecycle.SubscriptionPaused(
            SUBSCRIPTION, CUSTOMER, lifecycle.Pause(START, resume_on=date(2027, 6, 1))
        ),
        lifecycle.SubscriptionResumed(SUBSCRIPTION, CUSTOMER, START),
        lifecycle.SubscriptionReactivated(SUBSCRIPTION, CUSTOMER, (an_item(),), START),
        lifecycle.SubscriptionTransferred(SUBSCRIPTION, CUSTOMER, CustomerId("cus_bob"), "UTC"),
        lifecycle.EndSet(SUBSCRIPTION, CUSTOMER, date(2028, 1, 31)),
        lifecycle.CatchUpSet(SUBSCRIPTION, CUSTOMER, lifecycle.CatchUp.TOGETHER, 12),
        lifecycle.SurveyAnswered(SUBSCRIPTION, CUSTOMER, "too dear", "I found another one."),
        lifecycle.CancellationScheduled(SUBSCRIPTION, CUSTOMER, START, "too dear"),
        lifecycle.CancellationWithdrawn(SUBSCRIPTION, CUSTOMER),
        lifecycle.SubscriptionEnded(SUBSCRIPTION, CUSTOMER, AT, lifecycle.EndReason.CANCELED),
        lifecycle.SubscriptionPastDue(SUBSCRIPTION, CUSTOMER, INVOICE),
        lifecycle.SubscriptionRecovered(SUBSCRIPTION, CUSTOMER, INVOICE, 1),
        lifecycle.SubscriptionDebtWrittenOff(SUBSCRIPTION, CUSTOMER, INVOICE, 0),
        lifecycle.SubscriptionUnpaid(SUBSCRIPTION, CUSTOMER),
        invoices.InvoiceDrafted(INVOICE, CUSTOMER, DUE),
        invoices.InvoiceFinalized(INVOICE, CUSTOMER, SUBSCRIPTION, "INV-1", DUE, START),
        invoices.InvoicePaid(INVOICE, CUSTOMER, SUBSCRIPTION, "INV-1", DUE),
        invoices.InvoicePartlyPaid(INVOICE, CUSTOMER, Money(1, EUR), Money(3450, EUR)),
        invoices.InvoiceReopened(INVOICE, CUSTOMER, SUBSCRIPTION, PAYMENT, DUE, DUE),
        invoices.InvoiceDisputeEnded(INVOICE, CUSTOMER, PAYMENT),
        invoices.CollectionStarted(INVOICE, CUSTOMER, PAYMENT),
        invoices.CollectionEnded(INVOICE, CUSTOMER, PAYMENT),
        invoices.AttemptCounted(INVOICE, CUSTOMER, PAYMENT, 3),
        invoices.InvoiceOverdue(INVOICE, CUSTOMER, SUBSCRIPTION, DUE),
        invoices.InvoiceDunningEnded(INVOICE, CUSTOMER),
        invoices.InvoiceVoided(INVOICE, CUSTOMER, "a mistake"),
        invoices.InvoiceReplaced(INVOICE, CUSTOMER, InvoiceId("inv_2")),
        invoices.InvoiceSent(INVOICE, CUSTOMER, 2),
        invoices.InvoiceTaxPending(INVOICE, CUSTOMER, "ConnectionError", 3),
        pending_items.PendingItemAdded(ITEM, CUSTOMER, SUBSCRIPTION, DUE),
        pending_items.PendingItemInvoiced(ITEM, CUSTOMER, INVOICE),
        pending_items.PendingItemWithdrawn(ITEM, CUSTOMER),
        pro_forma.ProFormaMade(ProFormaId("pf_ada"), CUSTOMER, None, DUE),
        invoices.InvoiceCredited(INVOICE, CUSTOMER, CREDIT_NOTE, DUE, DUE),
        credit_notes.CreditNoteIssued(CREDIT_NOTE, CUSTOMER, INVOICE, "CN-1", DUE),
        invoices.InvoiceMarkedUncollectible(INVOICE, CUSTOMER, DUE, "insolvent"),
        payments.PaymentIntended(PAYMENT, CUSTOMER, INVOICE, DUE),
        payments.PaymentSucceeded(PAYMENT, CUSTOMER, None, DUE),
        payments.PaymentFailed(PAYMENT, CUSTOMER, INVOICE, DUE, "51", hard=False),
        payments.PaymentAuthorized(PAYMENT, CUSTOMER, INVOICE, DUE, LATER),
        payments.PaymentCaptureIntended(PAYMENT, CUSTOMER, INVOICE, DUE),
        payments.PaymentCaptureFailed(PAYMENT, CUSTOMER, INVOICE, DUE, "processor_error"),
        payments.PaymentRestReleased(PAYMENT, CUSTOMER, DUE),
        payments.PaymentActionRequired(PAYMENT, CUSTOMER, INVOICE, "https://bank.example/3ds"),
        payments.PaymentProcessing(PAYMENT, CUSTOMER, INVOICE),
        payments.PaymentOutcomeUnknown(PAYMENT, CUSTOMER, INVOICE, 1, LATER),
        payments.PaymentNotExecuted(PAYMENT, CUSTOMER, INVOICE, 1, LATER),
        payments.PaymentWithdrawn(PAYMENT, CUSTOMER, INVOICE),
        payments.PaymentAdopted(PAYMENT, CUSTOMER, INVOICE, DUE, "card"),
        payments.PaymentQuarantined(
            PAYMENT, CUSTOMER, INVOICE, DUE, Money(3452, EUR), "succeeded", "ch_1"
        ),
        payments.PaymentResolved(PAYMENT, CUSTOMER, INVOICE, "succeeded", "seen at the gateway"),
        payments.PaymentVoided(PAYMENT, CUSTOMER, INVOICE, "never executed"),
        payments.PaymentAllocated(PAYMENT, CUSTOMER, INVOICE, DUE),
        payments.PaymentDeallocated(PAYMENT, CUSTOMER, INVOICE, DUE),
        payments.PaymentPutOnBalance(PAYMENT, CUSTOMER, DUE),
        payments.PaymentTakenOffBalance(PAYMENT, CUSTOMER, DUE),
        lifecycle.SubscriptionPaymentSet(
            SUBSCRIPTION, CUSTOMER, METHOD, customers.CollectionMethod.SEND_INVOICE
        ),
        statements.BankLineImported(LINE, DUE, "waiting"),
        statements.BankLineBooked(LINE, CUSTOMER, PAYMENT, by_hand=True),
        statements.BankLineDismissed(LINE, "rent"),
        invoices.InvoiceLeftForLater(INVOICE, CUSTOMER, DUE),
        payments.PaymentRefundReserved(PAYMENT, CUSTOMER, REFUND, DUE),
        payments.PaymentRefunded(PAYMENT, CUSTOMER, REFUND, DUE),
        payments.PaymentRefundReleased(PAYMENT, CUSTOMER, REFUND, DUE),
        payments.PaymentDisputed(PAYMENT, CUSTOMER, DISPUTE, DUE),
        payments.PaymentWithheld(PAYMENT, CUSTOMER, DUE),
        payments.PaymentRestored(PAYMENT, CUSTOMER, DUE),
        disputes.DisputeOpened(
            DISPUTE,
            CUSTOMER,
            PAYMENT,
            disputes.DisputeKind.CHARGEBACK,
            DUE,
            "fraudulent",
            LATER,
            funds_withdrawn=True,
        ),
        disputes.DisputeUpdated(
            DISPUTE,
            CUSTOMER,
            PAYMENT,
            disputes.DisputeKind.INQUIRY,
            DUE,
            "general",
            None,
            funds_withdrawn=False,
        ),
        disputes.DebitReturned(DISPUTE, CUSTOMER, PAYMENT, DUE, "AM04"),
        disputes.DisputeWon(DISPUTE, CUSTOMER, PAYMENT, DUE),
        disputes.DisputeLost(DISPUTE, CUSTOMER, PAYMENT, DUE),
        disputes.DisputeWithdrawn(DISPUTE, CUSTOMER, PAYMENT, DUE),
        disputes.DisputeReconsidered(DISPUTE, CUSTOMER, PAYMENT),
        disputes.DisputeTookEffect(DISPUTE, CUSTOMER, PAYMENT, DUE),
        disputes.DisputeAwaitsPayment(DISPUTE, CUSTOMER, PAYMENT),
        refunds.RefundIntended(REFUND, CUSTOMER, PAYMENT, DUE),
        refunds.RefundSucceeded(REFUND, CUSTOMER, PAYMENT, DUE),
        refunds.RefundPending(REFUND, CUSTOMER, PAYMENT),
        refunds.RefundFailed(REFUND, CUSTOMER, PAYMENT, DUE, "account_closed"),
        refunds.RefundUnknown(REFUND, CUSTOMER, PAYMENT, 1, LATER),
        refunds.RefundNotExecuted(REFUND, CUSTOMER, PAYMENT, 1, LATER),
        dunning.DunningPolicySet("default"),
        dunning.DunningStarted(CASE, CUSTOMER, INVOICE, "default"),
        dunning.DunningStepTaken(CASE, CUSTOMER, INVOICE, 0, dunning.Reminder(0)),
        dunning.DunningStepTaken(CASE, CUSTOMER, INVOICE, 1, dunning.Retry(), "no method"),
        dunning.DunningStepTaken(CASE, CUSTOMER, INVOICE, 2, dunning.CancelSubscription()),
        dunning.DunningStepTaken(CASE, CUSTOMER, INVOICE, 3, dunning.MarkUnpaid()),
        dunning.DunningStepTaken(CASE, CUSTOMER, INVOICE, 4, dunning.MarkUncollectible()),
        dunning.DunningReminderDue(CASE, CUSTOMER, INVOICE, 1),
        dunning.DunningPostponed(CASE, CUSTOMER, LATER),
        dunning.DunningHeld(CASE, CUSTOMER, "asked for time", None),
        dunning.DunningReleased(CASE, CUSTOMER),
        dunning.DunningStopped(CASE, CUSTOMER, INVOICE, "paid"),
        dunning.DunningExhausted(CASE, CUSTOMER, INVOICE),
        review.ReviewNeeded(REVIEW, review.Matter.PARKED, "payment", PAYMENT, CUSTOMER),
        review.ReviewClosed(REVIEW, None, "found"),
        RecordParked("subscription", "sub_ada", "PriceGone: price_pro"),
        RecordUnparked("subscription", "sub_ada"),
    )


def _events() -> Iterator[Example]:
    for place, body in enumerate(event_bodies(), 1):
        kind, _, subject = events.TAGS[type(body)].partition(".")
        recorded = an_event(
            id=f"{kind}:subject:{place}",
            kind=kind,
            subject="subject",
            sequence=place,
            customer=getattr(body, "customer", None),
            at=AT + timedelta(microseconds=place),
            body=body,
        )
        name = f"event.{kind}.{subject}"
        if isinstance(body, dunning.DunningStepTaken):
            name += f".{body.step}"
        yield Example(name, events.EVENT, recorded)


def _word(state: payment_methods.MethodState) -> str:
    return type(state).__name__.lower()
