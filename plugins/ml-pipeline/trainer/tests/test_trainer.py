"""The trainer without a cluster: folders in a temporary directory, programs as in a pod."""

import base64
import errno
import http.server
import io
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request
from unittest import mock

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from oarlock_trainer import __main__ as program  # noqa: E402
from oarlock_trainer import contract, data, serve  # noqa: E402


def csv_of(rows=60, classes=("no", "yes")):
    lines = ["a,b,label"]
    lines += [f"{i % 7},{i * 0.5},{classes[(i * 7 % 3) % len(classes)]}" for i in range(rows)]
    return "\n".join(lines) + "\n"


class Pod:
    """Runs the program as a pod would: its own process, its own view of the volume."""

    def __init__(self, root, spec=None, trials=None, algorithm="xgboost"):
        self.root = pathlib.Path(root)
        self.spec = {"dataset": {"source": "builtin", "name": "breast_cancer"}, "seed": 3,
                     "checkpoint": {"every": 5}, **(spec or {})}
        self.config = {"runID": "r-1", "specHash": "h", "image": "i", "algorithm": algorithm,
                       "trials": trials or [{"rounds": 40, "maxDepth": 3, "subsample": 0.7}],
                       "spec": self.spec}
        self.words = 0

    def view(self, unit):
        """/ml of a pod of this unit, as links into the volume."""
        work = self.root / f"pod-{unit}"
        shutil.rmtree(work, ignore_errors=True)
        (work / "config").mkdir(parents=True)
        (work / "config" / "run.json").write_text(json.dumps(self.config))
        run, models = self.root / "volume" / "r-1", self.root / "models"
        links = {"data": run / "data", "heldout": run / "heldout", "trial": run / unit,
                 "run": run, "evaluation": run / "evaluation", "models": models,
                 "publish": run / "publish",
                 "input": self.root / "input"}
        wanted = {"prepare": ["data", "heldout", "input"],
                  "evaluate": ["run", "evaluation", "models"],
                  "publish": ["run", "evaluation", "models", "publish"],
                  "results": ["run"]}.get(unit, ["data", "trial"])
        for name in wanted:
            links[name].mkdir(parents=True, exist_ok=True)
            (work / name).symlink_to(links[name])
        if "run" in wanted:  # the volume's folder has the data and the held-out rows in it
            assert (run / "heldout").exists()
        return work

    def start(self, unit, what=None, attempt=1, **environ):
        work = self.view(unit)
        self.words += 1
        word = self.root / f"word-{self.words}"
        env = dict(os.environ, PYTHONPATH=str(ROOT), OARLOCK_WORK=str(work), OARLOCK_UNIT=unit,
                   OARLOCK_ATTEMPT=str(attempt), OARLOCK_LAST_WORD=str(word), OMP_NUM_THREADS="1",
                   **environ)
        what = what or ("train" if unit.startswith("trial-") else unit)
        process = subprocess.Popen([sys.executable, "-m", "oarlock_trainer", what], env=env,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return process, word

    def run(self, unit, what=None, **environ):
        """(exit code, last word)."""
        process, word = self.start(unit, what, **environ)
        out, _ = process.communicate(timeout=300)
        said = json.loads(word.read_text()) if word.exists() else {"message": out}
        return process.returncode, said


class InAFolder(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = pathlib.Path(self.folder.name)

    def must(self, pod, unit, **environ):
        code, said = pod.run(unit, **environ)
        self.assertEqual(code, 0, said)
        self.assertTrue(said["ok"])
        return said["result"]


class WholeRun(InAFolder):
    def test_a_model_is_made_judged_published_and_answers(self):
        pod = Pod(self.root, trials=[{"rounds": 2, "maxDepth": 1}, {"rounds": 40, "maxDepth": 3}])
        self.assertEqual(self.must(pod, "prepare")["rows"], 569)
        for unit in ("trial-0", "trial-1"):
            self.assertIn("accuracy", self.must(pod, unit)["metrics"])
        judged = self.must(pod, "evaluate")
        self.assertEqual(judged["trial"], 1)
        self.assertGreater(judged["metrics"]["accuracy"], 0.9)
        evaluation = self.root / "volume/r-1/evaluation"
        self.assertIn("<svg", (evaluation / "confusion.svg").read_text())
        self.assertIn("polyline", (evaluation / "curve.svg").read_text())
        published = self.must(pod, "publish", OARLOCK_VERSION="1")
        again = self.must(pod, "publish", OARLOCK_VERSION="1")
        self.assertEqual(published, again, "a publication that was done is not done again")
        self.ask(published["digest"])
        self.look_at_results(pod)

    def look_at_results(self, pod):
        process, _ = pod.start("results")
        out, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, out)
        with tarfile.open(fileobj=io.BytesIO(base64.b64decode(out))) as tar:
            names = tar.getnames()
            matrix = json.load(tar.extractfile("evaluation/confusion.json"))
            self.assertIn(b"step 5 of 40", tar.extractfile("trial-1/log-1.txt").read())
        self.assertEqual(sum(map(sum, matrix["matrix"])), 114, "a fifth of the rows")
        for name in ("evaluation/confusion.svg", "evaluation/curve.json", "evaluation/curve.svg",
                     "evaluation/evaluation.json", "trial-0/curve.json", "data/dataset.json",
                     "data/log-1.txt", "evaluation/log-1.txt", "publish/log-1.txt"):
            self.assertIn(name, names)
        self.assertFalse([n for n in names if "model" in n or n.endswith((".npz", ".ckpt"))], names)

    def ask(self, digest):
        folder = self.root / "models/versions/1"
        with self.assertRaises(contract.Refusal):
            serve.Served(folder, "another", 1)
        server = serve.make_server(folder, digest, 1, "127.0.0.1", 0)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        url = f"http://127.0.0.1:{server.server_address[1]}"
        x, labels, _, _ = data.load_builtin("breast_cancer")
        body = json.dumps({"instances": x[:100].tolist()}).encode()
        with urllib.request.urlopen(url + "/predict?timeout=9s", body, timeout=10) as answer:
            found = json.load(answer)
        right = sum(a == b for a, b in zip(found["predictions"], labels[:100]))
        self.assertGreater(right, 90)
        with urllib.request.urlopen(url + "/healthz", timeout=10) as answer:
            self.assertEqual(answer.status, 200)
        with urllib.request.urlopen(urllib.request.Request(
                url + "/predict", iter([body[:500], body[500:]])), timeout=10) as answer:
            self.assertEqual(json.load(answer), found, "a body in chunks, as of a proxy")
        for bad in (b"no json", b'{"instances": [[1, 2]]}', b'{"instances": []}', b"[]"):
            with self.assertRaises(urllib.error.HTTPError) as raised:
                urllib.request.urlopen(url + "/predict", bad, timeout=10)
            self.assertEqual(raised.exception.code, 400, bad)

    def test_every_algorithm_trains_and_can_be_judged(self):
        for algorithm, params in (("logistic", {"c": 0.5}), ("random-forest", {"trees": 25}),
                                  ("mlp", {"epochs": 5, "hidden": 8})):
            with self.subTest(algorithm), tempfile.TemporaryDirectory() as folder:
                pod = Pod(folder, trials=[params], algorithm=algorithm,
                          spec={"dataset": {"source": "builtin", "name": "iris"}})
                for unit in ("prepare", "trial-0", "evaluate"):
                    found = self.must(pod, unit)
                self.assertGreater(found["metrics"]["accuracy"], 0.5)
                curve = pathlib.Path(folder, "volume/r-1/evaluation/curve.json")
                self.assertEqual(curve.exists(), algorithm == "mlp", "it alone learns by steps")
                if curve.exists():
                    losses = json.loads(curve.read_text())
                    self.assertEqual([len(losses["train"]), len(losses["validation"])], [5, 5])


class Resume(InAFolder):
    def digest_of(self, name, interrupted, params, algorithm="xgboost"):
        folder = self.root / name
        folder.mkdir()
        pod = Pod(folder, trials=[params], algorithm=algorithm)
        self.must(pod, "prepare")
        if interrupted:
            process, word = pod.start("trial-0")
            checkpoints = folder / "volume/r-1/trial-0/checkpoints"
            deadline = time.monotonic() + 120
            while not list(checkpoints.glob("step-*.ckpt")) and process.poll() is None:
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.01)
            process.send_signal(signal.SIGTERM)
            out, _ = process.communicate(timeout=120)
            self.assertEqual(process.returncode, contract.TERMINATED, out)
            self.assertIn("with a checkpoint", json.loads(word.read_text())["message"])
        result = self.must(pod, "trial-0", attempt=2)
        if interrupted:
            log = (folder / "volume/r-1/trial-0/log-2.txt").read_text()
            self.assertIn("goes on at step", log)
        return result["digest"]

    def test_G5_xgboost_that_was_stopped_makes_the_model_of_one_that_was_not(self):
        params = {"rounds": 3000, "maxDepth": 2, "subsample": 0.6, "colsample": 0.5}
        self.assertEqual(self.digest_of("a", False, params), self.digest_of("b", True, params))

    def test_a_result_that_is_there_is_given_again_and_half_a_one_is_not(self):
        pod = Pod(self.root)
        self.must(pod, "prepare")
        first = self.must(pod, "trial-0")
        self.assertEqual(self.must(pod, "trial-0", attempt=2), first)
        model = self.root / "volume/r-1/trial-0/model" / "model.ubj"
        model.write_bytes(model.read_bytes()[:100])
        self.assertEqual(self.must(pod, "trial-0", attempt=3)["digest"], first["digest"])

    def test_G32_prepared_data_that_was_deleted_is_made_again(self):
        pod = Pod(self.root)
        first = self.must(pod, "prepare")
        (self.root / "volume/r-1/heldout/test.npz").unlink()
        self.assertEqual(self.must(pod, "prepare"), first)
        self.assertTrue((self.root / "volume/r-1/heldout/test.npz").exists())


class BadInput(InAFolder):
    def refused(self, content, code=contract.DATASET, **dataset):
        pod = Pod(self.root, spec={"dataset": {"source": "configMap", "name": "c", "path": "d.csv",
                                               "target": "label", **dataset}})
        (self.root / "input").mkdir(exist_ok=True)
        (self.root / "input/d.csv").write_text(content)
        found, said = pod.run("prepare")
        self.assertEqual(found, code, said)
        return said["message"]

    def test_G11_each_fault_of_a_dataset_is_named(self):
        self.assertIn("sha256", self.refused(csv_of(), sha256="0" * 64))
        self.assertIn("two classes", self.refused(csv_of(classes=("one",))))
        self.assertIn("line 4, column 'b'", self.refused("a,b,label\n1,2,x\n1,2,y\n1,nan,x\n"))
        self.assertIn("at least 20 rows, found 1", self.refused("a,b,label\n1,2,x\n"))
        self.assertIn("column 'label'", self.refused("a,b\n1,2\n"))
        self.assertIn("3 columns, found 2", self.refused("a,b,label\n1,2\n"))
        self.assertIn("target 'label'", self.refused("a,b,label\n1,2,\n"))
        self.assertIn("found none", self.refused(csv_of(), path="other.csv"))
        self.assertIn("UTF-8", self.refused("x").replace("column", "UTF-8 column"))

    def test_G11_an_url_is_not_followed_and_what_passes_is_tried_again(self):
        answers = {"/302": 302, "/404": 404, "/500": 500, "/429": 429}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(answers[self.path])
                self.send_header("Location", "http://127.0.0.1:1/")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        for path, code in answers.items():
            with self.assertRaises(contract.Refusal) as raised:
                data.fetch(f"http://127.0.0.1:{server.server_address[1]}{path}")
            passing = code in (500, 429)
            self.assertEqual(raised.exception.code,
                             contract.TEMPORARY if passing else contract.DATASET, path)
        with self.assertRaises(contract.Refusal) as raised:
            data.fetch("http://127.0.0.1:1/")
        self.assertEqual(raised.exception.code, contract.TEMPORARY)


class BadModels(InAFolder):
    def test_G14_a_model_that_is_broken_is_refused_and_the_others_are_judged(self):
        pod = Pod(self.root, trials=[{"rounds": 5}, {"rounds": 6}])
        self.must(pod, "prepare")
        for unit in ("trial-0", "trial-1"):
            self.must(pod, unit)
        run = self.root / "volume/r-1"
        (run / "trial-1/model/model.ubj").write_bytes(b"nonsense")
        self.assertEqual(self.must(pod, "evaluate")["trial"], 0)
        about = json.loads((run / "trial-0/model/model.json").read_text())
        about["classes"] = ["a", "b", "c"]
        (run / "trial-0/model/model.json").write_text(json.dumps(about))
        code, said = pod.run("evaluate")
        self.assertEqual(code, contract.MODEL, said)
        self.assertIn("3 classes", said["message"])

    def test_G15_what_a_trial_says_of_itself_counts_for_nothing(self):
        pod = Pod(self.root, trials=[{"rounds": 1, "maxDepth": 1}, {"rounds": 40}])
        self.must(pod, "prepare")
        for unit in ("trial-0", "trial-1"):
            self.must(pod, unit)
        path = self.root / "volume/r-1/trial-0/result.json"
        lie = json.loads(path.read_text())
        lie["metrics"]["accuracy"] = 1.0
        path.write_text(json.dumps(lie))
        self.assertEqual(self.must(pod, "evaluate")["trial"], 1)

    def test_G18_a_number_that_another_run_has_taken_is_not_overwritten(self):
        pod = Pod(self.root)
        for unit in ("prepare", "trial-0", "evaluate"):
            self.must(pod, unit)
        self.must(pod, "publish", OARLOCK_VERSION="1")
        pod.config["runID"] = "r-2"
        (self.root / "volume/r-1").rename(self.root / "volume/keep")
        (self.root / "volume/keep").rename(self.root / "volume/r-1")
        code, said = pod.run("publish", OARLOCK_VERSION="1")
        self.assertEqual(code, contract.MODEL, said)
        self.assertIn("r-1", said["message"])


class Contract(unittest.TestCase):
    def test_a_program_that_fails_says_the_end_of_its_log(self):
        with tempfile.TemporaryDirectory() as folder:
            pod = Pod(folder, algorithm="xgboost", trials=[{"rounds": "many"}])
            self.assertEqual(pod.run("prepare")[0], 0)
            code, said = pod.run("trial-0")
            self.assertEqual(code, 1, said)
            self.assertIn("ValueError", said["message"])
            self.assertIn("Traceback", said["log"])
            log = pathlib.Path(folder, "volume/r-1/trial-0/log-1.txt").read_text()
            self.assertIn("Traceback", log, "whole on the volume")

    def test_G27_a_volume_that_is_full_or_read_only_is_said_and_passes_perhaps(self):
        full = "the volume is full"
        for error, says in ((errno.ENOSPC, full), (errno.EDQUOT, full),
                            (errno.EROFS, "Read-only file system")):
            with tempfile.TemporaryDirectory() as folder:
                work = contract.Work({"OARLOCK_LAST_WORD": folder + "/word"})
                with mock.patch("oarlock_trainer.__main__.do",
                                side_effect=OSError(error, os.strerror(error))):
                    self.assertEqual(program.main(["prepare"], work), contract.TEMPORARY)
                said = json.loads(pathlib.Path(folder, "word").read_text())
                self.assertIn(says, said["message"])

    def test_G30_the_log_gives_way_to_the_message(self):
        with tempfile.TemporaryDirectory() as folder:
            work = contract.Work({"OARLOCK_LAST_WORD": folder + "/word"})
            contract.say_last_word(work, False, "\u00e4" * 500, log="\u20ac\n" * 3000 + "the end")
            text = pathlib.Path(folder, "word").read_text()
            self.assertLessEqual(len(text), 4096)
            said = json.loads(text)
            self.assertEqual(said["message"], "\u00e4" * 500)
            self.assertTrue(said["log"].endswith("the end"), said)

    def test_G30_the_last_word_fits(self):
        with tempfile.TemporaryDirectory() as folder:
            work = contract.Work({"OARLOCK_LAST_WORD": folder + "/word"})
            contract.say_last_word(work, True, "m" * 9000,
                                   {"digest": "d", "noise": "n" * 9000, "metrics": {"accuracy": 1}})
            text = pathlib.Path(folder, "word").read_text()
            self.assertLessEqual(len(text), 4096)
            self.assertEqual(json.loads(text)["result"],
                             {"digest": "d", "metrics": {"accuracy": 1}})


class Progress(unittest.TestCase):
    def listener(self, answers):
        """A daemon that answers with these (status, Retry-After), then with 204: its address, and
        what it was told."""
        told, queue = [], list(answers)

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                told.append((json.loads(body), self.headers["Authorization"]))
                status, after = queue.pop(0) if queue else (204, None)
                self.send_response(status)
                if after is not None:
                    self.send_header("Retry-After", after)
                self.end_headers()

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return f"http://127.0.0.1:{server.server_address[1]}/v1/x", told

    def reporter(self, url, **pace):
        from oarlock_trainer.progress import Progress

        work = contract.Work({"OARLOCK_UNIT": "trial-3", "OARLOCK_ATTEMPT": "2"})
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        token = pathlib.Path(folder.name, "token")
        token.write_text("a.b.c\n")
        told = Progress(work, 10, {"OARLOCK_INBOUND_URL": url,
                                   "OARLOCK_INBOUND_TOKEN": str(token)}, **pace)
        self.addCleanup(told.end)
        return told

    def await_true(self, what, message):
        deadline = time.monotonic() + 60
        while not what():
            self.assertLess(time.monotonic(), deadline, message)
            time.sleep(0.01)

    def test_G9_a_daemon_that_is_not_there_does_not_disturb(self):
        told = self.reporter("https://127.0.0.1:1/v1/x")
        began = time.monotonic()
        for step in range(1000):
            told.step(step, {"loss": float("nan")})
        told.end()
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(told.sent, 0)

    def test_a_report_says_who_how_far_and_no_nonsense(self):
        url, told = self.listener([])
        progress = self.reporter(url, between=0.01)
        progress.step(4, {"loss": 0.5, "nan": float("nan"), "inf": float("inf")})
        self.await_true(lambda: progress.sent > 0, told)
        body, bearer = told[0]
        self.assertEqual(bearer, "Bearer a.b.c")
        self.assertEqual(body, {"unit": "trial-3", "attempt": 2, "seq": 1, "step": 4, "total": 10,
                                "metrics": {"loss": 0.5}})

    def test_it_says_that_it_lives_where_no_step_is_made(self):
        url, told = self.listener([])
        progress = self.reporter(url, between=0.01, heartbeat=0.05)
        progress.step(4)
        self.await_true(lambda: len(told) > 3, told)
        self.assertEqual({body["step"] for body, _ in told}, {4})
        numbers = [body["seq"] for body, _ in told]
        self.assertEqual(numbers, sorted(set(numbers)))

    def test_G9_what_is_not_taken_is_told_again_as_it_is_by_then(self):
        url, told = self.listener([(503, "0"), (429, "x"), (500, None)])
        progress = self.reporter(url, between=0.01)
        progress.step(4)
        self.await_true(lambda: len(told) > 0, told)
        progress.step(5)
        self.await_true(lambda: progress.sent > 0 and told[-1][0]["step"] == 5, told)
        self.assertGreater(len(told), 3)


if __name__ == "__main__":
    unittest.main()
