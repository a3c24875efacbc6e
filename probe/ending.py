"""How a command ends: the exit statuses, and whatever ends one in a line for a person."""

MEASURED, OTHER, USAGE, CANNOT_JUDGE = 0, 1, 2, 3


class Trouble(Exception):
    """Ends a command with one line on standard error, and this exit status."""

    def __init__(self, text: str, status: int = OTHER) -> None:
        super().__init__(text)
        self.status = status
