from datetime import UTC, date, datetime

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from subscriptions.errors import InvalidTransition, ValidationError
from subscriptions.ids import CustomerId, PaymentMethodId
from subscriptions.payment_methods import (
    PAYMENT_METHOD,
    Detached,
    MethodDetails,
    MethodState,
    PaymentMethod,
    PaymentMethodAttached,
    PaymentMethodDetached,
    PaymentMethodRefused,
    Refused,
    Usable,
    attach,
    detach,
    luhn_valid,
    refuse,
    refuse_card_number,
)

NOON = datetime(2027, 1, 31, 12, tzinfo=UTC)
CUSTOMER = CustomerId("cus_1")
ID = PaymentMethodId("pm_1")
DETAILS = MethodDetails("pm_visa", brand="visa", last4="4242", expires_on=date(2030, 1, 31))

# Numbers that the schemes publish for tests.
CARDS = [
    "4242424242424242",
    "5555555555554444",
    "378282246310005",
    "6011111111111117",
    "3530111333300000",
    "4222222222222",
    "6304000000000000000",
]


def a_method(state: MethodState | None = None) -> PaymentMethod:
    change = attach(ID, DETAILS, tenant="acme", customer=CUSTOMER, gateway="card", at=NOON)
    assert isinstance(change.after, PaymentMethod)
    return change.after if state is None else evolve(change.after, state=state)


class TestCardNumbers:
    @pytest.mark.parametrize("number", CARDS)
    def test_the_check_digit_of_a_card_is_valid_and_no_other_is(self, number: str) -> None:
        valid = [digit for digit in "0123456789" if luhn_valid(number[:-1] + digit)]
        assert valid == [number[-1]]

    @pytest.mark.parametrize("number", CARDS)
    @pytest.mark.parametrize("separator", ["", " ", "-"])
    def test_a_card_number_is_refused_however_it_is_grouped(
        self, number: str, separator: str
    ) -> None:
        written = separator.join(number[i : i + 4] for i in range(0, len(number), 4))
        with pytest.raises(ValidationError) as refused:
            refuse_card_number("token", written)
        assert written not in str(refused.value)
        assert number not in repr(refused.value.args)
        assert refused.value.field == "token"

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "tok_visa",
            "4242424242424241",  # a wrong check digit
            "424242424242",  # too short
            "42424242424242424242",  # too long
            "pm_4242424242424242",
            "١٢٣٤٥٦٧٨٩٠١٢٣",  # digits of another script
        ],
    )
    def test_what_is_no_card_number_passes_unchanged(self, text: str) -> None:
        assert refuse_card_number("token", text) == text

    @given(st.text(alphabet="0123456789 -", max_size=40))
    def test_whatever_comes_is_refused_only_with_a_valid_check_digit(self, text: str) -> None:
        digits = "".join(char for char in text if char.isdigit())
        try:
            assert refuse_card_number("token", text) == text
        except ValidationError:
            assert luhn_valid(digits)
            assert 13 <= len(digits) <= 19


class TestDetails:
    @pytest.mark.parametrize("reference", ["", " ", "a\x00b", "4242 4242 4242 4242", "x" * 501])
    def test_a_reference_is_a_plain_text_and_no_card_number(self, reference: str) -> None:
        with pytest.raises(ValidationError) as refused:
            MethodDetails(reference)
        assert refused.value.field == "reference"

    @pytest.mark.parametrize("last4", ["424", "42424", "424a", "4242424242424242", "-123", "²²²²"])
    def test_only_four_digits_are_kept(self, last4: str) -> None:
        with pytest.raises(ValidationError) as refused:
            MethodDetails("pm_visa", last4=last4)
        assert last4 not in str(refused.value)

    def test_a_transfer_has_none_and_is_not_automatic(self) -> None:
        details = MethodDetails("transfer", type="bank_transfer", automatic=False)
        assert (details.last4, details.expires_on, details.automatic) == ("", None, False)


class TestStates:
    def test_an_attached_method_is_usable(self) -> None:
        change = attach(ID, DETAILS, tenant="acme", customer=CUSTOMER, gateway="card", at=NOON)
        assert change.before is None
        assert change.after == PaymentMethod(
            ID, "acme", 1, CUSTOMER, "card", DETAILS, Usable(), NOON
        )
        assert change.events == (PaymentMethodAttached(CUSTOMER, ID, "card"),)

    @pytest.mark.parametrize(
        ("state", "status"),
        [
            (Usable(), "usable"),
            (Refused("lost_card", NOON), "refused"),
            (Detached(NOON), "detached"),
        ],
    )
    def test_only_a_usable_method_may_be_charged(self, state: MethodState, status: str) -> None:
        method = a_method(state)
        assert method.status == status
        assert method.usable == (status == "usable")

    def test_a_refused_method_is_refused_once(self) -> None:
        change = refuse(a_method(), code="lost_card", at=NOON)
        assert change is not None
        assert isinstance(change.after, PaymentMethod)
        assert change.after.state == Refused("lost_card", NOON)
        assert change.after.version == 2
        assert change.events == (PaymentMethodRefused(CUSTOMER, ID, "lost_card"),)
        assert refuse(change.after, code="stolen_card", at=NOON) is None

    def test_a_detached_method_is_not_refused_any_more(self) -> None:
        assert refuse(a_method(Detached(NOON)), code="lost_card", at=NOON) is None

    @pytest.mark.parametrize("state", [Usable(), Refused("lost_card", NOON)])
    def test_a_method_is_detached_whether_usable_or_refused(self, state: MethodState) -> None:
        change = detach(a_method(state), at=NOON)
        assert isinstance(change.after, PaymentMethod)
        assert change.after.state == Detached(NOON)
        assert change.after.version == 2
        assert change.events == (PaymentMethodDetached(CUSTOMER, ID),)

    def test_a_method_is_detached_once(self) -> None:
        with pytest.raises(InvalidTransition) as refused:
            detach(a_method(Detached(NOON)), at=NOON)
        assert (refused.value.state, refused.value.command) == ("detached", "detach")

    def test_columns_say_what_the_record_says(self) -> None:
        method = a_method()
        assert {column.name: column.get(method) for column in PAYMENT_METHOD.columns} == {
            "customer": CUSTOMER,
            "gateway": "card",
            "reference": "pm_visa",
            "status": "usable",
        }
