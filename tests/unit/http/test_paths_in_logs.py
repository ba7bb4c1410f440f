"""What a path holds that nobody else may know is not logged."""

import pytest

from eventmill.http.requests import without_secrets


@pytest.mark.parametrize(
    ("path", "logged"),
    [
        ("/v1/projects/em_w_abcdefgh_secret-0_X/settings", "/v1/projects/em_…/settings"),
        ("/api/shared/t0ken-_x/widgets/0", "/api/shared/…/widgets/0"),
        ("/shared/t0ken", "/shared/…"),
        ("/api/dashboards/1/shares", "/api/dashboards/1/shares"),
    ],
)
def test_keys_and_tokens_are_left_out(path: str, logged: str) -> None:
    assert without_secrets(path) == logged
