"""POT's own tests with the functions of ``stotmetrics.transport`` in the place of its own.

``python tests/hosts/pot_suite.py FOLDER`` takes the ``test`` folder of POT's repository. ``--own`` replaces nothing:
so tests are told apart that fail under POT's own functions too, as where the folder is of another version.
"""

import sys
from pathlib import Path

import ot
from stand_ins import Suite, import_all, run

from stotmetrics import transport


def main(arguments: list[str]) -> int:
    own = "--own" in arguments
    rest = [argument for argument in arguments if argument != "--own"]
    import_all(ot)
    suite = Suite("ot", {name: getattr(transport, name) for name in transport.__all__}, own)
    return run(suite, Path(rest[0]), rest[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
