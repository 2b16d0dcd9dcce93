"""References are found again in texts, and what is nearly one never is."""

from __future__ import annotations

import re
from string import ascii_uppercase, digits

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from subscriptions.payment_references import (
    BODY_MAX,
    creditor_reference,
    grouped,
    is_creditor_reference,
    known_numbers,
    references_in,
)

NUMBERS = st.text(alphabet=ascii_uppercase + digits + "-/ .äß請", min_size=1, max_size=40)
PLAIN = st.text(alphabet=ascii_uppercase + digits, min_size=1, max_size=BODY_MAX)


def _iso_7064(reference: str) -> int:
    """Return the remainder by long division, digit by digit: it is one for a good reference."""
    rest = 0
    for character in reference[4:] + reference[:4]:
        value = int(character) if character.isdigit() else ord(character) - ord("A") + 10
        for digit in str(value):
            rest = (rest * 10 + int(digit)) % 97
    return rest


def test_the_example_of_the_standard() -> None:
    assert creditor_reference("539007547034") == "RF18539007547034"
    assert grouped("RF18539007547034") == "RF18 5390 0754 7034"


@given(NUMBERS)
@example("x" * 300)
@example("請求書")
def test_every_number_has_a_good_reference_that_never_changes(number: str) -> None:
    reference = creditor_reference(number)
    assert re.fullmatch(r"RF[0-9]{2}[A-Z0-9]{1,21}", reference)
    assert _iso_7064(reference) == 1
    assert is_creditor_reference(reference)
    assert creditor_reference(number) == reference


@given(PLAIN)
def test_a_number_that_fits_stands_in_its_reference(number: str) -> None:
    assert creditor_reference(number)[4:] == number


@given(NUMBERS, NUMBERS)
@example("A-11", "A1-1")
@example("INV-2027-00001", "INV2027-00001")
@example("inv-1", "INV-1")
@example("A" * 22, "B" + "A" * 21)
def test_two_numbers_have_two_references(one: str, other: str) -> None:
    assume(one != other)
    assert creditor_reference(one) != creditor_reference(other)


@given(NUMBERS, st.data())
def test_a_slip_of_the_pen_is_no_reference(number: str, data: st.DataObject) -> None:
    reference = creditor_reference(number)
    place = data.draw(st.integers(2, len(reference) - 1))
    # A digit for another, or a letter: what modulo 97 finds for certain.
    instead = data.draw(st.sampled_from(digits if reference[place].isdigit() else ascii_uppercase))
    assume(instead != reference[place])
    slip = reference[:place] + instead + reference[place + 1 :]
    assert not is_creditor_reference(slip)
    assert reference not in references_in(f"pay {slip} now")


@given(NUMBERS, st.sampled_from(["{}", "for {}, thanks", "{}\nAda", "x: {} ", "({})"]))
@example("73", "{}\nAda")  # RF7073ADA has the right check digits, too
def test_a_reference_is_found_however_it_is_written(number: str, text: str) -> None:
    reference = creditor_reference(number)
    for written in (reference, grouped(reference), grouped(reference).lower()):
        assert reference in references_in(text.format(written))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "RF",
        "RF18",
        "RF18 ",
        "XRF18539007547034",
        "RF185390075470341",
        "RF1853900754703",
        "RF19539007547034",
        "RF18539007547034Ä",
        "RF18" + "5" * 500,
        "RF1 8539007547034",
    ],
)
def test_what_is_nearly_a_reference_is_none(text: str) -> None:
    assert references_in(text) == ()


def test_a_text_may_name_several_and_each_once() -> None:
    one, other = creditor_reference("INV-1-00001"), creditor_reference("INV-1-00002")
    assert references_in(f"{other} {grouped(one)} {other}") == (other, one)


def test_words_after_a_reference_do_not_hide_it() -> None:
    reference = creditor_reference("2027000017")
    assert references_in(f"{grouped(reference)} MAI ADA") == (reference,)


# ---- numbers as they are printed ----------------------------------------------------------------


@given(st.integers(1, 99999), st.integers(1, 99999))
def test_a_number_is_found_in_its_own_text_only(one: int, other: int) -> None:
    assume(one != other)
    first, second = f"INV-2027-{one:05}", f"INV-2027-{other:05}"
    known = known_numbers([first, second])
    assert known.named_in(f"Invoice {first} of May") == (first,)


def test_numbers_that_contain_each_other_are_told_apart() -> None:
    numbers = ["INV-2027-00001", "INV-2027-000012", "INV-2027-00001-2", "12027-00001"]
    known = known_numbers(numbers)
    for number in numbers:
        assert known.named_in(f"pays {number}") == (number,)
        assert known_numbers([x for x in numbers if x != number]).named_in(number) == ()


@pytest.mark.parametrize(
    "text",
    [
        "INV-2027-00001",
        "inv-2027-00001",
        "INV 2027 00001",
        "INV/2027/00001",
        "INV202700001",
        "Nr.INV-2027-00001",
        "(INV-2027-00001)",
        "RE: INV-2027-00001.",
        "INV-2027-00001, Ada",
        "INV-2027-00001/",
    ],
)
def test_a_number_is_found_as_people_write_it(text: str) -> None:
    assert known_numbers(["INV-2027-00001"]).named_in(text) == ("INV-2027-00001",)


@pytest.mark.parametrize(
    "text",
    [
        "INV-2027-000012",
        "INV-2027-0001",
        "1INV-2027-00001",
        "X-INV-2027-00001",
        "INV-2027-00001-2",
        "INV-2027-00001/2",
        "INV-2027-00001A",
        "INV-2O27-00001",
        "INV-2027",
        "00001",
        "INV2027000012",
        "",
    ],
)
def test_what_is_nearly_a_number_is_none(text: str) -> None:
    assert known_numbers(["INV-2027-00001"]).named_in(text) == ()


def test_a_short_number_is_not_looked_for() -> None:
    known = known_numbers(["12", "A-11"])
    assert known.named_in("12 pieces, A-11") == ()
    assert known.longest == 0


def test_two_numbers_that_look_alike_are_both_named() -> None:
    known = known_numbers(["AB-111", "AB1-11"])
    assert known.named_in("AB111") == ("AB-111", "AB1-11")
    assert known.named_in("AB-111") == ("AB-111",)
