from __future__ import annotations

import base64
import html
import json

import pytest

from transformer.registry.echoes import HIDDEN, hide, sent, told
from transformer.registry.transport import Request, Response, Url

URL = Url("https", "registry.test", 443)
SECRET = "pass/word ä+&<1"
BASIC = "Basic " + base64.b64encode(f"user:{SECRET}".encode()).decode()


def basic(value=BASIC, name="Authorization"):
    return Request("GET", URL, ((name, value),))


@pytest.mark.parametrize("text", ["", "denied", "user", "Basic realm", "\ufffd\x00" * 50, "100%25 &amp; \\u0041"])
def test_what_must_not_change(text):
    assert hide(text, sent(basic())) == text
    assert hide(text, sent(Request("GET", URL, (("Accept", "denied"),)))) == text


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        SECRET.upper(),
        f"user:{SECRET}",
        BASIC,
        BASIC.rstrip("="),
        json.dumps(SECRET),
        json.dumps(SECRET).replace("/", "\\/").replace("&", "\\u0026").replace("<", "\\u003c").replace("+", "\\u002B"),
        "pass%2Fword%20%C3%A4%2B%26%3c1",
        "pass%2Fword+%C3%A4%2B%26%3C1",
        html.escape(SECRET),
        json.dumps({"inside": json.dumps(SECRET)}),
        f"{SECRET}{SECRET}",
    ],
)
@pytest.mark.parametrize("name", ["Authorization", "authorization"])
def test_a_password_that_is_repeated(text, name):
    shown = hide(f"before {text} after", sent(basic(name=name)))
    assert HIDDEN in shown and shown.startswith("before ") and shown.endswith(" after")
    assert "word" not in shown.lower() and BASIC[6:20] not in shown


def test_several_secrets_in_several_spellings():
    assert hide("a%2Fbc, d\\/efg", ("a/bc", "d/efg")) == f"{HIDDEN}, {HIDDEN}"


def test_a_token_that_is_repeated():
    assert hide("token abc.def is over", sent(basic("Bearer abc.def"))) == "token [hidden] is over"


@pytest.mark.parametrize("name", ["refresh_token", "access_token", "password"])
def test_a_form_that_is_repeated(name):
    request = Request("POST", URL, body=f"grant_type=x&{name}=s%2Fecret&service=registry".encode())
    assert hide("bad s/ecret or s%2Fecret of registry", sent(request)) == "bad [hidden] or [hidden] of registry"


def test_what_a_proxy_repeats():
    secrets = sent(Request("GET", URL), "Basic " + base64.b64encode(b"user:canary").decode())
    assert hide("no entry with canary", secrets) == "no entry with [hidden]"


@pytest.mark.parametrize("value", ["Basic !!!!", "Basic", "", "Basic /////w=="])
def test_headers_that_are_odd(value):
    assert hide("denied", sent(basic(value))) == "denied"


def test_a_short_password_does_not_eat_the_message():
    short = "Basic " + base64.b64encode(b"user:no").decode()
    assert hide("no permission", sent(basic(short))) == "no permission"


def test_a_secret_is_hidden_before_the_text_is_cut():
    response = Response(403, {}, b"", URL, ("canary-4711",))
    assert told(response, "x" * 10 + "canary-4711" * 3, 18) == "x" * 10 + "[hidden…"
    assert told(response, "\x1b[31mcanary-4711") == "\N{REPLACEMENT CHARACTER}[31m[hidden]"
