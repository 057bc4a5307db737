"""What screens need is loaded before somebody waits for it, and passed over by the garbage collector."""

import subprocess
import sys

from ui import warm_up

ASKED = f"""
import gc, sys
from ui import warm_up
warm_up.load()
assert set({warm_up.HEAVY}) <= set(sys.modules)
print(gc.get_freeze_count())
"""


def test_what_is_loaded_is_set_aside():
    told = subprocess.run([sys.executable, "-c", ASKED], capture_output=True, text=True, check=True)

    assert int(told.stdout) > 100_000
