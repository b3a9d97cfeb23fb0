"""What can go wrong, by kind. Every exception has the message of the command line, and `hint`: what to do about it, or None."""

from __future__ import annotations


class StillhuntError(Exception):
    """Of any kind."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint

    def __str__(self) -> str:
        message = str(self.args[0])
        return f"{message}\nhint: {self.hint}" if self.hint else message

    def __reduce__(self) -> tuple[type[StillhuntError], tuple[str, str | None]]:
        return type(self), (str(self.args[0]), self.hint)


class IoError(StillhuntError, OSError):
    """A file or directory could not be read or written."""


class InputError(StillhuntError, ValueError):
    """An input is not what its name, schema or format says."""


class ConfigError(StillhuntError, ValueError):
    """An argument or a configured value is outside its range."""


class StoreError(StillhuntError):
    """The store is damaged, of another format, in use, or was made with another model or key."""


class ModelError(StillhuntError):
    """The embedding model could not be loaded."""


class TooManyBadRowsError(StillhuntError):
    """More rows were bad than the configuration allows; nothing was committed."""


class NothingError(StillhuntError):
    """There was nothing to do."""
