"""How a webhook proves who sent it: the scheme of Standard Webhooks, version 1.

A message carries three headers: `webhook-id`, `webhook-timestamp` (seconds) and
`webhook-signature`, a list of `v1,` + base64 of the HMAC-SHA256 over `id.timestamp.body`. Decided
here: whether a message is genuine and fresh. Never here: what it says. The body is compared as the
bytes that arrived, for a body that was parsed and written again has another signature.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from hmac import compare_digest, digest

from subscriptions.errors import ValidationError
from subscriptions.gateways import Secret, WebhookRefused
from subscriptions.records import aware

TOLERANCE_SECONDS = 300
BODY_BYTES_MAX = 1024 * 1024
HEADER_LENGTH_MAX = 4096

# The id is signed in front of a full stop, so it may not hold one: ("a.1", "2") would sign the
# same bytes as ("a", "1.2").
_ID = re.compile(r"[!-\-/-~]{1,255}")
_TIMESTAMP = re.compile(r"[0-9]{1,11}")


def sign(raw: bytes, *, id: str, at: datetime, secret: Secret) -> dict[str, str]:
    """Return the headers that prove `raw` to be sent at an instant by an owner of the secret."""
    if not _ID.fullmatch(id):
        raise ValidationError("id", id, "at most 255 visible ASCII characters without full stop")
    timestamp = str(int(aware("at", at).timestamp()))
    signature = b64encode(_signature(raw, id, timestamp, _key(secret))).decode()
    return {
        "webhook-id": id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{signature}",
    }


def verify(
    raw: bytes, headers: Mapping[str, str], *, secrets: Sequence[Secret], now: datetime
) -> str:
    """Return the id of a genuine, fresh message; else raise `WebhookRefused`, whatever came in.

    Names of headers are read without regard to case. Every secret is tried, so that an old one
    stays good while it is replaced. The clock of the sender may differ by 300 s either way.
    """
    if len(raw) > BODY_BYTES_MAX:
        raise WebhookRefused("the body is too long")
    keys = [_key(secret) for secret in secrets]
    found = _signed_headers(headers)
    id, timestamp = found["webhook-id"], found["webhook-timestamp"]
    if not _ID.fullmatch(id):
        raise WebhookRefused("the id is not readable")
    if not _TIMESTAMP.fullmatch(timestamp):
        raise WebhookRefused("the timestamp is not readable")
    if abs(int(timestamp) - aware("now", now).timestamp()) > TOLERANCE_SECONDS:
        raise WebhookRefused("the timestamp is too old or too new")
    given = _signatures(found["webhook-signature"])
    genuine = False
    for key in keys:
        expected = _signature(raw, id, timestamp, key)
        for signature in given:
            # No early exit: how long it takes says nothing about which secret was close.
            genuine |= compare_digest(expected, signature)
    if not genuine:
        raise WebhookRefused("no signature is genuine")
    return id


def _signed_headers(headers: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in headers.items():
        # A web framework may hand on whatever it was sent, whatever its annotations say.
        lower = str(name).lower()
        if lower not in ("webhook-id", "webhook-timestamp", "webhook-signature"):
            continue
        if lower in found:
            raise WebhookRefused(f"{lower} was given twice")
        if len(str(value)) > HEADER_LENGTH_MAX:
            raise WebhookRefused(f"{lower} is too long")
        found[lower] = str(value)
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        if name not in found:
            raise WebhookRefused(f"{name} is missing")
    return found


def _signatures(header: str) -> list[bytes]:
    """Read the signatures of version 1; what is not one of them is not an error, it is not one."""
    signatures: list[bytes] = []
    for part in header.split(" "):
        version, _, encoded = part.partition(",")
        if version != "v1":
            continue
        try:
            signatures.append(b64decode(encoded, validate=True))
        except ValueError:
            continue
    return signatures


def _signature(raw: bytes, id: str, timestamp: str, key: bytes) -> bytes:
    return digest(key, f"{id}.{timestamp}.".encode() + raw, "sha256")


def _key(secret: Secret) -> bytes:
    """Return the bytes of a secret: base64 after the usual prefix, else the text itself."""
    encoded = secret.value.removeprefix("whsec_")
    if encoded == secret.value:
        key = secret.value.encode()
    else:
        try:
            key = b64decode(encoded, validate=True)
        except ValueError:
            key = b""
    if not key:
        # An empty key is one that everybody knows.
        raise ValidationError("secret", "(hidden)", "a text, or base64 after whsec_")
    return key
