"""What requests may carry: field types of the wire, and the parsing that turns a wrong body into a 400.

Field names are the wire's own. Numbers may come as strings and flags as "True"/"False"; unknown keys are ignored as the
API ignores them, and noted in the audit log.
"""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from daiku.lab.sakura.iaas.wire import Call, bad_request
from daiku.lab.sakura.records import Record

B = TypeVar("B", bound="Body")


def none_if_zero(value: object) -> object:
    """Clients without optional numbers send 0 (or "") for none."""
    return None if str(value) in ("", "0") else value


def _flag(value: object) -> object:
    match value:
        case bool():
            return "True" if value else "False"
        case str() if value.lower() in ("true", "false"):
            return value.capitalize()
        case _:
            raise ValueError("must be True or False")


def _digits(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and (value == "" or (value.isascii() and value.isdigit())):
        return value
    raise ValueError("must be a number")


def _address(value: str) -> str:
    return str(IPv4Address(value)) if value else ""


RefId = Annotated[Annotated[int, Field(ge=1, le=999_999_999_999)] | None, BeforeValidator(none_if_zero)]
Flag = Annotated[str, BeforeValidator(_flag)]
"""A flag inside settings: "True" or "False"."""
Digits = Annotated[str, BeforeValidator(_digits), Field(max_length=10)]
"""A number inside settings, kept as a string; "" is none."""
Address = Annotated[str, AfterValidator(_address)]
"""An IPv4 address or ""."""
NameText = Annotated[str, Field(min_length=1, max_length=64)]
DescriptionText = Annotated[str, Field(max_length=512)]
Mask = Annotated[int, Field(ge=8, le=29)]


class Body(BaseModel):
    """An object of a request. `[]` stands for an empty object, as PHP clients send it."""

    model_config = ConfigDict(extra="allow", hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _empty_array(cls, value: Any) -> Any:
        return {} if value == [] else value

    def given(self, field: str) -> bool:
        return field in self.model_fields_set


class Ref(Body):
    ID: RefId = None


class Common(Body):
    """The fields that every nameable resource shares; what is absent stays as it is on update."""

    Name: NameText | None = None
    Description: DescriptionText | None = None
    Tags: list[str] | None = None
    Icon: Ref | None = None


def parse(call: Call, model: type[B], value: Any) -> B:
    """`value` as `model`; 400 with the first fault's place. Unknown keys become warnings."""
    try:
        body = model.model_validate(value)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(step) for step in fault["loc"])
        raise bad_request(f"{place}: {fault['msg']}" if place else fault["msg"]) from None
    call.warnings.extend(f"unknown key {key}" for key in sorted(_unknown(body, "")))
    return body


def parse_in(call: Call, key: str, model: type[B]) -> B:
    """The object under the envelope's key, such as `{"Switch": {...}}`."""
    if not isinstance(call.body.get(key), dict | list):
        raise bad_request(f"The property {key} is required")
    return parse(call, model, call.body[key])


def _unknown(body: Body, place: str) -> list[str]:
    found = [f"{place}{key}" for key in body.model_extra or {}]
    for name in type(body).model_fields:
        inner = getattr(body, name)
        for item in inner if isinstance(inner, list) else [inner]:
            if isinstance(item, Body):
                found += _unknown(item, f"{place}{name}.")
    return found


def require_name(body: Common) -> None:
    if body.Name is None:
        raise bad_request("The property Name is required")


def set_common(row: Record, body: Common, now: float) -> None:
    """Take over the common fields that the request gives."""
    if body.Name is not None:
        row.name = body.Name
    if body.Description is not None:
        row.description = body.Description
    if body.Tags is not None:
        row.tags = list(dict.fromkeys(body.Tags))
    if body.given("Icon"):
        row.icon = body.Icon.ID if body.Icon is not None else None
    row.modified = now
