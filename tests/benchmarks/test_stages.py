"""The stages of the public harness: all of them on one image, and each without its input."""

import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import he
from benchmarks.stages import (
    client_decrypt_decode,
    client_encode_encrypt_input,
    client_key_generation,
    client_postprocess,
    client_preprocess_input,
    keyholder,
    server_encrypted_compute,
    server_preprocess_model,
)
from benchmarks.stages.__main__ import IMAGES, run
from benchmarks.stages.instance import Instance, stage


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    """A single image of known pixels."""
    made = Instance("single", tmp_path)
    made.pixels.parent.mkdir(parents=True)
    made.pixels.write_text(" ".join(f"{i / 784:.6f}" for i in range(784)) + "\n")
    return made


def ended(folder: Path) -> None:
    """End the holder of the key, which looks for its socket every two seconds."""
    (folder / "keyholder").unlink()


def test_all_stages_on_a_small_network(instance: Instance) -> None:
    """A dense layer in place of the tutorial network: what it says is what it says in the clear."""
    weights = np.random.default_rng(0).normal(size=(10, 784)) / 28
    model = he.compile([he.Dense(weights, np.zeros(10))])
    instance.built.mkdir(parents=True)
    (instance.built / "plan").write_bytes(model.plan.to_bytes())
    model.save(instance.built / "model")
    client_key_generation.main(instance)
    try:
        holder = instance.io / "client"
        assert stat.S_IMODE(holder.stat().st_mode) == 0o700
        assert [path.name for path in holder.iterdir()] == ["keyholder"]
        with pytest.raises(ValueError, match="another holder of keys"):
            client_key_generation.main(instance)
        server_preprocess_model.main(instance)
        client_preprocess_input.main(instance)
        client_encode_encrypt_input.main(instance)
        server_encrypted_compute.main(instance)
        client_decrypt_decode.main(instance)
        client_postprocess.main(instance)
        x = np.load(instance.file("intermediate", "input.npy"))
        expected = int((x @ weights.T).argmax())
        assert instance.file("result.txt").read_text() == f"{expected}\n"
        with pytest.raises(ValueError, match="bytes"):
            keyholder.ask(holder, "decrypt", b"nonsense")
    finally:
        ended(instance.io / "client")


@pytest.mark.parametrize(
    ("main", "message"),
    [
        (client_key_generation.main, r"plan cannot be read: No such file.*did the stage before run\?"),
        (server_encrypted_compute.main, "model"),
        (client_decrypt_decode.main, "response cannot be read"),
    ],
)
def test_a_stage_without_its_input(tmp_path: Path, main: Callable[[Instance], None], message: str) -> None:
    with pytest.raises((ValueError, OSError), match=message):
        main(Instance("single", tmp_path))


def test_nobody_holds_a_key(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="run client_key_generation first"):
        keyholder.ask(tmp_path, "encrypt", np.zeros(3))


def test_pixels_of_another_shape(instance: Instance) -> None:
    instance.pixels.write_text("0.1 0.2\n")
    with pytest.raises(ValueError, match=r"lines of \[2\] numbers, expected 784"):
        client_preprocess_input.main(instance)


@pytest.mark.parametrize("arguments", [["4"], ["x"], []])
def test_unknown_sizes(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        stage(client_postprocess.main, arguments)
    assert stopped.value.code == 2
    assert "size" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(not IMAGES.exists(), reason="needs ../shared: weights and MNIST")
def test_one_image_of_mnist(tmp_path: Path) -> None:
    """As programs; the first test image is a clear seven."""
    instance = Instance("single", tmp_path)
    try:
        assert run(instance) == 1.0
    finally:
        ended(instance.io / "client")
