"""Names and web sites from which an application may be asked, and those from which it may not."""

import pytest
from starlette.datastructures import Headers

from pg2.web.errors import ApiError
from pg2.web.sites import Sites

SITES = Sites(hosts=("pg2.example.org",), origins=("https://shop.example",), _own="desk.office.example")


def refusal(method: str, **headers: str) -> str | None:
    try:
        SITES.check(method, Headers({name.replace("_", "-"): value for name, value in headers.items()}))
    except ApiError as error:
        return error.code
    return None


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "localhost:8000", "LOCALHOST", "localhost.", "127.0.0.1:8000", "[::1]:8000",
        "[::ffff:1.2.3.4]", "192.168.1.7", "desk", "pg2.example.org", "PG2.example.org:443",
        "desk.office.example",
    ],
)  # fmt: skip
def test_names_that_no_stranger_can_have(host: str) -> None:
    assert refusal("GET", host=host) is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example",
        "example.org", "a.pg2.example.org", "[::1", "127.0.0", "evil.example.",
    ],
)  # fmt: skip
def test_other_names_are_refused(host: str) -> None:
    assert refusal("GET", host=host) == "wrong_host"


def test_a_request_without_a_name_is_no_browsers() -> None:
    assert refusal("GET") is None


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, None),
        ({"origin": "http://localhost:8000"}, None),
        ({"origin": "https://localhost:8000"}, None),  # a proxy speaks TLS
        ({"origin": "https://shop.example", "sec_fetch_site": "cross-site"}, None),
        ({"origin": "https://public.example", "sec_fetch_site": "same-origin"}, None),  # a proxy renames
        ({"sec_fetch_site": "none"}, None),
        ({"origin": "https://evil.example"}, "forbidden"),
        ({"origin": "http://localhost:3000"}, "forbidden"),
        ({"origin": "http://localhost"}, "forbidden"),
        ({"origin": "null"}, "forbidden"),
        ({"origin": "http://["}, "forbidden"),
        ({"origin": "http://localhost:8000", "sec_fetch_site": "cross-site"}, "forbidden"),
        ({"sec_fetch_site": "same-site"}, "forbidden"),
    ],
)
def test_pages_of_other_sites_may_look_and_not_send(headers: dict[str, str], code: str | None) -> None:
    assert refusal("POST", host="localhost:8000", **headers) == code
    assert refusal("DELETE", host="localhost:8000", **headers) == code
    assert refusal("GET", host="localhost:8000", **headers) is None
