"""Makes of a dataset what trials and evaluation read. Trials never see the rows held out."""

import hashlib

import numpy as np

from . import data
from .contract import read_json, sha256_of_file, write_json

FILES = ("train.npz", "validation.npz")


def _save(path, x, y):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.with_suffix(".new"), "wb") as file:
        np.savez(file, X=x, y=y)
    path.with_suffix(".new").replace(path)


def _done_before(work):
    """What an attempt before this one has left, if every file is still what it was."""
    result = read_json(work.data / "dataset.json")
    if result is None:
        return None
    for name, digest in result["files"].items():
        folder = work.heldout if name == "test.npz" else work.data
        if not (folder / name).is_file() or sha256_of_file(folder / name) != digest:
            return None
    return result


def run(work, config, log):
    before = _done_before(work)
    if before is not None:
        log("the data is there already, and is what it was")
        return before
    dataset = config["spec"]["dataset"]
    seed = config["spec"].get("seed", 1)
    x, labels, features, digest = data.load(work, dataset)
    counts = data.check(x, labels, dataset.get("minRows", 20))
    classes = list(counts)
    y = np.array([classes.index(label) for label in labels], dtype=np.int64)
    train, valid, heldout = data.split(y, dataset.get("split", {}), seed)
    _save(work.data / "train.npz", x[train], y[train])
    _save(work.data / "validation.npz", x[valid], y[valid])
    _save(work.heldout / "test.npz", x[heldout], y[heldout])
    files = {name: sha256_of_file(work.data / name) for name in FILES}
    files["test.npz"] = sha256_of_file(work.heldout / "test.npz")
    result = {
        "sha256": digest, "rows": len(x), "columns": x.shape[1], "classes": classes,
        "balance": counts, "features": features, "files": files,
        "split": hashlib.sha256(np.concatenate([train, [-1], valid, [-1], heldout])
                                .astype(np.int64).tobytes()).hexdigest(),
        "example": x[train[0]].tolist(),
    }
    write_json(work.data / "dataset.json", result)
    log(f"{len(train)} rows to train on, {len(valid)} to validate with, {len(heldout)} held out")
    return result


def summary(result):
    """What fits into the last word."""
    short = {k: result[k] for k in ("sha256", "rows", "columns", "split")}
    if len(result["classes"]) <= 20:
        short["balance"] = {c[:40]: n for c, n in result["balance"].items()}
    return short
