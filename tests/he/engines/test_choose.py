import pytest

from he import kernels
from he.engines import native
from he.engines.choose import choose
from he.engines.cuda import CudaEngine
from he.engines.native import NativeEngine


def test_names_and_engines_are_taken_as_they_are() -> None:
    assert choose("seal").name == "seal"
    assert choose("native").name == "native"
    assert choose("cuda") == CudaEngine()
    engine = NativeEngine(threads=1)
    assert choose(engine) is engine
    with pytest.raises(ValueError, match="engine is 'gpu', expected 'native', 'cuda' or 'seal'"):
        choose("gpu")


@pytest.mark.skipif(not kernels.available(), reason="needs the compiled kernels")
def test_our_own_engine_is_the_default() -> None:
    assert choose(None).name == "native"


def test_without_the_kernels_seal_is_used_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "available", lambda: False)
    with pytest.warns(UserWarning, match="compiled kernels are not installed: he uses TenSEAL's SEAL"):
        assert choose(None).name == "seal"
