# One command each: every target makes and reuses .venv by itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
CRYPTEN := crypten==0.4.1
CODE := he mpc pqc benchmarks examples tests

.PHONY: gpu-check demo test test-slow check format bench bench-guard notebooks docs coverage sanitize clean

demo: $(INSTALLED)
	$(BIN)/python examples/two_hospitals.py

# As many files side by side as there are cores; those of one file one after the other, since they share set-up.
test: $(INSTALLED)
	$(BIN)/python -m pytest -n auto --dist loadfile

# The exhaustive variants, which `make test` leaves out.
test-slow: $(INSTALLED)
	$(BIN)/python -m pytest -m slow

check: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(INSTALLED)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# All but the trained networks (`--files models`), which take longer than all the others.
QUICK := digits,he,he_keys,kernels,mpc,pqc_channels,pqc_envelopes,pqc_keys,throughput
# Small sizes on the CPU beside TenSEAL's SEAL: results and an HTML page in .benchmarks/.
bench: $(INSTALLED)
	$(BIN)/python -m benchmarks run --size small --device cpu --peers seal --files $(QUICK)

# Fails if a ratio to SEAL is more than a quarter below the stored one.
bench-guard: $(INSTALLED)
	$(BIN)/python -m benchmarks guard

# Each in place, stamped with the digest of its code, which the tests compare.
notebooks: $(INSTALLED)
	$(BIN)/python notebooks/execute.py

# The site, in build/site; fails on a link or a name that is not there.
docs: $(INSTALLED)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

coverage: $(INSTALLED)
	$(BIN)/python -m pytest --cov

# The kernels with the address and undefined-behaviour sanitizers, built aside, on the small rings.
SANITIZED := build/sanitize
sanitize: $(INSTALLED)
	$(BIN)/cmake -S . -B $(SANITIZED) -G Ninja -DCMAKE_MAKE_PROGRAM=$(abspath $(BIN))/ninja \
	  -DPython_EXECUTABLE=$(abspath $(BIN))/python -DLATTICEWORK_SANITIZE=ON
	$(BIN)/cmake --build $(SANITIZED)
	LD_PRELOAD="$$($${CXX:-c++} -print-file-name=libasan.so) $$($${CXX:-c++} -print-file-name=libstdc++.so)" \
	  ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 LATTICEWORK_NATIVE=$(abspath $(SANITIZED)) \
	  $(BIN)/python -m pytest tests/he/kernels tests/mpc/kernels -q -m "not slow" -p no:cacheprovider \
	  -k "not large and not million and not build and not handles and not without"

# Everything that needs an NVIDIA GPU and could not be run without: the bits, the sanitizers, the benchmarks.
# Needs CUDA's compute-sanitizer in PATH; fails at once where there is no GPU.
GPU_SMALL := tests/he/test_cuda_gpu.py -q -p no:cacheprovider -k "(kernels_have and 12) or verbs"
gpu-check: $(INSTALLED)
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[cuda]' --no-build-isolation
	$(BIN)/python -c "from he.kernels.cuda.machines import module; module('cuda')"
	$(BIN)/python -m pytest tests/he/kernels/test_kernels_cuda.py -m "slow or not slow"
	$(BIN)/python -m pytest tests/he/test_cuda_gpu.py -m gpu --timeout 3600
	compute-sanitizer --tool memcheck --error-exitcode 1 $(BIN)/python -m pytest -m gpu --timeout 3600 $(GPU_SMALL)
	compute-sanitizer --tool racecheck --error-exitcode 1 $(BIN)/python -m pytest -m gpu --timeout 3600 $(GPU_SMALL)
	$(BIN)/python -m pytest benchmarks/test_cuda.py --device cuda --size paper --benchmark-enable --benchmark-only \
	  --benchmark-json=gpu-benchmarks.json --timeout 3600

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .benchmarks .coverage*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# CrypTen's metadata names packages that break an installation, hence --no-deps.
$(INSTALLED): pyproject.toml constraints.txt Makefile CMakeLists.txt $(wildcard he/kernels/native/* mpc/kernels/native/*)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt scikit-build-core nanobind cmake ninja
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt --no-build-isolation -e '.[dev]'
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps $(CRYPTEN)
	touch $(INSTALLED)
