"""Data from outside: fetched, checked, split. What is wrong with it is told with row and column."""

import csv
import hashlib
import http.client
import io
import math
import urllib.error
import urllib.request

import numpy as np

from .contract import DATASET, TEMPORARY, Refusal

FETCH_SECONDS = 60
BYTES_MAX = 1 << 30


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req, fp, code, msg, headers, newurl):
        return None


def fetch(url, seconds=FETCH_SECONDS):
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        with opener.open(url, timeout=seconds) as answer:
            content = answer.read(BYTES_MAX + 1)
    except urllib.error.HTTPError as e:
        is_passing = e.code >= 500 or e.code == 429
        raise Refusal(TEMPORARY if is_passing else DATASET,
                      f"expected 200 from {url}, found {e.code} {e.reason}") from e
    except (OSError, http.client.HTTPException) as e:
        raise Refusal(TEMPORARY, f"{url} could not be read: {e}") from e
    if len(content) > BYTES_MAX:
        raise Refusal(DATASET, f"expected at most {BYTES_MAX} bytes from {url}, found more")
    return content


def read_bytes(work, dataset):
    source = dataset["source"]
    if source == "http":
        return fetch(dataset["url"])
    path = work.input / dataset["path"]
    try:
        return path.read_bytes()
    except FileNotFoundError as e:
        where = f"key {dataset['path']} in the ConfigMap {dataset.get('name')}"
        if source == "pvc":
            where = f"file {dataset['path']} in the volume {dataset.get('claimName')}"
        raise Refusal(DATASET, f"expected the {where}, found none") from e
    except OSError as e:
        raise Refusal(TEMPORARY, f"{path} could not be read: {e}") from e


def check_sha256(content, dataset):
    found = hashlib.sha256(content).hexdigest()
    wanted = dataset.get("sha256", found)
    if found != wanted:
        raise Refusal(DATASET, f"expected data with sha256 {wanted}, found {found}")
    return found


def parse_csv(content, target):
    try:
        lines = csv.reader(io.StringIO(content.decode("utf-8-sig")))
        names = next(lines, [])
    except (UnicodeDecodeError, csv.Error) as e:
        raise Refusal(DATASET, f"expected a CSV file in UTF-8: {e}") from e
    names = [name.strip() for name in names]
    if target not in names:
        raise Refusal(DATASET, f"expected a column {target!r}, found {', '.join(names)[:300]}")
    at = names.index(target)
    rows, labels = [], []
    for number, line in enumerate(lines, start=2):
        if not line:
            continue
        if len(line) != len(names):
            raise Refusal(DATASET, f"line {number}: expected {len(names)} columns, found "
                                   f"{len(line)}")
        label = line[at].strip()
        if label == "" or label.lower() == "nan":
            raise Refusal(DATASET, f"line {number}: expected a value of the target {target!r}, "
                                   f"found {label!r}")
        labels.append(label)
        rows.append([_number(line[i], number, names[i]) for i in range(len(names)) if i != at])
    features = [name for name in names if name != target]
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(features)), labels, features


def _number(text, line, column):
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise Refusal(DATASET, f"line {line}, column {column!r}: expected a finite number, "
                               f"found {text[:40]!r}")
    return value


def parse_npz(content):
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            x, y = np.asarray(arrays["X"], dtype=np.float64), np.asarray(arrays["y"])
    except (KeyError, ValueError, OSError) as e:
        raise Refusal(DATASET, f"expected an npz file with arrays X and y: {e}") from e
    if x.ndim != 2 or y.ndim != 1 or len(x) != len(y):
        raise Refusal(DATASET, f"expected X with two dimensions and y with a value for each row, "
                               f"found {x.shape} and {y.shape}")
    return x, [str(v) for v in y.tolist()], [f"f{i}" for i in range(x.shape[1])]


def load_builtin(name):
    from sklearn import datasets

    loaders = {"breast_cancer": datasets.load_breast_cancer, "digits": datasets.load_digits,
               "iris": datasets.load_iris, "wine": datasets.load_wine}
    if name not in loaders:
        raise Refusal(DATASET, f"expected a dataset of {', '.join(sorted(loaders))}, found {name}")
    loaded = loaders[name]()
    names = [str(n) for n in loaded.target_names]
    x = np.asarray(loaded.data, dtype=np.float64)
    content = np.ascontiguousarray(x).tobytes() + np.asarray(loaded.target, np.int64).tobytes()
    labels = [names[i] for i in loaded.target]
    return x, labels, [str(f) for f in loaded.feature_names], content


def load(work, dataset):
    """X, labels, names of the features, sha256."""
    if dataset["source"] == "builtin":
        x, labels, features, content = load_builtin(dataset["name"])
        return x, labels, features, check_sha256(content, dataset)
    content = read_bytes(work, dataset)
    digest = check_sha256(content, dataset)
    if dataset.get("format", "csv") == "npz":
        return *parse_npz(content), digest
    return *parse_csv(content, dataset["target"]), digest


def check(x, labels, min_rows):
    if len(x) < min_rows:
        raise Refusal(DATASET, f"expected at least {min_rows} rows, found {len(x)}")
    if x.shape[1] == 0:
        raise Refusal(DATASET, "expected at least one column beside the target, found none")
    bad = np.argwhere(~np.isfinite(x))
    if len(bad):
        raise Refusal(DATASET, f"expected finite numbers, found {x[tuple(bad[0])]} in row "
                               f"{bad[0][0]}, column {bad[0][1]} ({len(bad)} in all)")
    if any(label == "" or label.lower() == "nan" for label in labels):
        raise Refusal(DATASET, "expected a class for every row, found rows without one")
    counts = {c: labels.count(c) for c in sorted(set(labels))}
    if len(counts) < 2:
        found = ", ".join(counts) or "none"
        raise Refusal(DATASET, f"expected at least two classes, found {found}")
    if len(counts) > 1000:
        raise Refusal(DATASET, f"expected at most 1000 classes, found {len(counts)}: is the target "
                               "a class at all?")
    return counts


def split(y, parts, seed):
    """Indices of the rows to train on, to validate with, and held out."""
    from sklearn.model_selection import train_test_split

    every = np.arange(len(y))
    stratify = parts.get("stratify", True)
    test, validation = parts.get("test", 0.2), parts.get("validation", 0.2)
    try:
        rest, heldout = train_test_split(every, test_size=test, random_state=seed,
                                         stratify=y if stratify else None)
        train, valid = train_test_split(rest, test_size=validation / (1 - test), random_state=seed,
                                        stratify=y[rest] if stratify else None)
    except ValueError as e:
        raise Refusal(DATASET, f"the data cannot be split: {e}") from e
    if len(set(y[train].tolist())) != len(set(y.tolist())):
        raise Refusal(DATASET, "expected every class among the rows to train on; some class has "
                               "too few rows, or spec.dataset.split.stratify is false")
    return np.sort(train), np.sort(valid), np.sort(heldout)
