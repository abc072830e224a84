"""``python -m anomalist`` is ``anomalist``."""

import sys

from anomalist.cli import main

sys.exit(main())
