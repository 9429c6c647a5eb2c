"""What must not be done: redlock-py is given the nodes as three masters, and tries to take a lock for some seconds.

Arguments: the ports of the nodes, with commas between them; how many locks to try, one in a second and a half. Prints how many it took.
"""

import sys
import time

import redlock

ports, tries = sys.argv[1].split(","), int(sys.argv[2])
masters = redlock.Redlock([{"host": "127.0.0.1", "port": int(port)} for port in ports], retry_count=1)
began, taken = time.monotonic(), 0
for number in range(tries):
    taken += bool(masters.lock(f"lock:{number}", 10_000))
    # Each is a sighting of its own, whichever moment of a second it falls into.
    time.sleep(max(0.0, began + 1.5 * (number + 1) - time.monotonic()))
print(taken)
