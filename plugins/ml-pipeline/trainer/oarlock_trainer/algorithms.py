"""The algorithms. Each trains in steps; after any of them it can be stopped and goes on later with
the same result. A saved model is a folder: model.json, and the file that it names."""

import io
import json
import pathlib
import warnings

import numpy as np

from .contract import MODEL, USER, Refusal, write_json, write_whole

FORMAT = 1


class Algorithm:
    file = "model.joblib"
    # False: only from a checkpoint that a run without a stop has passed too.
    goes_on_anywhere = True
    curve = None  # of one that learns by steps: its losses after each, on the rows to train on and
    # on those to validate with

    def __init__(self, params, seed, threads, classes):
        self.params, self.seed, self.threads, self.classes = params, seed, threads, classes
        self.total = 1

    def start(self, x, y, x_valid, y_valid):
        self.x, self.y, self.x_valid, self.y_valid = x, y, x_valid, y_valid

    def do_step(self, step):
        """One step of the training, the first is 0. False: no further one is of use."""
        raise NotImplementedError

    def metrics(self):
        """Numbers of the last step, to look at while it trains."""
        if not self.curve:
            return {}
        return {"train-loss": self.curve[-1][0], "validation-loss": self.curve[-1][1]}

    def save_state(self):
        raise NotImplementedError

    def load_state(self, content):
        raise NotImplementedError

    def model_bytes(self):
        raise NotImplementedError


class Logistic(Algorithm):
    def do_step(self, step):
        from sklearn.linear_model import LogisticRegression
        from sklearn.preprocessing import StandardScaler

        scaler = StandardScaler().fit(self.x)
        model = LogisticRegression(C=self.params.get("c", 1.0),
                                   max_iter=int(self.params.get("maxIter", 1000)),
                                   tol=self.params.get("tolerance", 1e-4),
                                   random_state=self.seed)
        self.bundle = {"scaler": scaler, "model": model.fit(scaler.transform(self.x), self.y)}
        return True

    def save_state(self):
        return _dump(getattr(self, "bundle", None))

    def load_state(self, content):
        self.bundle = _load(content)

    def model_bytes(self):
        return _dump(self.bundle)


class Forest(Algorithm):
    CHUNK = 10

    def start(self, x, y, x_valid, y_valid):
        from sklearn.ensemble import RandomForestClassifier

        super().start(x, y, x_valid, y_valid)
        self.trees = int(self.params.get("trees", 100))
        self.total = -(-self.trees // self.CHUNK)
        depth = self.params.get("maxDepth")
        self.model = RandomForestClassifier(
            n_estimators=0, warm_start=True, random_state=self.seed, n_jobs=self.threads,
            max_depth=None if depth is None else int(depth),
            min_samples_leaf=int(self.params.get("minLeaf", 1)))

    def do_step(self, step):
        self.model.set_params(n_estimators=min((step + 1) * self.CHUNK, self.trees))
        self.model.fit(self.x, self.y)
        return True

    def save_state(self):
        return _dump(self.model)

    def load_state(self, content):
        self.model = _load(content)

    def model_bytes(self):
        return _dump({"scaler": None, "model": self.model})


class Mlp(Algorithm):
    def start(self, x, y, x_valid, y_valid):
        from sklearn.neural_network import MLPClassifier
        from sklearn.preprocessing import StandardScaler

        super().start(x, y, x_valid, y_valid)
        self.total = int(self.params.get("epochs", 100))
        self.scaler = StandardScaler().fit(x)
        hidden = (int(self.params.get("hidden", 64)),) * int(self.params.get("layers", 1))
        self.model = MLPClassifier(hidden_layer_sizes=hidden, random_state=self.seed,
                                   alpha=self.params.get("alpha", 1e-4),
                                   learning_rate_init=self.params.get("learningRate", 1e-3))
        self.curve = []

    def do_step(self, step):
        from sklearn.metrics import log_loss

        every = np.arange(self.classes)
        self.model.partial_fit(self.scaler.transform(self.x), self.y, classes=every)
        guess = self.model.predict_proba(self.scaler.transform(self.x_valid))
        self.curve.append([float(self.model.loss_),
                           float(log_loss(self.y_valid, guess, labels=every))])
        return True

    def save_state(self):
        return _dump((self.scaler, self.model, self.curve))

    def load_state(self, content):
        self.scaler, self.model, self.curve = _load(content)

    def model_bytes(self):
        return _dump({"scaler": self.scaler, "model": self.model})


class Xgboost(Algorithm):
    file = "model.ubj"
    # A booster draws random numbers when it is made, before those of its first round. So every run
    # makes a new one at each checkpoint: then it does not matter whether it was stopped there.
    goes_on_anywhere = False

    def start(self, x, y, x_valid, y_valid):
        import xgboost

        super().start(x, y, x_valid, y_valid)
        p = self.params
        self.total = int(p.get("rounds", 100))
        self.patience = int(p.get("earlyStopping", 0))
        objective = {"objective": "binary:logistic"} if self.classes == 2 else {
            "objective": "multi:softprob", "num_class": self.classes}
        self.train = xgboost.DMatrix(x, y)
        self.valid = xgboost.DMatrix(x_valid, y_valid)
        # A seed for each round: one that goes on draws what one that was never stopped has drawn.
        self.settings = {
            **objective, "tree_method": "hist", "nthread": self.threads, "seed": self.seed,
            "seed_per_iteration": True, "max_depth": int(p.get("maxDepth", 6)),
            "eta": p.get("learningRate", 0.3), "subsample": p.get("subsample", 1.0),
            "colsample_bytree": p.get("colsample", 1.0), "gamma": p.get("gamma", 0.0),
            "lambda": p.get("lambda", 1.0), "min_child_weight": p.get("minChildWeight", 1.0),
            "eval_metric": "logloss" if self.classes == 2 else "mlogloss"}
        self.booster = xgboost.Booster(self.settings, [self.train])
        self.curve = []

    def do_step(self, step):
        self.booster.update(self.train, step)
        text = self.booster.eval_set([(self.train, "train"), (self.valid, "validation")], step)
        self.curve.append([float(part.rsplit(":", 1)[1]) for part in text.split("\t")[1:]])
        if not self.patience:
            return True
        return step - self._best() < self.patience

    def _best(self):
        losses = [pair[1] for pair in self.curve]
        return losses.index(min(losses))

    def save_state(self):
        head = json.dumps(self.curve).encode()
        return len(head).to_bytes(8, "big") + head + bytes(self.booster.save_raw("ubj"))

    def load_state(self, content):
        import xgboost

        size = int.from_bytes(content[:8], "big")
        self.curve = json.loads(content[8:8 + size])
        self.booster = xgboost.Booster(self.settings, [self.train])
        self.booster.load_model(bytearray(content[8 + size:]))
        self.booster.set_param(self.settings)

    def model_bytes(self):
        model = self.booster[: self._best() + 1] if self.patience else self.booster
        return bytes(model.save_raw("ubj"))


KNOWN = {"logistic": Logistic, "random-forest": Forest, "mlp": Mlp, "xgboost": Xgboost}


def make(name, params, seed, threads, classes):
    if name not in KNOWN:
        raise Refusal(USER, f"expected an algorithm of {', '.join(sorted(KNOWN))}, found {name}")
    return KNOWN[name](params, seed, threads, classes)


def _dump(thing):
    import joblib

    memory = io.BytesIO()
    joblib.dump(thing, memory)
    return memory.getvalue()


def _load(content):
    import joblib

    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of another version of scikit-learn: never guess
        return joblib.load(io.BytesIO(content))


def save(folder, name, algorithm, dataset, params):
    import sklearn

    folder = pathlib.Path(folder)
    write_whole(folder / algorithm.file, algorithm.model_bytes())
    versions = {"sklearn": sklearn.__version__, "numpy": np.__version__}
    if name == "xgboost":
        import xgboost

        versions["xgboost"] = xgboost.__version__
    write_json(folder / "model.json", {
        "format": FORMAT, "algorithm": name, "file": algorithm.file, "params": params,
        "classes": dataset["classes"], "features": dataset["features"],
        "example": dataset["example"], "versions": versions})


class Model:
    """A saved model that answers. Anything wrong with it is a Refusal of class Model."""

    def __init__(self, folder):
        folder = pathlib.Path(folder)
        try:
            self.about = json.loads((folder / "model.json").read_text())
            content = (folder / self.about["file"]).read_bytes()
            self.classes, self.features = self.about["classes"], self.about["features"]
            if self.about["file"].endswith(".ubj"):
                import xgboost

                self._booster = xgboost.Booster(model_file=bytearray(content))
                self._bundle = None
            else:
                self._bundle = _load(content)
        except Refusal:
            raise
        except Exception as e:
            raise Refusal(MODEL, f"the model in {folder} cannot be loaded: {e}") from e

    def probabilities(self, x):
        x = np.asarray(x, dtype=np.float64)
        if x.ndim != 2 or x.shape[1] != len(self.features):
            raise ValueError(f"expected rows of {len(self.features)} numbers, found {x.shape}")
        try:
            found = self._predict(x)
        except Exception as e:
            raise Refusal(MODEL, f"the model cannot predict: {e}") from e
        if found.shape != (len(x), len(self.classes)):
            raise Refusal(MODEL, f"expected probabilities of {len(self.classes)} classes, found "
                                 f"{found.shape}")
        if not np.isfinite(found).all():
            raise Refusal(MODEL, "expected finite probabilities, found others")
        return found

    def _predict(self, x):
        if self._bundle is None:
            import xgboost

            raw = np.asarray(self._booster.predict(xgboost.DMatrix(x)), dtype=np.float64)
            return np.column_stack([1 - raw, raw]) if raw.ndim == 1 else raw
        if self._bundle["scaler"] is not None:
            x = self._bundle["scaler"].transform(x)
        return np.asarray(self._bundle["model"].predict_proba(x), dtype=np.float64)
