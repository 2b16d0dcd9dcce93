"""VIES says no with one word only; whatever else it says, or does not say, is silence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from attrs import define, field

from subscriptions.errors import ValidationError
from subscriptions.tax_ids import Invalid, TaxIdAnswer, Unavailable, Valid
from subscriptions.tax_services.vies import Vies

ID, REQUESTER = "DE136695976", "ATU12345675"
GOOD = {
    "isValid": True,
    "requestDate": "2027-01-01T12:00:00.000Z",
    "userError": "VALID",
    "name": "ADA LTD",
    "address": "1 SQUARE\nBERLIN\n",
    "requestIdentifier": "WAPIAAAAYxW",
    "vatNumber": "136695976",
}


def said(body: object) -> TaxIdAnswer:
    """Return what the adapter makes of a body."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()

    def fetched(_url: str, _timeout_seconds: int) -> bytes:
        return raw

    return Vies(fetch=fetched).check(ID, "")


def test_a_yes_comes_with_its_receipt() -> None:
    assert said(GOOD) == Valid("WAPIAAAAYxW", "ADA LTD", "1 SQUARE, BERLIN")


def test_a_name_that_a_member_state_keeps_to_itself_is_empty() -> None:
    assert said({**GOOD, "name": "---", "address": None}) == Valid("WAPIAAAAYxW")


def test_a_no_is_its_own_word() -> None:
    assert said({**GOOD, "isValid": False, "userError": "INVALID"}) == Invalid("WAPIAAAAYxW")


@pytest.mark.parametrize(
    "trouble",
    [
        "MS_UNAVAILABLE",
        "SERVICE_UNAVAILABLE",
        "TIMEOUT",
        "SERVER_BUSY",
        "GLOBAL_MAX_CONCURRENT_REQ",
        "GLOBAL_MAX_CONCURRENT_REQ_TIME",
        "MS_MAX_CONCURRENT_REQ",
        "MS_MAX_CONCURRENT_REQ_TIME",
        "VAT_BLOCKED",
        "IP_BLOCKED",
        "INVALID_INPUT",
        "INVALID_REQUESTER_INFO",
        "A_WORD_OF_NEXT_YEAR",
    ],
)
def test_trouble_is_never_a_no(trouble: str) -> None:
    """VIES writes `isValid: false` beside most of these."""
    assert said({**GOOD, "isValid": False, "userError": trouble}) == Unavailable(trouble)
    assert said({**GOOD, "userError": trouble}) == Unavailable(trouble)
    wrapped = {"actionSucceed": False, "errorWrappers": [{"error": trouble}]}
    assert said(wrapped) == Unavailable(trouble)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Bad gateway</html>",
        b"\xff\xfe",
        b"[" * 200_000,
        [],
        None,
        7,
        {},
        {"isValid": False},
        {"isValid": "false", "userError": ""},
        {"errorWrappers": []},
        {"errorWrappers": "MS_UNAVAILABLE"},
        {"errorWrappers": [{"message": "?"}]},
        {"isValid": 1, "userError": 5},
    ],
    ids=lambda body: repr(body)[:40],
)
def test_what_cannot_be_read_is_silence(body: object) -> None:
    answer = said(body)
    assert isinstance(answer, Unavailable)
    assert answer.reason


def test_a_contradiction_is_silence() -> None:
    assert said({**GOOD, "isValid": False}) == Unavailable("VALID")
    assert said({**GOOD, "userError": "INVALID"}) == Unavailable("INVALID")


def test_hostile_texts_can_be_stored() -> None:
    answer = said({**GOOD, "name": "A\u0000da\ud800" + "x" * 1000, "requestIdentifier": 5})
    assert isinstance(answer, Valid)
    assert (answer.name[:4], len(answer.name), answer.request_id) == ("Adax", 500, "")


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ValidationError, match="https://"):
        Vies("file:///etc/passwd")


# ---- over the wire ----------------------------------------------------------------------------


@define
class Register:
    """A server that answers as told, and remembers what it was asked."""

    server: HTTPServer
    status: int = 200
    body: bytes = b"{}"
    silent: bool = False
    paths: list[str] = field(factory=list[str])

    @property
    def vies(self) -> Vies:
        return Vies(f"http://127.0.0.1:{self.server.server_port}/rest-api", timeout_seconds=5)


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Iterator[Register]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.paths.append(self.path)
            if told.silent:
                return  # the connection is closed without an answer
            self.send_response(told.status)
            self.end_headers()
            self.wfile.write(told.body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        told = Register(server)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield told
        finally:
            server.shutdown()
            thread.join()


def test_it_asks_the_register_of_the_member_state(register: Register) -> None:
    register.body = json.dumps(GOOD).encode()
    assert isinstance(register.vies.check(ID, ""), Valid)
    assert register.paths == ["/rest-api/ms/DE/vat/136695976"]


def test_it_asks_in_the_name_of_a_seller_in_the_eu(register: Register) -> None:
    register.body = json.dumps(GOOD).encode()
    register.vies.check("IE8Y+1234X", REQUESTER)
    register.vies.check(ID, "CHE109322551")
    asked = "requesterMemberStateCode=AT&requesterNumber=U12345675"
    assert register.paths == [
        f"/rest-api/ms/IE/vat/8Y%2B1234X?{asked}",
        "/rest-api/ms/DE/vat/136695976",
    ]


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
def test_an_error_of_the_server_is_silence_with_its_reason(register: Register, status: int) -> None:
    register.status = status
    register.body = b'{"actionSucceed": false, "errorWrappers": [{"error": "MS_UNAVAILABLE"}]}'
    assert register.vies.check(ID, "") == Unavailable("MS_UNAVAILABLE")
    register.body = b"<html>"
    assert register.vies.check(ID, "") == Unavailable("JSONDecodeError")


def test_a_connection_that_breaks_is_silence(register: Register) -> None:
    register.silent = True
    assert isinstance(register.vies.check(ID, ""), Unavailable)


def test_a_server_that_is_not_there_is_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        port = server.server_port
    assert Vies(f"http://127.0.0.1:{port}").check(ID, "") == Unavailable("URLError")
