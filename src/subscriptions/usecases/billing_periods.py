"""Billing the periods of a subscription that are due, and the usage in them.

All that is due at one instant is one decision, and what it charges comes on one invoice. What a
period costs is decided in `lifecycle.charges`, what a change costs in `lifecycle.changing`; here is
gathered what they need.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from attrs import frozen

from subscriptions import invoices, lifecycle
from subscriptions.billing_cycles import Period, first_instant, local_date
from subscriptions.catalog import PRICE, Price, model_for
from subscriptions.customers import CUSTOMER, Customer
from subscriptions.decisions import Change, Decision, join
from subscriptions.errors import SafetyStop
from subscriptions.ids import CouponId, InvoiceId
from subscriptions.invoices import INVOICE, Charge, LineKind
from subscriptions.lifecycle import (
    SUBSCRIPTION,
    Active,
    AwaitPayment,
    BillPeriods,
    BillUsage,
    CatchUp,
    CheckUsage,
    Command,
    Conditions,
    Item,
    PaidShare,
    Settlement,
    SkipPeriods,
    Subscription,
    UsageOf,
)
from subscriptions.money import Money
from subscriptions.proration import Cap, Credit, Mode, Proration
from subscriptions.records import Ref, evolve
from subscriptions.usage import METER, meter_id
from subscriptions.usecases import invoicing
from subscriptions.usecases.flows import Context, Flow, Get, GetMany
from subscriptions.usecases.metering import Measured, Quantity, measure

_DAY = timedelta(days=1)


class Moves:
    """A subscription on its way through several steps of one decision, and what else they change.

    Its customer goes along: each invoice may move what he has to his credit.
    """

    def __init__(self, subscription: Subscription, owner: Customer) -> None:
        self.before = subscription
        self.after = subscription
        self.owner = owner
        self._owner_before = owner
        self._events: tuple[object, ...] = ()
        self._owner_events: tuple[object, ...] = ()
        self._others: list[Decision] = []

    def do(self, *commands: Command) -> None:
        """Carry out commands; raises `InvalidTransition` if the state does not allow one."""
        moved = lifecycle.decide(self.after, *commands)
        assert isinstance(moved.after, Subscription)
        self.after = moved.after
        self._events += moved.events

    def add(self, decision: Decision) -> None:
        """Let something else be decided with it; the customer's moves follow each other."""
        others: list[Change] = []
        for change in decision.changes:
            if isinstance(change.after, Customer):
                self.owner = change.after
                self._owner_events += change.events
            else:
                others.append(change)
        self._others.append(Decision(tuple(others), decision.issues))

    def decision(self, made: Change | None = None) -> Decision:
        """Return all of it; `made` is the change that made the subscription, if it is new."""
        about = Ref(SUBSCRIPTION, self.after.id)
        changes: tuple[Change, ...] = ()
        if made is not None:
            events = (*made.events, *self._events)
            changes = (Change(SUBSCRIPTION, None, self.after, events),)
        elif self._events:
            changes = (Change(SUBSCRIPTION, self.before, self.after, self._events),)
        if self._owner_events:
            changes += (Change(CUSTOMER, self._owner_before, self.owner, self._owner_events),)
        if not self._others:
            return Decision(changes, about=about)
        return join(Decision(changes), *self._others, about=about)


@frozen
class _Bill:
    """The periods that are billed together, and what they cost before discounts."""

    items: tuple[int, ...]
    periods: tuple[Period, ...]
    amounts: tuple[int, ...]
    charges: tuple[Charge, ...]
    changes: tuple[Change, ...] = ()


def bill_due(moves: Moves, on: date, context: Context) -> Flow[None]:
    """Bill every item whose next period is due by the day `on`, on one invoice.

    What nobody billed in time is caught up as the subscription says. Raises `SafetyStop` where more
    than the bound was missed.
    """
    sub = moves.after
    if not isinstance(sub.contract, Active) or (sub.pause is not None and not sub.pause.invoice):
        return
    until = on
    today = local_date(context.now, sub.zone)
    if today > on:
        missed = _missed(sub, today)
        if missed > sub.catch_up_max and sub.catch_up is not CatchUp.SKIP:
            raise SafetyStop(sub.id, f"{missed} periods not billed, at most {sub.catch_up_max}")
        if missed > 1 and sub.catch_up is CatchUp.SKIP:
            skip_to_present(moves, today)
            sub = moves.after
        elif missed > 1 and sub.catch_up is CatchUp.TOGETHER:
            until = today
    due = [item for item in sub.items if item.due_day <= until]
    if not due:
        return
    bill = yield from _bill(sub, moves.owner, due, until, context)
    yield from _invoice_bill(moves, bill, on, context)


def _missed(sub: Subscription, today: date) -> int:
    """Return how many periods of an item should have been billed by now, the present one too."""
    missed = 0
    for item in sub.items:
        if item.due_day <= today:
            missed = max(missed, item.cycle.index_of(today) - item.cycle.index_of(item.through))
    return missed + 1


def skip_to_present(moves: Moves, today: date) -> None:
    """Let items be billed from their present period on; what was missed is never owed."""
    for item in moves.after.items:
        if item.due_day <= today and item.cycle.anchor <= today:
            index = item.cycle.index_of(today)
            present = item.cycle.start(index if not item.arrears else max(0, index - 1))
            if present > item.through:
                moves.do(SkipPeriods((item.number,), present))


def _bill(
    sub: Subscription, owner: Customer, due: Sequence[Item], until: date, context: Context
) -> Flow[_Bill]:
    found = yield from GetMany(PRICE, tuple([item.price for item in due]))
    prices: dict[str, Price] = {price.id: price for price in found}
    country = owner.address.country or None
    items: list[int] = []
    periods: list[Period] = []
    amounts: list[int] = []
    charges: list[Charge] = []
    changes: list[Change] = []
    for each in due:
        item = each
        price = prices[item.price]
        while item.due_day <= until:
            period = _billed_period(sub, item)
            usage: tuple[UsageOf, ...] = ()
            if item.meter is not None:
                used, more = yield from used_in(sub, item, price, period)
                usage, changes = used, [*changes, *more]
            mine = lifecycle.charge_period(
                item,
                price,
                period,
                rate=context.taxes.rate_for(country, period.start),
                subscription=sub,
                usage=usage,
            )
            items.append(item.number)
            periods.append(period)
            amounts.append(sum([charge.amount_minor for charge in mine]))
            charges += [charge for charge in mine if charge.amount_minor or not _is_usage(charge)]
            if item.meter is not None or until == item.due_day:
                break
            item = evolve(item, through=period.end, next_end=None, billed=item.billed + 1)
    return _Bill(tuple(items), tuple(periods), tuple(amounts), tuple(charges), tuple(changes))


def _is_usage(charge: Charge) -> bool:
    return charge.kind in {LineKind.USAGE, LineKind.LATE_USAGE}


def _billed_period(sub: Subscription, item: Item) -> Period:
    """Return the period to bill: cut at a known end, if what is unused would be given back."""
    period, cancellation = item.next_period, sub.cancellation
    if (
        cancellation is not None
        and cancellation.settlement is not Settlement.NONE
        and period.start < cancellation.on < period.end
    ):
        return Period(period.start, cancellation.on)
    return period


def _invoice_bill(moves: Moves, bill: _Bill, on: date, context: Context) -> Flow[None]:
    sub = moves.after
    pending = sub.pending
    charges: Sequence[Charge] = (*pending, *bill.charges) if pending else bill.charges
    coupons: tuple[CouponId, ...] = ()
    if sub.discounts:
        charges = lifecycle.discounted(charges, sub.discounts, sub.currency)
        shares = [share.coupon for charge in charges for share in charge.discounts]
        coupons = tuple(dict.fromkeys(shares))
    if not charges:
        moves.do(BillPeriods(bill.items, bill.periods, bill.amounts, None))
        return
    invoicing.check_safe(sub, charges, context)
    cycles = [
        f"{number}:{period.start}" for number, period in zip(bill.items, bill.periods, strict=True)
    ]
    place = yield from invoicing.place_for(sub, moves.owner, context, *cycles)
    first_line = place.first_line + len(pending)
    mine = charges[len(pending) :]
    debits = lifecycle.debits_of(mine, place.invoice, first_line=first_line, after=on)
    moves.do(
        BillPeriods(
            bill.items,
            bill.periods,
            bill.amounts,
            place.invoice,
            debits,
            coupons,
            place.first_line,
        )
    )
    awaited = _awaits_payment(sub)
    issued = yield from invoicing.invoice(
        place, sub, moves.owner, charges, context, activates=awaited
    )
    if awaited and any(_is_owed(issue.after) for issue in issued.issues):
        assert sub.payment_window_hours is not None
        window = timedelta(hours=sub.payment_window_hours)
        moves.do(AwaitPayment(place.invoice, context.at + window))
    if bill.changes:
        issued = join(issued, Decision(bill.changes))
    moves.add(issued)


def _awaits_payment(sub: Subscription) -> bool:
    return sub.payment_window_hours is not None and all(item.billed == 0 for item in sub.items)


def _is_owed(document: object) -> bool:
    return isinstance(document, invoices.Invoice) and document.total_minor > document.balance_minor


# ---- usage -----------------------------------------------------------------------------------


def used_in(
    sub: Subscription, item: Item, price: Price, period: Period, *, until: datetime | None = None
) -> Flow[tuple[tuple[UsageOf, ...], tuple[Change, ...]]]:
    """Measure what a metered item used until the end of a period, or until an instant in it.

    Also returns what is to be committed with the invoice.
    """
    assert item.meter is not None
    meter = yield from Get(METER, meter_id(sub.tenant, item.meter))
    since = item.usage_since or first_instant(period.start, sub.zone)
    measured = yield from measure(
        subscription=sub.id,
        meter=meter,
        zone=sub.zone,
        since=since,
        until=until or first_instant(period.end, sub.zone),
        model=model_for(price, item.billed),
        period=item.next_period,
    )
    return _usage_of(measured, period), measured.changes


def _usage_of(measured: Measured, period: Period) -> tuple[UsageOf, ...]:
    on_time = _of(period, measured.on_time, None)
    late = [_of(each.period, each.every, each.before) for each in measured.late]
    return (on_time, *late)


def _of(period: Period, used: Quantity, before: Quantity | None) -> UsageOf:
    return UsageOf(
        period,
        used.quantity,
        used.count,
        used.events,
        None if before is None else before.quantity,
        None if before is None else before.events,
    )


def check_usage(moves: Moves, context: Context) -> Flow[None]:
    """Bill usage before its period is over, if it has come to the threshold."""
    sub = moves.after
    threshold = sub.threshold
    if threshold is None or sub.usage_check_at is None or sub.usage_check_at > context.at:
        return
    metered = [item for item in sub.items if item.meter is not None]
    prices = yield from GetMany(PRICE, tuple([item.price for item in metered]))
    country = moves.owner.address.country or None
    charges: list[Charge] = []
    sums: list[Money] = []
    for item, price in zip(metered, prices, strict=True):
        period = item.next_period
        today = local_date(context.at, sub.zone)
        end = min(max(today + _DAY, period.start + _DAY), period.end)
        used, _ = yield from used_in(sub, item, price, period)
        rate = context.taxes.rate_for(country, period.start)
        # Late usage waits for the end of the period: it has been billed in no advance.
        plain = evolve(price, minimum_minor=0)
        (charge,) = lifecycle.charge_period(
            item, plain, Period(period.start, end), rate=rate, subscription=sub, usage=used[:1]
        )
        charges.append(evolve(charge, period=Period(period.start, end)))
        sums.append(Money(charge.amount_minor + item.usage_billed_minor, sub.currency))
    if sum([charge.amount_minor for charge in charges]) < threshold.minor:
        moves.do(CheckUsage(None))
        return
    charges = [charge for charge in charges if charge.amount_minor]
    invoicing.check_safe(sub, charges, context)
    billed = [str(each.minor) for each in sums]
    place = yield from invoicing.place_for(
        sub, moves.owner, context, "usage", str(sub.usage_check_at), *billed
    )
    moves.do(BillUsage(tuple([item.number for item in metered]), tuple(sums), place.invoice))
    moves.add((yield from invoicing.invoice(place, sub, moves.owner, charges, context)))


# ---- what a change depends on ------------------------------------------------------------------


def conditions_of(
    sub: Subscription,
    owner: Customer,
    closing: Sequence[Item],
    context: Context,
    *,
    prices: Mapping[str, Price] | None = None,
    credits: bool = True,
    policy: Proration | None = None,
) -> Flow[tuple[Conditions, tuple[Change, ...]]]:
    """Gather what a change depends on: prices, final usage of items that close, what was paid."""
    ids = {item.price for item in sub.items} | {debit.price for debit in sub.debits}
    known = dict(prices or {})
    missing = tuple(sorted(ids - known.keys()))
    for price in (yield from GetMany(PRICE, missing)):
        known[price.id] = price
    if policy is None:
        policy = evolve(
            context.proration,
            mode=Mode.INVOICE_NOW,
            credit=Credit.UNUSED if credits else Credit.NONE,
        )
    paid: dict[InvoiceId, PaidShare] = {}
    if policy.cap is Cap.PAID:
        named = tuple(sorted({each.invoice for each in sub.debits if each.invoice is not None}))
        for document in (yield from GetMany(INVOICE, named)):
            money = document.paid_minor + document.balance_minor
            paid[document.id] = PaidShare(money, document.total_minor)
    usage: dict[int, tuple[UsageOf, ...]] = {}
    changes: list[Change] = []
    if isinstance(sub.contract, Active):
        for item in closing:
            if item.meter is None:
                continue
            period = item.next_period
            today = local_date(context.at, sub.zone)
            segment = Period(period.start, max(today, period.start + _DAY))
            used, more = yield from used_in(sub, item, known[item.price], segment, until=context.at)
            usage[item.number] = used
            changes += more
    day = local_date(context.at, sub.zone)
    rate = context.taxes.rate_for(owner.address.country or None, day)
    return Conditions(context.at, policy, rate, known, usage, paid), tuple(changes)
