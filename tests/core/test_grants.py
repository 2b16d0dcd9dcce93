"""Credit grants: what may happen to one, in which order they pay, and how much of which lines."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import combinations, product

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from subscriptions.credit_notes import Division, divide
from subscriptions.credit_notes import content_hash as credit_note_hash
from subscriptions.customers import Customer, hold
from subscriptions.errors import InvalidTransition, ValidationError
from subscriptions.grants import (
    ALLOWED,
    EVERYTHING,
    GRANT,
    GRANT_ENTRY,
    STATUS,
    Active,
    Apply,
    Begin,
    Category,
    Cause,
    Command,
    Expire,
    Expired,
    Grant,
    GrantEntry,
    GrantExpired,
    GrantReturned,
    GrantRolledOver,
    GrantState,
    GrantVoided,
    Moved,
    Payable,
    Pending,
    Return,
    Rollover,
    Scope,
    UsedUp,
    Void,
    Voided,
    burn,
    create,
    decide,
    successor,
    sums_of,
)
from subscriptions.ids import CreditNoteId, GrantId, InvoiceId, PriceId, ProductId, SubscriptionId
from subscriptions.invoices import Paid, content_hash, grosses_of
from subscriptions.money import EUR, USD, Money
from subscriptions.taxes import TaxableLine, TaxBehavior, TaxCategory, TaxRate, tax_totals
from subscriptions.testing.builders import AT, a_credit_note, a_customer, a_grant, an_invoice

LATER = AT + timedelta(days=30)
INVOICE = InvoiceId("inv_1")
NEXT = GrantId("grn_next")
NOTE = CreditNoteId("cn_1")

STATES: dict[type[GrantState], GrantState] = {
    Pending: Pending(),
    Active: Active(),
    UsedUp: UsedUp(AT),
    Expired: Expired(AT),
    Voided: Voided(AT, "by mistake"),
}
COMMANDS: dict[type[Command], Command] = {
    Begin: Begin(),
    Apply: Apply(INVOICE, 100, AT),
    Return: Return(INVOICE, 100, AT, NEXT),
    Expire: Expire(LATER, NEXT, "UTC"),
    Void: Void("by mistake", AT),
}


def in_state(state: GrantState, **changes: object) -> Grant:
    left = 900 if isinstance(state, Pending | Active) else 0
    return a_grant(**{"state": state, "left_minor": left, "expires_at": LATER} | changes)


def told(moved: Moved) -> list[str]:
    """Return the entries as `cause amount → left`."""
    return [f"{e.cause} {e.amount_minor} → {e.left_minor}" for e in moved.entries]


# ---- what may happen -----------------------------------------------------------------------------


@pytest.mark.parametrize(("state", "command"), list(product(STATES, COMMANDS)))
def test_every_pair_of_state_and_command_is_allowed_or_refused(
    state: type[GrantState], command: type[Command]
) -> None:
    grant = in_state(STATES[state])
    if command in ALLOWED[state]:
        moved = decide(grant, COMMANDS[command])
        assert moved.grant.version == grant.version + len(moved.change.events)
        assert (moved.change.before, moved.change.after) == (grant, moved.grant)
    else:
        with pytest.raises(InvalidTransition) as caught:
            decide(grant, COMMANDS[command])
        assert caught.value.state == STATUS[state]


def test_a_new_grant_is_all_there_and_has_an_entry_that_says_so() -> None:
    moved = create(a_grant(left_minor=1, version=0, origin=GrantId("grn_old")))
    (entry,) = moved.entries
    assert (moved.grant.left, moved.grant.version) == (moved.grant.amount, 1)
    assert (entry.cause, entry.amount, entry.left) == (
        Cause.GRANTED,
        Money(1000, EUR),
        Money(1000, EUR),
    )
    assert [change.kind for change in moved.changes] == [GRANT, GRANT_ENTRY]
    assert (entry.grant, entry.customer, entry.ordinal, entry.at) == ("grn_ada", "cus_ada", 1, AT)


def test_what_it_pays_is_taken_off_and_the_last_of_it_uses_it_up() -> None:
    first = decide(a_grant(), Apply(INVOICE, 400, AT))
    assert (first.grant.left_minor, first.grant.status) == (600, "active")
    last = decide(first.grant, Apply(InvoiceId("inv_2"), 600, AT))
    assert (last.grant.left_minor, last.grant.state, last.grant.due_at) == (0, UsedUp(AT), None)
    assert [e.invoice for e in (*first.entries, *last.entries)] == ["inv_1", "inv_2"]
    assert told(first) + told(last) == ["applied -400 → 600", "applied -600 → 0"]


def test_what_is_not_effective_yet_begins_and_pays_in_one_change() -> None:
    grant = a_grant(state=Pending(), effective_at=AT + timedelta(days=1))
    assert grant.due_at == AT + timedelta(days=1)
    moved = decide(grant, Begin(), Apply(INVOICE, 400, AT))
    assert (moved.grant.status, moved.grant.version) == ("active", 3)
    assert [entry.ordinal for entry in moved.entries] == [3]


@pytest.mark.parametrize("minor", [0, -1, 1001])
def test_it_pays_no_more_than_is_left_of_it_and_never_nothing(minor: int) -> None:
    with pytest.raises(ValidationError):
        decide(a_grant(), Apply(INVOICE, minor, AT))
    with pytest.raises(ValidationError):
        decide(a_grant(left_minor=1), Return(INVOICE, 1000 if minor > 0 else minor, AT, NEXT))


def test_what_a_live_or_used_up_grant_paid_returns_to_it() -> None:
    for state in (Active(), UsedUp(AT)):
        grant = in_state(state, left_minor=0 if isinstance(state, UsedUp) else 300)
        moved = decide(grant, Return(INVOICE, 700, AT, NEXT, NOTE))
        assert isinstance(moved.grant.state, Active)
        assert moved.grant.left_minor == grant.left_minor + 700
        assert [(e.invoice, e.credit_note) for e in moved.entries] == [(INVOICE, NOTE)]
        assert successor(moved, at=AT, zone="UTC") is None


def test_what_returns_to_a_gift_whose_time_is_over_expires_with_it_at_once() -> None:
    grant = in_state(Expired(LATER))
    moved = decide(grant, Return(INVOICE, 700, LATER, NEXT))
    # It is due at once, for its expiry has passed.
    assert (moved.grant.due_at, moved.grant.left_minor) == (LATER, 700)
    assert not moved.grant.pays_at(LATER)
    again = decide(moved.grant, Expire(LATER, NEXT, "UTC"))
    assert (again.grant.state, told(again)) == (Expired(LATER), ["expired -700 → 0"])


def test_what_returns_to_a_gift_that_was_voided_is_void_as_well() -> None:
    moved = decide(in_state(Voided(AT, "by mistake")), Return(INVOICE, 700, AT, NEXT))
    assert told(moved) == ["returned 700 → 700", "voided -700 → 0"]
    assert [type(event) for event in moved.change.events] == [GrantReturned, GrantVoided]
    assert moved.grant.state == Voided(AT, "by mistake")


@pytest.mark.parametrize("state", [Voided(AT, "by mistake"), Expired(LATER), UsedUp(AT)])
def test_what_returns_to_bought_credit_that_is_over_goes_on_in_a_grant_that_never_expires(
    state: GrantState,
) -> None:
    rule = Rollover(days=1)
    grant = in_state(state, category=Category.PAID, rollover=rule, scope=Scope(metered=True))
    moved = decide(grant, Return(INVOICE, 700, LATER, NEXT, NOTE))
    assert told(moved) == ["returned 700 → 700", "rolled_over -700 → 0"]
    more = successor(moved, at=LATER, zone="UTC")
    assert more is not None
    made = more.grant
    assert (made.id, made.origin, made.amount_minor, made.left_minor) == (
        NEXT,
        grant.id,
        700,
        700,
    )
    assert (made.expires_at, made.rollover, made.state) == (None, None, Active())
    assert (made.scope, made.priority, made.category) == (grant.scope, 50, Category.PAID)


def test_what_is_left_at_its_expiry_is_gone() -> None:
    grant = in_state(Active())
    moved = decide(grant, Expire(LATER, NEXT, "UTC"))
    assert told(moved) == ["expired -900 → 0"]
    assert moved.change.events == (GrantExpired(grant.id, grant.customer, Money(900, EUR)),)
    assert successor(moved, at=LATER, zone="UTC") is None
    with pytest.raises(ValidationError, match="or later"):
        decide(in_state(Active()), Expire(AT, NEXT, "UTC"))


def test_a_part_of_what_is_left_rolls_over_and_the_new_grant_rolls_over_less_often() -> None:
    rule = Rollover(percent=50, at_most=Money(300, EUR), days=10, times=2)
    moved = decide(in_state(Active(), rollover=rule), Expire(LATER, NEXT, "UTC"))
    assert told(moved) == ["rolled_over -300 → 600", "expired -600 → 0"]
    assert [entry.into for entry in moved.entries] == [NEXT, None]
    assert isinstance(moved.change.events[0], GrantRolledOver)
    more = successor(moved, at=LATER, zone="UTC")
    assert more is not None
    assert more.grant.expires_at == LATER + timedelta(days=10)
    assert (more.grant.effective_at, more.grant.rollover) == (LATER, evolve(rule, times=1))
    assert (more.grant.version, len(more.entries)) == (1, 1)
    assert evolve(rule, times=1).next() is None


def test_what_rolls_over_for_ever_has_no_further_rule() -> None:
    moved = decide(in_state(Active(), rollover=Rollover(times=9)), Expire(LATER, NEXT, "UTC"))
    more = successor(moved, at=LATER, zone="UTC")
    assert more is not None
    assert (more.grant.expires_at, more.grant.rollover) == (None, None)
    assert told(moved) == ["rolled_over -900 → 0"]


def test_what_is_so_late_that_the_new_grant_would_be_over_does_not_roll_over() -> None:
    grant = in_state(Active(), rollover=Rollover(days=1))
    moved = decide(grant, Expire(LATER + timedelta(days=1), NEXT, "UTC"))
    assert told(moved) == ["expired -900 → 0"]


def test_a_share_of_less_than_half_a_unit_does_not_roll_over() -> None:
    grant = in_state(Active(), left_minor=1, rollover=Rollover(percent=49))
    assert told(decide(grant, Expire(LATER, NEXT, "UTC"))) == ["expired -1 → 0"]


def test_the_days_of_a_new_grant_are_those_of_the_sellers_calendar() -> None:
    # The clocks go forward on 28 March 2027: midnight in Berlin is an hour earlier in UTC.
    before = datetime(2027, 3, 27, 23, tzinfo=UTC)
    assert Rollover(days=1).expiry(before, "Europe/Berlin") == datetime(2027, 3, 28, 22, tzinfo=UTC)
    assert Rollover(days=1).expiry(before, "UTC") == datetime(2027, 3, 28, 23, tzinfo=UTC)


def test_voiding_takes_what_is_left_and_says_why() -> None:
    moved = decide(in_state(Active()), Void("by mistake", AT))
    assert (moved.grant.left_minor, moved.grant.state) == (0, Voided(AT, "by mistake"))
    assert told(moved) == ["voided -900 → 0"]
    with pytest.raises(ValidationError):
        decide(in_state(Active()), Void(" ", AT))


def test_a_parked_grant_waits_and_still_pays() -> None:
    grant = in_state(Active(), parked="looked odd")
    assert (grant.due_at, grant.pays_at(AT)) == (None, True)


WRONG: tuple[dict[str, object], ...] = (
    {"amount_minor": 0, "left_minor": 0},
    {"left_minor": -1},
    {"left_minor": 1001},
    {"priority": 101},
    {"priority": -1},
    {"priority": True},
    {"effective_at": datetime(2027, 1, 1)},  # noqa: DTZ001 - that is what is wrong
    {"expires_at": AT},
    {"expires_at": datetime(2028, 1, 1)},  # noqa: DTZ001 - likewise
    {"category": "loyalty"},
    {"scope": "all"},
    {"rollover": 50},
    {"rollover": Rollover()},
    {"rollover": Rollover(at_most=Money(1, USD)), "expires_at": LATER},
    {"name": "a\x00b"},
    {"reason": "a\x00b"},
)


@pytest.mark.parametrize("wrong", WRONG)
def test_a_grant_that_makes_no_sense_cannot_be_made(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        a_grant(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        *[{"percent": 0}, {"percent": 101}, {"percent": 50.0}, {"at_most": Money(0, EUR)}],
        *[{"at_most": 5}, {"days": 0}, {"days": 1.5}, {"days": 36_526}],
        *[{"times": 0}, {"times": 1001}],
    ],
)
def test_a_rule_that_makes_no_sense_cannot_be_made(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Rollover(**wrong)  # type: ignore[arg-type]  # that is what is wrong


@pytest.mark.parametrize(
    "wrong",
    [{"products": ["pro"]}, {"prices": ("",)}, {"subscriptions": (1,)}, {"metered": 1}],
)
def test_a_scope_that_makes_no_sense_cannot_be_made(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Scope(**wrong)  # type: ignore[arg-type]  # that is what is wrong


# ---- which lines, and in which order -------------------------------------------------------------

PRO, PLUS = ProductId("pro"), ProductId("plus")
MONTHLY = PriceId("pro_monthly")
ONE, TWO = SubscriptionId("sub_1"), SubscriptionId("sub_2")


@pytest.mark.parametrize(
    ("scope", "covered"),
    [
        (EVERYTHING, {0, 1, 2, 3}),
        (Scope(products=(PRO,)), {0, 1}),
        (Scope(prices=(MONTHLY,)), {0}),
        (Scope(products=(PLUS,), prices=(MONTHLY,)), {0, 2}),
        (Scope(subscriptions=(TWO,)), {2}),
        (Scope(metered=True), {1, 2}),
        (Scope(products=(PRO,), metered=True), {1}),
        (Scope(products=(PRO,), subscriptions=(TWO,)), set[int]()),
    ],
)
def test_every_condition_of_a_scope_must_hold(scope: Scope, covered: set[int]) -> None:
    lines = [
        Payable(1, PRO, MONTHLY, ONE),
        Payable(1, PRO, PriceId("pro_usage"), ONE, metered=True),
        Payable(1, PLUS, PriceId("plus_usage"), TWO, metered=True),
        Payable(1),
    ]
    grant = a_grant(scope=scope)
    assert {place for place, line in enumerate(lines) if line.within(grant)} == covered


def paid(grants: list[Grant], payables: list[Payable], owed: int) -> list[tuple[str, int]]:
    return [(g.id, minor) for g, minor in burn(grants, payables, owed, currency=EUR, at=AT)]


def test_the_order_is_priority_then_earlier_expiry_then_age() -> None:
    grants = [
        a_grant("never_old", created_at=AT - timedelta(days=9)),
        a_grant("never_new"),
        a_grant("late", expires_at=LATER),
        a_grant("soon_new", expires_at=LATER - timedelta(days=1)),
        a_grant("soon_old", expires_at=LATER - timedelta(days=1), created_at=AT - timedelta(1)),
        a_grant("first", priority=49),
        a_grant("last", priority=51, expires_at=AT + timedelta(hours=1)),
    ]
    order = ["first", "soon_old", "soon_new", "late", "never_old", "never_new", "last"]
    assert paid(grants, [Payable(7000)], 7000) == [(id, 1000) for id in order]
    assert paid(grants[::-1], [Payable(7000)], 2500) == [
        ("first", 1000),
        ("soon_old", 1000),
        ("soon_new", 500),
    ]


def test_only_what_is_effective_alive_and_of_the_currency_pays() -> None:
    grants = [
        a_grant("usd", currency=USD),
        a_grant("future", state=Pending(), effective_at=AT + timedelta(microseconds=1)),
        a_grant("begins", state=Pending(), effective_at=AT, left_minor=1),
        a_grant("over", effective_at=AT - timedelta(days=1), expires_at=AT),
        a_grant("ends", expires_at=AT + timedelta(microseconds=1), left_minor=2),
        a_grant("void", state=Voided(AT, "x")),
    ]
    assert paid(grants, [Payable(7000)], 7000) == [("ends", 2), ("begins", 1)]


def test_a_scope_pays_no_more_than_its_lines_come_to_less_reductions_and_what_others_paid() -> None:
    metered = Scope(metered=True)
    lines = [Payable(3000), Payable(800, metered=True), Payable(-200, metered=True)]
    one, two = a_grant("one", scope=metered, left_minor=500), a_grant("two", scope=metered)
    assert paid([one, two], lines, 3600) == [("one", 500), ("two", 100)]
    assert paid([one, two], lines, 550) == [("one", 500), ("two", 50)]
    assert paid([a_grant(scope=metered)], [Payable(-200, metered=True), Payable(900)], 700) == []


def test_a_wide_grant_leaves_to_narrow_ones_what_only_they_can_pay() -> None:
    wide = a_grant("wide", priority=1)
    narrow = a_grant("narrow", scope=Scope(metered=True))
    lines = [Payable(800, metered=True), Payable(1000)]
    assert paid([wide, narrow], lines, 1800) == [("wide", 1000), ("narrow", 800)]


def test_the_balance_leaves_less_to_pay_and_narrows_no_scope() -> None:
    narrow = a_grant(scope=Scope(metered=True))
    lines = [Payable(800, metered=True), Payable(1000)]
    assert paid([narrow], lines, 900) == [("grn_ada", 800)]


RATES = {
    "19": TaxRate("19"),
    "7": TaxRate("7"),
    "2.6": TaxRate("2.6"),
    "0": TaxRate("0", TaxCategory.ZERO),
}
SCOPES = [EVERYTHING, Scope(metered=True), Scope(products=(PRO,)), Scope(subscriptions=(ONE,))]


@st.composite
def _lines(draw: st.DrawFn) -> list[Payable]:
    return draw(
        st.lists(
            st.builds(
                Payable,
                st.integers(-300, 1000),
                st.sampled_from([PRO, PLUS, None]),
                st.none(),
                st.sampled_from([ONE, TWO]),
                st.booleans(),
            ),
            min_size=1,
            max_size=5,
        )
    )


@given(
    _lines(),
    st.lists(
        st.tuples(st.integers(1, 1500), st.sampled_from(SCOPES), st.integers(0, 2)), max_size=5
    ),
    st.integers(0, 400),
)
def test_no_more_is_paid_than_is_owed_left_or_in_scope_in_any_combination(
    lines: list[Payable], wanted: list[tuple[int, Scope, int]], balance: int
) -> None:
    grants = [
        a_grant(f"grn_{n}", amount_minor=minor, left_minor=minor, scope=scope, priority=priority)
        for n, (minor, scope, priority) in enumerate(wanted)
    ]
    owed = max(0, sum(line.gross_minor for line in lines) - balance)
    burned = burn(grants, lines, owed, currency=EUR, at=AT)
    assert len({grant.id for grant, _ in burned}) == len(burned)
    assert all(0 < minor <= grant.left_minor for grant, minor in burned)
    assert sum(minor for _, minor in burned) <= owed
    # Of grants together no more than the lines that any of them covers come to, reductions aside.
    for size in range(1, len(burned) + 1):
        for some in combinations(burned, size):
            reach = [line for line in lines if any(line.within(grant) for grant, _ in some)]
            most = sum(max(line.gross_minor, 0) for line in reach)
            assert sum(minor for _, minor in some) <= most
    # What is owed stays owed only if no grant could have paid it.
    unscoped = [grant for grant in grants if grant.scope == EVERYTHING]
    spent = {grant.id: minor for grant, minor in burned}
    if sum(spent.values()) < owed:
        assert all(spent.get(grant.id, 0) == grant.left_minor for grant in unscoped)


# ---- what a line comes to ------------------------------------------------------------------------


@given(
    st.lists(
        st.tuples(
            st.integers(-10_000, 10_000),
            st.sampled_from(["19", "7", "0", "2.6"]),
            st.sampled_from(list(TaxBehavior)),
        ),
        min_size=1,
        max_size=7,
    )
)
def test_what_lines_come_to_with_their_tax_adds_up_to_the_total(
    wanted: list[tuple[int, str, TaxBehavior]],
) -> None:
    taxable = [TaxableLine(minor, RATES[rate], behavior) for minor, rate, behavior in wanted]
    totals = tax_totals(taxable)
    like = an_invoice().lines[0]
    lines = [
        evolve(
            like,
            amount_minor=each.amount_minor,
            net_minor=net,
            rate=each.rate,
            behavior=each.behavior,
            discounts=(),
        )
        for each, net in zip(taxable, totals.line_nets_minor, strict=True)
    ]
    grosses = grosses_of(lines, totals.groups)
    assert sum(grosses) == totals.gross_minor
    for gross, line in zip(grosses, lines, strict=True):
        if line.behavior is TaxBehavior.EXCLUSIVE and totals.tax_minor:
            exact = line.net_minor * (1 + Fraction(line.rate.percent) / 100)
            assert abs(gross - exact) <= len(lines) + 1
    assert grosses_of(lines, ()) == tuple(line.net_minor for line in lines)


def test_a_unit_of_tax_that_is_off_stays_with_the_largest_line() -> None:
    like = an_invoice().lines[0]
    lines = [evolve(like, net_minor=minor) for minor in (500, -600)]
    group = evolve(an_invoice().taxes[0], base_minor=-100, tax_minor=-18)
    assert grosses_of(lines, [group]) == (595, -713)


# ---- what a credit note makes of it --------------------------------------------------------------


def eur(minor: int) -> Money:
    return Money(minor, EUR)


def test_what_a_credit_note_gives_back_goes_to_grants_before_the_balance() -> None:
    invoice = an_invoice(paid_minor=1451, granted_minor=2000, state=Paid(AT))
    assert divide(invoice, eur(500)) == Division(0, 0, 0, 0, 500)
    assert divide(invoice, eur(3451)) == Division(0, 0, 1451, 0, 2000)
    assert divide(invoice, eur(3451), refund=eur(1451)) == Division(0, 1451, 0, 0, 2000)
    assert divide(invoice, eur(1000), outside=eur(900)) == Division(0, 0, 0, 900, 100)
    for wrong in (1450, 1452, 3451):
        with pytest.raises(ValidationError, match=r"14\.51 EUR to 14\.51 EUR.*not by grants"):
            divide(invoice, eur(3451), refund=eur(wrong))


def test_what_earlier_credit_notes_gave_back_is_not_given_back_again() -> None:
    invoice = an_invoice(paid_minor=1451, granted_minor=2000, state=Paid(AT))
    first = a_credit_note(division=Division(0, 0, 400, 0, 1900))
    rest = Division(0, 0, 1051, 0, 100)
    assert divide(invoice, eur(1151), earlier=[first]) == rest
    assert evolve(first, division=rest).granted == eur(100)
    with pytest.raises(ValidationError):
        divide(invoice, eur(200), outside=eur(50), earlier=[first])
    # What is owed comes first all the same.
    owed = an_invoice(granted_minor=2000)
    assert divide(owed, eur(1500)) == Division(1451, 0, 0, 0, 49)


def test_what_goes_to_grants_is_sealed_in_a_credit_note() -> None:
    note = a_credit_note()
    other = evolve(note, division=evolve(note.division, granted_minor=1))
    assert credit_note_hash(note) != credit_note_hash(other)


def test_what_grants_paid_is_sealed_and_owed_no_more() -> None:
    invoice = an_invoice()
    other = evolve(invoice, granted_minor=1000)
    assert content_hash(invoice) != content_hash(other)
    assert (other.granted, other.due_minor) == (eur(1000), invoice.due_minor - 1000)


def test_a_customer_holds_the_grants_that_can_still_pay() -> None:
    one, two = a_grant("one"), a_grant("two")
    change = hold(a_customer(grants=(one,)), two)
    ada = change.after
    assert isinstance(ada, Customer)
    assert (ada.grants, ada.version) == ((one, two), 2)
    used = evolve(one, state=UsedUp(AT), left_minor=0)
    after = hold(ada, used).after
    assert isinstance(after, Customer)
    assert after.grants == (two,)


# ---- the law of sums -----------------------------------------------------------------------------


@given(
    st.sampled_from(list(Category)),
    st.lists(st.tuples(st.sampled_from(list(COMMANDS)), st.integers(1, 700)), max_size=12),
)
def test_granted_is_applied_less_returned_and_expired_voided_rolled_over_and_left_at_every_step(
    category: Category, steps: list[tuple[type[Command], int]]
) -> None:
    rule = Rollover(percent=30, days=5)
    made = create(in_state(Pending(), category=category, rollover=rule, version=0, left_minor=1000))
    grant, entries = made.grant, list(made.entries)
    at = AT
    out = 0
    for wanted, minor in steps:
        at += timedelta(days=3)
        commands: dict[type[Command], Command] = {
            Begin: Begin(),
            Apply: Apply(INVOICE, min(minor, grant.left_minor), at),
            Return: Return(INVOICE, min(minor, out), at, NEXT),
            Expire: Expire(at, NEXT, "UTC"),
            Void: Void("by mistake", at),
        }
        command = commands[wanted]
        try:
            moved = decide(grant, command)
        except (InvalidTransition, ValidationError):
            continue
        grant = moved.grant
        entries += moved.entries
        causes = {Cause.APPLIED, Cause.RETURNED}
        out -= sum(each.amount_minor for each in moved.entries if each.cause in causes)
        sums = sums_of(entries)
        assert sums.left_minor == grant.left_minor >= 0
        assert sums.granted_minor == (
            sums.applied_minor
            - sums.returned_minor
            + sums.expired_minor
            + sums.voided_minor
            + sums.rolled_over_minor
            + grant.left_minor
        )
        assert _replayed(entries) == grant.left_minor
        assert bool(grant.left_minor) <= grant.live


def _replayed(entries: list[GrantEntry]) -> int:
    left = 0
    for entry in entries:
        left += entry.amount_minor
        assert left == entry.left_minor >= 0
    return left
