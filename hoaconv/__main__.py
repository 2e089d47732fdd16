"""``python -m hoaconv`` is ``hoaconv``."""

from hoaconv.cli import main

main()
