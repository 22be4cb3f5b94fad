"""`python -m flake8_concurrency`."""

import sys

from flake8_concurrency.cli import main

sys.exit(main())
