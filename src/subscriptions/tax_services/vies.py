"""VIES: the European Commission's register of VAT ids, over its REST interface.

VIES forwards each question to the register of a member state, and these are down often: by night,
or when too many ask at once. It tells so in the body of an answer whose `isValid` is false, which
is why only its own word `INVALID` is taken for a "no". With the seller's own VAT id it gives a
consultation number, the receipt that tax offices want to see.

The interface is described at https://ec.europa.eu/taxation_customs/vies/#/technical-information.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from http.client import HTTPException
from typing import Final, TypeAlias, cast
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import Request, build_opener

from attrs import field

from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.tax_ids import EU_PREFIXES, Invalid, TaxIdAnswer, Unavailable, Valid

URL: Final = "https://ec.europa.eu/taxation_customs/vies/rest-api"
TIMEOUT_SECONDS: Final = 10
_ANSWER_BYTES_MAX: Final = 100_000
_NOT_FOUND_IN: Final = "---"  # what VIES writes where a member state keeps a name to itself

Fetch: TypeAlias = Callable[[str, int], bytes]
"""Gets the body behind a URL within some seconds, also that of an error; raises `OSError`."""


def fetch(url: str, timeout_seconds: int) -> bytes:
    """Get the body behind a URL; a status that means an error has a body too.

    Raises `OSError` if nobody answers in time.
    """
    request = Request(url, headers={"Accept": "application/json"})  # noqa: S310 - see `Vies`
    try:
        with build_opener().open(request, timeout=timeout_seconds) as response:
            body: bytes = response.read(_ANSWER_BYTES_MAX)
            return body
    except HTTPError as error:
        with error:
            return error.read(_ANSWER_BYTES_MAX)
    except HTTPException as error:
        raise OSError(type(error).__name__) from error


@frozen
class Vies:
    """A `TaxIdValidator` that asks VIES.

    `url` is where a host's own proxy may stand. `fetch` makes the call; by default it is the
    standard library's, with the proxies of the environment. Raises `ValidationError` for a `url`
    that is no http(s) address.

    >>> vies = Vies(fetch=lambda url, _: b'{"isValid": true, "userError": "VALID"}')
    >>> vies.check("DE136695976", "")
    Valid(request_id='', name='', address='')
    """

    url: str = URL
    timeout_seconds: int = TIMEOUT_SECONDS
    fetch: Fetch = field(default=fetch, repr=False)

    def __attrs_post_init__(self) -> None:
        if not self.url.startswith(("https://", "http://")):
            raise ValidationError("url", self.url, "an address that begins with https://")

    @property
    def name(self) -> str:
        """Who says it: VIES."""
        return "vies"

    @property
    def prefixes(self) -> frozenset[str]:
        """The prefixes of the member states, and XI of Northern Ireland."""
        return EU_PREFIXES

    def check(self, tax_id: str, requester: str, /) -> TaxIdAnswer:
        """Ask VIES once; everything but its own yes or no is `Unavailable`."""
        path = f"{self.url}/ms/{quote(tax_id[:2], safe='')}/vat/{quote(tax_id[2:], safe='')}"
        if requester[:2] in EU_PREFIXES:
            asking = {
                "requesterMemberStateCode": requester[:2],
                "requesterNumber": requester[2:],
            }
            path = f"{path}?{urlencode(asking)}"
        try:
            answer: object = json.loads(self.fetch(path, self.timeout_seconds))
        except (OSError, ValueError, RecursionError) as error:
            return Unavailable(type(error).__name__)
        if not isinstance(answer, dict):
            return Unavailable("UNREADABLE")
        return _understood(cast("dict[str, object]", answer))


def _understood(answer: Mapping[str, object]) -> TaxIdAnswer:
    said = answer.get("userError")
    match answer.get("isValid"), said:
        case True, "VALID":
            return Valid(
                _text(answer, "requestIdentifier"), _text(answer, "name"), _text(answer, "address")
            )
        case False, "INVALID":
            return Invalid(_text(answer, "requestIdentifier"))
        case _:
            return Unavailable(str(said or _refusal(answer) or "UNREADABLE")[:100])


def _refusal(answer: Mapping[str, object]) -> str:
    """Return what an answer says that has no result: `{"errorWrappers": [{"error": …}]}`."""
    match answer.get("errorWrappers"):
        case [{"error": str() as error}]:
            return error
        case _:
            return ""


def _text(answer: Mapping[str, object], name: str) -> str:
    """Return a text of the answer, on one line, empty where VIES has none."""
    value = answer.get(name)
    if not isinstance(value, str):
        return ""
    text = ", ".join([line.strip() for line in value.splitlines() if line.strip()])
    printable = "".join([each for each in text if each.isprintable()])
    return "" if printable == _NOT_FOUND_IN else printable[:500]
