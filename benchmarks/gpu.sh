#!/usr/bin/env bash
# The CUDA backend on a machine with a GPU: parity, memory and race checks, prices a second. Offline, seeded, under
# nine minutes. Usage: benchmarks/gpu.sh [--dry-run] [RESULT.json]; PYTHON is the interpreter, python3 unless set.
# With --dry-run the kernels run on the host, in place of a GPU: every step is walked through, no figure is written.
set -euo pipefail
cd "$(dirname "$0")/.."
dry=()
if [ "${1:-}" = --dry-run ]; then dry=(--dry-run) && shift; fi
result=${1:-gpu.json}
python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PYTHONPATH="$PWD/src:$PWD/tests${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
export CUPY_CACHE_DIR="$work/cupy"  # compiled anew, from this tree
step() { printf '\n== %s (%ss)\n' "$1" "$SECONDS"; }

step "what is needed: wheels of numpy, scipy, pandas, pytest and cupy-cuda12x[ctk] or cupy-cuda13x[ctk]"
wanted=(numpy scipy pandas pytest)
if ((!${#dry[@]})); then wanted+=(cupy); fi
"$python" - "${wanted[@]}" <<'PYTHON'
import sys
from importlib.util import find_spec
missing = [name for name in sys.argv[1:] if find_spec(name) is None]
sys.exit(f"not installed: {', '.join(missing)}" if missing else 0)
PYTHON
if ((!${#dry[@]})); then nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv || true; fi

if [ -z "${SHOCKGRID_NATIVE_LIBRARY:-}" ] && command -v g++ >/dev/null && command -v cmake >/dev/null; then
  step "the native library, whose bits are to be met"
  if cmake -S . -B "$work/build" >/dev/null && cmake --build "$work/build" >/dev/null; then
    export SHOCKGRID_NATIVE_LIBRARY="$work/build/_kernels.so"
  else
    echo "not built: NumPy stands in, and values are compared to 1e-12"
  fi
fi

plugin=()
run=("$python")
if ((${#dry[@]})); then
  plugin=(-p host_cupy_installed)
  run=("$python" -c 'import host_cupy_installed, runpy, sys
sys.argv.pop(0)
runpy.run_path(sys.argv[0], run_name="__main__")')
fi

step "parity: a skipped test has failed"
timeout 180 "$python" -m pytest -q -p no:cacheprovider "${plugin[@]}" -m gpu --require-gpu tests/test_gpu.py

for tool in memcheck racecheck; do
  step "compute-sanitizer: $tool"
  if ((${#dry[@]})) || ! command -v compute-sanitizer >/dev/null; then
    echo "not run: compute-sanitizer is not here (it is part of the CUDA toolkit); the kernels run once without it"
    timeout 60 "${run[@]}" benchmarks/gpu_once.py
  else
    timeout 90 compute-sanitizer --tool "$tool" --error-exitcode 9 "${run[@]}" benchmarks/gpu_once.py
  fi
done

step "figures"
timeout 120 "${run[@]}" benchmarks/gpu_figures.py "${dry[@]}" --out "$result"
step "done: $result"
