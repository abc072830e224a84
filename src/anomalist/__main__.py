"""Run ``python -m anomalist`` like ``anomalist``."""

import sys

from anomalist.cli import main

sys.exit(main())
