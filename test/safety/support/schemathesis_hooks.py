"""What schemathesis has to know beyond the OpenAPI documents."""

import schemathesis

# Reasons of a refusal that no schema can state: they depend on the world, or on several parts of the request.
BEYOND_SCHEMAS = (
    "expected an absolute path",
    "it is not below a configured unmanaged root",
    "expected relative path but the value is absolute",
    "cannot decode the given value as JWT",
    "the token is for",
    "no shorter than",
    "must be a size",
    "may not contain",
    "NUL",
    "file name",
    "blank value is not allowed",
    "given in both query and body",
    # Of a number that is written as text.
    "value should be",
    # Of a list in pages, where two members have to go together.
    "pages are in directory order",
)


@schemathesis.serializer("application/offset+octet-stream")
def offset_body(_context, value):
    return value if isinstance(value, bytes) else getattr(value, "data", str(value).encode())


@schemathesis.check
def schema_valid_parameters_are_accepted(context, response, case):
    """A 400 that blames the form of a parameter, although the document allows it."""
    mode = case.meta and case.meta.generation.mode
    if response.status_code != 400 or mode is None or not mode.is_positive:
        return
    body = response.json() if response.content else {}
    reasons = body.get("data")
    if not isinstance(reasons, dict):
        return
    wrong = {k: v for k, v in reasons.items() if not any(known in str(v) for known in BEYOND_SCHEMAS)}
    assert not wrong, f"refused although the document allows it: {wrong}"
