"""What a customer writes on a transfer, and how it is found again in a line of a statement.

An RF creditor reference (ISO 11649) is `RF`, two check digits by modulo 97, and up to 21 letters
and digits. It is made from the number of the invoice alone, so it never changes. One wrong digit or
letter, and nearly every other slip, does not pass the check digits. Numbers are also found as they
are printed, but never inside of longer ones: INV-2027-00001 is not in INV-2027-000012.

Nothing here decides what a payment pays.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from hashlib import sha256

from attrs import field

from subscriptions.frozen import frozen

BODY_MAX = 21
"""How many characters follow the check digits (ISO 11649)."""

SHORTEST_NUMBER = 5
"""A number with fewer letters and digits is not looked for in a text: `12` is in every second."""

_PLAIN = re.compile(r"[A-Z0-9]{1,21}")
_REFERENCE = re.compile(r"RF[0-9]{2}[A-Z0-9]{1,21}")
_OPENING = re.compile(r"(?<!\w)RF[0-9]{2}")
_GROUP = re.compile(r"\s*([A-Z0-9]+)(?!\w)")
_WORD = re.compile(r"[^\W_]+")
# What joins the parts of one number, where no space is beside it; before a number stands much else,
# as in "Nr.INV-2027-00001".
_GOES_ON = frozenset("-/._")
_BEGAN = frozenset("-_")
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_MARK, _LONG_MARK = 4, 8


def creditor_reference(number: str) -> str:
    """Return the RF reference of an invoice number: the same for ever, another for another one.

    Capital letters and digits stay. From a number that holds anything else, or more than 21, what
    does not fit is left out and a mark is added that tells it from numbers that would look alike:
    four characters, or eight where something was cut off at its beginning. So the references of two
    such numbers are equal once in a million times at the most.

    >>> creditor_reference("539007547034")
    'RF18539007547034'
    >>> creditor_reference("INV-2027-00001")
    'RF55INV202700001JRJM'
    """
    body = number if _PLAIN.fullmatch(number) else _marked(number)
    return f"RF{98 - _remainder(body + 'RF00'):02}{body}"


def grouped(reference: str) -> str:
    """Return a reference as it is printed: in groups of four.

    >>> grouped("RF18539007547034")
    'RF18 5390 0754 7034'
    """
    return " ".join(reference[start : start + 4] for start in range(0, len(reference), 4))


def is_creditor_reference(text: str) -> bool:
    """Return whether a text is an RF reference, without spaces, and its check digits are right.

    >>> is_creditor_reference("RF18539007547034"), is_creditor_reference("RF18539007547043")
    (True, False)
    """
    return bool(_REFERENCE.fullmatch(text)) and _remainder(text[4:] + text[:4]) == 1


def references_in(text: str) -> tuple[str, ...]:
    """Return the RF references in a free text, in the order in which they stand there.

    They may be in groups and in small letters. Where one could end at several spaces, each reading
    with the right check digits is returned, the longest first: one in 97 texts behind a reference
    fits by chance, and who knows the references knows which of them is meant.

    >>> references_in("Invoice of May, rf18 5390 0754 7034 thank you")
    ('RF18539007547034',)
    """
    upper = text.upper()
    found: dict[str, None] = {}
    for opening in _OPENING.finditer(upper):
        body, at = "", opening.end()
        readings: list[str] = []
        while len(body) < BODY_MAX and (group := _GROUP.match(upper, at)) is not None:
            body, at = body + group[1], group.end()
            if is_creditor_reference(opening[0] + body):
                readings.append(opening[0] + body)
        found.update(dict.fromkeys(reversed(readings)))
    return tuple(found)


@frozen
class KnownNumbers:
    """Numbers to be found in free texts: as they are printed, and with nothing between the parts.

    Made by `known_numbers`.
    """

    by_words: Mapping[tuple[str, ...], tuple[str, ...]] = field(repr=False)
    longest: int

    def named_in(self, text: str) -> tuple[str, ...]:
        """Return the numbers that a text names, in the order in which they stand there.

        Capital or small letters, and what stands between the parts, make no difference. A number
        that goes on, such as with another digit or with `-2`, is another number.
        """
        upper = text.upper()
        words = [(each[0], each.start(), each.end()) for each in _WORD.finditer(upper)]
        found: dict[str, None] = {}
        for first in range(len(words)):
            if _joined(upper, words[first][1] - 1, -1, _BEGAN):
                continue
            for last in range(min(first + self.longest, len(words)), first, -1):
                known = self.by_words.get(tuple([word for word, _, _ in words[first:last]]))
                if known is not None and not _joined(upper, words[last - 1][2], 1, _GOES_ON):
                    found |= dict.fromkeys(known)
                    break
        return tuple(found)


def known_numbers(numbers: Iterable[str]) -> KnownNumbers:
    """Return what finds these numbers in texts; those that are too short are left out.

    >>> known = known_numbers(["INV-2027-00001", "INV-2027-00002"])
    >>> known.named_in("Invoices inv 2027/00002, INV202700001")
    ('INV-2027-00002', 'INV-2027-00001')
    >>> known.named_in("INV-2027-000012")
    ()
    """
    by_words: dict[tuple[str, ...], tuple[str, ...]] = {}
    for number in dict.fromkeys(numbers):
        words = tuple(_WORD.findall(number.upper()))
        together = "".join(words)
        if len(together) < SHORTEST_NUMBER:
            continue
        for key in {words, (together,)}:
            by_words[key] = (*by_words.get(key, ()), number)
    return KnownNumbers(by_words, max(map(len, by_words), default=0))


def _joined(text: str, at: int, step: int, joints: frozenset[str]) -> bool:
    """Return whether a word goes on beyond a joint that stands at a place."""
    if not 0 <= at < len(text) or text[at] not in joints:
        return False
    beyond = at + step
    return 0 <= beyond < len(text) and text[beyond].isalnum()


def _marked(number: str) -> str:
    kept = re.sub(r"[^A-Z0-9]", "", number.upper())
    size = _MARK if len(kept) <= BODY_MAX - _MARK else _LONG_MARK
    # The end is kept: there stands the counter.
    return kept[-(BODY_MAX - size) :] + _mark(number, size)


def _mark(number: str, size: int) -> str:
    left = int.from_bytes(sha256(number.encode()).digest())
    mark = ""
    for _ in range(size):
        left, place = divmod(left, len(_ALPHABET))
        mark += _ALPHABET[place]
    return mark


def _remainder(text: str) -> int:
    return int("".join([str(_ALPHABET.index(each)) for each in text])) % 97
