"""Examples: subscriptions in every state and of every choice, and migrations."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from fractions import Fraction

from subscriptions import customers, lifecycle, migrations
from subscriptions.billing_cycles import BillingCycle, Interval, Period
from subscriptions.contract_terms import Terms
from subscriptions.ids import InvoiceId, MigrationId, PriceId
from subscriptions.proration import Cap, ChangeDay, Credit, Mode, Proration, ProrationUnit
from subscriptions.records import Metadata
from subscriptions.testing.builders import (
    AT,
    START,
    a_coupon,
    a_debit,
    a_migration,
    a_move,
    a_pending_credit,
    a_plan,
    a_subscription,
    an_item,
)
from subscriptions.testing.examples.example import DUE, INVOICE, LATER, METHOD, QUEBEC, Example
from subscriptions.usage import Stretch, StretchKind


def of_subscriptions() -> Iterator[Example]:
    """Yield examples of subscriptions."""
    yearly = BillingCycle(START, Interval.years(1))
    rest = lifecycle.Rest(
        4,
        Period(START, date(2027, 2, 28)),
        BillingCycle(START, Interval.months(1)),
        Fraction(10, 31),
        grants=(lifecycle.Grant(a_coupon().applied(), 290, 2900),),
        unit=ProrationUnit.SECOND,
        since=START,
    )
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
                    past=(
                        *[Stretch(AT, yearly, kind) for kind in StretchKind],
                        Stretch(LATER, yearly, ahead=(AT, LATER)),
                    ),
                ),
            ),
            start=START,
            debits=(
                a_debit(grants=(lifecycle.Grant(a_coupon().applied(), 290, 2900),)),
                a_debit(invoice=None, begin=Fraction(10, 31)),
                a_debit(item=2, rate=QUEBEC[0], more_rates=QUEBEC[1:]),
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
            gone=(PriceId("price_basic"), PriceId("price_old")),
            places=(
                lifecycle.Place(4, (rest,), an_item(number=4), an_item(number=4, quantity=2)),
                lifecycle.Place(5, (rest,), held=4),
            ),
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


def of_migrations() -> Iterator[Example]:
    """Yield examples of migrations."""
    states = (migrations.InPlace(), migrations.Undoing(), migrations.Undone())
    for state in states:
        word = migrations.STATUSES[type(state)]
        id = MigrationId(f"mig_{word}")
        migration = a_migration(id=id, version=5, state=state, planned=3, withdrawn=2)
        yield Example(f"migration.{word}", migrations.MIGRATION, migration)
    told = a_migration(notice=Interval.months(1))
    yield Example("migration.planning", migrations.MIGRATION, told)
    on_a_day = a_migration(id=MigrationId("mig_on_a_day"), notice_on=START)
    yield Example("migration.on_a_day", migrations.MIGRATION, on_a_day)


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
