"""Tells the daemon how far the training is. It never disturbs the training: nothing waits for it,
nothing it does can raise, and what cannot be delivered is dropped for what is newer."""

import json
import math
import os
import pathlib
import ssl
import threading
import urllib.error
import urllib.request

HEARTBEAT_SECONDS = 10
SECONDS_BETWEEN = 1
TIMEOUT_SECONDS = 2
PAUSE_SECONDS_MAX = 30
METRICS_MAX = 16


def finite(metrics):
    """What the daemon takes of them: so many, and no NaN."""
    return dict([(k, float(v)) for k, v in metrics.items() if math.isfinite(v)][:METRICS_MAX])


class Progress:
    """Without OARLOCK_INBOUND_URL it only keeps the numbers. A thread of its own reports what is
    newest: at most once a second, and each ten seconds if nothing changes, as a sign of life."""

    def __init__(self, work, total, environ=os.environ, between=SECONDS_BETWEEN,
                 heartbeat=HEARTBEAT_SECONDS):
        self._url = environ.get("OARLOCK_INBOUND_URL", "")
        self._ca = environ.get("OARLOCK_INBOUND_CA", "")
        self._token = environ.get("OARLOCK_INBOUND_TOKEN", "")
        self._between, self._heartbeat = between, heartbeat
        self._who = {"unit": work.unit, "attempt": work.attempt}
        self._lock = threading.Condition()
        self._now = {"step": 0, "total": total, "metrics": {}}
        self._changed = False
        self._ended = threading.Event()
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
            self._ended.set()
            self._lock.notify()

    def _loop(self):
        failed = 0
        while not self._ended.is_set():
            with self._lock:
                if not self._changed and not self._ended.is_set():
                    self._lock.wait(self._heartbeat)
                self._changed = False
                self._seq += 1
                body = dict(self._now, seq=self._seq, **self._who)
            if self._ended.is_set():
                return
            asked = self._post(body)
            failed = 0 if asked is None else failed + 1
            pause = self._between
            if asked is not None:
                # Of what was not taken the newest is told again, by then.
                with self._lock:
                    self._changed = True
                pause = min(max(asked, self._between * 2 ** min(failed - 1, 8)), PAUSE_SECONDS_MAX)
            self._ended.wait(pause)

    def _post(self, body):
        """None: it was taken. Else for how long the daemon asks to wait; 0: it did not say."""
        try:
            body["metrics"] = finite(body["metrics"])
            token = pathlib.Path(self._token).read_text().strip() if self._token else ""
            request = urllib.request.Request(
                self._url, json.dumps(body, allow_nan=False).encode(), method="POST",
                headers={"Content-Type": "application/json", "Authorization": f"Bearer {token}"})
            # Certificates and token are renewed while it runs; the daemon is behind no proxy.
            opener = urllib.request.build_opener(
                urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(
                    context=ssl.create_default_context(cafile=self._ca or None)))
            with opener.open(request, timeout=TIMEOUT_SECONDS):
                self.sent += 1
            return None
        except urllib.error.HTTPError as e:
            after = e.headers.get("Retry-After", "")
            return int(after) if after.isascii() and after.isdigit() else 0
        except Exception:  # noqa: BLE001  whatever it is, the training goes on
            return 0
