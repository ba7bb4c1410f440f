"""How an HTTP service refuses to start."""

import socket

import pytest

from eventmill.errors import SettingsError
from eventmill.http.serving import serve


def never() -> None:
    """No application may be made: it would open connections for nothing."""
    raise AssertionError("the port is taken")


async def test_a_taken_port_is_named_with_its_setting() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(SettingsError, match=f"(?s)Port {port} is taken.*EVENTMILL_HTTP_PORT"):
            await serve(never, "127.0.0.1", port, "EVENTMILL_HTTP_PORT")  # type: ignore[arg-type]
