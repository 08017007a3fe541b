"""Tells the daemon how far the training is. It never disturbs the training: nothing waits for it,
nothing it does can raise, and what cannot be delivered is dropped for what is newer."""

import json
import os
import pathlib
import ssl
import threading
import time
import urllib.request

HEARTBEAT_SECONDS = 10
SECONDS_BETWEEN = 1
TIMEOUT_SECONDS = 2


class Progress:
    """Without OARLOCK_INBOUND_URL it only keeps the numbers."""

    def __init__(self, work, total, environ=os.environ):
        self._url = environ.get("OARLOCK_INBOUND_URL", "")
        self._ca = environ.get("OARLOCK_INBOUND_CA", "")
        self._token = environ.get("OARLOCK_INBOUND_TOKEN", "")
        self._unit, self._attempt = work.unit, work.attempt
        self._lock = threading.Condition()
        self._now = {"step": 0, "total": total, "metrics": {}}
        self._changed = False
        self._ended = False
        self._seq = 0
        self.sent = 0
        if self._url:
            threading.Thread(target=self._loop, daemon=True, name="progress").start()

    def step(self, step, metrics=None):
        with self._lock:
            self._now["step"] = step
            if metrics:
                self._now["metrics"] = metrics
            self._changed = True
            self._lock.notify()

    def end(self):
        with self._lock:
            self._ended = True
            self._lock.notify()

    def _loop(self):
        while True:
            with self._lock:
                if not self._changed and not self._ended:
                    self._lock.wait(HEARTBEAT_SECONDS)
                if self._ended:
                    return
                self._changed = False
                self._seq += 1
                body = dict(self._now, unit=self._unit, attempt=self._attempt, seq=self._seq)
            self._post(body)
            time.sleep(SECONDS_BETWEEN)

    def _post(self, body):
        try:
            token = pathlib.Path(self._token).read_text().strip() if self._token else ""
            request = urllib.request.Request(
                self._url, json.dumps(body).encode(), method="POST",
                headers={"Content-Type": "application/json", "Authorization": f"Bearer {token}"})
            context = ssl.create_default_context(cafile=self._ca or None)
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS, context=context):
                self.sent += 1
        except Exception:  # noqa: BLE001  whatever it is, the training goes on
            pass
