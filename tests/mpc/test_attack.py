"""Party 0 of plain CrypTen recovers the other's input from what is opened; the same program fails here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

# Plain CrypTen looks for a module of torch under the name it had before torch 2.9; nothing else is changed.
PLAIN = """
import importlib, sys
try:
    import torch.onnx._internal.registration
except ModuleNotFoundError:
    moved = importlib.import_module("torch.onnx._internal.torchscript_exporter.registration")
    sys.modules["torch.onnx._internal.registration"] = moved
"""
SAFE = """
import mpc
mpc.install(timeout_s=60)
"""
# Party 0 keeps all it draws, all it is dealt and all that is opened, and adds them up in pairs.
ATTACK = """
import sys
import torch, crypten
import warnings

known, opened = [], []

def watch(name, place, keep):
    original = getattr(place, name)
    def wrapper(*args, **kwargs):
        result = original(*args, **kwargs)
        keep(result)
        return result
    setattr(place, name, staticmethod(wrapper) if isinstance(place, type) else wrapper)

def listen():
    for module in [module for name, module in sys.modules.items() if name.startswith("crypten.")]:
        if hasattr(module, "generate_random_ring_element"):
            watch("generate_random_ring_element", module, known.append)
    shared = crypten.mpc.primitives.ArithmeticSharedTensor
    watch("reveal_batch", shared, lambda values: opened.extend(value.clone() for value in values))
    if "mpc.products" in sys.modules:
        keep = lambda values: opened.extend(value.clone() for value in values)
        watch("_open", sys.modules["mpc.products"], keep)
    provider = crypten.mpc.get_default_provider()
    deal = provider.generate_additive_triple
    def dealt(*args, **kwargs):
        parts = deal(*args, **kwargs)
        known.extend(part._tensor.clone() for part in parts)
        return parts
    type(provider).generate_additive_triple = staticmethod(dealt)

@crypten.mpc.run_multiprocess(world_size=2)
def program():
    rank = crypten.communicator.get().get_rank()
    secret = torch.arange(1000.0) - 500
    if rank == 0:
        listen()
    x = crypten.cryptensor(secret if rank == 1 else torch.zeros(1000), src=1)
    product = (x * x).get_plain_text()
    assert (product == secret.square()).all()
    guesses = [a + b for a in opened for b in known if a.shape == b.shape]
    return len(guesses), max([int((guess == secret.long() * 2**16).sum()) for guess in guesses], default=0)

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    (tried, found), _ = program()
    print(tried, found)
"""


def attack(folder: Path, beginning: str) -> tuple[int, int]:
    """How many guesses party 0 could make, and how many of the 1000 entries the best one has right."""
    path = folder / "attack.py"
    path.write_text(beginning + ATTACK)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, str(path)], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    tried, found = done.stdout.split()
    return int(tried), int(found)


def test_plain_crypten_gives_the_secret_to_party_0(tmp_path: Path) -> None:
    tried, found = attack(tmp_path, PLAIN)
    assert tried >= 2
    assert found == 1000


def test_here_party_0_learns_nothing_from_it(tmp_path: Path) -> None:
    """A guess is right by chance with probability 2^-64."""
    tried, found = attack(tmp_path, SAFE)
    assert tried >= 2
    assert found == 0
