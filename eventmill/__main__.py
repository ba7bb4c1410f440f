"""`python -m eventmill`: the command line with this very interpreter."""

from eventmill.cli import main

main()
