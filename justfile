# What developers run often; `just` lists it.

default:
    @just --list

# The fast tests.
test:
    python -m pytest

# All fuzzers for about an hour: FACTOR times as many examples as in the fast tests.
fuzz FACTOR="400":
    NEUMF_TUI_FUZZ={{FACTOR}} python -m pytest tests/fuzz

# What a change must pass.
check:
    .ci/run
