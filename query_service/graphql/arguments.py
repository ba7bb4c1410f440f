"""Arguments that several questions take."""

from typing import Annotated

import strawberry

AppId = Annotated[str | None, strawberry.argument(description="Needed where the key covers several apps.")]
From = Annotated[
    str | None,
    strawberry.argument(name="from", description="First day, YYYY-MM-DD in the app's time zone."),
]
To = Annotated[str | None, strawberry.argument(name="to", description="The day after the last one.")]
FromInstant = Annotated[
    str | None,
    strawberry.argument(name="from", description="A day in the app's time zone, or an instant as RFC 3339; with `to`."),
]
ToInstant = Annotated[str | None, strawberry.argument(name="to", description="As `from`; exclusive.")]
