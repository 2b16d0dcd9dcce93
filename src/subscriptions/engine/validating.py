"""Asking a validator about customers' tax ids: what it raises is silence, and silence has an end.

A register that is down is not asked a thousand times within one batch: each question would wait for
its time-out, and the run with it.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence

from subscriptions.customers import Customer
from subscriptions.engine.procedures import Procedure, blocking
from subscriptions.frozen import frozen
from subscriptions.tax_ids import Invalid, TaxIdAnswer, Unavailable, Valid, is_covered, normalized
from subscriptions.tax_services import TaxIdValidator

log = logging.getLogger("subscriptions")

PATIENCE = 3
"""How often a register may be silent in a row before the rest of a batch is not asked."""

TOGETHER = 50
"""How many answers are committed at once: so many are asked for again after a crash."""


@frozen
class Answered:
    """A customer's tax id as it was when somebody was asked about it, and the answer."""

    customer: Customer
    tax_id: str
    answer: TaxIdAnswer


def ask_about(
    customers: Sequence[Customer],
    requesters: Sequence[str],
    validator: TaxIdValidator,
    silent: Counter[str],
) -> Procedure[list[Answered]]:
    """Ask about the tax ids of customers, each in the name of its seller's; in their order.

    `silent` counts the outages in a row by prefix, and is carried from one call to the next. No
    transaction is open meanwhile.
    """
    answers: list[Answered] = []
    for customer, requester in zip(customers, requesters, strict=True):
        tax_id = normalized(customer.tax_id)
        prefix = tax_id[:2]
        answer: TaxIdAnswer
        if not is_covered(tax_id, validator.prefixes):
            answer = Unavailable("NOT_COVERED")
        elif silent[prefix] >= PATIENCE:
            answer = Unavailable("NOT_ASKED")
        else:
            answer = yield from blocking(_ask, tax_id, requester, validator)
            silent[prefix] = silent[prefix] + 1 if isinstance(answer, Unavailable) else 0
        answers.append(Answered(customer, tax_id, answer))
    return answers


def _ask(tax_id: str, requester: str, validator: TaxIdValidator) -> TaxIdAnswer:
    """Ask once; whatever an adapter raises or makes up is silence, never a "no"."""
    try:
        answer: object = validator.check(tax_id, requester)
    except Exception as error:
        log.exception("validator %s did not answer", validator.name)
        # Not the text of the error: it may hold the tax id, and events hold no personal data.
        return Unavailable(type(error).__name__)
    match answer:
        case Valid() | Invalid() | Unavailable():
            return answer
        case _:
            log.error("validator %s gave a %s", validator.name, type(answer).__name__)
            return Unavailable("UNREADABLE")
