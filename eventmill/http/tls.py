"""The certificate with which the HTTP services speak HTTPS."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from eventmill.errors import SettingsError
from eventmill.settings import Settings


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files: certificate chain and private key."""

    certificate: Path
    key: Path


def read_tls(settings: Settings) -> Tls | None:
    """The files that the settings name, or None where they name none.

    Raises SettingsError where one is missing, cannot be read, or does not fit the other.
    """
    certificate, key = settings.tls_certificate, settings.tls_key
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        lacking = "EVENTMILL_TLS_KEY" if key is None else "EVENTMILL_TLS_CERTIFICATE"
        raise SettingsError(f"{lacking} is not set.", "HTTPS needs both a certificate and its private key.")
    for name, file in (("EVENTMILL_TLS_CERTIFICATE", certificate), ("EVENTMILL_TLS_KEY", key)):
        if not file.is_file():
            raise SettingsError(f"{name}: {file} is no file.", "It is a PEM file.")
    try:
        # Without a password for the key, so that nothing waits for one to be typed.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: "")
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"EVENTMILL_TLS_CERTIFICATE and EVENTMILL_TLS_KEY: {certificate} and {key} do not load: {error}.",
            "They are PEM files, the key belongs to the certificate, and it has no password.",
        ) from None
    return Tls(certificate, key)


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
