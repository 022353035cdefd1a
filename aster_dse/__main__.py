"""``python -m aster_dse``: the program ``aster-dse``, where its script is not at hand.

Python looks for this package in the working directory first; ``python -P -m aster_dse`` does not.
"""

from __future__ import annotations

import sys

from aster_dse.cli.search_path import without_module_folder

if __name__ == "__main__":
    without_module_folder()
    from aster_dse.cli import main

    sys.exit(main())
