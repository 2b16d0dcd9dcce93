"""The catalogue: add products and prices, archive, list."""

from __future__ import annotations

from datetime import datetime

from subscriptions import catalog
from subscriptions.billing_cycles import Interval
from subscriptions.catalog import PRICE, PRODUCT, Price, Product
from subscriptions.decisions import Change, Decision
from subscriptions.errors import ValidationError
from subscriptions.ids import PriceId, ProductId
from subscriptions.money import Currency, Money
from subscriptions.pricing import PerUnit, PriceModel
from subscriptions.records import Metadata, Ref
from subscriptions.taxes import TaxBehavior
from subscriptions.usecases import flows
from subscriptions.usecases.flows import (
    Command,
    Context,
    Flow,
    Get,
    Having,
    Listing,
    Question,
    only,
)


def add_product(
    name: str,
    *,
    metadata: dict[str, str] | None = None,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Product]:
    """Add a product; raises `Duplicate` if there is one of this name."""

    def flow(context: Context) -> Flow[Decision]:
        yield from ()  # it reads nothing, and is a generator all the same
        product = Product(
            ProductId(context.ids.fresh("prod")),
            context.tenant,
            1,
            name,
            metadata=Metadata(metadata),
        )
        return Decision((catalog.add_product(product),), about=Ref(PRODUCT, product.id))

    return Command(PRODUCT, flow, at, idempotency_key)


def add_price(
    product: str,
    amount: Money | PriceModel,
    *,
    every: Interval | None = None,
    currency: str | None = None,
    tax_behavior: TaxBehavior | str = TaxBehavior.EXCLUSIVE,
    name: str | None = None,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Price]:
    """Add a price to a product, named by its id or its name; a new name makes a new product.

    `amount` is a `Money` for each unit, or a price model together with a `currency`. `every` is
    the interval at which it recurs; without one it is charged once, on a one-off invoice.
    `tax_behavior` says whether tax is added ("exclusive") or contained ("inclusive"). `name` is
    what invoice lines say; by default the product's name.

    Raises `ValidationError` for a wrong value.
    """
    model, unit = _model(amount, currency)
    if every is not None and not isinstance(every, Interval):
        raise ValidationError("every", every, "an Interval, such as Interval.months(1), or None")
    behavior = _behavior(tax_behavior)

    def flow(context: Context) -> Flow[Decision]:
        changes: tuple[Change, ...] = ()
        found = yield from flows.Maybe(PRODUCT, product)
        if found is None:
            named = yield from Having(PRODUCT, "name", product)
            found = named[0] if named else None
        if found is None:
            found = Product(ProductId(context.ids.fresh("prod")), context.tenant, 1, product)
            changes = (catalog.add_product(found),)
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
        )
        return Decision((*changes, catalog.add_price(price)), about=Ref(PRICE, price.id))

    return Command(PRICE, flow, at, idempotency_key)


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


def get_price(id: str) -> Question[Price]:
    """Return a price; raises `NotFound` if there is none with this id."""
    return flows.get(PRICE, id)


def list_(
    *, product: str | None = None, limit: int = 100, after: str | None = None
) -> Listing[Price]:
    """List prices in the order they were added, of one product or of all."""
    return Listing(PRICE, only(product=product), limit=limit, after=after)


def _model(amount: object, currency: str | None) -> tuple[PriceModel, Currency]:
    if isinstance(amount, Money):
        if currency is not None and Currency.of(currency) != amount.currency:
            raise ValidationError("currency", currency, f"{amount.currency}, as the amount says")
        if amount.minor < 0:
            raise ValidationError("amount", amount, "not negative")
        return PerUnit(amount.amount), amount.currency
    if not isinstance(amount, PriceModel):
        raise ValidationError("amount", amount, "a Money or a price model such as Flat('29.00')")
    if currency is None:
        raise ValidationError("currency", None, "the currency of the price model")
    return amount, Currency.of(currency)


def _behavior(value: TaxBehavior | str) -> TaxBehavior:
    try:
        return TaxBehavior(value)
    except ValueError:
        raise ValidationError("tax_behavior", value, "'exclusive' or 'inclusive'") from None
