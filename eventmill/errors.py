"""Errors that a person reads: what is wrong, and what to do about it.

EventmillError
├── SettingsError        a setting is missing, wrong or contradicts another one
├── NotReadyError        a server behind us does not answer, or is not set up as it must be
├── DefinitionError      a saved goal, cohort or funnel breaks a rule
├── VersionError         a store was written by a newer version
└── LakeError            the lake's files contradict each other
"""


class EventmillError(Exception):
    """Something the user can put right; the command line prints it without a traceback.

    `message` says what is wrong and names the field, setting or path; `hint` says what to do.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class SettingsError(EventmillError):
    """A setting is missing, wrong or contradicts another one."""


class NotReadyError(EventmillError):
    """A server that this program needs does not answer, or is not set up as it must be."""


class DefinitionError(EventmillError):
    """A goal, cohort or funnel breaks a rule: `field` is the place in its JSON, `rule` what must be there."""

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}.")
        self.field = field
        self.rule = rule


class VersionError(EventmillError):
    """A store was written by a newer version, which this program must not touch."""


class LakeError(EventmillError):
    """The lake's files contradict each other."""
