"""`python -m flake8_concurrency`."""

import sys

from flake8_concurrency.cli import main

if __name__ == "__main__":
    sys.exit(main())
