"""Makes a version of a model: staged, described, tried out, and renamed to its number in one go."""

import json
import os
import shutil
import threading
import urllib.request

from .contract import MODEL, Refusal, read_json, sha256_of_file, sync_folder, write_json
from .serve import make_server


def digest_of(folder):
    """Of the manifest, which has the digests of the files."""
    return sha256_of_file(folder / "manifest.json")


def _check(folder):
    """The files are what the manifest says."""
    manifest = read_json(folder / "manifest.json")
    if manifest is None:
        raise Refusal(MODEL, f"expected a manifest in {folder}, found none")
    for name, digest in manifest["files"].items():
        if not (folder / name).is_file() or sha256_of_file(folder / name) != digest:
            raise Refusal(MODEL, f"expected {folder / name} with sha256 {digest}, found another")
    return manifest


def _stage(work, config, staged):
    chosen = read_json(work.evaluation / "evaluation.json")
    if chosen is None:
        raise Refusal(MODEL, "expected the evaluation's result, found none")
    source = work.run / f"trial-{chosen['trial']}" / "model"
    about = read_json(source / "model.json")
    if about is None:
        raise Refusal(MODEL, f"expected the model of trial {chosen['trial']}, found none")
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    for name in ("model.json", about["file"]):
        shutil.copyfile(source / name, staged / name)
    dataset = read_json(work.run / "data" / "dataset.json") or {}
    write_json(staged / "manifest.json", {
        "files": {name: sha256_of_file(staged / name) for name in ("model.json", about["file"])},
        "runID": config["runID"], "pipeline": work.pipeline, "image": config["image"],
        "specHash": config["specHash"], "trial": chosen["trial"], "params": about["params"],
        "metrics": chosen["metrics"], "datasetSHA256": dataset.get("sha256"),
        "split": dataset.get("split"), "versions": about["versions"]})
    for name in staged.iterdir():
        with open(name, "rb") as file:
            os.fsync(file.fileno())
    sync_folder(staged)


def _try_out(folder):
    """A prediction over HTTP, as a client would ask for it."""
    server = make_server(folder, digest_of(folder), 0, "127.0.0.1", 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        example = read_json(folder / "model.json")["example"]
        request = urllib.request.Request(
            f"http://127.0.0.1:{server.server_address[1]}/predict",
            json.dumps({"instances": [example]}).encode(),
            headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            json.load(answer)["predictions"][0]
    except (OSError, ValueError, KeyError, IndexError) as e:
        raise Refusal(MODEL, f"the staged model does not answer a prediction: {e}") from e
    finally:
        server.shutdown()
        server.server_close()


def _drop_old(versions, kept, own):
    for path in versions.iterdir():
        if path.name.isdigit() and int(path.name) < own and int(path.name) not in kept:
            shutil.rmtree(path, ignore_errors=True)


def run(work, config, log):
    versions = work.models / "versions"
    final = versions / str(work.version)
    staged = work.models / f".tmp-{config['runID']}"
    versions.mkdir(parents=True, exist_ok=True)
    if final.exists():
        manifest = _check(final)
        if manifest["runID"] != config["runID"]:
            raise Refusal(MODEL, f"expected version {work.version} to be free, found one of the "
                                 f"run {manifest['runID']}")
        log(f"version {work.version} is there already")
    else:
        _stage(work, config, staged)
        _try_out(staged)
        os.rename(staged, final)
        sync_folder(versions)
        log(f"version {work.version} is in place")
    shutil.rmtree(staged, ignore_errors=True)
    if work.kept:
        _drop_old(versions, work.kept | {work.version}, work.version)
    manifest = _check(final)
    return {"digest": digest_of(final), "version": work.version, "files": len(manifest["files"])}
