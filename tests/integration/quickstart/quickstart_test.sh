#!/bin/bash
# Passes only if every step of the quickstart did what it should.
TMPDIR=$TEST_TMPDIR exec tools/quickstart --once --bin-dir .
