"""Requests in a loop until told to stop: load.py URL NAME PER_SECOND LEAST SERIES ...

Every request has a connection of its own, as callers behind a gateway have. One that is refused,
cut, late (10 s) or answered with anything but 200 and a decision per series is lost.
"""

import collections
import http.client
import json
import pathlib
import sys
import threading
import time
import urllib.parse

url, name, rate, least, *series = sys.argv[1:]
place = urllib.parse.urlsplit(url)
body = json.dumps({"instances": [{"unique_id": s} for s in series]})
THREADS, STOP = 4, pathlib.Path("/tmp/stop")
lock = threading.Lock()
asked, kinds, lost = 0, collections.Counter(), []
versions, seconds, degraded = collections.Counter(), [], 0


def ask() -> tuple[str, int]:
    connection = http.client.HTTPConnection(place.hostname, place.port or 80, timeout=10)
    try:
        path = f"/v1/models/{name}:predict"
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise ValueError(f"{answer.status}: {content[:200]!r}")
        found = json.loads(content)["predictions"]
        if len(found) != len(series):
            raise ValueError(f"{len(found)} of {len(series)} decisions")
        return str(found[0].get("model_version", "")), sum(bool(d.get("degraded")) for d in found)
    finally:
        connection.close()


def loop() -> None:
    global asked, degraded
    while True:
        with lock:
            if STOP.exists() and asked >= int(least):
                return
            asked += 1
            number = asked
        began = time.monotonic()
        try:
            version, bad = ask()
            with lock:
                versions[version] += 1
                degraded += bad
                seconds.append(time.monotonic() - began)
        except Exception as err:
            with lock:
                kinds[type(err).__name__] += 1
                lost.append(f"{time.strftime('%H:%M:%S')} request {number}: {err}"[:200])
                print(lost[-1], flush=True)
        spent = time.monotonic() - began
        # Once told to stop only the rest of the least number is asked for, without a pause.
        pause = 0.0 if STOP.exists() else THREADS / float(rate) - spent
        time.sleep(max(0.0, pause))


threads = [threading.Thread(target=loop) for _ in range(THREADS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
seconds.sort()
print(
    "RESULT",
    json.dumps(
        {
            "asked": asked,
            "lost": len(lost),
            "kinds": kinds,
            "first": lost[:5],
            "versions": versions,
            "degraded": degraded,
            "median": seconds[len(seconds) // 2] if seconds else None,
            "p99": seconds[int(len(seconds) * 0.99)] if seconds else None,
        }
    ),
)
