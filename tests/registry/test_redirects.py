"""The redirect loop over a transport that is a table."""

from __future__ import annotations

import pytest

from transformer.registry.addresses import LOCAL, OPEN, STRICT
from transformer.registry.hosts import Endpoint
from transformer.registry.redirects import follow
from transformer.registry.transport import ForbiddenAddress, Request, Response, TransportError, Url, parse_url

HOME = Endpoint("r.test", Url("https", "r.test", 443, "/"))
LOOPBACK = Endpoint("127.0.0.1", Url("http", "127.0.0.1", 80, "/"), LOCAL)


class Table:
    """Answers by URL: a Location (with status 307), an exception, or 200 for what is not in the table."""

    def __init__(self, **rows):
        self.rows, self.sent = {name: row for name, row in rows.items()}, []

    def send(self, request, deadline):
        self.sent.append(request)
        row = self.rows.get(request.url.target.strip("/"))
        if isinstance(row, Exception):
            raise row
        return Response(307 if row else 200, {"location": (row,)} if row else {}, b"", request.url)


def go(table, endpoint=HOME, method="HEAD"):
    request = Request(method, endpoint.url._replace(target="/a"), (("Authorization", "secret"), ("Accept", "x")))
    return follow(table, endpoint, request._replace(forbidden=endpoint.forbidden), 9.0, 5)


def sent(table):
    return [f"{one.method} {one.url.scheme}://{one.url.origin}{one.url.target}" for one in table.sent]


def authorized(table):
    return [dict(one.headers).get("Authorization") == "secret" for one in table.sent]


def test_no_redirect():
    table = Table()
    assert go(table).status == 200
    assert sent(table) == ["HEAD https://r.test/a"]


def test_a_redirect_without_a_location_is_an_answer():
    class Bare(Table):
        def send(self, request, deadline):
            return Response(302, {}, b"", request.url)

    assert go(Bare()).status == 302


@pytest.mark.parametrize("method", ["HEAD", "GET"])
@pytest.mark.parametrize("location", ["/b", "b", "https://r.test/b", "https://R.test:443/b"])
def test_the_same_origin_keeps_everything(method, location):
    table = Table(a=location)
    assert go(table, method=method).url == HOME.url._replace(target="/b")
    assert sent(table) == [f"{method} https://r.test/a", f"{method} https://r.test/b"]
    assert authorized(table) == [True, True]
    assert [dict(one.headers)["Accept"] for one in table.sent] == ["x", "x"]


@pytest.mark.parametrize(
    "location", ["https://cdn.test/b", "https://r.test:444/b", "https://r.test.evil/b", "//cdn.test/b"]
)
def test_another_origin_gets_no_credential_and_never_again(location):
    table = Table(a=location, b="https://r.test/c")
    assert go(table).url.target == "/c"
    assert authorized(table) == [True, False, False]


def test_what_addresses_may_be_reached():
    allowed = HOME._replace(forbidden=OPEN)
    table = Table(a="/b", b="https://cdn.test/c", c="https://r.test/d")
    go(table, allowed)
    assert [one.forbidden for one in table.sent] == [OPEN, OPEN, STRICT, OPEN]
    table = Table(a="http://localhost:81/b")
    go(table, LOOPBACK)
    assert [one.forbidden for one in table.sent] == [LOCAL, LOCAL]


def test_five_hops_and_no_more():
    table = Table(a="/b", b="/c", c="/d", d="/e", e="/f")
    assert go(table).url.target == "/f"
    table = Table(a="/b", b="/c", c="/d", d="/e", e="/f", f="/g")
    with pytest.raises(TransportError, match="more than 5 times"):
        go(table)
    assert len(table.sent) == 6


@pytest.mark.parametrize(
    "location", ["http://r.test/b", "http://cdn.test/b", "ftp://x/", "https://u:p@x/", "https://x:0/"]
)
def test_what_is_not_followed(location):
    table = Table(a=location)
    with pytest.raises(TransportError) as caught:
        go(table)
    assert (caught.value.rule, len(table.sent)) == ("registry-error", 1)
    assert str(caught.value).startswith("r.test redirects ")


def test_from_http_to_https_is_fine():
    table = Table(a="https://cdn.test/b")
    assert go(table, LOOPBACK).url == parse_url("https://cdn.test/b")


def test_a_forbidden_address_is_the_hosts_own_fault_or_the_redirects():
    with pytest.raises(ForbiddenAddress):
        go(Table(a=ForbiddenAddress("r.test", "127.0.0.1", "loopback")))
    with pytest.raises(
        TransportError, match=r"redirects to x\.test, which resolves to 127\.0\.0\.1, a loopback address"
    ):
        go(Table(a="https://x.test/b", b=ForbiddenAddress("x.test", "127.0.0.1", "loopback")))


@pytest.mark.parametrize(("rows", "connected"), [({"a": None}, False), ({"a": "/b", "b": None}, True)])
def test_a_dead_target_is_not_a_dead_registry(rows, connected):
    dead = TransportError("unreachable", "refused", connected=False)
    with pytest.raises(TransportError) as caught:
        go(Table(**{name: location or dead for name, location in rows.items()}))
    assert caught.value.connected is connected
