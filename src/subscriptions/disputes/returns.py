"""Why debits come back, and what is done next: dated data, which a bank's list may correct.

The codes and what they mean are those of the ISO 20022 list of external reasons, as the SEPA direct
debit schemes use it. What is done next is in no rule book: each `next` is a *choice* of this
library, and so are the days and the number of tries.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from subscriptions.frozen import frozen


class Next(StrEnum):
    """What is done about a debit that came back."""

    RETRY = "retry"
    """The same method is charged again after some days, a few times at most."""
    NEW_METHOD = "new_method"
    """The method is refused; the customer is asked for another one, which is charged at once."""
    CONTACT = "contact"
    """Nothing is charged by itself: a person clears it with the customer."""


@frozen
class ReturnRule:
    """What a code means, and what is done next: `tries` times, `days` days apart, if it is tried.

    `source` says where the meaning is from; that this is done next is a choice.
    """

    meaning: str
    next: Next
    days: int = 0
    tries: int = 0
    source: str = "ISO 20022 external status reason; EPC016 core rule book, R-transactions"


RULES_AS_OF: Final = date(2026, 11, 22)
"""When the table was last compared with its sources."""

LATEST_AFTER_DAYS: Final = 13 * 31
"""How late a debit may come back: 8 weeks without a reason, 13 months if it was not authorised."""

UNKNOWN_CODE: Final = ReturnRule("A code that is not in the table", Next.CONTACT, source="")
"""Nobody guesses what to do about a code that is not known."""

SEPA_RETURNS: Final = MappingProxyType(
    {
        # The account will not do, now or later.
        "AC01": ReturnRule("The account number is wrong", Next.NEW_METHOD),
        "AC04": ReturnRule("The account is closed", Next.NEW_METHOD),
        "AC06": ReturnRule("The account is blocked", Next.NEW_METHOD),
        "AC13": ReturnRule("The account is a consumer's", Next.NEW_METHOD),
        "AG01": ReturnRule("The account allows no direct debits", Next.NEW_METHOD),
        "RC01": ReturnRule("The bank's identifier is wrong", Next.NEW_METHOD),
        "SL01": ReturnRule("The payer has blocked this creditor, or all", Next.NEW_METHOD),
        # There is no right to debit it.
        "MD01": ReturnRule("There is no mandate, or it was revoked", Next.NEW_METHOD),
        "MD02": ReturnRule("Data of the mandate are missing or wrong", Next.CONTACT),
        "MD06": ReturnRule("The payer wants it back, within 8 weeks", Next.CONTACT),
        "MD07": ReturnRule("The payer has died", Next.CONTACT),
        # Worth another try.
        "AM04": ReturnRule("The account had not enough money", Next.RETRY, days=7, tries=2),
        "MS02": ReturnRule("Refused by the payer, no reason given", Next.RETRY, days=7, tries=1),
        "MS03": ReturnRule("Refused by the bank, no reason given", Next.RETRY, days=7, tries=1),
        "TM01": ReturnRule("It came after the bank's hours", Next.RETRY, days=1, tries=1),
        # Something of ours is wrong.
        "AG02": ReturnRule("The kind of debit is wrong (first, recurring)", Next.CONTACT),
        "AM05": ReturnRule("It was collected twice", Next.CONTACT),
        "BE05": ReturnRule("The creditor's identifier is wrong", Next.CONTACT),
        "RR01": ReturnRule("The law asks for the payer's account or name", Next.CONTACT),
    }
)
"""The codes with which a SEPA direct debit comes back."""


def rule_for(code: str) -> ReturnRule:
    """Return what is done about a code; one that is not known is a matter for a person.

    >>> rule_for("AM04").next, rule_for("ac04").next, rule_for("XX99").next
    (<Next.RETRY: 'retry'>, <Next.NEW_METHOD: 'new_method'>, <Next.CONTACT: 'contact'>)
    """
    return SEPA_RETURNS.get(code.upper(), UNKNOWN_CODE)


def retry_days(code: str, before: int) -> tuple[int, ...]:
    """Return after how many days a debit is tried again that came back with a code.

    `before` is how often its invoice lost a payment earlier; each of those has used up one try.

    >>> retry_days("AM04", 0), retry_days("AM04", 1), retry_days("AM04", 2)
    ((7, 14), (7,), ())
    """
    rule = rule_for(code)
    return tuple(rule.days * (n + 1) for n in range(max(0, rule.tries - before)))
