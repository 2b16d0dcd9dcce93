"""The catalogue: add products and prices, version, override, archive, list.

A price is in one currency; a product that is sold in several has a price in each, and who
subscribes says which by its id.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime

from subscriptions import catalog
from subscriptions.billing_cycles import Interval
from subscriptions.catalog import PRICE, PRODUCT, Entitlement, Introductory, Price, Product
from subscriptions.customers import CUSTOMER
from subscriptions.decisions import Change, Decision
from subscriptions.errors import InvalidTransition, UnknownReference, ValidationError
from subscriptions.ids import CustomerId, PriceId, ProductId, derived_id
from subscriptions.money import Money
from subscriptions.pricing import PriceModel
from subscriptions.records import Metadata, Ref, evolve, plain_date, plain_text
from subscriptions.taxes import TaxBehavior
from subscriptions.usage import METER, check_fits
from subscriptions.usecases import flows
from subscriptions.usecases.flows import (
    Command,
    Context,
    Flow,
    Get,
    Having,
    Listing,
    Maybe,
    Question,
    only,
)
from subscriptions.usecases.offers import chain_of, overriding
from subscriptions.usecases.price_arguments import (
    Amount,
    read_behavior,
    read_differences,
    read_entitlements,
    read_flag,
    read_minor,
    read_model,
    read_phases,
    read_several,
    read_trial,
)


def add_product(
    name: str,
    *,
    requires: Iterable[str] = (),
    excludes: Iterable[str] = (),
    entitlements: Iterable[Entitlement] = (),
    tax_category: str = "standard",
    metadata: dict[str, str] | None = None,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Product]:
    """Add a product: what it entitles to, and which others it goes with.

    An add-on `requires` at least one of some products on the same subscription; a product is never
    there together with one that it `excludes`. Both are named by id or name. `tax_category` is the
    word under which the tax table has its rates, such as "reduced".

    Raises `Duplicate` if there is a product of this name, `UnknownReference` for another product
    that does not exist, and `ValidationError` for a wrong value.
    """
    needed, refused = read_several("requires", requires), read_several("excludes", excludes)
    given = read_entitlements(entitlements)

    def flow(context: Context) -> Flow[Decision]:
        product = Product(
            ProductId(context.ids.fresh("prod")),
            context.tenant,
            1,
            name,
            metadata=Metadata(metadata),
            requires=(yield from _known("requires", needed)),
            excludes=(yield from _known("excludes", refused)),
            entitlements=given,
            tax_category=context.check_tax_category(tax_category),
        )
        return Decision((catalog.add_product(product),), about=Ref(PRODUCT, product.id))

    return Command(PRODUCT, flow, at, idempotency_key)


def add_price(
    product: str,
    amount: Amount,
    *,
    every: Interval | None = None,
    currency: str | None = None,
    tax_behavior: TaxBehavior | str = TaxBehavior.EXCLUSIVE,
    name: str | None = None,
    arrears: bool = False,
    meter: str | None = None,
    trial_usage_billed: bool = False,
    minimum: Money | None = None,
    setup: Money | None = None,
    trial: Interval | None = None,
    introductory: Iterable[tuple[int, Amount]] = (),
    term_periods: int | None = None,
    entitlements: Iterable[Entitlement] | None = None,
    valid_from: date | None = None,
    tax_category: str | None = None,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Price]:
    """Add a price to a product, named by its id or its name; a new name makes a new product.

    `amount` is a `Money` for each unit, or a price model together with a `currency`. `every` is
    the interval at which it recurs; without one it is charged once, on a one-off invoice.
    `tax_behavior` says whether tax is added ("exclusive") or contained ("inclusive"). `name` is
    what invoice lines say; by default the product's name.

    A recurring price is billed when a period begins, in `arrears` when it ends. With a `meter`, the
    key of a usage meter, it is for the usage of a period, always in arrears; what is used within a
    trial is billed only if `trial_usage_billed`: on the first invoice, or on a last one where the
    subscription ends before. A period costs at least the `minimum`, a trial does not; the `setup`
    fee is billed once, with the first period. `trial` is how long new subscriptions are free,
    unless they say. `introductory` lists phases, such as `[(3, Money.of("9.00", "EUR"))]` for the
    first three periods. After `term_periods` it ends by itself. It gives the `entitlements` of its
    product, unless others are listed. It is offered from `valid_from` on, and taxed under the
    `tax_category`, by default the product's.

    Raises `ValidationError` for a wrong value, `CurrencyMismatch` for an amount in another
    currency, `InvalidTransition` for an archived product.
    """
    model, unit = read_model(amount, currency)
    if every is not None and not isinstance(every, Interval):
        raise ValidationError("every", every, "an Interval, such as Interval.months(1), or None")
    behavior = read_behavior(tax_behavior)
    if meter is not None:
        plain_text("meter", meter, length_max=200)
    read_flag("trial_usage_billed", trial_usage_billed)
    afterwards = read_flag("arrears", arrears) or meter is not None
    least, once = read_minor("minimum", minimum, unit), read_minor("setup", setup, unit)
    free, phases = read_trial(trial), read_phases(introductory, unit)
    gives = None if entitlements is None else read_entitlements(entitlements)

    def flow(context: Context) -> Flow[Decision]:
        changes: tuple[Change, ...] = ()
        found = yield from _named(product)
        if found is None:
            found = Product(
                ProductId(context.ids.fresh("prod")),
                context.tenant,
                1,
                product,
                tax_category=context.check_tax_category(tax_category or "standard"),
            )
            changes = (catalog.add_product(found),)
        elif found.archived:
            raise InvalidTransition(f"product {found.id}", "archived", "add_price")
        yield from _check_meter(meter, model, phases)
        price = Price(
            PriceId(context.ids.fresh("price")),
            context.tenant,
            1,
            found.id,
            name or found.name,
            model,
            unit,
            every,
            behavior,
            arrears=afterwards,
            meter=meter,
            trial_usage_billed=trial_usage_billed,
            minimum_minor=least,
            setup_minor=once,
            trial=free,
            introductory=phases,
            term_periods=term_periods,
            valid_from=valid_from,
            tax_category=found.tax_category
            if tax_category is None
            else context.check_tax_category(tax_category),
            entitlements=gives,
        )
        return Decision((*changes, catalog.add_price(price)), about=Ref(PRICE, price.id))

    return Command(PRICE, flow, at, idempotency_key)


def new_version(
    price: str,
    amount: Amount | None = None,
    *,
    valid_from: date | None = None,
    name: str | None = None,
    minimum: Money | None = None,
    setup: Money | None = None,
    trial: Interval | None = None,
    introductory: Iterable[tuple[int, Amount]] | None = None,
    term_periods: int | None = None,
    entitlements: Iterable[Entitlement] | None = None,
    without: Iterable[str] = (),
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Price]:
    """Offer a new version of a price from a day on; returns the new price.

    The day is by default today, or the first day of the version before where that is yet to come.

    What is not given stays as it was; `without` names what is taken away: "minimum", "setup",
    "trial", "introductory", "term_periods" or "entitlements". Product, interval, currency, tax
    behaviour and meter stay, for anything else is another price. Subscriptions that have the old
    version keep it, with what it entitles to.

    Each version is followed by at most one, and not by an earlier one; one that begins on the same
    day as its successor was never on offer, which is how a mistake is mended before its day.

    Raises `InvalidTransition` for a price that is superseded or archived, `ValidationError` for a
    wrong value or a price of one customer, `NotFound` for an unknown one.
    """
    said = read_differences(
        without,
        minimum=minimum,
        setup=setup,
        trial=trial,
        introductory=introductory,
        term_periods=term_periods,
        entitlements=entitlements,
    )
    if valid_from is not None:
        plain_date("valid_from", valid_from)

    def flow(context: Context) -> Flow[Decision]:
        old = yield from Get(PRICE, price)
        today, changes = context.today(), said.fields(old.currency)
        if name is not None:
            changes["name"] = name
        if amount is not None:
            changes["model"], _ = read_model(amount, old.currency.code)
        successor: Price = evolve(
            old,
            **changes,  # type: ignore[arg-type]  # each was read as what it is
            id=PriceId(context.ids.fresh("price")),
            version=1,
            valid_from=valid_from or max(today, old.valid_from or today),
            superseded_by=None,
            superseded_on=None,
        )
        yield from _check_meter(successor.meter, successor.model, successor.introductory)
        return Decision(catalog.supersede(old, successor), about=Ref(PRICE, successor.id))

    return Command(PRICE, flow, at, idempotency_key)


def override(
    price: str,
    customer: str,
    amount: Amount | None = None,
    *,
    minimum: Money | None = None,
    setup: Money | None = None,
    trial: Interval | None = None,
    introductory: Iterable[tuple[int, Amount]] | None = None,
    term_periods: int | None = None,
    entitlements: Iterable[Entitlement] | None = None,
    without: Iterable[str] = (),
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Price]:
    """Give a customer a price of his own instead of another; returns the private price.

    From now on he gets it whenever the other price is asked for, in whichever version; what he has
    stays. What is not given is as in the version that is named, a minimum too; with an amount,
    introductory phases fall away unless they are given. `without` names what he does not have, as
    in `new_version`. Doing it again replaces the former private price, and archiving that gives him
    the price for all again.

    Raises `UnknownReference` for an unknown customer, `ValidationError` for a wrong value or a
    price that is itself a customer's, `InvalidTransition` for an archived product, `NotFound` for
    an unknown price.
    """
    said = read_differences(
        without,
        minimum=minimum,
        setup=setup,
        trial=trial,
        introductory=introductory,
        term_periods=term_periods,
        entitlements=entitlements,
    )

    def flow(context: Context) -> Flow[Decision]:
        if (yield from Maybe(CUSTOMER, customer)) is None:
            raise UnknownReference("customer", customer)
        for_all = yield from Get(PRICE, price)
        product = yield from Get(PRODUCT, for_all.product)
        if product.archived:
            raise InvalidTransition(f"product {product.id}", "archived", "override")
        chain = yield from chain_of(for_all)
        former = overriding(chain, (yield from Having(PRICE, "customer", customer)))
        # Counted and not random: of two that are made at once, only one can be the nth.
        identity = (context.tenant, "override", chain[0].id, customer, str(len(former)))
        made = catalog.override(
            for_all,
            id=PriceId(derived_id("price", *identity)),
            customer=CustomerId(customer),
            model=None if amount is None else read_model(amount, for_all.currency.code)[0],
            agreed=said.fields(for_all.currency),
        )
        replaced = [catalog.archive(each) for each in former if not each.archived]
        own = made.after
        assert isinstance(own, Price)
        yield from _check_meter(own.meter, own.model, own.introductory)
        return Decision((*replaced, made), about=Ref(PRICE, own.id))

    return Command(PRICE, flow, at, idempotency_key)


def _check_meter(
    key: str | None, model: PriceModel, introductory: Sequence[Introductory]
) -> Flow[None]:
    """Check that there is such a meter, and that what it counts has a price by the models."""
    if key is None:
        return
    meter = yield from Maybe(METER, key)
    if meter is None:
        raise UnknownReference("meter", key)
    for each in (model, *[phase.model for phase in introductory]):
        check_fits(meter, each)


def archive(
    id: str, *, at: datetime | None = None, idempotency_key: str | None = None
) -> Command[Price]:
    """Offer a price no longer; subscriptions that have it keep it.

    Raises `InvalidTransition` if it is archived already.
    """

    def flow(_: Context) -> Flow[Decision]:
        price = yield from Get(PRICE, id)
        return Decision((catalog.archive(price),), about=Ref(PRICE, id))

    return Command(PRICE, flow, at, idempotency_key)


def archive_product(
    id: str, *, at: datetime | None = None, idempotency_key: str | None = None
) -> Command[Product]:
    """Offer a product no longer, at no price, not even at one customer's.

    Subscriptions that have it keep it. Its name stays taken. Raises `InvalidTransition` if it is
    archived already.
    """

    def flow(_: Context) -> Flow[Decision]:
        product = yield from Get(PRODUCT, id)
        prices = yield from Having(PRICE, "product", id)
        return Decision(catalog.archive_product(product, prices), about=Ref(PRODUCT, id))

    return Command(PRODUCT, flow, at, idempotency_key)


def get_product(id: str) -> Question[Product]:
    """Return a product; raises `NotFound` if there is none with this id."""
    return flows.get(PRODUCT, id)


def get_price(id: str) -> Question[Price]:
    """Return a price; raises `NotFound` if there is none with this id."""
    return flows.get(PRICE, id)


def versions(price: str) -> Question[tuple[Price, ...]]:
    """Return all versions of a price, oldest first, given any of them.

    Raises `NotFound` if there is none with this id.
    """

    def flow(_: Context) -> Flow[tuple[Price, ...]]:
        return (yield from chain_of((yield from Get(PRICE, price))))

    return Question(flow)


def list_(
    *,
    product: str | None = None,
    customer: str | None = None,
    limit: int = 100,
    after: str | None = None,
) -> Listing[Price]:
    """List prices in the order they were added: of one product, of one customer, or all."""
    where = only(product=product, customer=customer)
    return Listing(PRICE, where, limit=limit, after=after)


def products(
    *, name: str | None = None, limit: int = 100, after: str | None = None
) -> Listing[Product]:
    """List products in the order they were added; a name is an exact match."""
    return Listing(PRODUCT, only(name=name), limit=limit, after=after)


def _named(product: str) -> Flow[Product | None]:
    found = yield from Maybe(PRODUCT, product)
    if found is None:
        named = yield from Having(PRODUCT, "name", product)
        found = named[0] if named else None
    return found


def _known(field: str, products: Iterable[str]) -> Flow[tuple[ProductId, ...]]:
    ids: list[ProductId] = []
    for each in products:
        found = yield from _named(each)
        if found is None:
            raise UnknownReference(field, each)
        ids.append(found.id)
    return tuple(ids)
