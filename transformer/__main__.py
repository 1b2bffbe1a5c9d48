"""`python -m transformer`: the same as `pindown`."""

from transformer.cli import run

run()
