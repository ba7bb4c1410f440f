"""Which certificate files are taken."""

from pathlib import Path

import pytest

from eventmill.errors import SettingsError
from eventmill.http.tls import local_context, read_tls
from eventmill.settings import Settings


def test_without_files_there_is_no_tls(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    assert (read_tls(settings), local_context(settings), settings.http_scheme) == (None, None, "http")


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({"tls_cert"}, "EVENTMILL_TLS_KEY is not set"),
        ({"tls_key"}, "EVENTMILL_TLS_CERT is not set"),
        ({"tls_client_ca"}, "EVENTMILL_TLS_CERT is not set"),
        ({"tls_cert", "tls_key"}, "do not load"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, given: set[str], rule: str) -> None:
    file = tmp_path / "file.pem"
    file.write_text("no certificate")
    with pytest.raises(SettingsError, match=rule):
        read_tls(Settings(home=tmp_path).model_copy(update=dict.fromkeys(given, file)))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "missing.pem"
    with pytest.raises(SettingsError, match=r"EVENTMILL_TLS_CERT: .*missing\.pem is no file"):
        read_tls(Settings(home=tmp_path, tls_cert=file, tls_key=file))


@pytest.mark.parametrize("variable", ["EVENTMILL_TLS_CERT", "EVENTMILL_TLS_CERTIFICATE"])
def test_the_certificate_goes_by_its_older_name_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(tmp_path / "chain.pem"))
    assert Settings().tls_cert == tmp_path / "chain.pem"
