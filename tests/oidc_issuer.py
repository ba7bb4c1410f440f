"""A little OpenID Connect issuer over HTTP: what it publishes, its keys, and a sign-in that always says yes."""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT = "eventmill"
CLIENT_SECRET = "s3cret"
AUDIENCE = "eventmill-api"


@cache
def private_key(name: str) -> rsa.RSAPrivateKey:
    """A key of that name, the same within a session: making one takes a while."""
    return rsa.generate_private_key(65537, 2048)


def public_pem(name: str) -> bytes:
    """What everybody may know of a key."""
    form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private_key(name).public_key().public_bytes(*form)


class Issuer:
    """Signs with the keys of `key_names`, the first unless told; `is_down` has it answer 503."""

    def __init__(self) -> None:
        self.key_names = ["one"]
        self.is_down = False
        self.asked: list[str] = []
        self.codes: dict[str, dict[str, str]] = {}
        self.claims: dict[str, Any] = {"sub": "ada", "eventmill_apps": ["shop"]}
        self.url = ""

    def token(
        self, *, key: str | None = None, key_id: str | None = None, algorithm: str = "RS256", **claims: Any
    ) -> str:
        """A token of this issuer, good for an hour unless told otherwise; a claim that is None is left out."""
        now = int(time.time())
        usual = {"iss": self.url, "aud": AUDIENCE, "iat": now, "exp": now + 3600} | self.claims
        given = {name: value for name, value in (usual | claims).items() if value is not None}
        name = key or self.key_names[0]
        return jwt.encode(given, private_key(name), algorithm, headers={"kid": key_id or name})

    def answer(self, method: str, path: str, query: dict[str, str], form: dict[str, str], basic: str) -> Any:
        """Status, and a JSON object or the address of a redirect."""
        self.asked.append(path)
        if self.is_down:
            return 503, {}
        match path:
            case "/.well-known/openid-configuration":
                places = {"jwks_uri": "keys", "authorization_endpoint": "authorize", "token_endpoint": "token"}
                return 200, {"issuer": self.url} | {name: f"{self.url}/{place}" for name, place in places.items()}
            case "/keys":
                keys = [
                    jwt.algorithms.RSAAlgorithm.to_jwk(private_key(one).public_key(), as_dict=True)
                    for one in self.key_names
                ]
                return 200, {"keys": [one | {"kid": name} for one, name in zip(keys, self.key_names, strict=True)]}
            case "/authorize":
                code = secrets.token_urlsafe(8)
                self.codes[code] = query
                return 302, f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"
            case "/token" if method == "POST":
                return self._exchange(form, basic)
        return 404, {}

    def _exchange(self, form: dict[str, str], basic: str) -> Any:
        asked = self.codes.pop(form.get("code", ""), None)
        pair = base64.b64encode(f"{CLIENT}:{CLIENT_SECRET}".encode()).decode()
        if asked is None or basic != f"Basic {pair}" or form["redirect_uri"] != asked["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=")
        if challenge.decode() != asked["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        return 200, {"id_token": self.token(aud=CLIENT, nonce=asked["nonce"])}


@contextmanager
def running_issuer() -> Iterator[Issuer]:
    """An issuer that listens on this machine."""
    issuer = Issuer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._serve("GET", b"")

        def do_POST(self) -> None:
            self._serve("POST", self.rfile.read(int(self.headers["content-length"])))

        def _serve(self, method: str, body: bytes) -> None:
            parts = urlsplit(self.path)
            query, form = _single(parts.query), _single(body.decode())
            status, content = issuer.answer(method, parts.path, query, form, self.headers.get("authorization", ""))
            self.send_response(status)
            if isinstance(content, str):
                self.send_header("location", content)
            payload = json.dumps(content).encode()
            self.send_header("content-length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, args=[0.05])
    thread.start()
    yield issuer
    server.shutdown()
    thread.join()
    server.server_close()


def _single(text: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(text).items()}
