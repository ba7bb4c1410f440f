"""The certificate with which the services speak TLS."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from eventmill.errors import SettingsError
from eventmill.settings import Settings


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files: certificate chain, private key, and authorities of clients' certificates (None: none is asked)."""

    certificate: Path
    key: Path
    client_authorities: Path | None = None


def read_tls(settings: Settings) -> Tls | None:
    """The files that the settings name, or None where they name none.

    Raises SettingsError where one is missing, cannot be read, or does not fit the other.
    """
    certificate, key, authorities = settings.tls_cert, settings.tls_key, settings.tls_client_ca
    if certificate is None and key is None and authorities is None:
        return None
    if certificate is None or key is None:
        lacking = "EVENTMILL_TLS_CERT" if certificate is None else "EVENTMILL_TLS_KEY"
        raise SettingsError(f"{lacking} is not set.", "TLS needs both a certificate and its private key.")
    files = {"EVENTMILL_TLS_CERT": certificate, "EVENTMILL_TLS_KEY": key, "EVENTMILL_TLS_CLIENT_CA": authorities}
    for name, file in files.items():
        if file is not None and not file.is_file():
            raise SettingsError(f"{name}: {file} is no file.", "It is a PEM file.")
    _check_loads(certificate, key, authorities)
    return Tls(certificate, key, authorities)


def _check_loads(certificate: Path, key: Path, authorities: Path | None) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # Without a password for the key, so that nothing waits for one to be typed.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"EVENTMILL_TLS_CERT and EVENTMILL_TLS_KEY: {certificate} and {key} do not load: {error}.",
            "They are PEM files, the key belongs to the certificate, and it has no password.",
        ) from None
    try:
        if authorities is not None:
            context.load_verify_locations(authorities)
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"EVENTMILL_TLS_CLIENT_CA: {authorities} does not load: {error}.", "It is a PEM file of certificates."
        ) from None


def local_context(settings: Settings) -> ssl.SSLContext | None:
    """For clients on this machine: trusts the settings' own certificate, whatever name it is for; None without TLS.

    Raises SettingsError like `read_tls`.
    """
    tls = read_tls(settings)
    if tls is None:
        return None
    context = ssl.create_default_context(cafile=str(tls.certificate))
    # They ask for 127.0.0.1, and the certificate names the public host: nothing but this certificate is taken.
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context
