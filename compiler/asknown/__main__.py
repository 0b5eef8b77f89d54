"""Runs the command line as ``python -m asknown``."""

from asknown.cli import main

if __name__ == "__main__":
    main()
