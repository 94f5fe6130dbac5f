"""Make the spun-up states of the double gyre that come with the package.

    python scripts/make_double_gyre_states.py

Simulates nineteen years of 360 days from rest (a quarter of an hour on one core) and writes twelve states of the last
nine, 300 days apart, to ``src/triton_earth/data/embedded/double_gyre_states.npz``: the sine amplitudes of the vorticity
up to wave 84 of 127 in each direction, as whole multiples of 10⁻⁹ s⁻¹. Model output; licence that of the package.
"""

import sys
from pathlib import Path

import numpy as np
import torch

from triton_earth.data.simulated import double_gyre
from triton_earth.data.simulated.double_gyre import DAY, LENGTH, STATES_APART, DoubleGyre
from triton_earth.physics.sine_transform import SineTransform

EMBEDDED = Path(__file__).parents[1] / "src" / "triton_earth" / "data" / "embedded"

FIRST_DAY, COUNT = 3600, 12
WAVES = 84
STEP = 1e-9
DISTURBANCE = 100.0
"""m²/s, of the state of rest, without which the flow would stay symmetric."""


def spin_up() -> torch.Tensor:
    """Return ψ [state, layer, y, x] of the states."""
    gyre = DoubleGyre()
    solver = gyre.solver()
    n = gyre.simulation_grid
    psi = torch.zeros(3, n + 1, n + 1)
    noise = torch.randn(1, n - 1, n - 1, generator=torch.Generator().manual_seed(0))
    psi[:, 1:-1, 1:-1] = DISTURBANCE * noise
    last = FIRST_DAY + int(STATES_APART) * (COUNT - 1)
    states = []
    days = range(0, last + 1, 5)
    flow = solver.integrate(psi, [DAY * day for day in days], gyre.time_step)
    for day, psi in zip(days, flow, strict=True):
        if day % 300 == 0:
            energy = float(solver.budget(psi).energy)
            height = psi[0] * (double_gyre.LAYERS.coriolis / double_gyre.LAYERS.gravity)
            sys.stdout.write(
                f"day {day}: energy {energy:.4f} m2/s2, "
                f"sea surface height {float(height.min()):.2f} to {float(height.max()):.2f} m\n"
            )
            if day >= FIRST_DAY:
                states.append(psi)
    return torch.stack(states)


def pack(states: torch.Tensor) -> None:
    """Write the states."""
    n = states.shape[-1] - 1
    inner = states[..., 1:-1, 1:-1].double() - states[..., :1, :1].double()
    amplitudes = SineTransform((n, n), torch.float64).amplitudes(inner)[..., :WAVES, :WAVES]
    squares = (torch.arange(1, WAVES + 1, dtype=torch.float64) * (np.pi / LENGTH)).square()
    vorticity = -amplitudes * (squares[:, None] + squares)
    EMBEDDED.mkdir(exist_ok=True)
    path = EMBEDDED / double_gyre.STATES
    np.savez_compressed(
        path,
        vorticity=np.rint(vorticity.numpy() / STEP).astype(np.int16),
        step=STEP,
        day=np.arange(COUNT) * int(STATES_APART) + FIRST_DAY,
        units="s-1",
        title="Sine amplitudes of the vorticity [state, layer, row, column] of the double gyre",
        source="MODEL OUTPUT, not observations: three-layer quasi-geostrophic double gyre of this package, "
        "2560 km, 128 x 128 cells, spun up from rest; scripts/make_double_gyre_states.py",
        license="Apache-2.0 (this package)",
    )
    sys.stdout.write(f"{path}: {path.stat().st_size / 1e6:.2f} MB\n")


if __name__ == "__main__":
    pack(spin_up())
