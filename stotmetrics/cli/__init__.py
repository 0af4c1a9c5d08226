"""The command line: classify · list · show · dist · matrix · plot · check."""

from collections.abc import Sequence

from .arguments import parser
from .options import parse_value
from .terminal import guarded
from .voting import vote

__all__ = ["main", "parse_value", "parser", "vote"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments, by default those of the process.

    Returns
    -------
    int
        The exit status: 0, also if the reader of a pipe had enough; 1 if ``check`` found a broken claim; 2 for what the
        user can mend; 70 for a fault of this package or of a metric; 130 after Ctrl-C.
    """

    def work() -> int:
        options = parser().parse_args(argv)
        return int(options.run(options) or 0)

    return guarded(work)
