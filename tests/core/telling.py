"""Reads an English sentence about a line as a customer with a calculator does.

It knows the words of the sentence and nothing of the library: every `=` must hold to the cent, and
what comes out last is what the line costs after its discounts, or what of it is credited.
"""

from __future__ import annotations

import re
from fractions import Fraction

_HALF_A_CENT = Fraction(1, 200)
_TAX = re.compile(r", (plus|including) [\d.]+% [A-Z]+.*$")
_PART = re.compile(r"^([\d,.]+) of ([\d,.]+) (?:days|seconds|days \(30 to a month\)) of (.*)$")
_REMARK = re.compile(r"(?: for [\d,.]+ \(events: \d+\)| \((?:flat|rounded so)[^()]*\))$")
_WHY_LESS = re.compile(r" (?:billed|already|credited|not credited|\().*")
_BESIDE = re.compile(r"^([^()]*?) \((.*)\)$")
_PACKAGES = re.compile(r"^([\d,.]+) in packages of ([\d,.]+): ([\d,.]+) × (.*)$")


def reckon(sentence: str) -> Fraction:
    """Return what the last step of a sentence comes to, after checking each one before it."""
    told = sentence.replace("\xa0", " ").partition(": ")[2].removesuffix(".")
    return _chain(_TAX.sub("", told))


def _chain(told: str) -> Fraction:
    reached: Fraction | None = None
    # What was cut at two ends is rounded at both.
    bound = 2 * _HALF_A_CENT if " of " in told else _HALF_A_CENT
    for step in _apart(told, " = "):
        for clause in _apart(step, ", "):
            if clause.endswith(" free") or clause.startswith("events without"):
                continue
            if clause == "credited in full":
                assert reached is not None, told
            elif clause == "limited to what was paid":
                reached = None
            elif clause.startswith("at least "):
                least = _value(clause[9:])
                assert reached is not None, told
                assert reached < least, told
                reached = least
            elif clause.startswith("less "):
                assert reached is not None, told
                reached -= _value(re.sub(_WHY_LESS, "", clause[5:]))
            else:
                value = _sum(clause.removeprefix("rounded to "))
                assert reached is None or abs(reached - value) <= bound, (told, clause)
                reached = value
    return Fraction() if reached is None else reached


def _sum(told: str) -> Fraction:
    parts = [part for each in _apart(told, " + ") for part in _apart(each, " and ")]
    return sum([_value(part) for part in parts], Fraction())


def _value(told: str) -> Fraction:
    told = _REMARK.sub("", told)
    if match := _PART.match(told):
        return _value(match[1]) / _value(match[2]) * _value(match[3])
    if match := re.match(r"^(\d+/\d+) of (.*)$", told):
        return Fraction(match[1]) * _value(match[2])
    if match := _PACKAGES.match(told):
        units, size, count = (_value(match[place]) for place in (1, 2, 3))
        assert count == -(-units // size), told
        return count * _value(match[4])
    if match := _BESIDE.match(told):
        amount = _value(match[1])
        assert abs(_chain(match[2]) - amount) <= _HALF_A_CENT, told
        return amount
    told = re.sub(r"^events( at the (minimum|maximum))?: ", "", told)
    if " × " in told:
        times, _, price = told.partition(" × ")
        return _value(times) * _value(price)
    if "% of " in told:
        rate, _, amount_of = told.partition("% of ")
        return _value(rate) / 100 * _value(amount_of)
    return Fraction(re.sub("[€,]", "", told))


def _apart(told: str, by: str) -> list[str]:
    """Split a text where no bracket is open."""
    parts: list[str] = []
    start = depth = 0
    for place, letter in enumerate(told):
        depth += (letter == "(") - (letter == ")")
        if not depth and told.startswith(by, place):
            parts.append(told[start:place])
            start = place + len(by)
    return [*parts, told[start:]]
