"""What money pays: never more than there is nor than is owed, and none of it is lost."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from subscriptions import payments
from subscriptions.errors import ValidationError
from subscriptions.ids import InvoiceId
from subscriptions.invoices import Invoice, Open
from subscriptions.money import EUR, Money
from subscriptions.payments import (
    LEGAL_ORDER,
    Allocation,
    AllocationRule,
    ClaimPart,
    ClaimParts,
    allocate,
    deallocate,
    pay_parts,
    put_on_balance,
    take_off_balance,
)
from subscriptions.testing.builders import AT, a_payment, an_invoice

AMOUNTS = st.integers(0, 10_000)


def _owed(*amounts: int) -> list[Invoice]:
    return [
        an_invoice(
            f"inv_{n}",
            state=Open(),
            total_minor=amount,
            paid_minor=0,
            number=f"INV-2027-{n:05}",
            finalized_at=AT + timedelta(days=n),
        )
        for n, amount in enumerate(amounts, 1)
    ]


@given(AMOUNTS, st.lists(AMOUNTS, max_size=6), st.sampled_from(AllocationRule))
def test_nothing_is_paid_twice_and_nothing_is_lost(
    amount: int, due: list[int], rule: AllocationRule
) -> None:
    owed = _owed(*due)
    text = " ".join(x.number or "" for x in owed)
    parts = allocate(amount, reversed(owed), rule, text=text)
    paid = {part.invoice: part.amount_minor for part in parts}
    assert len(paid) == len(parts)
    assert all(0 < paid[x.id] <= x.due_minor for x in owed if x.id in paid)
    assert sum(paid.values()) == min(amount, sum(due))


@given(st.integers(1, 9_999), st.permutations(range(4)))
def test_the_oldest_is_paid_in_full_before_the_next_gets_anything(
    amount: int, order: list[int]
) -> None:
    owed = _owed(2500, 2500, 2500, 2500)
    shuffled = [owed[n] for n in order]
    parts = allocate(amount, shuffled, AllocationRule.OLDEST)
    assert [part.invoice for part in parts] == [x.id for x in owed[: len(parts)]]
    assert all(part.amount_minor == 2500 for part in parts[:-1])
    newest = allocate(amount, shuffled, AllocationRule.NEWEST)
    assert [part.invoice for part in newest] == [x.id for x in owed[::-1][: len(newest)]]


def test_by_reference_only_what_is_named_is_paid() -> None:
    first, second, third = _owed(100, 100, 100)
    text = f"{third.payment_reference} and INV-2027-00001"
    parts = allocate(150, [first, second, third], AllocationRule.REFERENCE, text=text)
    assert parts == (Allocation(third.id, 100), Allocation(first.id, 50))
    assert allocate(150, [first], AllocationRule.REFERENCE, text="thanks") == ()


def test_a_draft_is_the_last_of_all() -> None:
    first, second = _owed(100, 100)
    undated = evolve(first, finalized_at=None, number=None)
    order = payments.in_order([undated, second], AllocationRule.OLDEST)
    assert [x.id for x in order] == [second.id, undated.id]


def test_a_rule_that_nobody_knows_is_refused() -> None:
    assert payments.read_rule("newest") is AllocationRule.NEWEST
    with pytest.raises(ValidationError):
        payments.read_rule("fairest")


# ---- parts of a claim ---------------------------------------------------------------------------


@given(AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS, st.permutations(list(ClaimPart)))
def test_the_parts_of_a_claim_are_paid_in_order(
    amount: int, costs: int, interest: int, principal: int, order: list[ClaimPart]
) -> None:
    owed = ClaimParts(costs, interest, principal)
    paid, rest = pay_parts(amount, owed, order)
    assert paid.total_minor + rest == amount
    assert rest == max(0, amount - owed.total_minor)
    open_before = False
    for part in order:
        assert 0 <= paid.of(part) <= owed.of(part)
        assert not (open_before and paid.of(part)), "the one before it comes first"
        open_before = open_before or paid.of(part) < owed.of(part)


def test_the_legal_order_is_costs_then_interest_then_the_principal() -> None:
    assert LEGAL_ORDER == (ClaimPart.COSTS, ClaimPart.INTEREST, ClaimPart.PRINCIPAL)
    assert pay_parts(300, ClaimParts(250, 100, 500)) == (ClaimParts(250, 50, 0), 0)


def test_what_is_no_order_and_no_amount_is_refused() -> None:
    with pytest.raises(ValidationError):
        pay_parts(-1, ClaimParts())
    with pytest.raises(ValidationError):
        pay_parts(1, ClaimParts(), [ClaimPart.COSTS, ClaimPart.COSTS, ClaimPart.PRINCIPAL])
    for parts in permutations((-1, 0, 0)):
        with pytest.raises(ValidationError):
            ClaimParts(*parts)


# ---- the payment --------------------------------------------------------------------------------


def test_what_is_taken_back_comes_from_the_latest_parts() -> None:
    first, other = InvoiceId("inv_1"), InvoiceId("inv_2")
    parts = (Allocation(first, 100), Allocation(other, 50), Allocation(first, 30))
    payment = a_payment(amount_minor=200, allocations=parts)
    after = deallocate(payment, first, 40).after
    assert isinstance(after, payments.Payment)
    assert after.allocations == (Allocation(first, 90), Allocation(other, 50))
    assert after.unallocated == Money(60, EUR)
    for wrong in (0, -1, 131):
        with pytest.raises(ValidationError):
            deallocate(payment, first, wrong)


def test_what_is_on_the_balance_is_not_unallocated() -> None:
    payment = a_payment(amount_minor=200, allocations=())
    put = put_on_balance(payment, 150).after
    assert isinstance(put, payments.Payment)
    assert (put.unallocated, put.balanced) == (Money(50, EUR), Money(150, EUR))
    off = take_off_balance(put, 100).after
    assert isinstance(off, payments.Payment)
    assert (off.unallocated, off.balanced) == (Money(150, EUR), Money(50, EUR))
    for wrong in (0, -1, 51):
        with pytest.raises(ValidationError):
            put_on_balance(put, wrong)
    for wrong in (0, -1, 151):
        with pytest.raises(ValidationError):
            take_off_balance(put, wrong)


def test_a_payment_for_small_ones_too_knows_its_own_part() -> None:
    also = (Allocation(InvoiceId("inv_s"), 20), Allocation(InvoiceId("inv_t"), 30))
    assert a_payment(amount_minor=1000, also=also).own_minor == 950
    assert a_payment(amount_minor=1000).own_minor == 1000


def test_only_payments_with_waiting_money_say_so() -> None:
    column = payments.PAYMENT.by_name["unallocated"]
    whole = a_payment()
    assert column.get(whole) is None
    assert column.get(a_payment(allocations=())) == payments.WAITS
    halves = (Allocation(InvoiceId("inv_1"), 3000), Allocation(InvoiceId("inv_2"), 451))
    assert column.get(a_payment(allocations=halves)) is None
