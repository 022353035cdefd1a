"""Each promise about who gets in and what leaves, against the real application."""

from __future__ import annotations

import gzip
import json
import re
import socket

import pytest
from conftest import TOKEN
from dashboard_studies import create, finish
from flask.testing import FlaskClient
from sqlalchemy.exc import OperationalError

from aster_dse import dashboard
from aster_dse.dashboard.access import Access
from aster_dse.dashboard.app import build_app
from aster_dse.dashboard.pages.elements import graph
from aster_dse.errors import AsterError, InputError, NotFoundError
from aster_dse.store import StudyReader, StudyStore

OURS = {"Origin": "http://localhost"}
ROUTES = [
    "/",
    "/s/1",
    "/_dash-layout",
    "/_dash-dependencies",
    "/_dash-component-suites/dash/deps/react@18.3.1.min.js",
    "/assets/00-style.css",
    "/_favicon.ico",
    "/_reload-hash",
    "/no-such-page",
]


class TestToken:
    @pytest.mark.parametrize("route", ROUTES)
    def test_every_route_is_closed_to_a_stranger(self, stranger: FlaskClient, route: str) -> None:
        assert stranger.get(route).status_code == 401

    def test_callbacks_are_closed_to_a_stranger(self, stranger: FlaskClient) -> None:
        assert stranger.post("/_dash-update-component", json={}, headers=OURS).status_code == 401

    def test_the_token_opens_the_door(self, visitor: FlaskClient) -> None:
        assert visitor.get("/_dash-layout").status_code == 200

    def test_a_wrong_token_does_not(self, stranger: FlaskClient) -> None:
        for wrong in ("", "x", TOKEN[:-1], TOKEN + "x", "ä" * 26):
            answer = stranger.post("/sign-in", data={"token": wrong}, headers=OURS)
            assert answer.status_code == 401
            assert "Set-Cookie" not in answer.headers

    def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(self, stranger: FlaskClient) -> None:
        answer = stranger.post("/sign-in", data={"token": TOKEN}, headers=OURS)
        cookie = answer.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert TOKEN not in cookie

    def test_behind_tls_the_cookie_travels_over_nothing_else(self, reader: StudyReader) -> None:
        client = build_app(reader, Access(TOKEN, hosts=["dse.example.org"], secure=True)).server.test_client()
        answer = client.post(
            "/sign-in",
            data={"token": TOKEN},
            headers={"Origin": "https://dse.example.org", "Host": "dse.example.org"},
        )
        assert "Secure" in answer.headers["Set-Cookie"]

    def test_a_made_up_cookie_is_worth_nothing(self, reader: StudyReader) -> None:
        access = Access(TOKEN)
        client = build_app(reader, access).server.test_client()
        client.set_cookie(access.cookie_name, "0" * 64)
        assert client.get("/_dash-layout").status_code == 401

    def test_a_one_time_link_works_once(self, reader: StudyReader) -> None:
        access = Access(None)
        server = build_app(reader, access).server
        link = access.one_time_path()
        first, second = server.test_client(), server.test_client()
        assert first.get(link).status_code == 200
        assert first.get("/_dash-layout").status_code == 200
        assert second.get(link).status_code == 401
        assert second.get("/_dash-layout").status_code == 401

    def test_two_dashboards_draw_different_tokens(self) -> None:
        assert Access(None).cookie_name != Access(None).cookie_name

    def test_a_short_token_is_refused(self) -> None:
        with pytest.raises(InputError, match="--token"):
            Access("short")

    @pytest.mark.parametrize(
        ("wanted", "target"),
        [
            ("/s/3?x=area_mm2", "/s/3?x=area_mm2"),
            ("//evil.example", "/"),
            ("https://evil.example", "/"),
            ("/\\evil.example", "/"),
            ('/"><script>', "/&quot;&gt;&lt;script&gt;"),
        ],
    )
    def test_signing_in_leads_back_to_a_page_of_ours(
        self, stranger: FlaskClient, wanted: str, target: str
    ) -> None:
        answer = stranger.post("/sign-in", data={"token": TOKEN, "next": wanted}, headers=OURS)
        assert f'url={target}"' in answer.text

    def test_tokens_are_on_no_page(self, visitor: FlaskClient) -> None:
        for route in ("/", "/sign-in", "/_dash-layout"):
            assert TOKEN not in visitor.get(route).text


class TestOtherSites:
    @pytest.mark.parametrize(
        "host", ["evil.example", "evil.example:8050", "127.0.0.1.evil.example", "10.0.0.9", ""]
    )
    def test_an_unknown_host_name_is_refused(self, visitor: FlaskClient, host: str) -> None:
        assert visitor.get("/", headers={"Host": host}).status_code == 421

    @pytest.mark.parametrize("host", ["localhost:8050", "127.0.0.1:1", "[::1]:8050"])
    def test_loopback_names_are_known(self, visitor: FlaskClient, host: str) -> None:
        assert visitor.get("/sign-in", headers={"Host": host}).status_code == 200

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"Origin": "https://evil.example"},
            {"Origin": "http://localhost:9999"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost"},
            {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"},
        ],
    )
    def test_a_change_must_come_from_our_own_page(
        self, visitor: FlaskClient, headers: dict[str, str]
    ) -> None:
        assert visitor.post("/_dash-update-component", json={}, headers=headers).status_code == 403
        assert visitor.delete("/", headers=headers).status_code == 403

    def test_a_large_body_is_refused(self, visitor: FlaskClient) -> None:
        answer = visitor.post("/_dash-update-component", data=b"x" * (2 << 20), headers=OURS)
        assert answer.status_code == 413


class TestHeaders:
    @pytest.mark.parametrize("route", ["/", "/sign-in", "/assets/00-style.css", "/_dash-layout"])
    def test_every_response_is_hardened(self, visitor: FlaskClient, route: str) -> None:
        headers = visitor.get(route).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        policy = headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy
        assert "default-src 'none'" in policy

    def test_scripts_are_ours_and_never_inline_or_evaluated(self, visitor: FlaskClient) -> None:
        policy = visitor.get("/").headers["Content-Security-Policy"]
        scripts = re.search(r"script-src ([^;]*)", policy)
        assert scripts is not None
        assert "unsafe" not in scripts[1]
        assert "http" not in scripts[1]

    def test_a_page_names_no_other_host(self, visitor: FlaskClient) -> None:
        page = visitor.get("/").text
        assert not re.findall(r'(?:src|href)="(?:https?:)?//', page)

    def test_graphs_offer_no_cloud(self) -> None:
        for figure in (graph("a"), graph("b", toolbar=True)):
            assert figure.config["showSendToCloud"] is False
            assert figure.config["plotlyServerURL"] == ""
            assert figure.config["displaylogo"] is False


class TestServing:
    def test_no_debugging_no_reloading_no_tools(self, visitor: FlaskClient) -> None:
        config = json.loads(
            re.search(r'<script id="_dash-config"[^>]*>(.*?)</script>', visitor.get("/").text)[1]  # type: ignore[index]
        )
        assert config.get("hot_reload") is None
        assert not config.get("ui")
        assert not visitor.application.debug
        assert not any("mcp" in rule.rule for rule in visitor.application.url_map.iter_rules())

    def test_plotly_is_packed_and_asked_for_once(self, visitor: FlaskClient) -> None:
        path = "/_dash-component-suites/plotly/package_data/plotly.min.js"
        plain = visitor.get(path, headers={"Accept-Encoding": "identity"})
        packed = visitor.get(path, headers={"Accept-Encoding": "gzip"})
        assert packed.headers["Content-Encoding"] == "gzip"
        assert len(packed.data) < len(plain.data) / 3
        assert gzip.decompress(packed.data) == plain.data
        again = visitor.get(path, headers={"If-None-Match": packed.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")

    def test_files_with_a_fingerprint_are_kept_by_this_browser_alone(self, visitor: FlaskClient) -> None:
        source = re.search(r'src="(/_dash-component-suites/[^"]*dash_renderer[^"]*)"', visitor.get("/").text)
        assert source is not None
        kept = visitor.get(source[1]).headers["Cache-Control"]
        assert "immutable" in kept
        assert "private" in kept

    def test_what_changes_is_not_kept(self, visitor: FlaskClient) -> None:
        assert visitor.get("/_dash-layout").headers["Cache-Control"] == "no-store"

    def test_a_study_id_is_an_integer(self, store: StudyStore, visitor: FlaskClient) -> None:
        create(store)
        for path in ("/s/1%20or%201=1", "/s/-1", "/s/1/../2", "/s/99999999999999999999", "/s/2"):
            body = {
                "output": "page.children",
                "outputs": {"id": "page", "property": "children"},
                "inputs": [{"id": "url", "property": "pathname", "value": path}],
                "state": [{"id": "url", "property": "search", "value": ""}],
                "changedPropIds": ["url.pathname"],
            }
            answer = visitor.post("/_dash-update-component", json=body, headers=OURS)
            assert "There is no such page" in answer.text

    def test_the_store_cannot_be_written(self, store: StudyStore, reader: StudyReader) -> None:
        finish(store, create(store), 0, points=1)
        with pytest.raises((AsterError, OperationalError)), reader._database.writing() as connection:
            connection.exec_driver_sql("DELETE FROM aster_studies")
        assert len(store.studies()) == 1


@pytest.mark.usefixtures("store")
class TestAddresses:
    def test_another_address_needs_a_token(self, url: str) -> None:
        with pytest.raises(InputError, match="no token"):
            dashboard.open_server(url, host="0.0.0.0", port=0)

    def test_and_something_that_encrypts(self, url: str) -> None:
        with pytest.raises(InputError, match="--behind-proxy"):
            dashboard.open_server(url, host="0.0.0.0", port=0, token=TOKEN)

    def test_the_default_is_loopback_whatever_the_environment_says(
        self, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HOST", "0.0.0.0")
        with dashboard.open_server(url, port=0) as server:
            assert server.address == f"http://127.0.0.1:{server.port}"
            assert server.one_time_url().startswith(server.address + "/sign-in?ticket=")

    def test_behind_a_proxy_the_link_names_it(self, url: str) -> None:
        with dashboard.open_server(url, port=0, token=TOKEN, behind_proxy="dse.example.org") as server:
            assert server.one_time_url().startswith("https://dse.example.org/sign-in")

    def test_a_port_in_use_is_bad_input(self, url: str) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            with pytest.raises(InputError, match="cannot listen"):
                dashboard.open_server(url, port=taken.getsockname()[1])


def test_a_store_that_is_not_there_is_said_so(url: str) -> None:
    with pytest.raises(NotFoundError):
        dashboard.open_server(url, port=0)
