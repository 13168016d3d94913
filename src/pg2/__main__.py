"""`python -m pg2`, the same as `pg2`."""

from pg2.cli import main

main()
