from __future__ import annotations

import base64
import json

import pytest

from transformer.registry.echoes import hide
from transformer.registry.transport import Request, Url

URL = Url("https", "registry.test", 443)
SECRET = "pass/word ä+1"
BASIC = "Basic " + base64.b64encode(f"user:{SECRET}".encode()).decode()


def basic(value=BASIC, name="Authorization"):
    return Request("GET", URL, ((name, value),))


@pytest.mark.parametrize("body", [b"", b"denied", b"user", b"Basic realm", b"\xff\x00" * 50])
def test_what_must_not_change(body):
    assert hide(basic(), body) == body
    assert hide(Request("GET", URL, (("Accept", "denied"),)), body) == body


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        f"user:{SECRET}",
        BASIC,
        json.dumps(SECRET),
        "pass%2Fword%20%C3%A4%2B1",
        "pass%2Fword+%C3%A4%2B1",
        f"{SECRET}{SECRET}",
    ],
)
@pytest.mark.parametrize("name", ["Authorization", "authorization"])
def test_a_password_that_is_repeated(text, name):
    told = hide(basic(name=name), f"before {text} after".encode())
    assert b"[hidden]" in told and told.startswith(b"before ") and told.endswith(b" after")
    assert b"word" not in told and BASIC[6:].encode() not in told


def test_a_token_that_is_repeated():
    assert hide(basic("Bearer abc.def"), b"token abc.def is over") == b"token [hidden] is over"


@pytest.mark.parametrize("name", ["refresh_token", "access_token", "password"])
def test_a_form_that_is_repeated(name):
    request = Request("POST", URL, body=f"grant_type=x&{name}=s%2Fecret&service=registry".encode())
    assert hide(request, b"bad s/ecret or s%2Fecret of registry") == b"bad [hidden] or [hidden] of registry"


@pytest.mark.parametrize("value", ["Basic !!!!", "Basic", "", "Basic /////w=="])
def test_headers_that_are_odd(value):
    assert hide(basic(value), b"denied") == b"denied"


def test_a_short_password_does_not_eat_the_message():
    short = "Basic " + base64.b64encode(b"user:no").decode()
    assert hide(basic(short), b"no permission") == b"no permission"
