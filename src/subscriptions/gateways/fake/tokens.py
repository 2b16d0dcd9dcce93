"""What the fake gateway's tokens and decline codes do: two tables, and the words they are made of.

A token names a way to pay whose fate is known beforehand, so that a data file or a test can choose
what will happen by choosing a token. Nothing here moves money.
"""

from __future__ import annotations

from datetime import date
from typing import TypeAlias

from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.payments import Advice, Decline

# ---- decline codes --------------------------------------------------------------------------


@frozen
class DeclineCode:
    """What a decline code means: in words, what the network advises, and whether it is for good."""

    message: str
    advice: Advice
    hard: bool


def _soft(message: str, advice: Advice = Advice.RETRY_AFTER) -> DeclineCode:
    return DeclineCode(message, advice, hard=False)


def _hard(message: str, advice: Advice = Advice.RETRY_NEVER) -> DeclineCode:
    return DeclineCode(message, advice, hard=True)


# An expired card is a hard decline here: a charge of the same details is declined again, and what
# helps is the customer's new card, so the customer is to be asked for it at once.
DECLINES: dict[str, DeclineCode] = {
    # Worth another try later.
    "insufficient_funds": _soft("Insufficient funds"),
    "processor_error": _soft("The processor failed"),
    "try_again_later": _soft("The issuer is not available"),
    "card_declined": _soft("The card was declined"),
    "do_not_honor": _soft("The issuer gives no reason"),
    "limit_exceeded": _soft("A limit of the card is reached"),
    "authentication_failed": _soft("The customer did not authenticate", Advice.AUTHENTICATE),
    # For good; another method may do.
    "expired_card": _hard("The card has expired", Advice.NEW_METHOD),
    "incorrect_number": _hard("There is no such card", Advice.NEW_METHOD),
    "account_closed": _hard("The account is closed", Advice.NEW_METHOD),
    "unknown_method": _hard("There is no such method", Advice.NEW_METHOD),
    "method_detached": _hard("The method was detached", Advice.NEW_METHOD),
    # For good, by order of the issuer or the customer.
    "lost_card": _hard("The card was reported lost"),
    "stolen_card": _hard("The card was reported stolen"),
    "pickup_card": _hard("The card is blocked"),
    "mandate_revoked": _hard("The mandate was revoked"),
}


# ---- what may happen to a charge ------------------------------------------------------------


@frozen
class Succeed:
    """The money is taken at once."""


@frozen
class Refuse:
    """The bank says no: `times` times for each invoice, or (with None) always."""

    decline: Decline
    hard: bool
    times: int | None = None


@frozen
class AskCustomer:
    """The customer must authenticate first."""


@frozen
class TakeDays:
    """The gateway accepts now and knows in `days` days, as with a direct debit."""

    days: int
    succeed: bool = True


Fate: TypeAlias = Succeed | Refuse | AskCustomer | TakeDays


@frozen
class Silence:
    """The call is not answered: its effect took place, or got lost on the way there."""

    executed: bool


@frozen
class NoConnection:
    """The call is refused before anything was sent."""


def refusal(code: str, *, hard: bool | None = None, times: int | None = None) -> Refuse:
    """Return the refusal with a code of `DECLINES`; `hard` overrides the table.

    Raises `ValidationError` for a code outside the table unless `hard` says what it is.

    >>> refusal("lost_card").hard, refusal("insufficient_funds").hard
    (True, False)
    """
    known = DECLINES.get(code)
    if known is None:
        if hard is None:
            raise ValidationError("code", code, f"one of {', '.join(DECLINES)}; or say if hard")
        known = _hard(code, Advice.NEW_METHOD) if hard else _soft(code)
    decline = Decline(code, known.message, known.advice)
    return Refuse(decline, known.hard if hard is None else hard, times)


# ---- tokens ---------------------------------------------------------------------------------


@frozen
class Token:
    """One way to pay, and its fate at every charge.

    `first_answer_lost` tokens do not answer the first call of each attempt; the second is answered.
    """

    fate: Fate = Succeed()
    type: str = "card"
    brand: str = "visa"
    last4: str = "4242"
    expires_on: date | None = date(2039, 12, 31)
    first_answer_lost: Silence | None = None


def _debit(last4: str, *, succeed: bool) -> Token:
    fate = TakeDays(5, succeed)
    return Token(fate, type="sepa_debit", brand="", last4=last4, expires_on=None)


TOKENS: dict[str, Token] = {
    # Good ones.
    "tok_visa": Token(),
    "tok_mastercard": Token(brand="mastercard", last4="4444"),
    "tok_amex": Token(brand="amex", last4="0005"),
    # Known only after five days, good or (with the second) returned by the bank.
    "tok_sepa_debit": _debit("3000", succeed=True),
    "tok_sepa_debit_returned": _debit("3001", succeed=False),
    # Declined: worth another try; twice for each invoice and then good; and for good.
    "tok_insufficient_funds": Token(refusal("insufficient_funds"), last4="9995"),
    "tok_insufficient_funds_twice": Token(refusal("insufficient_funds", times=2), last4="9996"),
    "tok_processor_error": Token(refusal("processor_error"), last4="0119"),
    "tok_card_declined": Token(refusal("card_declined"), last4="0002"),
    "tok_lost_card": Token(refusal("lost_card"), last4="9987"),
    "tok_stolen_card": Token(refusal("stolen_card"), last4="9979"),
    "tok_expired_card": Token(refusal("expired_card"), last4="0069", expires_on=date(2024, 1, 31)),
    # The customer must authenticate every charge.
    "tok_requires_action": Token(AskCustomer(), last4="3155"),
    # The first call of each attempt is not answered; the money moves once all the same.
    "tok_timeout_executed": Token(last4="5126", first_answer_lost=Silence(executed=True)),
    "tok_timeout_not_executed": Token(last4="5134", first_answer_lost=Silence(executed=False)),
}
