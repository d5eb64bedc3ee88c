#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Our worker at the table of a live Pulp: the oldest pulpcore that we join."""
import os
import sys

sys.path[:0] = [os.environ["top_srcdir"] + "/tests/lib", os.environ["top_srcdir"] + "/tests/interop"]
import arguments
import clients
import guests
import load
import locks
import ours
import recovery
import rest
import table

table.run("oldest", ours, arguments, locks, clients, recovery, rest, load, guests)
