"""Coupons and promotion codes: create, archive, check, redeem for a subscription, list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal

from subscriptions import coupons, lifecycle
from subscriptions.catalog import PRODUCT
from subscriptions.coupons import (
    COUPON,
    PROMOTION_CODE,
    REDEMPTION,
    AppliedCoupon,
    Basket,
    Coupon,
    Duration,
    Once,
    PromotionCode,
    Redemption,
    Verdict,
)
from subscriptions.customers import CUSTOMER, Customer
from subscriptions.decisions import Change, Decision
from subscriptions.discounts import AmountOff, DiscountTerms, PercentOff, one_for_each_currency
from subscriptions.errors import UnknownReference, ValidationError
from subscriptions.ids import CouponId, CustomerId, ProductId, PromotionCodeId, SubscriptionId
from subscriptions.lifecycle import SUBSCRIPTION, ApplyCoupon, RemoveCoupon, Subscription
from subscriptions.money import Currency, Money
from subscriptions.records import Metadata, Ref, plain_text
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
    one_of,
    only,
)
from subscriptions.usecases.price_arguments import read_flag, read_several
from subscriptions.usecases.redeeming import basket_of, buyer_of, known_code, wanted_coupon


def create(
    name: str,
    *,
    percent_off: str | int | Decimal | None = None,
    amount_off: Money | Iterable[Money] | None = None,
    duration: Duration = Once(),  # noqa: B008 - frozen, so all may share it
    products: Iterable[str] = (),
    currencies: Iterable[str] = (),
    redeem_from: date | None = None,
    redeem_until: date | None = None,
    max_redemptions: int | None = None,
    max_per_customer: int | None = None,
    first_purchase_only: bool = False,
    minimum: Money | Iterable[Money] = (),
    stackable: bool = True,
    campaign: str = "",
    metadata: Mapping[str, str] | None = None,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Coupon]:
    """Create a coupon: a percentage, or an amount for each currency in which it can be had.

    It counts for one billed period of which it takes something off (`Once()`), for several
    (`Periods(3)`) or `Forever()`. With `products`, named by id or name, it takes off their lines
    only, and can be redeemed only for a subscription that has one of them.

    Who may redeem it, and when: days are days in the seller's zone, from `redeem_from` up to, not
    including, `redeem_until`. `max_redemptions` is for all customers together, `max_per_customer`
    for each. `first_purchase_only` is for customers without a final invoice (void ones do not
    count) who have not redeemed it before. `minimum`, one amount for each currency, is what all
    items of the subscription must come to for one period each, as priced, before discounts and
    before tax that is added. One that is not `stackable` stands beside no other.

    The limits hold when it is redeemed; what stands on a subscription by then stays there.
    `campaign` is a word to list by.

    Raises `ValidationError` for a wrong value, `UnknownReference` for an unknown product.
    """
    terms = _terms(percent_off, amount_off)
    if not isinstance(duration, Duration):
        raise ValidationError("duration", duration, "Once(), Periods(n) or Forever()")
    read_flag("first_purchase_only", first_purchase_only)
    read_flag("stackable", stackable)
    named = [plain_text("products", each) for each in read_several("products", products)]
    listed = read_several("currencies", currencies)
    allowed = tuple(dict.fromkeys(Currency.of(each) for each in listed))
    least = one_for_each_currency("minimum", minimum)

    def flow(context: Context) -> Flow[Decision]:
        coupon = Coupon(
            CouponId(context.ids.fresh("cpn")),
            context.tenant,
            1,
            name,
            terms,
            duration,
            (yield from _products(named)),
            allowed,
            redeem_from,
            redeem_until,
            max_redemptions,
            max_per_customer,
            first_purchase_only,
            least,
            stackable,
            campaign,
            metadata=Metadata(metadata),
        )
        return Decision((coupons.create(coupon),), about=Ref(COUPON, coupon.id))

    return Command(COUPON, flow, at, idempotency_key)


def archive(
    id: str, *, at: datetime | None = None, idempotency_key: str | None = None
) -> Command[Coupon]:
    """Offer a coupon no more, nor by its codes; subscriptions that have it keep it.

    Raises `InvalidTransition` if it is archived already.
    """

    def flow(_: Context) -> Flow[Decision]:
        coupon = yield from Get(COUPON, id)
        return Decision((coupons.archive(coupon),), about=Ref(COUPON, id))

    return Command(COUPON, flow, at, idempotency_key)


def code(
    coupon: str,
    code: str,
    *,
    customer: str | None = None,
    redeem_from: date | None = None,
    redeem_until: date | None = None,
    max_redemptions: int | None = None,
    metadata: Mapping[str, str] | None = None,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[PromotionCode]:
    """Give a coupon a code for customers to type: for all, or for one `customer`.

    It is kept in capitals, and how it is typed does not matter. Its window and its number of uses
    are its own; the limits of the coupon hold besides.

    Raises `UnknownReference` for an unknown coupon or customer, `Duplicate` for a taken code,
    `InvalidTransition` for an archived coupon, `ValidationError` for a wrong value.
    """
    wanted = coupons.promotion_code(code)

    def flow(context: Context) -> Flow[Decision]:
        owner = yield from Maybe(COUPON, coupon)
        if owner is None:
            raise UnknownReference("coupon", coupon)
        if customer is not None and (yield from Maybe(CUSTOMER, customer)) is None:
            raise UnknownReference("customer", customer)
        made = PromotionCode(
            PromotionCodeId(context.ids.fresh("promo")),
            context.tenant,
            1,
            owner.id,
            wanted,
            None if customer is None else CustomerId(customer),
            redeem_from,
            redeem_until,
            max_redemptions,
            metadata=Metadata(metadata),
        )
        return Decision((coupons.add_code(owner, made),), about=Ref(PROMOTION_CODE, made.id))

    return Command(PROMOTION_CODE, flow, at, idempotency_key)


def deactivate_code(
    code: str, *, at: datetime | None = None, idempotency_key: str | None = None
) -> Command[PromotionCode]:
    """Accept a code no more, given as it is typed or by its id; its coupon stays on offer.

    Raises `InvalidTransition` if that is so already, `NotFound` for an unknown code.
    """

    def flow(_: Context) -> Flow[Decision]:
        found = yield from known_code(code)
        return Decision((coupons.deactivate(found),), about=Ref(PROMOTION_CODE, found.id))

    return Command(PROMOTION_CODE, flow, at, idempotency_key)


def get(id: str) -> Question[Coupon]:
    """Return a coupon; raises `NotFound` if there is none with this id."""
    return flows.get(COUPON, id)


def get_code(code: str) -> Question[PromotionCode]:
    """Return a promotion code, given as it is typed or by its id; raises `NotFound` without one."""

    def flow(_: Context) -> Flow[PromotionCode]:
        return (yield from known_code(code))

    return Question(flow)


def list_(
    *,
    name: str | None = None,
    campaign: str | None = None,
    status: str | None = None,
    limit: int = 100,
    after: str | None = None,
) -> Listing[Coupon]:
    """List coupons in the order they were created; `status` is "offered" or "archived"."""
    status = one_of("status", status, ("offered", "archived"))
    where = only(name=name, campaign=campaign, status=status)
    return Listing(COUPON, where, limit=limit, after=after)


def codes(
    *,
    coupon: str | None = None,
    customer: str | None = None,
    status: str | None = None,
    limit: int = 100,
    after: str | None = None,
) -> Listing[PromotionCode]:
    """List promotion codes in the order they were created; `status` is "active" or "inactive".

    With `customer` those that are for this customer alone.
    """
    status = one_of("status", status, ("active", "inactive"))
    where = only(coupon=coupon, customer=customer, status=status)
    return Listing(PROMOTION_CODE, where, limit=limit, after=after)


def redemptions(
    *,
    coupon: str | None = None,
    promotion_code: str | None = None,
    customer: str | None = None,
    subscription: str | None = None,
    limit: int = 100,
    after: str | None = None,
) -> Listing[Redemption]:
    """List who redeemed what, in the order it happened; `promotion_code` is the id of a code."""
    where = only(
        coupon=coupon, promotion_code=promotion_code, customer=customer, subscription=subscription
    )
    return Listing(REDEMPTION, where, limit=limit, after=after)


def check(
    wanted: str, *, customer: str | None = None, subscription: str | None = None
) -> Question[Verdict]:
    """Say whether a coupon or promotion code would be accepted now, and if not, by which limit.

    Without `customer` the limits of customers are not asked; with `subscription`, whose customer
    it is then, those about currency, products, amount and other coupons are asked too. A later
    redemption may still be refused, if others were faster.

    Raises `UnknownReference` for a coupon, code or customer that does not exist, `NotFound` for an
    unknown subscription, and `ValidationError` for a subscription of another customer.
    """
    plain_text("wanted", wanted)

    def flow(context: Context) -> Flow[Verdict]:
        coupon, code = yield from wanted_coupon(wanted)
        who, buyer, basket = customer, None, None
        if subscription is not None:
            target = yield from Get(SUBSCRIPTION, subscription)
            if who not in (None, target.customer):
                raise ValidationError("customer", who, "the customer of the subscription")
            who, basket = target.customer, (yield from basket_of(target))
        if who is not None:
            owner = yield from Maybe(CUSTOMER, who)
            if owner is None:
                raise UnknownReference("customer", who)
            buyer = yield from buyer_of(coupon, owner.id)
        return coupons.judge(coupon, code, today=context.today(), buyer=buyer, basket=basket)

    return Question(flow)


def redeem(
    wanted: str,
    *,
    subscription: str,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Subscription]:
    """Redeem a coupon, by its id or a promotion code, for a subscription that there is.

    It counts from the next invoice on; what is due by now is billed before, without it.

    Raises `CouponRefused`, a `ValidationError` that names the limit, `UnknownReference` for a
    coupon or code that does not exist, `InvalidTransition` for a subscription that has ended.
    """
    plain_text("wanted", wanted)

    def flow(context: Context) -> Flow[Decision]:
        target = yield from Get(SUBSCRIPTION, subscription)
        owner = yield from Get(CUSTOMER, target.customer)
        basket = yield from basket_of(target)
        applied, changes = yield from claim(
            wanted,
            customer=owner,
            subscription=target.id,
            currency=target.currency,
            products=basket.products,
            amount_minor=basket.amount_minor,
            applied=target.discounts,
            context=context,
        )
        change = lifecycle.decide(target, ApplyCoupon(applied))
        return Decision((change, *changes), about=Ref(SUBSCRIPTION, subscription))

    about = Ref(SUBSCRIPTION, subscription)
    return Command(SUBSCRIPTION, flow, at, idempotency_key, catch_up=about)


def remove(
    subscription: str,
    coupon: str,
    *,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Subscription]:
    """Take a coupon, named by its id or its code, off a subscription from the next invoice on.

    What is due by now is billed before, with it. It stays redeemed: it counts towards its limits.

    Raises `ValidationError` if it does not stand there, `InvalidTransition` if the subscription
    has ended.
    """
    plain_text("coupon", coupon)

    def flow(_: Context) -> Flow[Decision]:
        target = yield from Get(SUBSCRIPTION, subscription)
        names = (coupon, coupon.strip().upper())
        standing = [a.coupon for a in target.discounts if a.coupon == coupon or a.code in names]
        if not standing:
            raise ValidationError("coupon", coupon, "a coupon that stands on the subscription")
        change = lifecycle.decide(target, RemoveCoupon(standing[0]))
        return Decision((change,), about=Ref(SUBSCRIPTION, subscription))

    about = Ref(SUBSCRIPTION, subscription)
    return Command(SUBSCRIPTION, flow, at, idempotency_key, catch_up=about)


def claim(
    wanted: str,
    *,
    customer: Customer,
    subscription: SubscriptionId,
    currency: Currency,
    products: tuple[ProductId, ...],
    amount_minor: int,
    applied: tuple[AppliedCoupon, ...],
    context: Context,
) -> Flow[tuple[AppliedCoupon, tuple[Change, ...]]]:
    """Decide that a customer redeems a coupon, by its id or a promotion code, for a subscription.

    Returns what then stands on the subscription, and the changes of the coupon, the code and the
    redemption. `products` are those of its items, `amount_minor` what they come to (see
    `redeeming.worth_minor`), `applied` what stands on it so far. It need not exist yet.

    Raises `UnknownReference` for an unknown coupon or code, and `CouponRefused`.
    """
    coupon, code = yield from wanted_coupon(wanted)
    buyer = yield from buyer_of(coupon, customer.id)
    basket = Basket(subscription, currency, products, amount_minor, applied)
    return coupons.redeem(
        coupon, code, buyer=buyer, basket=basket, today=context.today(), at=context.at
    )


def _products(named: Iterable[str]) -> Flow[tuple[ProductId, ...]]:
    ids: list[ProductId] = []
    for name in named:
        product = yield from Maybe(PRODUCT, name)
        if product is None:
            found = yield from Having(PRODUCT, "name", name)
            if not found:
                raise UnknownReference("products", name)
            product = found[0]
        ids.append(product.id)
    return tuple(ids)


def _terms(
    percent_off: str | int | Decimal | None, amount_off: Money | Iterable[Money] | None
) -> DiscountTerms:
    if percent_off is not None and amount_off is None:
        return PercentOff(percent_off)
    if amount_off is not None and percent_off is None:
        return AmountOff(amount_off)
    raise ValidationError("percent_off", percent_off, "either percent_off or amount_off")
