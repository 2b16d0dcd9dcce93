"""Asking a tax engine about drafts: what it raises is silence, and so is what does not fit."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from attrs import define

from subscriptions.engine.procedures import Procedure, blocking
from subscriptions.engine.validating import PATIENCE
from subscriptions.tax_quotes import TaxAnswer, TaxQuote, TaxRequest, TaxUnavailable, fits
from subscriptions.tax_services import TaxProvider

log = logging.getLogger("subscriptions")


@define
class Silence:
    """How often in a row the tax engine could not be reached within a batch."""

    times: int = 0


def ask_quotes(
    requests: Sequence[TaxRequest | None], provider: TaxProvider, silence: Silence
) -> Procedure[list[TaxAnswer]]:
    """Ask about drafts, one after the other; the answers come in the order of the requests.

    A request without lines is answered at once, and one that could not be made is silence. After
    some silence in a row the rest is not asked. No transaction is open meanwhile.
    """
    answers: list[TaxAnswer] = []
    for request in requests:
        answer: TaxAnswer
        if request is None:
            answer = TaxUnavailable("NO_REQUEST")
        elif not request.lines:
            answer = TaxQuote(())
        elif silence.times >= PATIENCE:
            answer = TaxUnavailable("NOT_ASKED")
        else:
            answer, reached = yield from blocking(_ask, request, provider)
            silence.times = 0 if reached else silence.times + 1
        answers.append(answer)
    return answers


def _ask(request: TaxRequest, provider: TaxProvider) -> tuple[TaxAnswer, bool]:
    """Ask once; returns the answer, and whether there was one."""
    try:
        answer: object = provider.quote(request)
    except Exception as error:
        log.exception("tax engine %s did not answer", provider.name)
        return TaxUnavailable(type(error).__name__), False
    match answer:
        case TaxQuote() if fits(answer, request):
            return answer, True
        case TaxUnavailable():
            return answer, False
        case _:
            log.error("tax engine %s gave what does not fit", provider.name)
            return TaxUnavailable("UNREADABLE"), True
