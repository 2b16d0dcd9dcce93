"""Billing the periods of a subscription that are due.

All that is due at one instant is one decision, and what it charges comes on one invoice. What a
period costs is decided in `lifecycle.charges`, what a change costs in `lifecycle.changing`; here is
gathered what they need.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from attrs import define

from subscriptions import lifecycle
from subscriptions.billing_cycles import Period, first_instant, local_date
from subscriptions.catalog import PRICE, Price
from subscriptions.coupons import AppliedCoupon
from subscriptions.credit_notes import CREDIT_NOTE
from subscriptions.customers import Customer
from subscriptions.decisions import Change, Decision, in_turn, left_by
from subscriptions.errors import SafetyStop, ValidationError
from subscriptions.ids import CouponId, InvoiceId
from subscriptions.invoices import INVOICE, Charge, Invoice, LineKind, LineRef, Void
from subscriptions.lifecycle import (
    SUBSCRIPTION,
    Active,
    AwaitPayment,
    BillPeriods,
    CatchUp,
    Command,
    Conditions,
    Debit,
    Item,
    PaidShare,
    Settlement,
    SkipPeriods,
    Subscription,
    UsageOf,
)
from subscriptions.proration import Cap, Credit, Mode, Proration
from subscriptions.records import Ref, evolve
from subscriptions.taxes import TaxTreatment
from subscriptions.usecases import collection, invoicing
from subscriptions.usecases.flows import Context, Flow, Get, GetMany, Having
from subscriptions.usecases.given_back import refunded_of
from subscriptions.usecases.usage_billing import NOTHING_USED, Used, taxed_late, used_in
from subscriptions.usecases.usage_so_far import carry_levels

_DAY = timedelta(days=1)


class Moves:
    """A subscription on its way through several steps of one decision, and what else they change.

    Its customer goes along, with his grants: each invoice may move what he has to his credit.
    """

    __slots__ = ("_decided", "_events", "after", "before", "owner")

    def __init__(self, subscription: Subscription, owner: Customer) -> None:
        self.before = subscription
        self.after = subscription
        self.owner = owner
        self._events: tuple[object, ...] = ()
        self._decided = Decision()

    @property
    def invoices(self) -> dict[str, Invoice]:
        """The invoices that the steps until now have made, which nobody can read yet."""
        made = [issue.after for issue in self._decided.issues]
        made += [change.after for change in self._decided.changes]
        return {each.id: each for each in made if isinstance(each, Invoice)}

    def do(self, *commands: Command) -> None:
        """Carry out commands; raises `InvalidTransition` if the state does not allow one."""
        self.after, events = lifecycle.carry_out(self.after, *commands)
        self._events += events

    def add(self, decision: Decision) -> None:
        """Let something else be decided with it, on what the steps until now leave."""
        self.owner = left_by(decision, self.owner)
        self._decided = in_turn(self._decided, decision)

    def decision(self, made: Change | None = None) -> Decision:
        """Return all of it; `made` is the change that made the subscription, if it is new."""
        about = Ref(SUBSCRIPTION, self.after.id)
        changes: tuple[Change, ...] = ()
        if made is not None:
            events = (*made.events, *self._events)
            changes = (Change(SUBSCRIPTION, None, self.after, events),)
        elif self._events:
            changes = (Change(SUBSCRIPTION, self.before, self.after, self._events),)
        return Decision(changes + self._decided.changes, self._decided.issues, about)


@define
class _Bill:
    """The periods that are billed together, and what they cost before discounts."""

    items: tuple[int, ...]
    periods: tuple[Period, ...]
    amounts: tuple[int, ...]
    charges: tuple[Charge, ...]
    changes: tuple[Change, ...]
    arrears: tuple[int, ...]

    @property
    def cycles(self) -> list[str]:
        """What makes the invoice this one: each period is billed once, ever.

        Who changes on a renewal to what is billed in arrears has that day's period for both.
        """
        pairs = zip(self.items, self.periods, strict=True)
        return [
            f"{number}:{period.start}/{period.end}"
            if number in self.arrears
            else f"{number}:{period.start}"
            for number, period in pairs
        ]


def bill_due(moves: Moves, on: date, context: Context, *, by_command: bool = False) -> Flow[None]:
    """Bill every item whose next period is due by the day `on`, on one invoice.

    What nobody billed in time is caught up as the subscription says. A run bills a period once;
    `by_command` it may begin anew: who changes to years and back on one day begins two on that day.

    Raises `SafetyStop` where more than the bound was missed.
    """
    # Instants first: a run that is on time asks no zone what day it is.
    if context.now > context.at:
        yield from _catch_up(moves, on, context)
    sub = moves.after
    until = _until(sub, on, context)
    due = [item for item in sub.items if item.due_day <= until] if _is_billed(sub) else []
    if not due:
        return
    found = yield from GetMany(PRICE, tuple([item.price for item in due]))
    prices: dict[str, Price] = {price.id: price for price in found}
    measured: dict[int, Used] = {}
    for item in due:
        if item.meter is not None:
            period = _billed_period(sub, item)
            measured[item.number] = yield from used_in(sub, item, prices[item.price], period)
    bill = _bill(moves, due, prices, measured, until=until, context=context)
    discounted = _with_pending(sub, bill)
    charges = discounted.charges
    if not charges:
        moves.do(BillPeriods(bill.items, bill.periods, bill.amounts, None))
        if bill.changes:
            # What cost nothing may be a level that goes on.
            moves.add(Decision(bill.changes))
        return
    invoicing.check_safe(sub, charges, context)
    operation = ("version", str(sub.version)) if by_command else ()
    # Whether it is paid decides about this subscription, so it is not grouped with others.
    awaited = _awaits_payment(sub)
    place = invoicing.own_place(sub, moves.owner, *bill.cycles, *operation, alone=awaited)
    if place is None:
        place = yield from invoicing.place_of_day(sub, moves.owner, context, moves.invoices)
    method = yield from collection.method_of(moves.owner, context, moves.after)
    moves.do(_billed(bill, discounted, place=place, on=on))
    issued = yield from invoicing.invoice(
        place,
        sub,
        moves.owner,
        charges,
        context,
        method=method,
        activates=awaited,
        alone=awaited,
        # Who has just bought is billed at once.
        renews=not awaited and any(item.billed or item.arrears for item in due),
    )
    if awaited and _is_owed(issued):
        assert sub.payment_window_hours is not None
        window = timedelta(hours=sub.payment_window_hours)
        moves.do(AwaitPayment(place.invoice, context.at + window))
    moves.add(issued)
    if bill.changes:
        moves.add(Decision(bill.changes))


def _is_billed(sub: Subscription) -> bool:
    return isinstance(sub.contract, Active) and (sub.pause is None or sub.pause.invoice)


def _catch_up(moves: Moves, on: date, context: Context) -> Flow[None]:
    """Stop at more missed periods than the bound, or let those be skipped that are to be."""
    sub = moves.after
    today = local_date(context.now, sub.zone)
    if today <= on or not _is_billed(sub):
        return
    missed = _missed(sub, today)
    if sub.catch_up is CatchUp.SKIP:
        if missed > 1:
            yield from skip_to_present(moves, today)
    elif missed > sub.catch_up_max:
        raise SafetyStop(sub.id, f"{missed} periods not billed, at most {sub.catch_up_max}")


def _until(sub: Subscription, on: date, context: Context) -> date:
    """Return until which day periods are billed on this invoice, because they were missed."""
    if sub.catch_up is not CatchUp.TOGETHER or context.now <= context.at:
        return on
    today = local_date(context.now, sub.zone)
    if today <= on or _missed(sub, today) <= 1:
        return on
    # Only as far as all of it is what it is now: then comes a change, and the next invoice.
    changes = [planned.on - _DAY for planned in sub.schedule]
    return max(on, min([today, *changes]))


def _missed(sub: Subscription, today: date) -> int:
    """Return how many periods of an item should have been billed by now, what is due today too."""
    return max([item.due_by(today) for item in sub.items])


def check_ahead(sub: Subscription, at: datetime) -> None:
    """Raise `ValidationError` if more periods begin by a time to come than one command may bill.

    A command is decided by what is then, so all that is due before it is billed: years of it for a
    slip of a digit.
    """
    ahead = _missed(sub, at.date())
    if _is_billed(sub) and ahead > sub.catch_up_max:
        expected = f"a time before which at most {sub.catch_up_max} periods are due, not {ahead}"
        raise ValidationError("at", at, expected)


def skip_to_present(moves: Moves, today: date) -> Flow[None]:
    """Let items be billed from their present period on; what was missed is never owed."""
    for item in moves.after.items:
        if item.due_day <= today and item.cycle.anchor <= today:
            index = item.cycle.index_of(today)
            present = item.cycle.start(index if not item.arrears else max(0, index - 1))
            if present > item.through:
                begin = first_instant(present, moves.after.zone)
                levels = yield from carry_levels(moves.after, begin, [item])
                if levels:
                    moves.add(Decision(levels))
                moves.do(SkipPeriods((item.number,), present))


def _bill(
    moves: Moves,
    due: Sequence[Item],
    prices: Mapping[str, Price],
    measured: Mapping[int, Used],
    *,
    until: date,
    context: Context,
) -> _Bill:
    sub, owner = moves.after, moves.owner
    items: list[int] = []
    periods: list[Period] = []
    amounts: list[int] = []
    charges: list[Charge] = []
    changes: tuple[Change, ...] = ()
    for each in due:
        item = each
        price = prices[item.price]
        usage, more = measured.get(item.number, NOTHING_USED)
        if len(usage) > 1:
            usage = taxed_late(usage, price, owner, context)
        changes += more
        while True:
            period = _billed_period(sub, item)
            # What is supplied over a time is supplied at its end, what is paid ahead when it is.
            day = period.end - _DAY if item.arrears else period.start
            treatment = context.tax_for(owner, day, price.tax_category)
            mine = lifecycle.charge_period(
                item,
                price,
                period,
                rate=treatment.rate,
                subscription=sub,
                usage=usage,
                unit=context.proration.unit,
                treatment=treatment,
            )
            items.append(item.number)
            periods.append(period)
            # What was billed ahead is a part of what is usual for such a period.
            billed_minor = item.usage_billed_minor
            amounts.append(billed_minor + sum([charge.amount_minor for charge in mine]))
            charges += [charge for charge in mine if charge.amount_minor or not _is_usage(charge)]
            if item.meter is not None or (period.end > until and not item.arrears):
                break
            item = evolve(item, through=period.end, next_end=None, billed=item.billed + 1)
            if item.due_day > until:
                break
    arrears = tuple([item.number for item in due if item.arrears])
    return _Bill(tuple(items), tuple(periods), tuple(amounts), tuple(charges), changes, arrears)


def _is_usage(charge: Charge) -> bool:
    return charge.kind in {LineKind.USAGE, LineKind.LATE_USAGE}


def _billed_period(sub: Subscription, item: Item) -> Period:
    """Return the period to bill: cut at a known end, if what is unused would be given back."""
    period, end, cancellation = item.next_period, sub.ends_on, sub.cancellation
    if cancellation is not None and cancellation.settlement is not Settlement.NONE:
        end = sub.known_end
    if end is not None and period.start < end < period.end:
        return Period(period.start, end)
    return period


@define
class _Discounted:
    """All that goes on an invoice, with its discounts, and which coupons counted for what.

    `used` are the coupons that took something off, once for each due day; `spans` says how many
    charges after those that were pending fell due on one day, and which coupons counted for them.
    """

    charges: Sequence[Charge]
    used: tuple[CouponId, ...]
    spans: Sequence[tuple[int, tuple[AppliedCoupon, ...]]]


def _with_pending(sub: Subscription, bill: _Bill) -> _Discounted:
    """Return what is pending and what is billed, with discounts."""
    if not sub.discounts:
        charges = (*sub.pending, *bill.charges) if sub.pending else bill.charges
        return _Discounted(charges, (), ((len(bill.charges), ()),))
    standing, undiscounted = sub.discounts, sub.pending
    discounted: list[Charge] = []
    used: list[CouponId] = []
    spans: list[tuple[int, tuple[AppliedCoupon, ...]]] = []
    for due in _by_due_day(sub, bill):
        found = lifecycle.discounted((*undiscounted, *due), standing, sub.currency)
        undiscounted = ()
        discounted += found
        coupons = lifecycle.coupons_used(found)
        counted = [each for each in standing if each.periods_left is None or each.coupon in coupons]
        spans.append((len(due), tuple(counted)))
        used += coupons
        standing = lifecycle.after_period(standing, coupons)
    return _Discounted(discounted, tuple(used), spans)


def _by_due_day(sub: Subscription, bill: _Bill) -> Sequence[Sequence[Charge]]:
    """Return what is billed by the days on which it fell due: for coupons, each is a period."""
    if len(set(bill.items)) == len(bill.items):
        return (bill.charges,)
    items = {item.number: item for item in sub.items}
    days: dict[date, list[Charge]] = {}
    for charge in bill.charges:
        item = items[charge.item or 0]
        day = item.due_day
        if item.meter is None and charge.period is not None:
            day = charge.period.end if item.arrears else charge.period.start
        days.setdefault(day, []).append(charge)
    return [days[day] for day in sorted(days)]


def _billed(
    bill: _Bill, discounted: _Discounted, *, place: invoicing.Place, on: date
) -> BillPeriods:
    debits: tuple[Debit, ...] = ()
    first = len(discounted.charges) - len(bill.charges)
    for count, coupons in discounted.spans:
        debits += lifecycle.debits_of(
            discounted.charges[first : first + count],
            place.invoice,
            first_line=place.first_line + first,
            after=on,
            coupons=coupons,
        )
        first += count
    return BillPeriods(
        bill.items,
        bill.periods,
        bill.amounts,
        place.invoice,
        debits,
        discounted.used,
        place.first_line,
    )


def _awaits_payment(sub: Subscription) -> bool:
    return sub.payment_window_hours is not None and all(item.billed == 0 for item in sub.items)


def _is_owed(issued: Decision) -> bool:
    """Return whether something is to be paid: of what is final, or will be once taxes are known."""
    waiting = [change.after for change in issued.changes if isinstance(change.after, Invoice)]
    drafts = [each for each in waiting if each.taxing is not None]
    final = [issue.after for issue in issued.issues if isinstance(issue.after, Invoice)]
    return any(
        each.total_minor > each.balance_minor + each.granted_minor for each in (*drafts, *final)
    )


# ---- what a change depends on ------------------------------------------------------------------


def conditions_of(
    moves: Moves,
    closing: Sequence[Item],
    context: Context,
    *,
    prices: Mapping[str, Price] | None = None,
    credits: bool = True,
    policy: Proration | None = None,
) -> Flow[tuple[Conditions, tuple[Change, ...]]]:
    """Gather what a change depends on: prices, final usage of items that close, what was paid."""
    sub, owner = moves.after, moves.owner
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
    credited: Counter[LineRef] = Counter()
    if policy.cap is Cap.PAID or policy.credit is not Credit.NONE:
        named = {each.invoice for each in sub.debits if each.invoice is not None}
        made = [each for id, each in moves.invoices.items() if id in named]
        stored = yield from GetMany(INVOICE, tuple(sorted(named - {each.id for each in made})))
        for charged in (*made, *stored):
            document = charged
            while document.replaced_by is not None:
                # It was void, and its lines are owed by the one that was made instead.
                document = yield from Get(INVOICE, document.replaced_by)
            if isinstance(document.state, Void):
                # Nobody owed it, so nothing of it is given back, whatever the cap.
                paid[charged.id] = PaidShare(0, max(1, document.total_minor))
            elif policy.cap is Cap.PAID:
                money = document.paid_minor + document.balance_minor + document.granted_minor
                money = max(0, money - (yield from refunded_of(document)))
                paid[charged.id] = PaidShare(money, document.total_minor)
            for note in (yield from Having(CREDIT_NOTE, "invoice", document.id)):
                for line in note.lines:
                    credited[LineRef(charged.id, line.line)] += line.amount_minor
    usage: dict[int, tuple[UsageOf, ...]] = {}
    changes: list[Change] = []
    if isinstance(sub.contract, Active):
        for item in closing:
            if item.meter is None:
                continue
            period = item.next_period
            today = local_date(context.at, sub.zone)
            segment = Period(period.start, max(today, period.start + _DAY))
            price = known[item.price]
            until = max(context.at, lifecycle.open_since(item, sub.zone))
            used, more = yield from used_in(sub, item, price, segment, until=until)
            usage[item.number] = taxed_late(used, price, owner, context)
            changes += more
    day = local_date(context.at, sub.zone)
    treatments: dict[str, TaxTreatment] = {
        price.id: context.tax_for(owner, day, price.tax_category) for price in known.values()
    }
    rate = next(iter(treatments.values())).rate
    conditions = Conditions(
        context.at, policy, rate, known, usage, paid, treatments, credited, context.now
    )
    return conditions, tuple(changes)
