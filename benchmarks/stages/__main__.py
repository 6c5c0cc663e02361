"""All stages in the suite's order, each a process of its own, on MNIST's test images."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.machine import ROOT
from benchmarks.report.numbers import size as bytes_told
from benchmarks.stages.instance import SIZES, Instance

IMAGES = ROOT.parent / "shared" / "data" / "mnist.npz"
STAGES = (
    "build", "client_key_generation", "server_preprocess_model", "client_preprocess_input",
    "client_encode_encrypt_input", "server_encrypted_compute", "client_decrypt_decode", "client_postprocess",
)  # fmt: skip
SENT = ("public_keys/evaluation_keys", "ciphertexts_upload/request", "ciphertexts_download/response")


def write_images(instance: Instance) -> list[int]:
    """Write the first test images as the suite does; their labels."""
    if not IMAGES.exists():
        raise ValueError(f"{IMAGES} is not there: MNIST is needed")
    data = np.load(IMAGES)
    pixels = data["x_test"][: instance.images].reshape(instance.images, -1) / 255
    instance.pixels.parent.mkdir(parents=True, exist_ok=True)
    instance.pixels.write_text("".join(" ".join(f"{p:.6f}" for p in row) + "\n" for row in pixels))
    return [int(label) for label in data["y_test"][: instance.images]]


def run(instance: Instance) -> float:
    """Run all stages; the share of right classes. ValueError names the stage that failed."""
    labels = write_images(instance)
    for name in STAGES:
        started = time.perf_counter()
        command = [sys.executable, "-m", f"benchmarks.stages.{name}", str(list(SIZES).index(instance.name))]
        if subprocess.run(command, cwd=instance.root).returncode:
            raise ValueError(f"the stage {name} failed")
        print(f"{name:28s} {time.perf_counter() - started:8.2f} s", flush=True)
    for name in SENT:
        print(f"{name:28s} {bytes_told((instance.io / name).stat().st_size):>10s}")
    got = [int(line) for line in (instance.io / "result.txt").read_text().split()]
    return float(np.mean([a == b for a, b in zip(got, labels, strict=True)]))


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stages", description=__doc__)
    parser.add_argument("size", type=int, choices=range(len(SIZES)), help=", ".join(SIZES))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:  # its end also ends the holder of the key
        try:
            right = run(Instance(list(SIZES)[given.size], Path(folder)))
        except ValueError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    print(f"right classes: {100 * right:.2f} %")
    return 0


if __name__ == "__main__":
    sys.exit(main())
