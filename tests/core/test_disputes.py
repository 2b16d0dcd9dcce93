"""Disputes as values: what is said in any order, what it takes of a payment, what invoices lose."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import reduce
from itertools import pairwise, permutations, product
from random import Random
from typing import TypeVar

import pytest
from attrs import evolve

from subscriptions import disputes, invoices, payment_methods, payments
from subscriptions.decisions import RecordParked
from subscriptions.disputes import (
    ALLOWED,
    STATUS,
    DebitReturned,
    Dispute,
    DisputeAwaitsPayment,
    DisputeKind,
    DisputeLost,
    DisputeOpened,
    DisputePolicy,
    DisputeReconsidered,
    DisputeSnapshot,
    DisputeState,
    DisputeStatus,
    DisputeTookEffect,
    DisputeUpdated,
    DisputeWithdrawn,
    DisputeWon,
    Lost,
    Next,
    Opened,
    Reopen,
    Withdrawn,
    Won,
)
from subscriptions.dunning import DunningPolicy, Reminder, Retries, Retry
from subscriptions.errors import CurrencyMismatch, InvalidTransition, ValidationError
from subscriptions.ids import CustomerId, DisputeId, InvoiceId, PaymentId
from subscriptions.invoices import EndDispute, Invoice, Paid, TakeBack
from subscriptions.money import EUR, USD, Money
from subscriptions.payment_methods import Detached, Held, PaymentMethod, Refused, Usable
from subscriptions.payments import (
    Advice,
    Allocation,
    Decline,
    Outcome,
    Payment,
    PaymentSnapshot,
    Shares,
    Unknown,
)
from subscriptions.testing.builders import AT, a_dispute, a_payment, a_payment_method, an_invoice

T = TypeVar("T")
REFERENCE, PAYMENT, CUSTOMER = "dp_1", PaymentId("pay_ada"), CustomerId("cus_ada")
LATER = AT + timedelta(days=1)
WHOLE = Money(3451, EUR)
A, B, C = InvoiceId("inv_a"), InvoiceId("inv_b"), InvoiceId("inv_c")


def said(
    status: DisputeStatus = DisputeStatus.OPENED,
    at: datetime = AT,
    *,
    amount: Money = WHOLE,
    kind: DisputeKind = DisputeKind.CHARGEBACK,
    reason: str = "fraudulent",
    reference: str = REFERENCE,
    evidence_due_at: datetime | None = None,
    funds_withdrawn: bool = True,
) -> DisputeSnapshot:
    return DisputeSnapshot(
        reference,
        PAYMENT,
        "ch_1",
        amount,
        kind,
        status,
        reason,
        at,
        evidence_due_at,
        funds_withdrawn,
    )


def noted(snapshot: DisputeSnapshot, policy: DisputePolicy = disputes.DEFAULT_POLICY) -> Dispute:
    change = disputes.note(
        snapshot,
        tenant="acme",
        customer=CUSTOMER,
        payment=PAYMENT,
        gateway="card",
        at=AT,
        policy=policy,
    )
    assert isinstance(change.after, Dispute)
    return change.after


def merged(dispute: Dispute, snapshot: DisputeSnapshot) -> Dispute:
    change = disputes.merge(dispute, snapshot, at=AT)
    if change is None:
        return dispute
    assert isinstance(change.after, Dispute)
    return change.after


def heard(words: Sequence[DisputeSnapshot]) -> Dispute:
    """Return what a dispute is after words in this order, but for its version."""
    first, *rest = words
    return evolve(reduce(merged, rest, noted(first)), version=1, apply_at=None)


# ---- what is said ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"dispute_ref": ""}, "dispute_ref"),
        ({"amount": Money(0, EUR)}, "amount"),
        ({"amount": Money(-1, EUR)}, "amount"),
        ({"attempt_id": None, "gateway_ref": None}, "attempt_id"),
        ({"kind": DisputeKind.INQUIRY}, "kind"),
        ({"occurred_at": datetime(2027, 1, 1)}, "occurred_at"),  # noqa: DTZ001 - what is refused
        ({"evidence_due_at": datetime(2027, 1, 1)}, "evidence_due_at"),  # noqa: DTZ001 - likewise
    ],
)
def test_a_word_that_says_nothing_possible_is_refused(wrong: dict[str, object], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        evolve(said(evidence_due_at=LATER), **wrong)  # type: ignore[arg-type]  # wrong on purpose
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("snapshot", "event"),
    [
        (said(), DisputeOpened),
        (said(DisputeStatus.WON), DisputeWon),
        (said(DisputeStatus.LOST), DisputeLost),
        (said(DisputeStatus.WITHDRAWN), DisputeWithdrawn),
        (said(DisputeStatus.LOST, kind=DisputeKind.RETURN, reason="AM04"), DebitReturned),
    ],
)
def test_a_dispute_is_kept_as_it_is_heard_of_first(
    snapshot: DisputeSnapshot, event: type[object]
) -> None:
    change = disputes.note(
        snapshot, tenant="acme", customer=CUSTOMER, payment=PAYMENT, gateway="card", at=LATER
    )
    dispute = change.after
    assert isinstance(dispute, Dispute)
    assert [type(each) for each in change.events] == [event]
    assert (dispute.status, dispute.amount, dispute.noted_at) == (snapshot.status, WHOLE, LATER)
    # Only what takes money has anything to be decided.
    assert dispute.due_at == (LATER if dispute.taken_minor else None)


def test_the_id_is_derived_from_the_gateways_own_reference() -> None:
    one = disputes.dispute_id("acme", "card", "dp_1")
    assert one == disputes.dispute_id("acme", "card", "dp_1")
    others = [("acme", "card", "dp_2"), ("acme", "debit", "dp_1"), ("other", "card", "dp_1")]
    assert one not in [disputes.dispute_id(*each) for each in others]


@pytest.mark.parametrize(("source", "target"), list(product(STATUS, STATUS)))
def test_what_is_said_of_a_later_time_counts_as_the_table_says(
    source: type[DisputeState], target: type[DisputeState]
) -> None:
    before = noted(said(STATUS[source]))
    change = disputes.merge(before, said(STATUS[target], LATER), at=LATER)
    assert change is not None
    assert isinstance(change.after, Dispute)
    assert isinstance(change.after.state, target)
    assert target in ALLOWED[source]


def test_what_is_said_of_an_earlier_time_counts_no_more() -> None:
    lost = noted(said(DisputeStatus.LOST, LATER))
    assert disputes.merge(lost, said(DisputeStatus.WON, AT), at=LATER) is None
    assert disputes.merge(lost, said(DisputeStatus.LOST, LATER), at=LATER) is None


def test_an_open_dispute_that_stands_otherwise_says_so() -> None:
    before = noted(said(evidence_due_at=LATER))
    change = disputes.merge(before, said(at=LATER, amount=Money(100, EUR)), at=LATER)
    assert change is not None
    (event,) = change.events
    assert isinstance(event, DisputeUpdated)
    assert (event.amount, event.evidence_due_at) == (Money(100, EUR), None)
    assert before.evidence_due_at == LATER
    assert heard([said(DisputeStatus.WON)]).evidence_due_at is None


def test_an_inquiry_takes_nothing_until_it_is_a_chargeback() -> None:
    inquiry = noted(said(kind=DisputeKind.INQUIRY, funds_withdrawn=False))
    assert (inquiry.taken_minor, inquiry.due_at) == (0, None)
    later = merged(inquiry, said(at=LATER))
    assert (later.kind, later.taken_minor, later.due_at) == (DisputeKind.CHARGEBACK, 3451, AT)
    closed = merged(inquiry, said(DisputeStatus.WITHDRAWN, LATER, funds_withdrawn=False))
    assert (closed.taken_minor, closed.due_at) == (0, None)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (said(reference="dp_2"), ValidationError),
        (evolve(said(), attempt_id=PaymentId("pay_other")), ValidationError),
        (said(amount=Money(3451, USD)), CurrencyMismatch),
    ],
)
def test_the_word_on_something_else_is_refused(
    wrong: DisputeSnapshot, error: type[Exception]
) -> None:
    with pytest.raises(error):
        disputes.merge(noted(said()), wrong, at=AT)


def test_words_without_our_id_are_about_the_payment_that_is_known() -> None:
    assert merged(noted(said()), evolve(said(DisputeStatus.WON), attempt_id=None)).status == "won"


# What one gateway might say of one dispute: its whole life, with words of one instant in it.
WORDS = (
    said(kind=DisputeKind.INQUIRY, funds_withdrawn=False, evidence_due_at=LATER),
    said(at=AT + timedelta(hours=1)),
    said(at=AT + timedelta(hours=1), amount=Money(1000, EUR)),
    said(DisputeStatus.WON, AT + timedelta(hours=2)),
    said(DisputeStatus.LOST, AT + timedelta(hours=2), reason="arbitration"),
    said(DisputeStatus.WITHDRAWN, AT + timedelta(hours=2)),
)


def with_repeats(order: Sequence[T], random: Random) -> list[T]:
    """Return what is said in this order, with up to three of it said again somewhere."""
    words = list(order)
    for each in random.sample(words, k=random.randint(0, 3)):
        words.insert(random.randint(0, len(words)), each)
    return words


def test_all_720_orders_of_six_words_with_repeats_make_one_dispute() -> None:
    random = Random(1)
    found: set[Dispute] = set()
    for order in permutations(WORDS):
        found.add(heard(with_repeats(order, random)))
    assert len(found) == 1
    (dispute,) = found
    assert (dispute.status, dispute.reason) == (DisputeStatus.LOST, "arbitration")


@pytest.mark.parametrize(
    ("reopen", "opened", "lost"),
    [
        (Reopen.WHEN_TAKEN, 3451, 3451),
        (Reopen.WHEN_LOST, 0, 3451),
        (Reopen.NEVER, 0, 0),
    ],
)
def test_the_policy_says_when_an_invoice_is_owed_again(
    reopen: Reopen, opened: int, lost: int
) -> None:
    policy = DisputePolicy(reopen)
    assert noted(said(), policy).reopening_minor == opened
    assert noted(said(DisputeStatus.LOST), policy).reopening_minor == lost
    assert noted(said(DisputeStatus.WON), policy).reopening_minor == 0
    returned = noted(said(DisputeStatus.LOST, kind=DisputeKind.RETURN, reason="AM04"), policy)
    assert returned.reopening_minor == 3451


@pytest.mark.parametrize(
    ("snapshot", "invoice", "method", "refused"),
    [
        (said(), True, True, False),
        (said(funds_withdrawn=False), False, False, False),
        (said(DisputeStatus.LOST), True, True, False),
        (said(DisputeStatus.WON), False, False, False),
        (said(kind=DisputeKind.INQUIRY, funds_withdrawn=False), False, False, False),
        (
            said(DisputeStatus.LOST, kind=DisputeKind.RETURN, reason="AM04"),
            False,
            False,
            False,
        ),
        (said(DisputeStatus.LOST, kind=DisputeKind.RETURN, reason="MD06"), True, False, False),
        (said(DisputeStatus.LOST, kind=DisputeKind.RETURN, reason="AC04"), False, False, True),
        (said(DisputeStatus.WON, kind=DisputeKind.RETURN, reason="AC04"), False, False, False),
    ],
)
def test_a_dispute_holds_what_it_should(
    snapshot: DisputeSnapshot, *, invoice: bool, method: bool, refused: bool
) -> None:
    dispute = noted(snapshot)
    assert dispute.holds_invoice == invoice
    assert dispute.holds_method == method
    assert dispute.refuses_method == refused
    unheld = noted(snapshot, DisputePolicy(hold_method=False))
    assert not unheld.holds_method


def test_each_step_of_taking_effect_says_so_once() -> None:
    dispute = noted(said())
    waits = disputes.await_payment(dispute)
    assert isinstance(waits.after, Dispute)
    assert (waits.after.due_at, [type(e) for e in waits.events]) == (None, [DisputeAwaitsPayment])
    again = disputes.reconsider(waits.after, at=LATER)
    assert isinstance(again.after, Dispute)
    assert (again.after.due_at, [type(e) for e in again.events]) == (LATER, [DisputeReconsidered])
    done = disputes.took_effect(again.after, WHOLE, (A,))
    assert isinstance(done.after, Dispute)
    assert (done.after.due_at, done.after.invoices) == (None, (A,))
    assert done.events == (DisputeTookEffect(dispute.id, CUSTOMER, PAYMENT, WHOLE),)
    assert evolve(dispute, parked="odd").due_at is None


# ---- debits that come back ---------------------------------------------------------------------


def test_the_table_of_returns_has_what_the_schemes_need() -> None:
    wanted = {
        "AC01": Next.NEW_METHOD,
        "AC04": Next.NEW_METHOD,
        "MD01": Next.NEW_METHOD,
        "AM04": Next.RETRY,
        "MS02": Next.RETRY,
        "MS03": Next.RETRY,
        "MD06": Next.CONTACT,
        "unheard of": Next.CONTACT,
    }
    assert {code: disputes.rule_for(code).next for code in wanted} == wanted
    for code, rule in disputes.SEPA_RETURNS.items():
        assert len(code) == 4
        assert (rule.next is Next.RETRY) == (rule.tries > 0) == (rule.days > 0), code
        assert rule.source


@pytest.mark.parametrize("code", ["AM04", "MS02", "MS03", "TM01"])
def test_each_return_uses_up_one_retry_and_the_days_only_grow(code: str) -> None:
    left = [disputes.retry_days(code, before) for before in range(5)]
    assert [len(days) for days in left] == [
        max(0, disputes.rule_for(code).tries - before) for before in range(5)
    ]
    assert all(earlier < later for days in left for earlier, later in pairwise(days))
    assert disputes.retry_days("MD06", 0) == ()


# ---- what it takes of a payment ----------------------------------------------------------------


def a_split_payment(**changes: object) -> Payment:
    """Return 100.00 of which 10.00 wait, 20.00 are on the balance, and 70.00 pay two invoices."""
    parts = (Allocation(A, 4000), Allocation(B, 3000))
    return evolve(
        a_payment(amount_minor=10000, allocations=parts, balanced_minor=2000),
        **changes,  # type: ignore[arg-type]  # passed on
    )


def with_disputes(
    payment: Payment, minor: int, *, reopening: int | None = None, balance: int = 2000
) -> tuple[Payment, Shares]:
    """Let disputes take so much in all; what invoices regain they need."""
    shares = payments.shares_of(
        payment,
        minor,
        reopening_minor=minor if reopening is None else reopening,
        on_balance_minor=balance - payment.unbalanced_minor,
    )
    parts = tuple(Allocation(each.invoice, each.amount_minor) for each in shares.returned)
    change = payments.settle_disputes(payment, shares, parts, at=AT)
    if change is None:
        return payment, shares
    assert isinstance(change.after, Payment)
    return evolve(change.after, version=payment.version), shares


def picture(payment: Payment) -> tuple[int, int, dict[str, int]]:
    """Return what waits, what is on the balance, and what pays which invoice."""
    paid: dict[str, int] = {part.invoice: part.amount_minor for part in payment.allocations}
    return payment.unallocated.minor, payment.balanced_minor, paid


CUTS: tuple[tuple[int, tuple[int, int, dict[str, int]]], ...] = (
    (0, (1000, 2000, {A: 4000, B: 3000})),
    (600, (400, 2000, {A: 4000, B: 3000})),
    (1000, (0, 2000, {A: 4000, B: 3000})),
    (1500, (0, 1500, {A: 4000, B: 3000})),
    (3000, (0, 0, {A: 4000, B: 3000})),
    (4000, (0, 0, {A: 4000, B: 2000})),
    (6000, (0, 0, {A: 4000})),
    (6001, (0, 0, {A: 3999})),
    (10000, (0, 0, {})),
)


@pytest.mark.parametrize(("minor", "expected"), CUTS)
def test_what_waits_goes_first_then_the_balance_then_what_was_allocated_last(
    minor: int, expected: tuple[int, int, dict[str, int]]
) -> None:
    after, shares = with_disputes(a_split_payment(), minor)
    assert picture(after) == expected
    assert (after.disputed.minor, after.refundable.minor) == (minor, 10000 - minor)
    assert shares.excess_minor == 0


def amounts() -> Iterator[int]:
    yield from (0, 1, 999, 1000, 1001, 2999, 3000, 3001, 5999, 6000, 6001, 9999, 10000)


@pytest.mark.parametrize("last", list(amounts()))
def test_the_way_there_does_not_matter(last: int) -> None:
    straight, _ = with_disputes(a_split_payment(), last)
    for first, second in product(amounts(), amounts()):
        step, _ = with_disputes(a_split_payment(), first)
        step, _ = with_disputes(step, second)
        step, _ = with_disputes(step, last)
        assert picture(step) == picture(straight), (first, second)
        assert step.disputed == straight.disputed
        assert sum(part.amount_minor for part in step.withheld) == sum(
            part.amount_minor for part in straight.withheld
        )


def test_giving_all_back_restores_each_invoice_and_tells_of_it() -> None:
    taken, _ = with_disputes(a_split_payment(), 10000)
    shares = payments.shares_of(taken, 0, reopening_minor=0)
    change = payments.settle_disputes(taken, shares, (Allocation(A, 4000),), at=AT)
    assert change is not None
    after = change.after
    assert isinstance(after, Payment)
    # Invoice B was paid otherwise in the meantime, so its part waits.
    assert picture(after) == (4000, 2000, {A: 4000})
    assert after.withheld == ()
    names = [type(event).__name__ for event in change.events]
    assert names == [
        "PaymentRestored",
        "PaymentAllocated",
        "PaymentAllocated",
        "PaymentPutOnBalance",
    ]
    assert change.after.version == taken.version + 4


def test_what_moves_only_on_the_balance_is_told_too() -> None:
    # A refund that failed has put back on the balance what the dispute could not have before.
    spent, _ = with_disputes(a_split_payment(), 10000, balance=500)
    shares = payments.shares_of(spent, 10000, reopening_minor=10000, on_balance_minor=1500)
    assert (shares.disputed_minor, shares.balance_minor) == (spent.disputed_minor, 1500)
    change = payments.settle_disputes(spent, shares, at=AT)
    assert change is not None
    assert [type(event).__name__ for event in change.events] == ["PaymentTakenOffBalance"]
    assert change.after.version == spent.version + 1


def test_what_is_so_already_is_no_change() -> None:
    taken, _ = with_disputes(a_split_payment(), 5000)
    shares = payments.shares_of(taken, 5000, reopening_minor=5000)
    assert payments.settle_disputes(taken, shares, at=AT) is None


def test_nothing_is_taken_of_what_has_not_succeeded() -> None:
    waiting = a_split_payment(state=Unknown(AT, LATER), allocations=(), balanced_minor=0)
    assert payments.shares_of(waiting, 5000, reopening_minor=5000) == Shares(0)


def test_what_is_not_owed_again_is_the_sellers_loss() -> None:
    after, _ = with_disputes(a_split_payment(), 10000, reopening=0)
    assert picture(after) == (0, 2000, {A: 4000, B: 3000})
    assert after.refundable.minor == 0
    partly, _ = with_disputes(a_split_payment(), 10000, reopening=2500)
    assert picture(partly) == (0, 0, {A: 4000, B: 2500})


def test_what_was_given_back_is_not_disputed_as_well() -> None:
    payment = a_split_payment(refunded_minor=1500, refunding_minor=500)
    after, shares = with_disputes(payment, 10000)
    assert (after.disputed.minor, shares.excess_minor) == (8000, 2000)
    assert after.refundable.minor == 0
    assert after.parked is not None
    assert "15.00" in after.parked, "what is under way may fail yet"
    # The refund under way fails: then there is more that the dispute has taken.
    freed, shares = with_disputes(evolve(after, refunding_minor=0), 10000)
    assert (freed.disputed.minor, shares.excess_minor) == (8500, 1500)


def test_what_a_refund_under_way_stands_against_parks_nothing_before_its_end() -> None:
    payment = a_split_payment(refunding_minor=6000)
    after, shares = with_disputes(payment, 10000)
    assert (after.disputed.minor, shares.excess_minor) == (4000, 6000)
    assert after.parked is None
    failed, shares = with_disputes(evolve(after, refunding_minor=0), 10000)
    assert (failed.disputed.minor, shares.excess_minor, failed.parked) == (10000, 0, None)
    made, _ = with_disputes(evolve(after, refunding_minor=0, refunded_minor=6000), 10000)
    assert made.parked is not None
    assert "60.00" in made.parked


def test_a_balance_that_was_used_up_parks_what_cannot_be_had() -> None:
    after, shares = with_disputes(a_split_payment(), 10000, balance=500)
    assert picture(after) == (0, 1500, {})
    assert shares.excess_minor == 1500
    assert after.parked is not None
    again = payments.settle_disputes(
        after, payments.shares_of(after, 10000, reopening_minor=10000, on_balance_minor=0), at=AT
    )
    assert again is None, "it is parked once"


def test_what_cannot_be_true_parks_a_payment_once() -> None:
    change = payments.park_disputed(a_payment(), "another currency")
    assert change is not None
    assert isinstance(change.after, Payment)
    assert [type(event) for event in change.events] == [RecordParked]
    assert payments.park_disputed(change.after, "still") is None


def test_a_payment_counts_its_disputes() -> None:
    change = payments.note_dispute(a_payment(), WHOLE, dispute=DisputeId("dp_1"))
    assert isinstance(change.after, Payment)
    assert (change.after.disputes, change.after.disputed_minor) == (1, 0)


# ---- what invoices lose ------------------------------------------------------------------------


def test_a_paid_invoice_is_owed_again_and_says_so() -> None:
    paid = an_invoice(state=Paid(AT), paid_minor=3451)
    change = invoices.decide(paid, TakeBack(PAYMENT, 1451, held=True))
    after = change.after
    assert isinstance(after, Invoice)
    assert (after.status, after.paid_minor, after.due_minor) == ("open", 2000, 1451)
    assert (after.disputed, after.reopened) == ((PAYMENT,), 1)
    more = invoices.decide(after, TakeBack(PAYMENT, 2000, held=True)).after
    assert isinstance(more, Invoice)
    assert (more.disputed, more.reopened, more.due_minor) == ((PAYMENT,), 2, 3451)
    ended = invoices.decide(more, EndDispute(PAYMENT)).after
    assert isinstance(ended, Invoice)
    assert ended.disputed == ()


def test_what_is_not_held_may_be_charged_again() -> None:
    paid = an_invoice(state=Paid(AT), paid_minor=3451)
    after = invoices.decide(paid, TakeBack(PAYMENT, 3451, held=False)).after
    assert isinstance(after, Invoice)
    assert (after.status, after.disputed) == ("open", ())


def test_an_invoice_that_was_given_up_stays_so() -> None:
    given_up = an_invoice(state=invoices.Uncollectible(AT, "insolvent"), paid_minor=1000)
    after = invoices.decide(given_up, TakeBack(PAYMENT, 1000, held=True)).after
    assert isinstance(after, Invoice)
    assert (after.status, after.due_minor) == ("uncollectible", 3451)


@pytest.mark.parametrize("minor", [0, -1, 2001])
def test_no_more_is_taken_back_than_was_paid(minor: int) -> None:
    with pytest.raises(ValidationError):
        invoices.decide(an_invoice(paid_minor=2000), TakeBack(PAYMENT, minor, held=True))


def test_only_a_dispute_that_is_there_ends() -> None:
    with pytest.raises(InvalidTransition):
        invoices.decide(an_invoice(), EndDispute(PAYMENT))


# ---- the method --------------------------------------------------------------------------------


def held(method: PaymentMethod, dispute: str) -> PaymentMethod:
    change = payment_methods.hold(method, DisputeId(dispute), at=AT)
    assert change is not None
    assert isinstance(change.after, PaymentMethod)
    return change.after


def test_a_method_is_held_until_the_last_dispute_lets_it_go() -> None:
    both = held(held(a_payment_method(), "dp_1"), "dp_2")
    assert both.state == Held((DisputeId("dp_1"), DisputeId("dp_2")), AT)
    assert not both.usable
    assert payment_methods.hold(both, DisputeId("dp_2"), at=AT) is None
    assert payment_methods.release(both, DisputeId("dp_3")) is None
    one = payment_methods.release(both, DisputeId("dp_1"))
    assert one is not None
    assert isinstance(one.after, PaymentMethod)
    assert one.after.status == "held"
    last = payment_methods.release(one.after, DisputeId("dp_2"))
    assert last is not None
    assert isinstance(last.after, PaymentMethod)
    assert last.after.state == Usable()


@pytest.mark.parametrize("state", [Refused("lost_card", AT), Detached(AT)])
def test_a_method_that_is_over_is_not_held(state: Refused | Detached) -> None:
    method = a_payment_method(state=state)
    assert payment_methods.hold(method, DisputeId("dp_1"), at=AT) is None
    assert payment_methods.release(method, DisputeId("dp_1")) is None


def test_a_held_method_can_still_be_refused_for_good() -> None:
    change = payment_methods.refuse(held(a_payment_method(), "dp_1"), code="stolen_card", at=AT)
    assert change is not None
    assert isinstance(change.after, PaymentMethod)
    assert change.after.status == "refused"


# ---- the ladder --------------------------------------------------------------------------------


@pytest.mark.parametrize("final_after", [None, 20])
def test_a_ladder_without_its_retries_ends_when_it_would_have(final_after: int | None) -> None:
    policy = DunningPolicy(
        retries=Retries.after_days(1, 9), steps=[Reminder(2)], final_after_days=final_after
    )
    before, after = policy.schedule(failed_at=AT), policy.retried_on(()).schedule(failed_at=AT)
    assert [step for step in after if isinstance(step.action, Retry)] == []
    assert after[-1] == before[-1]
    late = policy.retried_on((3, 21)).schedule(failed_at=AT)
    assert [step.at for step in late if isinstance(step.action, Retry)] == [AT + timedelta(days=3)]


# ---- merging what a gateway says of a payment ---------------------------------------------------


def word(outcome: Outcome) -> PaymentSnapshot:
    declined = outcome in (Outcome.DECLINED_SOFT, Outcome.DECLINED_HARD)
    decline = Decline("insufficient_funds", "", Advice.RETRY_AFTER) if declined else None
    url = "https://bank.example" if outcome is Outcome.REQUIRES_ACTION else None
    return PaymentSnapshot(outcome, WHOLE, AT, PAYMENT, "ch_1", decline, url)


def test_all_720_orders_of_what_a_payment_and_its_dispute_say_make_one_payment() -> None:
    """Four words on the payment and two on its dispute; the disputes act when it has succeeded."""
    words: tuple[PaymentSnapshot | DisputeSnapshot, ...] = (
        word(Outcome.REQUIRES_ACTION),
        word(Outcome.PROCESSING),
        word(Outcome.DECLINED_SOFT),
        word(Outcome.SUCCEEDED),
        said(amount=Money(1000, EUR)),
        said(DisputeStatus.LOST, LATER, amount=Money(2000, EUR)),
    )
    random, found = Random(2), set[tuple[Payment, Dispute]]()
    for order in permutations(words):
        payment = a_payment(state=Unknown(AT, LATER), allocations=())
        dispute: Dispute | None = None
        for each in with_repeats(order, random):
            if isinstance(each, DisputeSnapshot):
                dispute = noted(each) if dispute is None else merged(dispute, each)
            elif (change := payments.merge(payment, each, at=AT)) is not None:
                assert isinstance(change.after, Payment)
                payment = change.after
                if payment.status == "succeeded":
                    payment = evolve(payment, allocations=(Allocation(A, 3451),))
            taken = 0 if dispute is None else dispute.taken_minor
            shares = payments.shares_of(payment, taken, reopening_minor=taken)
            change = payments.settle_disputes(payment, shares, shares.returned, at=AT)
            if change is not None:
                assert isinstance(change.after, Payment)
                payment = change.after
        assert dispute is not None
        same = evolve(dispute, version=1, apply_at=None)
        found.add((evolve(payment, version=1), same))
    assert len(found) == 1
    ((payment, dispute),) = found
    assert payment.allocations == (Allocation(A, 1451),)
    assert payment.disputed_minor == 2000
    assert dispute.state == Lost(LATER)


def test_a_dispute_has_one_word_for_each_state() -> None:
    states: tuple[DisputeState, ...] = (Opened(), Won(AT), Lost(AT), Withdrawn(AT))
    assert [a_dispute(state=state).status.value for state in states] == [
        "opened",
        "won",
        "lost",
        "withdrawn",
    ]
