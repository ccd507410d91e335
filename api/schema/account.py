"""The member's data as a file, and the end of an account."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import strawberry

from api.schema.errors import AccountUserError


class DataExportFormat(StrEnum):
    """The forms of the file."""

    JSON = "JSON"


strawberry.enum(DataExportFormat, description="The form of the file.")
for _value in DataExportFormat.__strawberry_definition__.values:  # type: ignore[attr-defined]
    _value.description = "One JSON object, UTF-8 (docs/rules/people.md says what is in it)."


@strawberry.type(description="A file of all my data, over all shops.")
class DataExport:
    id: strawberry.ID = strawberry.field(description="Names the file.")
    path: str = strawberry.field(
        description="GET it from the API's address with the same Authorization header; it is written while it is read."
    )
    expires_at: datetime = strawberry.field(description="Until then it may be fetched.")


@strawberry.type(description="An account that is to be deleted.")
class AccountDeletion:
    id: strawberry.ID = strawberry.field(description="For `accountDeleteCancel`.")
    requested_at: datetime = strawberry.field(description="When it was asked for.")
    due_at: datetime = strawberry.field(description="From then on it cannot be called off.")
    cancelled_at: datetime | None = strawberry.field(description="When it was called off.")


@strawberry.input(description="The form of the file.")
class DataExportRequestInput:
    format: DataExportFormat = strawberry.field(default=DataExportFormat.JSON, description="The form of the file.")


@strawberry.type(description="Where the file is.")
class DataExportRequestPayload:
    export: DataExport | None = strawberry.field(description="Ready at once.")
    user_errors: list[AccountUserError]


@strawberry.input(description="Delete my account.")
class AccountDeleteRequestInput:
    understood: bool = strawberry.field(description="True once the person has read what goes and what stays; anything else is refused.")


@strawberry.type(description="The deletion that now waits.")
class AccountDeleteRequestPayload:
    deletion: AccountDeletion | None = strawberry.field(description="It waits 7 days and can be called off until then.")
    user_errors: list[AccountUserError]


@strawberry.input(description="Keep my account.")
class AccountDeleteCancelInput:
    deletion_id: strawberry.ID = strawberry.field(description="The AccountDeletion of `me.deletion`.")


@strawberry.type(description="The deletion that was called off.")
class AccountDeleteCancelPayload:
    deletion: AccountDeletion | None = strawberry.field(description="As it is now.")
    user_errors: list[AccountUserError]
