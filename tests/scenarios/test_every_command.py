"""What holds for every command on subscriptions, whichever it is.

The commands are taken from the namespace: one that is new, and not described here, fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import TypeAlias

import pytest
from attrs import field, frozen

from subscriptions import (
    Currency,
    DunningPolicy,
    Interval,
    InvalidTransition,
    MarkUnpaid,
    MemoryStorage,
    Money,
    PerUnit,
    Retries,
    SqlStorage,
    StalePlan,
    TaxRate,
    TaxRates,
)
from subscriptions.alignment import DayOfMonth
from subscriptions.contract_terms import Terms
from subscriptions.coupons import Forever
from subscriptions.engine import namespaces
from subscriptions.engine.binding import (
    AsyncDoes,
    AsyncPreviews,
    Does,
    Namespace,
    Previews,
    Verb,
)
from subscriptions.engine.plans import Plan
from subscriptions.events import KINDS
from subscriptions.lifecycle import Phase, Subscription
from subscriptions.proration import Proration
from subscriptions.storage import PAGE_LIMIT_MAX, Query, Storage
from subscriptions.taxes import TaxBehavior
from tests.scenarios.shop import MONTHLY, YEARLY, Shop, audit, eur, open_shop

FIRST = date(2028, 1, 31)
"""The first day: the last of a month, before a February of 29 days."""
CHANGED = date(2028, 2, 11)
NOW = Proration(mode="invoice_now")
SECONDS = Proration(mode="invoice_now", unit="second")
RATES = TaxRates({"DE": TaxRate("19"), "FR": TaxRate("20")})


@frozen
class World:
    """A shop with a customer who has, or is about to have, a subscription."""

    shop: Shop
    currency: str
    behavior: TaxBehavior
    customer: str
    basic: str
    pro: str
    weekly: str
    yearly: str
    calls: str

    def subscribe(self, *items: str, start: date | None = None, **given: object) -> Subscription:
        wanted = items or (self.basic,)
        made: Subscription = self.shop.billing.subscriptions.create(
            self.customer,
            wanted,
            start=start,
            **given,  # type: ignore[arg-type]  # passed on
        )
        return made

    def go_to(self, day: date, hour: int = 0) -> None:
        self.shop.time.advance(to=day)
        if hour:
            self.shop.time.advance(hours=hour)

    def price(self, minor: int, name: str, every: Interval) -> str:
        amount = Money(minor, Currency(self.currency))
        return self.shop.price(amount, name=name, every=every, tax_behavior=self.behavior).id


Arguments: TypeAlias = dict[str, object]
Prepare: TypeAlias = Callable[[World], Arguments]


@frozen
class Case:
    """One way to use a command: what there is before it, and what it is given."""

    command: str
    name: str
    prepare: Prepare = field(repr=False)

    def __str__(self) -> str:
        return f"{self.command}-{self.name}"


CASES: list[Case] = []


def case(command: str, name: str = "plain") -> Callable[[Prepare], Prepare]:
    def taken(prepare: Prepare) -> Prepare:
        CASES.append(Case(command, name, prepare))
        return prepare

    return taken


# ---- what the commands are given ------------------------------------------------------------


@case("create")
@case("create", "again")
def _(world: World) -> Arguments:
    return {"customer": world.customer, "items": [world.basic]}


@case("create", "later")
def _(world: World) -> Arguments:
    return {"customer": world.customer, "items": [world.basic], "start": date(2028, 3, 31)}


@case("create", "backdated")
def _(world: World) -> Arguments:
    return {"customer": world.customer, "items": [world.basic], "start": date(2027, 10, 31)}


@case("create", "several items, mixed intervals")
def _(world: World) -> Arguments:
    items = [(world.basic, 3), world.weekly, world.yearly, world.calls]
    return {"customer": world.customer, "items": items, "start": FIRST}


@case("create", "with a stub until the 15th")
def _(world: World) -> Arguments:
    items = [(world.basic, 3), world.yearly]
    return {"customer": world.customer, "items": items, "align": DayOfMonth(15)}


@case("create", "phases")
def _(world: World) -> Arguments:
    phases = [Phase((world.basic,), Interval.months(3)), Phase((world.pro,))]
    return {"customer": world.customer, "phases": phases}


@case("create", "with a coupon and a first payment to come")
def _(world: World) -> Arguments:
    tenth = world.shop.billing.coupons.create("Tenth", percent_off=10)
    return {
        "customer": world.customer,
        "items": [world.basic],
        "coupons": [tenth.id],
        "require_payment": True,
    }


@case("create", "with a trial")
def _(world: World) -> Arguments:
    until = date(2028, 2, 29)
    return {"customer": world.customer, "items": [world.basic], "trial_until": until}


def _running(world: World, *items: str, hour: int = 9) -> Subscription:
    sub = world.subscribe(*items)
    world.go_to(CHANGED, hour)
    return sub


@case("change", "next invoice")
def _(world: World) -> Arguments:
    return {"id": _running(world).id, "swap": {world.basic: world.pro}}


@case("change", "invoice now, by seconds")
def _(world: World) -> Arguments:
    sub = _running(world, world.basic, world.weekly)
    return {"id": sub.id, "items": [world.pro, (world.weekly, 2)], "proration": SECONDS}


@case("change", "another interval")
def _(world: World) -> Arguments:
    return {"id": _running(world).id, "swap": {world.basic: world.yearly}}


@case("change", "usage that closes")
def _(world: World) -> Arguments:
    sub = _running(world, world.basic, world.calls)
    world.shop.billing.usage.record(sub.id, "calls", event_id="1", quantity=7)
    return {"id": sub.id, "remove": [world.calls], "proration": NOW}


@case("change", "upgrade by rule")
def _(world: World) -> Arguments:
    return {"id": _running(world).id, "swap": {world.basic: world.pro}, "when": "auto"}


@case("change", "downgrade by rule")
def _(world: World) -> Arguments:
    sub = _running(world, world.pro)
    return {"id": sub.id, "swap": {world.pro: world.basic}, "when": "auto"}


@case("change", "quantity with a coupon")
def _(world: World) -> Arguments:
    third = world.shop.billing.coupons.create("Third", percent_off="33.3", duration=Forever())
    sub = world.subscribe(world.basic, world.yearly, coupons=[third.id])
    world.go_to(CHANGED)
    return {"id": sub.id, "quantities": {world.basic: 3}, "proration": NOW}


@case("change", "in a trial")
def _(world: World) -> Arguments:
    sub = world.subscribe(trial_until=date(2028, 3, 1))
    return {"id": sub.id, "add": [world.yearly]}


@case("schedule")
def _(world: World) -> Arguments:
    return {"id": _running(world).id, "add": [world.weekly], "on": date(2028, 2, 20)}


@case("unschedule")
def _(world: World) -> Arguments:
    sub = _running(world)
    world.shop.billing.subscriptions.schedule(sub.id, add=[world.weekly], on=date(2028, 2, 20))
    return {"id": sub.id}


@case("set_next_billing", "later")
def _(world: World) -> Arguments:
    return {"id": _running(world).id, "on": date(2028, 3, 15), "proration": NOW}


@case("set_next_billing", "earlier")
def _(world: World) -> Arguments:
    return {"id": _running(world).id, "on": date(2028, 2, 15), "proration": NOW}


@case("transfer")
def _(world: World) -> Arguments:
    sub = _running(world)
    return {"id": sub.id, "to": world.shop.customer(name="Bob", country="FR").id}


@case("set_catch_up")
def _(world: World) -> Arguments:
    return {"id": _running(world).id, "catch_up": "skip", "catch_up_max": 3}


@case("set_payment_method")
def _(world: World) -> Arguments:
    sub = _running(world)
    method = world.shop.billing.payment_methods.attach(world.customer, "tok_mastercard")
    return {"id": sub.id, "method": method.id}


@case("set_collection_method")
def _(world: World) -> Arguments:
    return {"id": _running(world).id, "collection_method": "send_invoice"}


@case("pause", "collect")
def _(world: World) -> Arguments:
    return {"id": _running(world).id, "resume_on": date(2028, 4, 1)}


@case("pause", "invoice and serve")
def _(world: World) -> Arguments:
    sub = _running(world, world.basic, world.calls)
    world.shop.billing.usage.record(sub.id, "calls", event_id="1", quantity=7)
    return {"id": sub.id, "collect": True, "invoice": False, "serve": False}


@case("resume", "drafts")
def _(world: World) -> Arguments:
    sub = _running(world)
    world.shop.billing.subscriptions.pause(sub.id)
    world.go_to(date(2028, 3, 9))
    return {"id": sub.id}


@case("resume", "in the middle of what was not invoiced")
def _(world: World) -> Arguments:
    sub = _running(world)
    world.shop.billing.subscriptions.pause(sub.id, invoice=False)
    world.go_to(date(2028, 3, 9), 5)
    return {"id": sub.id}


@case("extend_trial")
@case("extend_trial", "earlier")
def _(world: World) -> Arguments:
    sub = world.subscribe(trial_until=date(2028, 2, 29))
    return {"id": sub.id, "until": date(2028, 3, 31)}


@case("end_trial")
def _(world: World) -> Arguments:
    sub = world.subscribe(world.basic, world.weekly, trial_until=date(2028, 2, 29))
    world.go_to(CHANGED, 3)
    return {"id": sub.id}


def _cancelling(settlement: str) -> None:
    @case("cancel", f"now, {settlement}")
    def _(world: World) -> Arguments:
        sub = _running(world, world.basic, world.yearly, world.calls)
        world.shop.billing.usage.record(sub.id, "calls", event_id="1", quantity=7)
        return {"id": sub.id, "when": "now", "settlement": settlement, "reason": "moved"}

    @case("cancel", f"now, {settlement}, nothing paid")
    def _(world: World) -> Arguments:
        world.shop.billing.subscriptions.list()
        sub = world.subscribe(world.basic, collection_method="send_invoice")
        world.go_to(CHANGED)
        return {"id": sub.id, "when": "now", "settlement": settlement}

    @case("cancel", f"on a date, {settlement}")
    def _(world: World) -> Arguments:
        return {"id": _running(world).id, "when": date(2028, 3, 7), "settlement": settlement}


for _settlement in ("none", "credit", "refund"):
    _cancelling(_settlement)


@case("cancel", "at period end")
def _(world: World) -> Arguments:
    return {"id": _running(world, world.basic, world.yearly).id}


@case("cancel", "under terms")
def _(world: World) -> Arguments:
    terms = Terms(minimum=Interval.years(1), notice=Interval.months(1))
    return {"id": world.subscribe(terms=terms).id, "reason": "too dear"}


@case("cancel", "while its first payment is awaited")
def _(world: World) -> Arguments:
    sub = world.subscribe(require_payment=True, collection_method="send_invoice")
    return {"id": sub.id, "when": "now"}


@case("undo_cancel")
@case("reactivate", "what is cancelled")
def _(world: World) -> Arguments:
    sub = _running(world)
    world.shop.billing.subscriptions.cancel(sub.id)
    return {"id": sub.id}


@case("reactivate", "what has ended")
def _(world: World) -> Arguments:
    sub = _running(world)
    world.shop.billing.subscriptions.cancel(sub.id, when="now", settlement="credit")
    world.go_to(date(2028, 4, 30))
    return {"id": sub.id, "keep_anchor": True}


@case("set_end")
def _(world: World) -> Arguments:
    return {"id": _running(world).id, "on": date(2028, 5, 5)}


@case("set_end", "none")
def _(world: World) -> Arguments:
    sub = _running(world)
    world.shop.billing.subscriptions.set_end(sub.id, on=date(2028, 5, 5))
    return {"id": sub.id, "on": None}


@case("answer_survey")
def _(world: World) -> Arguments:
    return {"id": _running(world).id, "answer": "too_expensive", "comment": "Sorry"}


# ---- the shop, and all that is stored in it -----------------------------------------------------


def open_world(
    storage: Storage, currency: str, behavior: TaxBehavior = TaxBehavior.EXCLUSIVE
) -> World:
    """Open a shop whose prices divide badly; 31 days, 29 days, 52.14 weeks and seven calls."""
    shop = open_shop(storage, start=FIRST, taxes=RATES)
    shop.billing.usage.add_meter("calls")
    calls = shop.billing.catalog.add_price(
        "Calls",
        PerUnit("0.37" if currency != "JPY" else "3"),
        currency=currency,
        every=MONTHLY,
        meter="calls",
        tax_behavior=behavior,
    )
    blank = World(shop, currency, behavior, shop.customer().id, "", "", "", "", calls.id)
    return World(
        shop,
        currency,
        behavior,
        blank.customer,
        blank.price(2917, "Basic", MONTHLY),
        blank.price(7103, "Pro", MONTHLY),
        blank.price(611, "Weekly", Interval.weeks(1)),
        blank.price(31337, "Yearly", YEARLY),
        calls.id,
    )


def everything(shop: Shop) -> dict[str, object]:
    """Return every record and event that is stored, and what the gateway did."""
    stored: dict[str, object] = {}
    for kind in KINDS:
        cursor: str | None = None
        while True:
            page = shop.storage.find(Query(kind, "default", {}, after=cursor, limit=PAGE_LIMIT_MAX))
            stored |= {f"{kind.name} {record.id}": record for record in page.items}
            cursor = page.next_cursor
            if cursor is None:
                break
    events = [*shop.billing.events.list(limit=PAGE_LIMIT_MAX)]
    return {
        **stored,
        "events": events,
        "charges": shop.gateway.charges,
        "refunds": shop.gateway.refunds,
    }


@pytest.fixture(params=["memory", "sqlite"])
def storages(request: pytest.FixtureRequest) -> Iterator[Callable[[], Storage]]:
    opened: list[SqlStorage] = []

    def fresh() -> Storage:
        if request.param == "memory":
            return MemoryStorage()
        opened.append(SqlStorage("sqlite://"))
        return opened[-1]

    yield fresh
    for storage in opened:
        storage.close()


ALL = pytest.mark.parametrize("case", CASES, ids=str)
MONEY = pytest.mark.parametrize(
    ("currency", "behavior"),
    [
        ("EUR", TaxBehavior.EXCLUSIVE),
        ("JPY", TaxBehavior.INCLUSIVE),
        ("BHD", TaxBehavior.EXCLUSIVE),
    ],
)


def perform(world: World, case: Case, given: Arguments, **more: object) -> Subscription:
    made: Subscription = getattr(world.shop.billing.subscriptions, case.command)(**given, **more)
    return made


def preview(world: World, case: Case, given: Arguments, **more: object) -> Plan[Subscription]:
    plans = world.shop.billing.preview.subscriptions
    plan: Plan[Subscription] = getattr(plans, case.command)(**given, **more)
    return plan


# ---- the laws -----------------------------------------------------------------------------------


def _of(noun: type[Namespace], verb: type[Verb]) -> set[str]:
    members: dict[str, object] = dict(vars(noun))
    return {name for name, member in members.items() if isinstance(member, verb)}


def test_every_command_is_described_here_and_can_be_previewed() -> None:
    commands = {case.command for case in CASES}
    assert _of(namespaces.Subscriptions, Does) == commands
    assert _of(namespaces.AsyncSubscriptions, AsyncDoes) == commands
    assert _of(namespaces.SubscriptionPreviews, Previews) - {"__call__"} == commands
    assert _of(namespaces.AsyncSubscriptionPreviews, AsyncPreviews) - {"__call__"} == commands


@ALL
@MONEY
def test_a_preview_writes_nothing_and_its_commit_does_what_the_command_does(
    case: Case, currency: str, behavior: TaxBehavior
) -> None:
    direct, planned = [open_world(MemoryStorage(), currency, behavior) for _ in range(2)]
    perform(direct, case, case.prepare(direct))

    given = case.prepare(planned)
    before = everything(planned.shop)
    plan = preview(planned, case, given)
    assert everything(planned.shop) == before
    committed = planned.shop.billing.commit(plan)

    assert everything(planned.shop) == everything(direct.shop)
    for shown in plan.invoices:
        made = planned.shop.billing.invoices.get(shown.id)
        assert (made.lines, made.taxes, made.net, made.tax, made.total) == (
            shown.lines,
            shown.taxes,
            shown.net,
            shown.tax,
            shown.total,
        )
    for note in plan.credit_notes:
        issued = planned.shop.billing.credit_notes.get(note.id)
        assert (issued.lines, issued.total, issued.division) == (
            note.lines,
            note.total,
            note.division,
        )
    # What the payment makes of it follows the commit.
    assert (committed.id, committed.items, committed.pending, committed.schedule) == (
        plan.about.id,
        plan.about.items,
        plan.about.pending,
        plan.about.schedule,
    )
    # A year later both are the same to the cent, and in order.
    for world in (direct, planned):
        world.shop.time.advance(months=14)
    assert everything(planned.shop) == everything(direct.shop)
    assert audit(planned.shop) == []


@ALL
def test_after_an_interfering_write_a_plan_is_stale_and_changes_nothing(
    case: Case, storages: Callable[[], Storage]
) -> None:
    world = open_world(storages(), "EUR")
    billing, given = world.shop.billing, case.prepare(world)
    plan = preview(world, case, given)
    if "id" in given:
        billing.subscriptions.answer_survey(str(given["id"]), "somebody was faster")
    else:
        billing.customers.update(world.customer, language="fr")
    before = everything(world.shop)
    with pytest.raises(StalePlan, match="preview again"):
        billing.commit(plan)
    assert everything(world.shop) == before


def _cancelling_now(world: World) -> Plan[Subscription]:
    sub = _running(world, world.basic, world.calls)
    return world.shop.billing.preview.subscriptions.cancel(sub.id, when="now", settlement="refund")


def _creating(world: World) -> Plan[Subscription]:
    return world.shop.billing.preview.subscriptions.create(world.customer, [world.basic])


def _used(world: World, plan: Plan[Subscription]) -> object:
    return world.shop.billing.usage.record(plan.about.id, "calls", event_id="1", quantity=1)


def _refunded(world: World, _: Plan[Subscription]) -> object:
    return world.shop.billing.payments.refund(world.shop.payments()[0].id, reason="sorry")


def _credited(world: World, _: Plan[Subscription]) -> object:
    return world.shop.billing.credit_notes.create(world.shop.invoices()[0].id, reason="sorry")


def _repriced(world: World, _: Plan[Subscription]) -> object:
    return world.shop.billing.catalog.new_version(world.basic, eur("99.99"))


def _archived(world: World, _: Plan[Subscription]) -> object:
    return world.shop.billing.catalog.archive(world.basic)


def _new_card(world: World, _: Plan[Subscription]) -> object:
    attach = world.shop.billing.payment_methods.attach
    return attach(world.customer, "tok_amex", default=True)


def _goodwill(world: World, _: Plan[Subscription]) -> object:
    return world.shop.billing.balance.adjust(world.customer, eur("1.00"), reason="goodwill")


@pytest.mark.parametrize(
    ("planned", "interfere"),
    [
        (_cancelling_now, _used),
        (_cancelling_now, _refunded),
        (_cancelling_now, _credited),
        (_creating, _repriced),
        (_creating, _archived),
        (_creating, _new_card),
        (_creating, _goodwill),
    ],
)
def test_a_plan_rests_on_all_that_it_was_made_from(
    planned: Callable[[World], Plan[Subscription]],
    interfere: Callable[[World, Plan[Subscription]], object],
) -> None:
    world = open_world(MemoryStorage(), "EUR")
    plan = planned(world)
    interfere(world, plan)
    before = everything(world.shop)
    with pytest.raises(StalePlan, match="preview again"):
        world.shop.billing.commit(plan)
    assert everything(world.shop) == before


@ALL
def test_with_the_same_key_a_command_is_done_once_and_a_plan_too(
    case: Case, storages: Callable[[], Storage]
) -> None:
    for planned in (False, True):
        world = open_world(storages(), "EUR")
        given = case.prepare(world)
        plan = preview(world, case, given, idempotency_key="once")
        if planned:
            first = world.shop.billing.commit(plan)
        else:
            first = perform(world, case, given, idempotency_key="once")
        before = everything(world.shop)
        assert perform(world, case, given, idempotency_key="once") == first
        assert world.shop.billing.commit(plan) == first
        world.shop.clock.now += timedelta(hours=1)
        assert perform(world, case, given, idempotency_key="once").id == first.id
        changed = {n for n, v in everything(world.shop).items() if v != before.get(n)}
        assert changed == set()


# ---- what each state refuses ---------------------------------------------------------------------


def _unpaid(world: World) -> Subscription:
    world.shop.billing.dunning.set_policy(DunningPolicy(retries=Retries(), final=MarkUnpaid()))
    world.shop.billing.payment_methods.attach(world.customer, "tok_lost_card", default=True)
    sub = world.subscribe()
    world.shop.time.advance(hours=1)
    return sub


def _past_due(world: World) -> Subscription:
    method = world.shop.billing.payment_methods.attach
    method(world.customer, "tok_insufficient_funds", default=True)
    sub = world.subscribe()
    world.shop.time.advance(hours=1)
    return sub


def _paused(world: World) -> Subscription:
    sub = world.subscribe()
    return world.shop.billing.subscriptions.pause(sub.id, invoice=False)


def _cancelled(world: World) -> Subscription:
    return world.shop.billing.subscriptions.cancel(world.subscribe().id)


def _canceled(world: World) -> Subscription:
    return world.shop.billing.subscriptions.cancel(world.subscribe().id, when="now")


def _expired(world: World) -> Subscription:
    sub = world.subscribe()
    world.shop.billing.subscriptions.set_end(sub.id, on=date(2028, 2, 3))
    world.go_to(date(2028, 2, 3))
    return sub


STATES: dict[str, Callable[[World], Subscription]] = {
    "scheduled": lambda world: world.subscribe(start=date(2028, 2, 29)),
    "incomplete": lambda world: world.subscribe(
        require_payment=True, collection_method="send_invoice"
    ),
    "trialing": lambda world: world.subscribe(trial_until=date(2028, 2, 29)),
    "active": lambda world: world.subscribe(),
    "past_due": _past_due,
    "unpaid": _unpaid,
    "paused": _paused,
    "cancelled, and not over": _cancelled,
    "canceled": _canceled,
    "expired": _expired,
}
GIVEN: dict[str, Prepare] = {
    "change": lambda world: {"add": [world.weekly]},
    "schedule": lambda world: {"add": [world.weekly], "on": date(2028, 3, 17)},
    "unschedule": lambda _: {},
    "set_next_billing": lambda _: {"on": date(2028, 3, 17)},
    "transfer": lambda world: {"to": world.shop.customer(name="Bob").id},
    "set_catch_up": lambda _: {"catch_up": "together"},
    "set_payment_method": lambda _: {"method": None},
    "set_collection_method": lambda _: {"collection_method": None},
    "pause": lambda _: {},
    "resume": lambda _: {},
    "extend_trial": lambda _: {"until": date(2028, 3, 17)},
    "end_trial": lambda _: {},
    "cancel": lambda _: {},
    "undo_cancel": lambda _: {},
    "set_end": lambda _: {"on": date(2028, 3, 17)},
    "reactivate": lambda _: {},
    "answer_survey": lambda _: {"answer": "other"},
}
RUNNING = {
    "undo_cancel": "no cancellation is pending",
    "reactivate": "no cancellation is pending",
    "resume": "it is not paused",
    "unschedule": "nothing of this cause is planned",
}
IN_NO_TRIAL = {
    "extend_trial": "set_next_billing moves the next bill",
    "end_trial": "set_next_billing moves the next bill",
}
OVER = dict.fromkeys(
    sorted(GIVEN.keys() - {"reactivate", "answer_survey"}), "reactivate it, or create another"
)
REFUSED: dict[str, dict[str, str]] = {
    "scheduled": RUNNING
    | dict.fromkeys(
        ("set_next_billing", "pause", "extend_trial", "end_trial"), "it begins on 2028-02-29"
    ),
    "incomplete": RUNNING
    | dict.fromkeys(
        (
            "change",
            "schedule",
            "set_next_billing",
            "transfer",
            "set_catch_up",
            "pause",
            "extend_trial",
            "end_trial",
            "set_end",
        ),
        "pay invoice",
    ),
    "trialing": RUNNING | {"set_next_billing": "extend_trial or end_trial"},
    "active": RUNNING | IN_NO_TRIAL,
    "past_due": RUNNING | IN_NO_TRIAL,
    "unpaid": RUNNING | IN_NO_TRIAL,
    "paused": {n: v for n, v in RUNNING.items() if n != "resume"}
    | IN_NO_TRIAL
    | {"pause": "resume it first"},
    "cancelled, and not over": {"resume": "it is not paused"}
    | {"unschedule": "nothing of this cause is planned"}
    | IN_NO_TRIAL,
    "canceled": OVER,
    "expired": OVER,
}
"""Of each state the commands that it refuses, and what the refusal says would do."""


def test_every_command_is_given_to_every_state() -> None:
    assert {*GIVEN, "create"} == {case.command for case in CASES}
    assert REFUSED.keys() == STATES.keys()


@pytest.mark.parametrize("command", GIVEN)
@pytest.mark.parametrize("state", STATES)
def test_each_state_takes_a_command_or_refuses_it_and_says_what_would_do(
    state: str, command: str
) -> None:
    world = open_world(MemoryStorage(), "EUR")
    sub = STATES[state](world)
    assert world.shop.subscription(sub).status == (
        "active" if state == "cancelled, and not over" else state
    )
    given = GIVEN[command](world)
    billing = world.shop.billing
    before = everything(world.shop)
    instead = REFUSED[state].get(command)
    if instead is None:
        plan = getattr(billing.preview.subscriptions, command)(sub.id, **given)
        assert everything(world.shop) == before
        billing.commit(plan)
        assert everything(world.shop) != before
        world.shop.time.advance(months=3)
        assert audit(world.shop) == []
        return
    for noun in (billing.preview.subscriptions, billing.subscriptions):
        with pytest.raises(InvalidTransition) as refused:
            getattr(noun, command)(sub.id, **given)
        assert instead in str(refused.value)
        assert everything(world.shop) == before
