"""`python -m subscriptions.cli` is `subscriptions`."""

import sys

from subscriptions.cli import main

sys.exit(main())
