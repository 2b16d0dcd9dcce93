"""Examples: what gateways told, and what waits for a person."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import evolve

from subscriptions import disputes, inbox, payments, refunds, review
from subscriptions.ids import InboundId, ReviewItemId
from subscriptions.money import EUR, Money
from subscriptions.testing.builders import AT, TENANT
from subscriptions.testing.examples.example import (
    CUSTOMER,
    DUE,
    INVOICE,
    LATER,
    PAYMENT,
    REFUND,
    REVIEW,
    Example,
)


def of_inbox() -> Iterator[Example]:
    """Yield examples of messages of gateways."""
    said = payments.PaymentSnapshot(
        payments.Outcome.DECLINED_HARD,
        DUE,
        AT,
        PAYMENT,
        "ch_1",
        payments.Decline("05", "do not honour", payments.Advice.RETRY_NEVER),
        tenant=TENANT,
        invoice=INVOICE,
    )
    states: dict[str, inbox.InboundState] = {
        "waiting": inbox.Waiting(LATER, 2),
        "processed": inbox.Processed(LATER),
        "ignored": inbox.Ignored(LATER, "of another tenant"),
        "unmatched": inbox.Unmatched(LATER),
    }
    message = inbox.Inbound(
        InboundId("in"), TENANT, 2, "card", "evt", "charge.failed", AT, inbox.Waiting(AT), said
    )
    for name, state in states.items():
        id = InboundId(f"in_{name}")
        each = evolve(message, id=id, event=f"evt_{name}", state=state)
        yield Example(f"inbound.{name}", inbox.INBOUND, each)
    given_back = refunds.RefundSnapshot(
        refunds.RefundOutcome.FAILED,
        DUE,
        AT,
        REFUND,
        "re_1",
        refunds.RefundFailure("account_closed", "Closed"),
    )
    refund = evolve(
        message,
        id=InboundId("in_refund"),
        event="evt_refund",
        payment=None,
        refund=given_back,
        swept=True,
        parked="bug",
    )
    yield Example("inbound.refund", inbox.INBOUND, refund)
    disputed = disputes.DisputeSnapshot(
        "dp_at_the_gateway",
        PAYMENT,
        "ch_1",
        DUE,
        disputes.DisputeKind.RETURN,
        disputes.DisputeStatus.LOST,
        "AM04",
        AT,
        LATER,
        funds_withdrawn=True,
        fee=Money(300, EUR),
    )
    dispute = evolve(
        message,
        id=InboundId("in_dispute"),
        event="evt_dispute",
        payment=None,
        dispute=disputed,
    )
    yield Example("inbound.dispute", inbox.INBOUND, dispute)
    yield from _of_every_outcome(message, refund, dispute)
    pruned = evolve(
        message,
        id=InboundId("in_pruned"),
        event="evt_pruned",
        payment=None,
        state=inbox.Pruned(LATER),
    )
    yield Example("inbound.pruned", inbox.INBOUND, pruned)


def of_review() -> Iterator[Example]:
    """Yield examples of items of the review list."""
    item = review.ReviewItem(
        REVIEW,
        TENANT,
        1,
        review.Matter.PARKED,
        "payment",
        PAYMENT,
        AT,
        "the gateway did not say",
        CUSTOMER,
        DUE,
    )
    for matter in review.Matter:
        each = evolve(item, id=ReviewItemId(f"rev_{matter.value}"), matter=matter)
        yield Example(f"review_item.{matter.value}", review.REVIEW_ITEM, each)
    closed = evolve(
        item,
        id=ReviewItemId("rev_closed"),
        version=2,
        customer=None,
        amount=None,
        closed=review.Closed(LATER, "found"),
    )
    yield Example("review_item.closed", review.REVIEW_ITEM, closed)


def _of_every_outcome(
    message: inbox.Inbound, refund: inbox.Inbound, dispute: inbox.Inbound
) -> Iterator[Example]:
    """Return a message of everything that a gateway may say."""
    assert message.payment is not None
    assert refund.refund is not None
    assert dispute.dispute is not None
    told: dict[str, inbox.Inbound] = {}
    for outcome in payments.Outcome:
        if outcome not in (payments.Outcome.DECLINED_SOFT, payments.Outcome.DECLINED_HARD):
            said = evolve(message.payment, outcome=outcome, decline=None)
            told[f"payment_{outcome.value}"] = evolve(message, payment=said)
    soft = evolve(message.payment, outcome=payments.Outcome.DECLINED_SOFT)
    told["payment_declined_soft"] = evolve(message, payment=soft)
    for word in refunds.RefundOutcome:
        if word is not refunds.RefundOutcome.FAILED:
            given = evolve(refund.refund, outcome=word, failure=None, tenant=TENANT)
            told[f"refund_{word.value}"] = evolve(refund, refund=given)
    for status in disputes.DisputeStatus:
        stands = evolve(dispute.dispute, status=status)
        told[f"dispute_{status.value}"] = evolve(dispute, dispute=stands)
    for kind in disputes.DisputeKind:
        contested = evolve(dispute.dispute, kind=kind, funds_withdrawn=False)
        told[f"dispute_{kind.value}"] = evolve(dispute, dispute=contested)
    for name, each in told.items():
        record = evolve(each, id=InboundId(f"in_{name}"), event=f"evt_{name}")
        yield Example(f"inbound.{name}", inbox.INBOUND, record)
