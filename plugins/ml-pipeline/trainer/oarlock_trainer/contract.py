"""What a pod and the plugin have agreed on: exit codes, last words, paths, files written whole."""

import hashlib
import json
import os
import pathlib
import sys

USER, DATASET, MODEL, TEMPORARY, TERMINATED = 42, 43, 44, 75, 143
LAST_WORD_BYTES_MAX = 4096


class Refusal(Exception):
    """Ends the program with an exit code and one sentence that says what was expected and found."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class Work:
    """The folders of a pod. OARLOCK_WORK moves them, for tests."""

    def __init__(self, environ=os.environ):
        root = pathlib.Path(environ.get("OARLOCK_WORK", "/ml"))
        self.config = root / "config" / "run.json"
        self.input = root / "input"
        self.data = root / "data"
        self.heldout = root / "heldout"
        self.trial = root / "trial"
        self.run = root / "run"
        self.evaluation = root / "evaluation"
        self.publish = root / "publish"
        self.models = root / "models"
        self.unit = environ.get("OARLOCK_UNIT", "")
        self.attempt = int(environ.get("OARLOCK_ATTEMPT", "1"))
        self.pipeline = environ.get("OARLOCK_PIPELINE", "")
        self.version = int(environ.get("OARLOCK_VERSION", "0"))
        self.champion = int(environ.get("OARLOCK_CHAMPION", "0"))
        self.digest = environ.get("OARLOCK_DIGEST", "")
        self.kept = {int(v) for v in environ.get("OARLOCK_VERSIONS_KEPT", "").split(",") if v}
        self.last_word = pathlib.Path(environ.get("OARLOCK_LAST_WORD", "/dev/termination-log"))

    def read_config(self):
        try:
            return json.loads(self.config.read_text())
        except (OSError, ValueError) as e:
            raise Refusal(USER, f"expected the run's configuration in {self.config}: {e}") from e

    @property
    def trial_number(self):
        return int(self.unit.removeprefix("trial-"))


def say_last_word(work, ok, message="", result=None, log=""):
    """Kubernetes keeps 4096 bytes: what does not fit is cut from the beginning of the log, from the
    text, then from the result."""
    word = {"ok": ok, "message": message[:1500], "result": result or {}}
    if log:
        word["log"] = log[-1500:]
    text = json.dumps(word)
    while len(text.encode()) > LAST_WORD_BYTES_MAX and word.get("log"):
        word["log"] = word["log"][len(word["log"]) // 4 + 1:]
        text = json.dumps(word)
    if len(text.encode()) > LAST_WORD_BYTES_MAX:
        word["message"] = message[:200]
        essential = ("metrics", "digest", "trial", "sha256", "rows", "champion")
        word["result"] = {k: v for k, v in word["result"].items() if k in essential}
        text = json.dumps(word)
    try:
        work.last_word.write_bytes(text.encode()[:LAST_WORD_BYTES_MAX])
    except OSError as e:
        print(f"the last word could not be written to {work.last_word}: {e}", file=sys.stderr)


def sha256_of_file(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def write_whole(path, content):
    """Either the old file or the new one, also after a crash."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    with open(fresh, "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)
    sync_folder(path.parent)


def sync_folder(path):
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_json(path, value):
    write_whole(path, json.dumps(value, sort_keys=True, indent=1) + "\n")


def read_json(path):
    """None: there is none, or half of one."""
    try:
        return json.loads(pathlib.Path(path).read_text())
    except (OSError, ValueError):
        return None
