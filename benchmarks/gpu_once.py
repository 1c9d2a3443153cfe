"""Every CUDA kernel on odd sizes, for compute-sanitizer to watch. Seeded, offline; run by ``gpu.sh``."""

from __future__ import annotations

from typing import Any

from gpu_cases import book_of_every_kind, grid, weights_of

from shockgrid.backends._cupy import CupyBackend


class Unpooled:
    """Every array is an allocation of its own, so that a step beyond its end is seen."""

    def __init__(self, cupy: Any) -> None:
        self._cuda = cupy.cuda

    def malloc(self, size: int) -> Any:
        return self._cuda.MemoryPointer(self._cuda.Memory(size), 0)

    def free_all_blocks(self) -> None:
        """Nothing is kept."""

    def free_bytes(self) -> int:
        return 0


def main() -> None:
    cuda = CupyBackend(tile_elements=5000)
    mixed = CupyBackend(tile_elements=5000, precision="mixed")
    cuda._device.pool = Unpooled(cuda.xp)  # of both, which share the device
    series, states = book_of_every_kind(1), grid(7, 5)
    sections, weights = [(series, states)], weights_of(33, len(series), 1)
    results = [
        cuda.price(series, states),
        cuda.risk_arrays(sections, weights),
        *cuda.lowest(sections, weights),
        *mixed.lowest(sections, weights),
    ]
    print([cuda.get(result).shape for result in results], cuda.notes)


if __name__ == "__main__":
    main()
