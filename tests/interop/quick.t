#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""One scenario of each kind, at the newest pulpcore."""
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

table.run("newest", ours, arguments, locks, clients, recovery, rest, load, guests, is_quick=True)
