"""`/auth/…`: signing in with a browser, and out."""

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.datastructures import Cookie, State
from litestar.exceptions import NotFoundException
from litestar.params import QueryParameter

from query_service.access import Access
from query_service.auth import SESSION_COOKIE, session_token
from query_service.oidc.sessions import check_csrf, csrf_token
from query_service.oidc.sign_in import ATTEMPT_SECONDS, SignIn
from query_service.problems import Unauthorized
from query_service.rest.problems import PROBLEMS

ATTEMPT_COOKIE = "em_sign_in"
NO_STORE = {"Cache-Control": "no-store"}
Next = Annotated[
    str | None, QueryParameter(name="next", description="Path of the page to show afterwards; `/` by default.")
]


class Session(msgspec.Struct, kw_only=True):
    """Who signed in, what they may do, until when; `csrf_token` goes back as X-CSRF-Token of every write."""

    subject: str
    kind: str
    apps: list[str]
    may_see_people: bool
    expires_at: datetime
    csrf_token: str


class SessionAnswer(msgspec.Struct, kw_only=True):
    """`can_sign_in`: whether there is a sign-in at all; `session` is null for who has not signed in."""

    can_sign_in: bool
    session: Session | None


@get("/login", summary="Begin to sign in", status_code=303, responses=PROBLEMS)
async def login(state: State, next_page: Next = None) -> Response[None]:
    """Sends the browser to the issuer (EVENTMILL_OIDC_ISSUER), which sends it back to /auth/callback."""
    sign_in = _sign_in(state)
    attempt = await sign_in.begin(next_page)
    cookie = _cookie(sign_in, ATTEMPT_COOKIE, attempt.cookie, ATTEMPT_SECONDS)
    return Response(None, status_code=303, headers={**NO_STORE, "Location": attempt.location}, cookies=[cookie])


@get("/callback", summary="Finish signing in", status_code=303, responses=PROBLEMS)
async def callback(request: Request[Any, Any, Any], state: State) -> Response[None]:
    """Takes what the issuer sent back, sets the session's cookie and shows the page that was asked for."""
    sign_in = _sign_in(state)
    returned = {name: value for name, value in request.query_params.items() if isinstance(value, str)}
    signed_in = await sign_in.finish(request.cookies.get(_name(sign_in, ATTEMPT_COOKIE)), returned)
    seconds = int((signed_in.expires_at - datetime.now(UTC)).total_seconds())
    cookies = [_cookie(sign_in, SESSION_COOKIE, signed_in.token, seconds), _cookie(sign_in, ATTEMPT_COOKIE, "", 0)]
    headers = {**NO_STORE, "Location": signed_in.next_page, "Referrer-Policy": "no-referrer"}
    return Response(None, status_code=303, headers=headers, cookies=cookies)


@get("/session", summary="Who is signed in", responses=PROBLEMS)
async def session(request: Request[Any, Any, Any], state: State) -> Response[SessionAnswer]:
    """The browser's session, and what a page needs to write with it."""
    access: Access = state.access
    token, found = session_token(request), None
    if token is not None:
        try:
            one = await access.sessions.find(token)
        except Unauthorized:
            pass  # it is over: nobody is signed in
        else:
            found = Session(
                subject=one.subject,
                kind=one.kind,
                apps=list(one.apps),
                may_see_people=one.may_see_people,
                expires_at=one.expires_at.astimezone(UTC),
                csrf_token=csrf_token(token),
            )
    return Response(SessionAnswer(can_sign_in=access.sign_in is not None, session=found), headers=NO_STORE)


@post("/logout", summary="Sign out", status_code=204, responses=PROBLEMS)
async def logout(request: Request[Any, Any, Any], state: State) -> Response[None]:
    """Ends the browser's session; needs its X-CSRF-Token."""
    access: Access = state.access
    token = session_token(request)
    if token is not None:
        check_csrf(token, request.headers.get("x-csrf-token"), request.headers.get("sec-fetch-site"))
        await access.sessions.end(token)
    gone = [Cookie(name, value="", max_age=0, secure=name.startswith("__")) for name in _SESSION_COOKIES]
    return Response(None, status_code=204, headers=NO_STORE, cookies=gone)


_SESSION_COOKIES = (SESSION_COOKIE, f"__Host-{SESSION_COOKIE}")


def _sign_in(state: State) -> SignIn:
    access: Access = state.access
    if access.sign_in is None:
        raise NotFoundException("There is no sign-in: EVENTMILL_OIDC_ISSUER and EVENTMILL_OIDC_CLIENT_ID are not set.")
    return access.sign_in


def _name(sign_in: SignIn, name: str) -> str:
    """Over HTTPS a prefix has browsers refuse the cookie from any other host (RFC 6265bis, section 4.1.3.2)."""
    return f"__Host-{name}" if sign_in.rules.is_secure else name


def _cookie(sign_in: SignIn, name: str, value: str, seconds: int) -> Cookie:
    # Lax: the issuer's redirect back is a navigation from another site.
    is_secure = sign_in.rules.is_secure
    return Cookie(_name(sign_in, name), value=value, max_age=seconds, secure=is_secure, httponly=True, samesite="lax")


auth = Router("/auth", route_handlers=[login, callback, session, logout], tags=["access"])
