"""python3 -m oarlock_trainer prepare|train|evaluate|publish|serve|results"""

import collections
import errno
import os
import signal
import sys
import threading
import time
import traceback

from . import contract
from .contract import TEMPORARY, TERMINATED, USER, Refusal, Work


class Log:
    """Lines on standard output, and whole on the volume, which outlives the pod. Its end is for the
    last word of a program that fails."""

    def __init__(self):
        self._file = None
        self._last = collections.deque(maxlen=40)

    def end(self):
        return "\n".join(self._last)

    def also_to(self, folder, attempt):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = open(folder / f"log-{attempt}.txt", "a", buffering=1)  # noqa: SIM115
        except OSError as e:
            self(f"no log on the volume: {e}")

    def __call__(self, text):
        line = time.strftime("%Y-%m-%dT%H:%M:%SZ ", time.gmtime()) + text
        print(line, flush=True)
        self._last.append(line)
        if self._file is not None:
            try:
                self._file.write(line + "\n")
            except OSError:
                self._file = None


def do(what, work, log, stop):
    """What the pod says at its end."""
    if what == "serve":
        from . import serve

        return serve.run(work, log)
    if what == "results":
        from . import results

        return results.run(work, sys.stdout)
    config = work.read_config()
    if what == "prepare":
        from . import prepare

        log.also_to(work.data, work.attempt)
        return prepare.summary(prepare.run(work, config, log))
    if what == "train":
        from . import train

        log.also_to(work.trial, work.attempt)
        return train.run(work, config, log, stop, int(os.environ.get("OMP_NUM_THREADS", "1")))
    if what == "evaluate":
        from . import evaluate

        log.also_to(work.evaluation, work.attempt)
        return evaluate.run(work, config, log)
    if what == "publish":
        from . import publish

        log.also_to(work.publish, work.attempt)
        return publish.run(work, config, log)
    raise Refusal(USER, f"expected prepare, train, evaluate, publish, serve or results, "
                        f"found {what!r}")


def main(arguments, work=None):
    work = work or Work()
    log = Log()
    stop = threading.Event()
    what = arguments[0] if arguments else ""
    # A training stops at its next step, with a checkpoint; the others can be done again.
    handler = (lambda *_: stop.set()) if what == "train" else (lambda *_: sys.exit(TERMINATED))
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)
    try:
        result = do(what, work, log, stop)
    except Refusal as e:
        log(str(e))
        contract.say_last_word(work, False, str(e), log=log.end())
        return e.code
    except OSError as e:
        is_full = e.errno in (errno.ENOSPC, errno.EDQUOT)
        message = f"the volume is full: {e}" if is_full else f"{type(e).__name__}: {e}"
        log(message)
        contract.say_last_word(work, False, message, log=log.end())
        return TEMPORARY
    except Exception as e:  # a mistake in the program or in an image that builds on it
        log(traceback.format_exc())
        contract.say_last_word(work, False, f"{type(e).__name__}: {e}", log=log.end())
        return 1
    if what not in ("serve", "results"):
        contract.say_last_word(work, True, "", result)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
