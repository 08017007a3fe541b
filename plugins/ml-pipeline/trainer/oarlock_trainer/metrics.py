"""The numbers by which models are compared."""

import numpy as np

SMALLER_IS_BETTER = {"logLoss"}


def of(y, probabilities, names):
    from sklearn import metrics as m

    classes = np.arange(probabilities.shape[1])
    guess = probabilities.argmax(axis=1)
    binary = len(classes) == 2
    average = {"average": "binary" if binary else "macro", "zero_division": 0}

    def roc_auc():
        present = np.unique(y)
        if len(present) < 2:
            return float("nan")
        if binary:
            return m.roc_auc_score(y, probabilities[:, 1])
        return m.roc_auc_score(y, probabilities, multi_class="ovr", labels=classes)

    known = {
        "accuracy": lambda: m.accuracy_score(y, guess),
        "balancedAccuracy": lambda: m.balanced_accuracy_score(y, guess),
        "f1": lambda: m.f1_score(y, guess, **average),
        "precision": lambda: m.precision_score(y, guess, **average),
        "recall": lambda: m.recall_score(y, guess, **average),
        "rocAuc": roc_auc,
        "logLoss": lambda: m.log_loss(y, probabilities, labels=classes),
    }
    found = {name: float(known[name]()) for name in dict.fromkeys(names)}
    return {name: round(value, 6) for name, value in found.items() if np.isfinite(value)}


def wanted(config):
    """The metrics that the run asks for, and those that its gates need."""
    evaluation = config["spec"].get("evaluation", {})
    names = list(evaluation.get("metrics", ["accuracy"]))
    return names + [gate["metric"] for gate in evaluation.get("gates", [])]


def is_better(name, a, b):
    return a < b if name in SMALLER_IS_BETTER else a > b
