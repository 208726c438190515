"""Runs a command and prints JSON: its seconds, its peak memory in bytes, its processor seconds, and what it printed.

It is a process of its own and imports little, since a child's peak memory counts from that of the process it was forked from.
"""

import json
import os
import subprocess
import sys
import time

began = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE)
out = process.stdout.read().decode()
_, status, usage = os.wait4(process.pid, 0)
seconds = time.perf_counter() - began
print(json.dumps({"seconds": seconds, "peak": usage.ru_maxrss * 1024, "cpu": usage.ru_utime + usage.ru_stime, "out": out}))
sys.exit(os.waitstatus_to_exitcode(status) and 1)
