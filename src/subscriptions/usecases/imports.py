"""Import of running customers: what one row of a file makes, all of it or nothing.

A row that is known already, by its external ids, makes nothing; so an import may be repeated. No
invoice is made here and nothing is charged: what a customer owes from `paid_until` on is billed
when it falls due. Ids are derived from the external ids, so a repetition arrives at the same ones,
and two rows of one batch that need the same new price make one.
"""

from __future__ import annotations

from datetime import date
from typing import TypeAlias

from subscriptions import catalog, customers, lifecycle, payment_methods
from subscriptions.catalog import PRICE, PRODUCT, Price, Product
from subscriptions.customer_files import (
    CustomerRow,
    ImportedCustomer,
    ImportedMethod,
    ImportedSubscription,
    RowError,
)
from subscriptions.customers import CUSTOMER, Customer
from subscriptions.decisions import Change, Decision
from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.ids import (
    CustomerId,
    PaymentMethodId,
    PriceId,
    ProductId,
    SubscriptionId,
    derived_id,
)
from subscriptions.lifecycle import (
    SUBSCRIPTION,
    Active,
    Contract,
    Item,
    Scheduled,
    Subscription,
    Trialing,
)
from subscriptions.payment_methods import MethodDetails
from subscriptions.pricing import PerUnit
from subscriptions.records import Ref, evolve
from subscriptions.usecases.flows import Context, Flow, Having

UNBILLED_PERIODS_MAX = 36
"""So many periods may be owed by an imported subscription; more is taken for a typing error."""


@frozen
class ImportReport:
    """What an import did, or with `dry_run` would have done.

    `rows` is `created` and `unchanged` and the rows that have errors.
    """

    rows: int
    created: int
    unchanged: int
    errors: tuple[RowError, ...]
    dry_run: bool


Enrolled: TypeAlias = Decision | tuple[RowError, ...]


def customer_id(row: CustomerRow, context: Context) -> CustomerId:
    """Return the id of the customer of a row: the same at every attempt to import it."""
    external_id = row.customer.external_id
    return CustomerId(derived_id("cus", context.tenant, "import", external_id))


def enroll(
    row: CustomerRow, context: Context, *, attached: MethodDetails | None = None
) -> Flow[Enrolled]:
    """Decide what a row makes: customer, method, product, price and subscription together.

    `attached` is what the gateway said of the row's token. An empty decision says that the row is
    known already. What is wrong is returned, one error for each field.
    """
    wanted, subscription = row.customer, row.subscription
    known = yield from Having(CUSTOMER, "external_id", wanted.external_id)
    running: tuple[Subscription, ...] = ()
    if subscription is not None:
        running = yield from Having(SUBSCRIPTION, "external_id", subscription.external_id)
    if known and (subscription is None or [s.customer for s in running] == [known[0].id]):
        return Decision()
    errors: list[RowError] = []
    if known:
        expected = "of a customer who is new, or who has this very subscription"
        errors.append(RowError(row.row, "external_id", wanted.external_id, expected))
    elif running and subscription is not None:
        name, taken = "subscription_external_id", subscription.external_id
        errors.append(RowError(row.row, name, taken, "not taken by another customer"))
    if wanted.number is not None and not known:
        numbered = yield from Having(CUSTOMER, "number", wanted.number)
        if numbered:
            errors.append(RowError(row.row, "number", wanted.number, "not taken"))
    errors += _wrong_way_to_pay(row, context)
    errors += _wrong_tax_id(row.row, wanted, context)
    if subscription is not None:
        errors += _wrong_days(row.row, subscription, context.today(wanted.zone))
        errors += _wrong_country(row.row, wanted, subscription, context)
    if errors:
        return tuple(errors)
    return (yield from _made(row, context, attached))


def token_of(row: CustomerRow, context: Context) -> ImportedMethod | None:
    """Return the token that a gateway is to be asked about, if the row has one."""
    method = row.method
    return (
        method
        if method is not None and method.token and method.gateway in context.gateways
        else None
    )


# ---- what is wrong ----------------------------------------------------------------------------


def _wrong_way_to_pay(row: CustomerRow, context: Context) -> list[RowError]:
    method = row.method
    if method is None:
        return []
    capabilities = context.gateways.get(method.gateway)
    if capabilities is None:
        names = ", ".join(context.gateways)
        return [RowError(row.row, "gateway", method.gateway, f"one of {names}")]
    if capabilities.collects and not method.token:
        message = f"a token of gateway {method.gateway}"
        return [RowError(row.row, "payment_token", "", message)]
    return []


def _wrong_days(row: int, subscription: ImportedSubscription, today: date) -> list[RowError]:
    first, cycle = subscription.first, subscription.cycle
    if first > today:
        return []
    if subscription.trial_until is not None:
        expected = f"after today, {today}; a trial that is over has a paid_until"
        return [RowError(row, "trial_until", str(first), expected)]
    if subscription.paid_until is None:
        expected = "the first day that is not paid, for the start has come"
        return [RowError(row, "paid_until", "", expected)]
    owed = cycle.index_of(today) + 1 - subscription.index
    if owed > UNBILLED_PERIODS_MAX:
        expected = f"at most {UNBILLED_PERIODS_MAX} periods before today, {today}"
        return [RowError(row, "paid_until", str(first), expected)]
    return []


def _wrong_country(
    row: int, customer: ImportedCustomer, subscription: ImportedSubscription, context: Context
) -> list[RowError]:
    country = customer.address.country
    alike = Customer(CustomerId(""), context.tenant, 0, customer.name, "", address=customer.address)
    try:
        context.tax_for(alike, subscription.first)
    except ValidationError as error:
        return [RowError(row, "country", country, error.expected)]
    return []


def _wrong_tax_id(row: int, customer: ImportedCustomer, context: Context) -> list[RowError]:
    try:
        context.read_tax_id(customer.tax_id, customer.address.country)
    except ValidationError as error:
        return [RowError(row, "tax_id", customer.tax_id, error.expected)]
    return []


# ---- what is made -----------------------------------------------------------------------------


def _made(row: CustomerRow, context: Context, attached: MethodDetails | None) -> Flow[Decision]:
    wanted, id = row.customer, customer_id(row, context)
    changes: list[Change] = []
    method: PaymentMethodId | None = None
    if attached is not None and row.method is not None:
        method = PaymentMethodId(derived_id("pm", id, "import"))
        changes.append(
            payment_methods.attach(
                method,
                attached,
                tenant=context.tenant,
                customer=id,
                gateway=row.method.gateway,
                at=context.at,
            )
        )
    tax_id = context.read_tax_id(wanted.tax_id, wanted.address.country)
    customer = Customer(
        id,
        context.tenant,
        1,
        wanted.name,
        context.ids.secret(),
        number=wanted.number,
        external_id=wanted.external_id,
        company=wanted.company,
        email=wanted.email,
        address=wanted.address,
        tax_id=tax_id,
        language=wanted.language,
        zone=wanted.zone,
        default_method=method,
        tags=wanted.tags,
        metadata=wanted.metadata,
        tax_id_check_at=context.ask_about(tax_id),
    )
    if row.subscription is not None:
        price, added = yield from _price(row.subscription, context)
        changes += added
        changes.append(_subscription(row.subscription, customer, price, context))
    seller = context.seller
    move = customers.create(
        customer, series=seller.customer_series, numbers=seller.customer_numbers
    )
    about = Ref(CUSTOMER, id)
    if isinstance(move, Change):
        return Decision((move, *changes), about=about)
    return Decision(tuple(changes), (move,), about)


def _price(
    wanted: ImportedSubscription, context: Context
) -> Flow[tuple[Price, tuple[Change, ...]]]:
    """Find the price of a subscription by what it says, else make it, and its product."""
    tenant, name = context.tenant, wanted.product
    every, tax = wanted.cycle.every, wanted.tax_behavior
    named = yield from Having(PRODUCT, "name", name)
    changes: tuple[Change, ...] = ()
    prices: tuple[Price, ...] = ()
    if named:
        product = named[0]
        prices = yield from Having(PRICE, "product", product.id)
    else:
        product = Product(ProductId(derived_id("prod", tenant, "import", name)), tenant, 1, name)
        changes = (catalog.add_product(product),)
    identity = (product.id, str(wanted.unit_price), str(every), tax)
    price = Price(
        PriceId(derived_id("price", tenant, "import", *identity)),
        tenant,
        1,
        product.id,
        name,
        PerUnit(wanted.unit_price.amount),
        wanted.unit_price.currency,
        every,
        tax,
    )
    # What is not offered any more comes last, but who has it keeps it.
    for known in sorted(prices, key=lambda known: known.archived or bool(known.superseded_by)):
        if _charges_the_same(known, price):
            return known, ()
    return price, (*changes, catalog.add_price(price))


def _charges_the_same(known: Price, price: Price) -> bool:
    """Say whether running subscriptions pay the same: no setup fee, minimum or other model."""
    return known.model == price.model and price == evolve(
        known,
        id=price.id,
        version=price.version,
        name=price.name,
        archived=False,
        trial=None,
        valid_from=None,
        supersedes=None,
        superseded_by=None,
        superseded_on=None,
    )


def _subscription(
    wanted: ImportedSubscription, customer: Customer, price: Price, context: Context
) -> Change:
    zone = customer.zone or context.seller_of(customer).zone
    # What is paid until some day has begun, though nobody says when.
    today = context.today(zone)
    paid = wanted.paid_until is not None
    start = wanted.start or (min(wanted.cycle.anchor, today) if paid else today)
    contract: Contract
    if paid:
        contract = Active(start)
    elif wanted.trial_until is not None and start <= today:
        contract = Trialing(wanted.trial_until)
    else:
        contract = Scheduled(start, wanted.trial_until)
    subscription = Subscription(
        SubscriptionId(derived_id("sub", context.tenant, "import", wanted.external_id)),
        context.tenant,
        1,
        customer.id,
        price.currency,
        zone,
        (Item(price.id, wanted.quantity, wanted.cycle, wanted.first),),
        contract,
        external_id=wanted.external_id,
        start=start,
    )
    return lifecycle.create(subscription, start=start)
