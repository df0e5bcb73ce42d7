"""The server gives files of its list, and orders only to who knows the token."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from devices.backends.web import page_link
from devices.backends.web.server import PageServer
from tests.devices.backends.web.test_orders import DESCRIPTION

BODY = json.dumps(DESCRIPTION)


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runtime")
    (folder / "ort.wasm.min.mjs").write_text("export {}")
    (folder / "secret.txt").write_text("secret")
    return folder


@pytest.fixture(scope="module")
def server(runtime: Path) -> Iterator[PageServer]:
    made = PageServer(("phone", "absent", "closing"), runtime)
    yield made
    made.close()


def request(
    server: PageServer, method: str, path: str, body: str = "", **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response, content


def headers(server: PageServer) -> dict[str, str]:
    return {"Authorization": f"Bearer {server.token}", "X_Page": "0123456789abcdef", "X_Received": "0"}


def test_the_page_and_its_files(server: PageServer) -> None:
    parts = urlsplit(server.address("phone"))
    response, content = request(server, "GET", f"{parts.path}?{parts.query}")
    assert (response.status, response.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b"page.js" in content
    assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert response.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    for path in ("/page.js", "/page.css", "/engine.js", "/frames.js", "/runtime/ort.wasm.min.mjs"):
        response, content = request(server, "GET", path)
        assert response.status == 200
        assert content
        assert response.headers["Cross-Origin-Embedder-Policy"] == "require-corp"


@pytest.mark.parametrize(
    "path", ["/secret.txt", "/runtime/secret.txt", "/runtime/../secret.txt", "/page/__init__.py", "/%2e%2e/server.py"]
)
def test_nothing_else_is_served(server: PageServer, path: str) -> None:
    assert request(server, "GET", path)[0].status == 404


@pytest.mark.parametrize("token", ["", "wrong", "ü"])
def test_who_does_not_know_the_token_gets_nothing(server: PageServer, token: str) -> None:
    query = {"": "", "wrong": "wrong", "ü": "%C3%BC"}[token]
    response, content = request(server, "GET", f"/?page=phone&token={query}")
    assert response.status == 403
    assert b"latseg serve" in content
    given = {**headers(server), "Authorization": f"Bearer {token}"}
    for path in ("/next?page=absent", "/answer?page=absent"):
        assert request(server, "POST", path, BODY, **given)[0].status == 403
    assert not server.pages["absent"].is_present


def test_a_page_that_is_not_served(server: PageServer) -> None:
    assert request(server, "GET", f"/?page=other&token={server.token}")[0].status == 404
    assert request(server, "POST", "/next?page=other", BODY, **headers(server))[0].status == 404
    assert request(server, "POST", "/more?page=phone", BODY, **headers(server))[0].status == 404


def test_an_order_and_its_answer(server: PageServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_link, "_POLL_S", 0.05)
    link = server.pages["phone"]
    assert request(server, "POST", "/next?page=phone", BODY, **headers(server))[0].status == 204
    session = link.open_session()
    session.end()
    response, content = request(server, "POST", "/next?page=phone", BODY, **headers(server))
    assert (response.status, content) == (200, b"")
    assert response.headers["X-Session"] == str(session.number)
    number = response.headers["X-Order"]
    assert request(server, "POST", "/answer?page=phone", "x", X_Order=number, **headers(server))[0].status == 204


@pytest.mark.parametrize(
    ("body", "changed"),
    [
        ("{}", {}),
        ("not JSON", {}),
        (json.dumps({**DESCRIPTION, "clock_ms": 0}), {}),
        (BODY + " " * 5000, {}),
        (BODY, {"X_Page": "../../etc"}),
        (BODY, {"X_Received": "-1"}),
        (BODY, {"Content_Length": "9999999999999999999"}),
    ],
)
def test_a_request_that_is_none(server: PageServer, body: str, changed: dict[str, str]) -> None:
    response, content = request(server, "POST", "/next?page=absent", body, **{**headers(server), **changed})
    assert response.status == 400
    assert b"reload" in content
    assert not server.pages["absent"].is_present


@pytest.mark.parametrize("number", ["", "x", "-1"])
def test_an_answer_to_nothing(server: PageServer, number: str) -> None:
    assert request(server, "POST", "/answer?page=phone", "x", X_Order=number, **headers(server))[0].status == 400


def test_a_page_that_closes_its_connection_is_gone(server: PageServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_link, "_POLL_S", 60.0)
    monkeypatch.setattr(page_link, "_LOOK_S", 0.01)
    monkeypatch.setattr(page_link, "_GRACE_S", 0.0)
    link = server.pages["closing"]
    lines = [f"POST /next?page=closing HTTP/1.1\r\nContent-Length: {len(BODY)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers(server).items()]
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(("\r\n".join(lines) + f"\r\n\r\n{BODY}").encode())
        assert link.wait_until_present(10.0)
    end = time.monotonic() + 10.0
    while link.is_present and time.monotonic() < end:
        time.sleep(0.01)
    assert not link.is_present


def test_with_a_certificate(runtime: Path, tmp_path: Path) -> None:
    certificate = tmp_path / "certificate.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    made = subprocess.run(
        [*command.split(), "-keyout", certificate, "-out", tmp_path / "public.pem"], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("no openssl")
    with certificate.open("a") as file:
        file.write((tmp_path / "public.pem").read_text())
    https = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    https.load_cert_chain(certificate)
    server = PageServer(("phone",), runtime, https=https)
    context = ssl.create_default_context(cafile=str(tmp_path / "public.pem"))
    context.check_hostname = False
    connection = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=10, context=context)
    connection.request("GET", server.address("phone").removeprefix(f"https://127.0.0.1:{server.port}"))
    assert connection.getresponse().status == 200
    connection.close()
    server.close()
