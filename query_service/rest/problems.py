"""The refusals that every endpoint of the API documents."""

from litestar.openapi.datastructures import ResponseSpec

from eventmill.http.problems import MEDIA_TYPE, ProblemBody

PROBLEMS = {
    status: ResponseSpec(ProblemBody, generate_examples=False, media_type=MEDIA_TYPE, description=description)
    for status, description in {
        400: "A parameter is unknown or breaks a rule: `field` and `rule` say which.",
        401: "No valid key.",
        403: "A write key, which may not read.",
        404: "No such app for this key.",
        406: "No form that `Accept` asks for: JSON, CSV, Arrow and NDJSON are written.",
        503: "The numbers cannot be read at the moment.",
    }.items()
}
