"""OpenID Connect: tokens of an issuer as credentials, and signing in with a browser."""
