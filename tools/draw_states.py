"""Draw the states of the records, as what the decisions really do.

The arrows are found, not written down: every command of the tables `ALLOWED` is given to every
state, and where the state moves there is an arrow. Only where the boxes stand is chosen by hand; a
state without a place is an error, so that nothing is left out.

`fill_reference.py` writes the drawings into the documentation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import combinations, product
from typing import TypeVar
from xml.sax.saxutils import escape

from subscriptions import (
    disputes,
    dunning,
    grants,
    invoices,
    lifecycle,
    payment_methods,
    payments,
    refunds,
)
from subscriptions.billing_cycles import Period
from subscriptions.decisions import Change
from subscriptions.errors import InvalidTransition, ValidationError
from subscriptions.frozen import frozen
from subscriptions.ids import CreditNoteId, DisputeId, GrantId, InvoiceId, PaymentId
from subscriptions.money import EUR, Money
from subscriptions.testing.builders import (
    a_coupon,
    a_customer,
    a_draft,
    a_dunning_case,
    a_grant,
    a_payment_method,
    a_plan,
    a_seller,
    a_subscription,
    an_invoice,
    an_item,
)

State = TypeVar("State")

AT = datetime(2027, 3, 1, tzinfo=UTC)
DAY = date(2027, 3, 1)


@frozen
class Move:
    """A state may become another (or stay what it is) by a command."""

    source: str
    target: str
    command: str


@frozen
class Diagram:
    """One machine: what moves it, and where its boxes stand, in units of a grid.

    `initial` is the state in which a record begins. `bends` curve arrows that would cross a box.
    """

    name: str
    title: str
    moves: tuple[Move, ...]
    places: Mapping[str, tuple[float, float]]
    initial: str
    bends: Mapping[tuple[str, str], float] = {}
    labelled: bool = True

    @property
    def states(self) -> tuple[str, ...]:
        """The states, in the order of their places."""
        return tuple(self.places)


# ---- what moves ------------------------------------------------------------------------------


def _tried(
    states: Iterable[tuple[str, object]],
    commands: Iterable[tuple[str, Callable[[object], Change | None]]],
    name_of: Callable[[object], str],
) -> tuple[Move, ...]:
    """Give every command to every state, and note what became of those that took it."""
    moves: dict[Move, None] = {}
    for (source, record), (command, act) in product(states, tuple(commands)):
        try:
            change = act(record)
        except (InvalidTransition, ValidationError):
            continue
        if change is not None:
            moves[Move(source, name_of(change.after), command)] = None
    return tuple(moves)


def _invoice(name: str = "inv_ada") -> InvoiceId:
    return InvoiceId(name)


_CONTRACTS: Sequence[lifecycle.Contract] = (
    lifecycle.Scheduled(DAY),
    lifecycle.Scheduled(DAY, DAY + timedelta(days=14)),
    lifecycle.Trialing(DAY),
    lifecycle.Active(date(2027, 1, 31)),
    lifecycle.Incomplete(date(2027, 1, 31), _invoice(), AT),
    lifecycle.Ended(AT, lifecycle.EndReason.CANCELED),
)
_COLLECTIONS: Sequence[lifecycle.Collection] = (
    lifecycle.Current(),
    lifecycle.PastDue((_invoice(),)),
    lifecycle.PastDue((_invoice(), _invoice("inv_other"))),
    lifecycle.Unpaid((_invoice(),)),
)
_SUBSCRIPTION_COMMANDS: Sequence[lifecycle.Command] = (
    lifecycle.Begin(),
    lifecycle.EndTrial(),
    lifecycle.MoveTrialEnd(DAY + timedelta(days=7)),
    lifecycle.BillPeriods((1,), (Period(DAY, DAY + timedelta(days=31)),), (2900,), _invoice()),
    lifecycle.SkipPeriods((1,), DAY),
    lifecycle.BillUsage((1,), (Money(2900, EUR),), _invoice()),
    lifecycle.CheckUsage(AT),
    lifecycle.ChangeItems((an_item(quantity=2),), (), (), AT),
    lifecycle.ScheduleChange(a_plan()),
    lifecycle.AnnounceChange(a_plan(), None, None),
    lifecycle.AnnounceChange(a_plan(), Money(2900, EUR), Money(3500, EUR)),
    lifecycle.WithdrawChanges(),
    lifecycle.ApplyCoupon(a_coupon().applied()),
    lifecycle.RemoveCoupon(a_coupon().id),
    lifecycle.AwaitPayment(_invoice(), AT),
    lifecycle.Activate(),
    lifecycle.PauseNow(lifecycle.Pause(DAY)),
    lifecycle.Resume(DAY),
    lifecycle.Transfer(a_customer("cus_bob").id, "UTC"),
    lifecycle.SetEnd(date(2029, 3, 1)),
    lifecycle.SetCatchUp(lifecycle.CatchUp.SKIP, 12),
    lifecycle.SetPayment(None, None),
    lifecycle.AnswerSurvey("too dear"),
    lifecycle.Reactivate((an_item(),), DAY),
    lifecycle.Cancel(DAY),
    lifecycle.UndoCancel(),
    lifecycle.End(AT, lifecycle.EndReason.CANCELED),
    lifecycle.MarkPastDue(_invoice()),
    lifecycle.ClearPastDue(_invoice()),
    lifecycle.MarkUnpaid(),
)


def _subscriptions() -> Iterator[lifecycle.Subscription]:
    for contract, collection in product(_CONTRACTS, _COLLECTIONS):
        yield a_subscription(contract=contract, collection=collection)
        # With all that can be undone.
        yield a_subscription(
            contract=contract,
            collection=collection,
            cancellation=lifecycle.Cancellation(DAY),
            pause=lifecycle.Pause(DAY),
            schedule=(a_plan(),),
            discounts=(a_coupon().applied(),),
        )


def _lifecycle_moves(name_of: Callable[[lifecycle.Subscription], str]) -> tuple[Move, ...]:
    def name(record: object) -> str:
        assert isinstance(record, lifecycle.Subscription)
        return name_of(record)

    def acting(command: lifecycle.Command) -> Callable[[object], Change]:
        def act(record: object) -> Change:
            assert isinstance(record, lifecycle.Subscription)
            return lifecycle.decide(record, command)

        return act

    commands = [(type(each).__name__, acting(each)) for each in _SUBSCRIPTION_COMMANDS]
    return _tried([(name(each), each) for each in _subscriptions()], commands, name)


def contract_moves() -> tuple[Move, ...]:
    """Return what moves the contract of a subscription."""
    return _lifecycle_moves(lambda subscription: type(subscription.contract).__name__)


def collection_moves() -> tuple[Move, ...]:
    """Return what moves the collection of a subscription; nothing else does."""
    moves = _lifecycle_moves(lambda subscription: type(subscription.collection).__name__)
    movers = {move.command for move in moves if move.source != move.target}
    return tuple(move for move in moves if move.command in movers)


_DISPUTE = DisputeId("dp_ada")
_PAYMENT = PaymentId("pay_ada")
_TOTAL = an_invoice().total_minor
_INVOICE_COMMANDS: Sequence[invoices.Command] = (
    invoices.StartCollection(_PAYMENT),
    invoices.EndCollection(_PAYMENT),
    invoices.ApplyPayment(_PAYMENT, 1, AT),
    invoices.ApplyPayment(_PAYMENT, _TOTAL, AT),
    invoices.ApplyCredit(CreditNoteId("cn_ada"), 1, AT),
    invoices.ApplyCredit(CreditNoteId("cn_ada"), _TOTAL, AT),
    invoices.StartDunning(),
    invoices.EndDunning(),
    invoices.MarkVoid("a mistake", AT),
    invoices.MarkUncollectible("given up", AT),
    invoices.TakeBack(_PAYMENT, 1, held=True),
    invoices.EndDispute(_PAYMENT),
    invoices.LeaveForLater(),
    invoices.HoldCollection(),
    invoices.ReleaseCollection(),
    invoices.CountAttempt(_PAYMENT, 2, live=False),
    invoices.Replace(InvoiceId("inv_again")),
    invoices.Send("ada@example.com", AT),
)


def invoice_moves() -> tuple[Move, ...]:
    """Return what moves an invoice: its commands, and that it is made final."""

    def name(record: object) -> str:
        assert isinstance(record, invoices.Invoice)
        return type(record.state).__name__

    def acting(command: invoices.Command) -> Callable[[object], Change]:
        def act(record: object) -> Change:
            assert isinstance(record, invoices.Invoice)
            return invoices.decide(record, command)

        return act

    def finalize(record: object) -> Change:
        assert isinstance(record, invoices.Invoice)
        issue = invoices.finalize(record, a_customer(), seller=a_seller(), salt="salt")
        sealed = issue.after
        assert isinstance(sealed, invoices.Invoice)
        return invoices.seal(sealed, before=record, number="INV-1", previous_hash="", at=AT)

    final: tuple[invoices.InvoiceState, ...] = (
        invoices.Open(),
        invoices.Paid(AT),
        invoices.Void(AT, "a mistake"),
        invoices.Uncollectible(AT, "given up"),
    )
    records = [a_draft(), a_draft(total_minor=0, net_minor=0, tax_minor=0, lines=(), taxes=())]
    records += [
        an_invoice(state=state, collecting=collecting, dunning=in_dunning)
        for state, collecting, in_dunning in product(final, (None, _PAYMENT), (False, True))
    ]
    records += [an_invoice(state=state, paid_minor=1, disputed=(_PAYMENT,)) for state in final]
    records += [an_invoice(state=state, held=True) for state in final]
    commands: list[tuple[str, Callable[[object], Change | None]]] = [("finalize", finalize)]
    commands += [(type(each).__name__, acting(each)) for each in _INVOICE_COMMANDS]
    return _tried([(name(each), each) for each in records], commands, name)


def payment_moves() -> tuple[Move, ...]:
    """Return what moves a payment, which its table says by itself: what a state may become."""
    return _becoming(payments.ALLOWED)


def refund_moves() -> tuple[Move, ...]:
    """Return what moves a refund, which its table says by itself."""
    return _becoming(refunds.ALLOWED)


def dispute_moves() -> tuple[Move, ...]:
    """Return what moves a dispute, which its table says by itself."""
    return _becoming(disputes.ALLOWED)


def _becoming(allowed: Mapping[type[State], frozenset[type[State]]]) -> tuple[Move, ...]:
    return tuple(
        Move(source.__name__, target.__name__, target.__name__)
        for source, targets in allowed.items()
        for target in allowed
        if target in targets
    )


def method_moves() -> tuple[Move, ...]:
    """Return what moves a payment method."""

    def name(record: object) -> str:
        assert isinstance(record, payment_methods.PaymentMethod)
        return type(record.state).__name__

    def refuse(record: object) -> Change | None:
        assert isinstance(record, payment_methods.PaymentMethod)
        return payment_methods.refuse(record, code="lost_card", at=AT)

    def detach(record: object) -> Change:
        assert isinstance(record, payment_methods.PaymentMethod)
        return payment_methods.detach(record, at=AT)

    states: tuple[payment_methods.MethodState, ...] = (
        payment_methods.Usable(),
        payment_methods.Refused("lost_card", AT),
        payment_methods.Held((_DISPUTE,), AT),
        payment_methods.Detached(AT),
    )

    def hold(record: object) -> Change | None:
        assert isinstance(record, payment_methods.PaymentMethod)
        return payment_methods.hold(record, _DISPUTE, at=AT)

    def release(record: object) -> Change | None:
        assert isinstance(record, payment_methods.PaymentMethod)
        return payment_methods.release(record, _DISPUTE)

    records = [a_payment_method(state=state) for state in states]
    commands: list[tuple[str, Callable[[object], Change | None]]] = [
        ("refuse", refuse),
        ("hold", hold),
        ("release", release),
        ("detach", detach),
    ]
    return _tried([(name(each), each) for each in records], commands, name)


def grant_moves() -> tuple[Move, ...]:
    """Return what moves a credit grant: every command of its table, on every state."""

    def name(record: object) -> str:
        assert isinstance(record, grants.Grant)
        return type(record.state).__name__

    def acting(command: grants.Command) -> Callable[[object], Change | None]:
        def act(record: object) -> Change:
            assert isinstance(record, grants.Grant)
            return grants.decide(record, command).change

        return act

    states: tuple[grants.GrantState, ...] = (
        grants.Pending(),
        grants.Active(),
        grants.UsedUp(AT),
        grants.Expired(AT),
        grants.Voided(AT, "a mistake"),
    )
    over = AT + timedelta(days=1)
    records = [
        a_grant(state=state, left_minor=left, expires_at=over)
        for state, left in zip(states, (1000, 500, 0, 0, 0), strict=True)
    ]
    invoice, next_one = InvoiceId("inv_1"), GrantId("grn_2")
    tried: dict[type[grants.Command], tuple[grants.Command, ...]] = {
        grants.Begin: (grants.Begin(),),
        # A part of it, and all of it.
        grants.Apply: (grants.Apply(invoice, 100, AT), grants.Apply(invoice, 500, AT)),
        grants.Return: (grants.Return(invoice, 100, AT, next_one),),
        grants.Expire: (grants.Expire(over, next_one, "UTC"),),
        grants.Void: (grants.Void("a mistake", AT),),
    }
    commands = [
        (kind.__name__, acting(each)) for kind, several in tried.items() for each in several
    ]
    return _tried([(name(each), each) for each in records], commands, name)


def dunning_moves() -> tuple[Move, ...]:
    """Return what moves a dunning case."""

    def name(record: object) -> str:
        assert isinstance(record, dunning.DunningCase)
        return type(record.state).__name__

    def take_step(record: object) -> Change:
        assert isinstance(record, dunning.DunningCase)
        return dunning.take_step(record, at=AT)

    def postpone(record: object) -> Change | None:
        assert isinstance(record, dunning.DunningCase)
        running = isinstance(record.state, dunning.Running)
        return dunning.postpone(record, until=AT) if running else None

    def hold(record: object) -> Change:
        assert isinstance(record, dunning.DunningCase)
        return dunning.hold(record, reason="a promise", until=None, at=AT)

    def release(record: object) -> Change:
        assert isinstance(record, dunning.DunningCase)
        return dunning.release(record, at=AT)

    def stop(record: object) -> Change | None:
        assert isinstance(record, dunning.DunningCase)
        return dunning.stop(record, reason="paid", at=AT)

    states: tuple[dunning.CaseState, ...] = (
        dunning.Running(),
        dunning.Held("a promise", AT),
        dunning.Stopped(AT, "paid"),
        dunning.Exhausted(AT),
    )
    ladder = dunning.DEFAULT_POLICY.schedule(failed_at=AT)
    records = [
        a_dunning_case(state=state, next_step=step)
        for state, step in product(states, (0, len(ladder) - 1))
    ]
    commands: list[tuple[str, Callable[[object], Change | None]]] = [
        ("take_step", take_step),
        ("postpone", postpone),
        ("hold", hold),
        ("release", release),
        ("stop", stop),
    ]
    return _tried([(name(each), each) for each in records], commands, name)


# ---- where it stands -------------------------------------------------------------------------


def diagrams() -> tuple[Diagram, ...]:
    """Return every diagram; raises `ValueError` for a state that has no place."""
    drawn = (
        Diagram(
            "contract",
            "The contract of a subscription",
            contract_moves(),
            {
                "Scheduled": (0, 0),
                "Trialing": (0.95, -1.3),
                "Active": (2.8, 0),
                "Incomplete": (2.8, 1.6),
                "Ended": (0.95, 1.6),
            },
            "Scheduled",
            {
                ("Active", "Ended"): -24,
                ("Ended", "Active"): -24,
                ("Active", "Incomplete"): -52,
                ("Incomplete", "Active"): -52,
            },
        ),
        Diagram(
            "collection",
            "How the collection of a subscription stands",
            collection_moves(),
            {"Current": (0, 0), "PastDue": (1.25, 0), "Unpaid": (2.5, 0)},
            "Current",
            {
                ("Current", "PastDue"): -34,
                ("PastDue", "Current"): -34,
                ("PastDue", "Unpaid"): -34,
                ("Unpaid", "PastDue"): -34,
                ("Unpaid", "Current"): -120,
            },
        ),
        Diagram(
            "invoice",
            "An invoice",
            invoice_moves(),
            {
                "Draft": (0, 1),
                "Open": (1.4, 1),
                "Paid": (1.4, -0.2),
                "Void": (1.4, 2),
                "Uncollectible": (3, 1),
            },
            "Draft",
            {("Open", "Paid"): -46, ("Paid", "Open"): -40},
        ),
        Diagram(
            "payment",
            "A payment",
            payment_moves(),
            {
                "Intended": (0, -1.2),
                "Unknown": (1.1, -0.5),
                "ActionRequired": (1.1, 2.5),
                "Processing": (2.2, -1.2),
                "Authorized": (2.2, 1),
                "Capturing": (3.3, 1.8),
                "Succeeded": (5.2, -0.5),
                "Declined": (3.3, 0.2),
                "Voided": (3.3, 3.2),
            },
            "Intended",
            {
                ("Intended", "Authorized"): 30,
                ("Intended", "Declined"): -30,
                ("Intended", "Voided"): 30,
                ("Intended", "Succeeded"): -100,
                ("Unknown", "Voided"): 60,
                ("ActionRequired", "Declined"): 60,
                ("Authorized", "Capturing"): -30,
                ("Authorized", "Succeeded"): 30,
                ("Authorized", "Voided"): 24,
                ("Capturing", "Authorized"): -30,
            },
            labelled=False,
        ),
        Diagram(
            "refund",
            "A refund",
            refund_moves(),
            {
                "Intended": (0, 1),
                "Unknown": (1.1, 2),
                "Pending": (1.1, 0),
                "Succeeded": (2.4, 0),
                "Failed": (2.4, 2),
            },
            "Intended",
            {("Intended", "Unknown"): -28, ("Unknown", "Intended"): -28},
            labelled=False,
        ),
        Diagram(
            "dispute",
            "A dispute",
            dispute_moves(),
            {"Opened": (0, 1), "Withdrawn": (1.3, 0), "Won": (2.6, 1), "Lost": (1.3, 2)},
            "Opened",
            {
                (source, target): -22
                for source, target in product(("Opened", "Withdrawn", "Won", "Lost"), repeat=2)
                if source != target
            },
            labelled=False,
        ),
        Diagram(
            "payment_method",
            "A payment method",
            method_moves(),
            {"Usable": (0, 0), "Refused": (1.25, 0), "Detached": (2.5, 0), "Held": (1.25, 1)},
            "Usable",
            {("Usable", "Detached"): -70, ("Usable", "Held"): -22, ("Held", "Usable"): -22},
        ),
        Diagram(
            "grant",
            "A credit grant",
            grant_moves(),
            {
                "Pending": (0, 0),
                "Active": (1.5, 0),
                "UsedUp": (3, 0),
                "Expired": (1.5, 1.2),
                "Voided": (0, 1.2),
            },
            "Pending",
            {
                ("Active", "UsedUp"): -34,
                ("UsedUp", "Active"): -34,
                ("Active", "Expired"): -34,
                ("Expired", "Active"): -34,
            },
        ),
        Diagram(
            "dunning",
            "A dunning case",
            dunning_moves(),
            {"Running": (0, 0), "Held": (1.5, 0), "Stopped": (1.5, 1), "Exhausted": (0, 1)},
            "Running",
            {("Running", "Held"): -22, ("Held", "Running"): -22},
        ),
    )
    _nothing_left_out()
    for diagram in drawn:
        known = {state for move in diagram.moves for state in (move.source, move.target)}
        if missing := known - set(diagram.places):
            raise ValueError(f"{diagram.name}: no place for {', '.join(sorted(missing))}")
    return drawn


def _nothing_left_out() -> None:
    """Raise `ValueError` for a state or a command of the tables that is not tried above."""
    tried = {type(each) for each in (*_SUBSCRIPTION_COMMANDS, *_INVOICE_COMMANDS)}
    allowed = {
        command
        for table in (lifecycle.ALLOWED, invoices.ALLOWED)
        for commands in table.values()
        for command in commands
    }
    untried = (allowed - tried) | (set(lifecycle.ALLOWED) - {type(each) for each in _CONTRACTS})
    if untried:
        raise ValueError(f"not tried: {', '.join(sorted(each.__name__ for each in untried))}")


# ---- drawing ---------------------------------------------------------------------------------

_COLUMN, _ROW, _HEIGHT, _MARGIN = 200, 104, 40, 44
_SAMPLES = 400
_Point = tuple[float, float]

_STYLE = """
text { font: 15px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2430; }
.state { font-weight: 600; text-anchor: middle; }
.command { font-size: 13px; text-anchor: middle; fill: #454c5c; stroke: #ffffff; stroke-width: 5px;
  stroke-linejoin: round; paint-order: stroke; }
.paper { fill: #ffffff; }
.box { fill: #eef1fb; stroke: #4051b5; stroke-width: 1.5; }
.final { fill: #f3f3f3; stroke: #8a8f9c; }
.arrow { fill: none; stroke: #6b7180; stroke-width: 1.4; }
.head, .dot { fill: #6b7180; }
@media (prefers-color-scheme: dark) {
  text { fill: #e3e6f0; }
  .command { fill: #b9bfce; stroke: #1e2129; }
  .paper { fill: #1e2129; }
  .box { fill: #2a3050; stroke: #8c9eff; }
  .final { fill: #2b2e36; stroke: #7d828f; }
  .arrow { stroke: #9aa0af; }
  .head, .dot { fill: #9aa0af; }
}
"""


_HEAD = """<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8"
markerHeight="8" orient="auto"><path class="head" d="M0 0L10 5L0 10z"/></marker></defs>"""
_POINTED = 'marker-end="url(#head)"'


@frozen
class _Box:
    x: float
    y: float
    width: float

    def holds(self, point: _Point, margin: float = 0) -> bool:
        inside_x = abs(point[0] - self.x) <= self.width / 2 + margin
        return inside_x and abs(point[1] - self.y) <= _HEIGHT / 2 + margin


def svg(diagram: Diagram) -> str:
    """Return a diagram as SVG, legible on light and on dark ground.

    Raises `ValueError` where an arrow would run behind a box or one label lie on another: then a
    state needs another place, or an arrow another bend.
    """
    boxes = _boxes(diagram)
    moves = _arrows(diagram)
    arrows = [_arrow(diagram, boxes, pair, names) for pair, names in moves.items()]
    _legible(diagram, boxes, dict(zip(moves, arrows, strict=True)))
    points = [point for arrow in arrows for point in arrow.points]
    points += [(box.x - box.width / 2, box.y - _HEIGHT / 2) for box in boxes.values()]
    points += [(box.x + box.width / 2, box.y + _HEIGHT / 2) for box in boxes.values()]
    start = boxes[diagram.initial]
    points.append((start.x - start.width / 2 - 34, start.y))
    left, top = min(x for x, _ in points) - 14, min(y for _, y in points) - 16
    width, height = max(x for x, _ in points) + 14 - left, max(y for _, y in points) + 16 - top
    final = {state for state in diagram.states if not _leaves(diagram, state)}
    size = f'width="{_n(width)}" height="{_n(height)}"'
    frame = f"{_n(left)} {_n(top)} {_n(width)} {_n(height)}"
    edge = start.x - start.width / 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{frame}" {size} role="img">',
        f"<title>{escape(diagram.title)}</title>",
        f"<style>{_STYLE}</style>",
        _HEAD,
        f'<rect class="paper" x="{_n(left)}" y="{_n(top)}" {size} rx="8"/>',
        *(arrow.line for arrow in arrows),
        f'<circle class="dot" cx="{_n(edge - 30)}" cy="{_n(start.y)}" r="5"/>',
        f'<path class="arrow" {_POINTED} d="M{_n(edge - 25)} {_n(start.y)}H{_n(edge - 1)}"/>',
    ]
    for state, box in boxes.items():
        kind = "box final" if state in final else "box"
        parts.append(
            f'<rect class="{kind}" x="{_n(box.x - box.width / 2)}" y="{_n(box.y - _HEIGHT / 2)}" '
            f'width="{_n(box.width)}" height="{_HEIGHT}" rx="8"/>'
        )
        parts.append(f'<text class="state" x="{_n(box.x)}" y="{_n(box.y + 5)}">{state}</text>')
    parts += [label for arrow in arrows for label in arrow.labels]
    return "\n".join([*parts, "</svg>", ""])


def _boxes(diagram: Diagram) -> dict[str, _Box]:
    widest = max(len(state) for state in diagram.states)
    width = max(96, widest * 9 + 24)
    return {
        state: _Box(column * _COLUMN, row * _ROW, width)
        for state, (column, row) in diagram.places.items()
    }


def _leaves(diagram: Diagram, state: str) -> bool:
    return any(move.source == state != move.target for move in diagram.moves)


def _arrows(diagram: Diagram) -> dict[tuple[str, str], list[str]]:
    arrows: dict[tuple[str, str], list[str]] = {}
    for move in diagram.moves:
        if move.source != move.target:
            arrows.setdefault((move.source, move.target), []).append(move.command)
    return arrows


def _legible(
    diagram: Diagram, boxes: Mapping[str, _Box], arrows: Mapping[tuple[str, str], _Arrow]
) -> None:
    for pair, arrow in arrows.items():
        for state, box in boxes.items():
            if state not in pair and any(box.holds(point, 4) for point in arrow.points):
                raise ValueError(f"{diagram.name}: {' to '.join(pair)} runs behind {state}")
    for one, other in combinations([each for each in arrows.values() if each.labels], 2):
        near_x = abs(one.middle[0] - other.middle[0]) < one.half + other.half
        high = 8 * (len(one.labels) + len(other.labels))
        if near_x and abs(one.middle[1] - other.middle[1]) < high:
            raise ValueError(f"{diagram.name}: {one.labels[0]} lies on {other.labels[0]}")


@frozen
class _Arrow:
    line: str
    labels: tuple[str, ...]
    points: tuple[_Point, ...]
    middle: _Point
    half: float = 0
    """Half of the width of its labels, which stand around its middle."""


def _arrow(
    diagram: Diagram, boxes: Mapping[str, _Box], pair: tuple[str, str], commands: Sequence[str]
) -> _Arrow:
    source, target = boxes[pair[0]], boxes[pair[1]]
    bend = diagram.bends.get(pair, 0.0)
    dx, dy = target.x - source.x, target.y - source.y
    length = (dx * dx + dy * dy) ** 0.5
    # A bend below zero curves to the left of who walks along the arrow.
    control = (
        (source.x + target.x) / 2 - dy / length * bend * 2,
        (source.y + target.y) / 2 + dx / length * bend * 2,
    )
    curve = ((source.x, source.y), control, (target.x, target.y))
    samples = [_at(curve, step / _SAMPLES) for step in range(_SAMPLES + 1)]
    seen = [point for point in samples if not source.holds(point) and not target.holds(point, 2)]
    if not seen:
        raise ValueError(f"{diagram.name}: {pair[0]} and {pair[1]} stand too close")
    first, last, middle = seen[0], seen[-1], seen[len(seen) // 2]
    # The curve through the middle that is seen: its control point follows from the three.
    through = (2 * middle[0] - (first[0] + last[0]) / 2, 2 * middle[1] - (first[1] + last[1]) / 2)
    path = f"M{_p(first)}Q{_p(through)} {_p(last)}"
    line = f'<path class="arrow" {_POINTED} d="{path}"/>'
    if not diagram.labelled:
        return _Arrow(line, (), tuple(seen), middle)
    count = len(commands)
    labels = tuple(
        f'<text class="command" x="{_n(middle[0])}" '
        f'y="{_n(middle[1] + 4 + (index - (count - 1) / 2) * 16)}">{escape(command)}</text>'
        for index, command in enumerate(commands)
    )
    half = max(len(command) for command in commands) * 3.8
    ends = ((middle[0] - half, middle[1] - 8), (middle[0] + half, middle[1] + 8))
    return _Arrow(line, labels, (*seen, *ends), middle, half)


def _at(curve: tuple[_Point, _Point, _Point], t: float) -> _Point:
    (x0, y0), (x1, y1), (x2, y2) = curve
    a, b, c = (1 - t) ** 2, 2 * t * (1 - t), t * t
    return a * x0 + b * x1 + c * x2, a * y0 + b * y1 + c * y2


def _p(point: _Point) -> str:
    return f"{_n(point[0])} {_n(point[1])}"


def _n(value: float) -> str:
    return f"{round(value, 1):g}"


# ---- the same as a table ---------------------------------------------------------------------


def unbroken(text: str) -> str:
    """Return Markdown that is kept on one line in a narrow column."""
    return f'<span style="white-space: nowrap">{text}</span>'


def table(diagram: Diagram) -> str:
    """Return a diagram as a Markdown table: from which state what leads where, and what stays."""
    if not diagram.labelled:
        rows = ["| state | may become |", "| --- | --- |"]
        for state in diagram.states:
            targets = [move.target for move in diagram.moves if move.source == state]
            again = [f"`{each}`{' (again)' if each == state else ''}" for each in targets]
            rows.append(f"| {unbroken(f'`{state}`')} | {', '.join(again) or 'nothing more'} |")
        return "\n".join(rows)
    rows = ["| state | moves | stays |", "| --- | --- | --- |"]
    for state in diagram.states:
        moves = [move for move in diagram.moves if move.source == state]
        going = [
            unbroken(f"`{move.command}` → `{move.target}`")
            for move in moves
            if move.target != state
        ]
        staying = dict.fromkeys(f"`{move.command}`" for move in moves if move.target == state)
        if going or staying:
            name = unbroken(f"`{state}`")
            rows.append(f"| {name} | {'<br>'.join(going)} | {', '.join(staying)} |")
        else:
            rows.append(f"| `{state}` | nothing more | |")
    return "\n".join(rows)
