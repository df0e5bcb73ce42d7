"""``python -m latseg``."""

from latseg.cli import main

if __name__ == "__main__":
    main()
