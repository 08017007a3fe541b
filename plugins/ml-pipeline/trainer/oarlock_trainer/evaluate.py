"""Judges the trials by numbers of its own: the best on the validation rows, and how good that one
is on rows that no trial has seen. What a trial says of itself counts for nothing."""

import numpy as np

from . import drawings, metrics
from .algorithms import Model
from .contract import DATASET, MODEL, Refusal, read_json, write_json, write_whole


def _read(path):
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return arrays["X"], arrays["y"]
    except (OSError, ValueError, KeyError) as e:
        raise Refusal(DATASET, f"expected the prepared data in {path}: {e}") from e


def _choose(work, config, names, log):
    """(number, model, numbers of all trials) of the best trial."""
    x, y = _read(work.run / "data" / "validation.npz")
    first = names[0]
    best, judged, refused = None, {}, []
    for number in range(len(config["trials"])):
        folder = work.run / f"trial-{number}"
        if read_json(folder / "result.json") is None:
            continue
        try:
            model = Model(folder / "model")
            found = metrics.of(y, model.probabilities(x), names)
            if first not in found:
                raise Refusal(MODEL, f"{first} of trial {number} is no finite number")
        except Refusal as e:
            log(f"trial {number} is refused: {e}")
            refused.append(str(e))
            continue
        judged[number] = found[first]
        if best is None or metrics.is_better(first, found[first], judged[best[0]]):
            best = (number, model)
    if best is None:
        raise Refusal(MODEL, (refused + ["expected a trial with a result, found none"])[0])
    return *best, judged


def _pictures(work, number, model, probabilities, y):
    size = len(model.classes)
    matrix = np.zeros((size, size), dtype=int)
    np.add.at(matrix, (y, probabilities.argmax(axis=1)), 1)
    write_json(work.evaluation / "confusion.json",
               {"classes": model.classes, "matrix": matrix.tolist()})
    write_whole(work.evaluation / "confusion.svg",
                drawings.confusion(matrix.tolist(), model.classes))
    curve = read_json(work.run / f"trial-{number}" / "curve.json")
    if curve:
        write_json(work.evaluation / "curve.json", curve)
        write_whole(work.evaluation / "curve.svg", drawings.curves(curve))


def run(work, config, log):
    names = metrics.wanted(config)
    number, model, judged = _choose(work, config, names, log)
    x, y = _read(work.run / "heldout" / "test.npz")
    probabilities = model.probabilities(x)
    found = metrics.of(y, probabilities, names)
    result = {"trial": number, "metrics": found, "rows": len(y)}
    if work.champion:
        champion = Model(work.models / "versions" / str(work.champion))
        if champion.features != model.features or champion.classes != model.classes:
            log(f"version {work.champion} knows other columns or classes and is no champion here")
        else:
            result["champion"] = metrics.of(y, champion.probabilities(x), names)
    work.evaluation.mkdir(parents=True, exist_ok=True)
    _pictures(work, number, model, probabilities, y)
    write_json(work.evaluation / "evaluation.json",
               dict(result, validation={str(k): v for k, v in judged.items()}))
    log(f"trial {number}: {found}")
    return result
