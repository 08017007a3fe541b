"""One trial: steps, checkpoints, a result. An attempt goes on where the one before it stopped."""

import pathlib
import re

import numpy as np

from . import algorithms, metrics
from .contract import (DATASET, TERMINATED, Refusal, read_json, sha256_of_file, write_json,
                       write_whole)
from .progress import Progress


def _read(path):
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return arrays["X"], arrays["y"]
    except (OSError, ValueError, KeyError) as e:
        raise Refusal(DATASET, f"expected the prepared data in {path}: {e}") from e


class Checkpoints:
    """Files named by the number of steps that they hold. A name is only given to a whole file."""

    def __init__(self, folder, keep):
        self.folder, self.keep = pathlib.Path(folder), keep

    def _all(self):
        found = [(int(m[1]), p) for p in self.folder.glob("step-*.ckpt")
                 if (m := re.fullmatch(r"step-(\d+)\.ckpt", p.name))]
        return sorted(found)

    def save(self, step, content):
        write_whole(self.folder / f"step-{step}.ckpt", content)
        for _, path in self._all()[:-self.keep]:
            path.unlink(missing_ok=True)

    def newest(self):
        """(steps, content), or (0, None)."""
        found = self._all()
        if not found:
            return 0, None
        return found[-1][0], found[-1][1].read_bytes()


def _done_before(work):
    result = read_json(work.trial / "result.json")
    if result is None:
        return None
    model = work.trial / "model" / result["file"]
    if not model.is_file() or sha256_of_file(model) != result["digest"]:
        return None
    return result


def run(work, config, log, stop, threads):
    """`stop` is an Event that SIGTERM sets. Returns the result."""
    before = _done_before(work)
    if before is not None:
        log("the result is there already")
        return before
    spec = config["spec"]
    dataset = read_json(work.data / "dataset.json")
    if dataset is None:
        raise Refusal(DATASET, f"expected the prepared data in {work.data}, found none")
    x, y = _read(work.data / "train.npz")
    x_valid, y_valid = _read(work.data / "validation.npz")
    params = config["trials"][work.trial_number]
    algorithm = algorithms.make(config["algorithm"], params, spec.get("seed", 1), threads,
                                len(dataset["classes"]))
    algorithm.start(x, y, x_valid, y_valid)
    kept = spec.get("checkpoint", {})
    checkpoints = Checkpoints(work.trial / "checkpoints", kept.get("keep", 2))
    done, state = checkpoints.newest()
    if state is not None:
        algorithm.load_state(state)
        log(f"goes on at step {done} of {algorithm.total}")
    progress = Progress(work, algorithm.total)
    progress.step(done)
    try:
        done = _steps(algorithm, done, kept.get("every", 10), checkpoints, progress, stop, log)
    finally:
        progress.end()
    return _finish(work, config, algorithm, dataset, params, done, x_valid, y_valid)


def _steps(algorithm, done, every, checkpoints, progress, stop, log):
    while done < algorithm.total:
        if stop.is_set():
            if algorithm.goes_on_anywhere:
                checkpoints.save(done, algorithm.save_state())
            raise Refusal(TERMINATED, f"stopped after step {done} of {algorithm.total}, with a "
                                      f"checkpoint of step {checkpoints.newest()[0]}")
        goes_on = algorithm.do_step(done)
        done += 1
        progress.step(done, algorithm.metrics())
        if done % every == 0 and done < algorithm.total:
            state = algorithm.save_state()
            checkpoints.save(done, state)
            if not algorithm.goes_on_anywhere:
                algorithm.load_state(state)
            log(f"step {done} of {algorithm.total}")
        if not goes_on:
            log(f"stopped early at step {done}")
            break
    return done


def _finish(work, config, algorithm, dataset, params, steps, x_valid, y_valid):
    algorithms.save(work.trial / "model", config["algorithm"], algorithm, dataset, params)
    model = algorithms.Model(work.trial / "model")
    found = metrics.of(y_valid, model.probabilities(x_valid), metrics.wanted(config))
    if algorithm.curve:
        write_json(work.trial / "curve.json", {"train": [p[0] for p in algorithm.curve],
                                               "validation": [p[1] for p in algorithm.curve]})
    result = {"metrics": found, "steps": steps, "file": algorithm.file,
              "digest": sha256_of_file(work.trial / "model" / algorithm.file)}
    write_json(work.trial / "result.json", result)
    return result
