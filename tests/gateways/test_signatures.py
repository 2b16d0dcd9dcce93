from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscriptions.errors import ValidationError
from subscriptions.gateways import Secret, WebhookRefused
from subscriptions.gateways.signatures import BODY_BYTES_MAX, sign, verify

NOW = datetime(2027, 1, 1, 12, tzinfo=UTC)
SECRET = Secret("whsec_" + b64encode(b"a secret of this test").decode())
HEADERS = sign(b"{}", id="msg_1", at=NOW, secret=SECRET)


def refused(raw: bytes, headers: dict[str, str], *secrets: Secret, now: datetime = NOW) -> bool:
    try:
        verify(raw, headers, secrets=secrets, now=now)
    except WebhookRefused:
        return True
    return False


def test_the_example_of_standard_webhooks_verifies() -> None:
    # From the project's own test data.
    secret = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    at = datetime.fromtimestamp(1614265330, UTC)
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    raw = b'{"test": 2432232314}'
    assert sign(raw, id=headers["webhook-id"], at=at, secret=secret) == headers
    assert verify(raw, headers, secrets=[secret], now=at) == headers["webhook-id"]


def test_what_was_signed_verifies_up_to_300_seconds_either_way() -> None:
    for seconds in (-300, 0, 300):
        now = NOW + timedelta(seconds=seconds)
        assert verify(b"{}", HEADERS, secrets=[SECRET], now=now) == "msg_1"
    for seconds in (-301, 301):
        assert refused(b"{}", HEADERS, SECRET, now=NOW + timedelta(seconds=seconds))


def test_each_part_is_signed() -> None:
    assert not refused(b"{}", HEADERS, SECRET)
    assert refused(b"{ }", HEADERS, SECRET)
    assert refused(b"{}", HEADERS | {"webhook-id": "msg_2"}, SECRET)
    later = str(int(HEADERS["webhook-timestamp"]) + 1)
    assert refused(b"{}", HEADERS | {"webhook-timestamp": later}, SECRET)


def test_one_genuine_signature_among_others_is_enough() -> None:
    genuine = HEADERS["webhook-signature"]
    for signatures in (
        f"{genuine} v1,AAAA",
        f"v1,AAAA {genuine}",
        f"v1a,AAAA  v1 v1,, {genuine} v1,!",
    ):
        assert not refused(b"{}", HEADERS | {"webhook-signature": signatures}, SECRET)
    other_version = genuine.replace("v1,", "v2,")
    assert refused(b"{}", HEADERS | {"webhook-signature": other_version}, SECRET)


@pytest.mark.parametrize("name", HEADERS)
def test_a_missing_double_or_endless_header_is_refused(name: str) -> None:
    rest = {other: value for other, value in HEADERS.items() if other != name}
    assert refused(b"{}", rest, SECRET)
    assert refused(b"{}", HEADERS | {name.upper(): HEADERS[name]}, SECRET)
    assert refused(b"{}", HEADERS | {name: HEADERS[name] + " " * 5000}, SECRET)


def test_other_headers_do_not_matter() -> None:
    others = {"content-type": "application/json", "x-\ud800": "\x00" * 10_000}
    assert not refused(b"{}", HEADERS | others, SECRET)


def test_an_id_that_holds_the_separator_is_refused() -> None:
    # "a.1" at "2" and "a" at "1.2" would be signed alike.
    with pytest.raises(ValidationError):
        sign(b"{}", id="msg.1", at=NOW, secret=SECRET)
    assert refused(b"{}", HEADERS | {"webhook-id": "msg.1"}, SECRET)


def test_a_body_of_more_than_a_mebibyte_is_refused_though_it_is_genuine() -> None:
    for length, expected in ((BODY_BYTES_MAX, False), (BODY_BYTES_MAX + 1, True)):
        raw = b" " * length
        headers = sign(raw, id="msg_1", at=NOW, secret=SECRET)
        assert refused(raw, headers, SECRET) is expected


def test_every_secret_is_tried_and_none_is_none() -> None:
    other = Secret("of another")
    assert not refused(b"{}", HEADERS, other, SECRET)
    assert not refused(b"{}", HEADERS, SECRET, other)
    assert refused(b"{}", HEADERS, other)
    assert refused(b"{}", HEADERS)


def test_a_secret_without_the_prefix_is_its_own_bytes() -> None:
    plain = Secret("a secret of this test")
    assert sign(b"{}", id="msg_1", at=NOW, secret=plain) == HEADERS


@pytest.mark.parametrize("value", ["", "whsec_", "whsec_%%%", "whsec_ä", "whsec_A"])
def test_a_secret_that_is_none_is_the_hosts_mistake_and_is_not_shown(value: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        verify(b"{}", HEADERS, secrets=[SECRET, Secret(value)], now=NOW)
    assert not value or value not in str(refusal.value).replace("whsec_)", "").replace(
        "whsec_;", ""
    )
    assert "hidden" in str(refusal.value)


def test_instants_without_a_zone_are_the_hosts_mistake() -> None:
    naive = datetime(2027, 1, 1)  # noqa: DTZ001 - this is what is refused
    with pytest.raises(ValidationError):
        sign(b"{}", id="msg_1", at=naive, secret=SECRET)
    with pytest.raises(ValidationError):
        verify(b"{}", HEADERS, secrets=[SECRET], now=naive)


TEXTS = st.text(max_size=60) | st.from_regex(r"(v1,[A-Za-z0-9+/=,. ]{0,50} ?)+", fullmatch=True)


@given(
    raw=st.binary(max_size=20),
    headers=st.dictionaries(st.sampled_from([*HEADERS, "Webhook-Id", "host"]), TEXTS, max_size=4),
)
def test_whatever_comes_is_refused_and_nothing_else_is_raised(
    raw: bytes, headers: dict[str, str]
) -> None:
    assert refused(raw, headers, SECRET)
    assert refused(raw, HEADERS | headers, SECRET) or raw == b"{}"


@given(values=st.dictionaries(st.sampled_from([*HEADERS]), st.none() | st.binary() | st.integers()))
def test_headers_of_wrong_types_are_refused(values: dict[str, str]) -> None:
    # A web framework may hand on bytes, whatever the annotation says.
    assert refused(b"{}", HEADERS | values, SECRET) or not values


@given(raw=st.binary(max_size=50), place=st.integers(0, 49), flip=st.integers(1, 255))
def test_no_changed_byte_passes(raw: bytes, place: int, flip: int) -> None:
    headers = sign(raw, id="msg_1", at=NOW, secret=SECRET)
    assert verify(raw, headers, secrets=[SECRET], now=NOW) == "msg_1"
    if place < len(raw):
        changed = raw[:place] + bytes([raw[place] ^ flip]) + raw[place + 1 :]
        assert refused(changed, headers, SECRET)
