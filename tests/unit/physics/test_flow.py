"""Flow quantities against closed forms."""

import math

import pytest
import torch

from triton_earth.physics import flow
from triton_earth.physics.spectral import isotropic_wavenumbers

LENGTHS = (2 * math.pi, 4 * math.pi)


@pytest.fixture
def waves():
    """ψ = cos(2y) sin(x/2) on a box twice as long in x: k² = 4 + ¼."""
    y = (torch.arange(18, dtype=torch.float64) * (LENGTHS[0] / 18))[:, None]
    x = (torch.arange(24, dtype=torch.float64) * (LENGTHS[1] / 24))[None, :]
    return {
        "psi": torch.cos(2 * y) * torch.sin(0.5 * x),
        "omega": 4.25 * torch.cos(2 * y) * torch.sin(0.5 * x),
        "u": -2 * torch.sin(2 * y) * torch.sin(0.5 * x),
        "v": -0.5 * torch.cos(2 * y) * torch.cos(0.5 * x),
    }


def test_streamfunction_velocity_and_back(waves):
    torch.testing.assert_close(flow.streamfunction(waves["omega"], LENGTHS), waves["psi"])
    u, v = flow.velocity(waves["omega"], LENGTHS)
    torch.testing.assert_close(u, waves["u"])
    torch.testing.assert_close(v, waves["v"])
    torch.testing.assert_close(flow.vorticity(u, v, LENGTHS), waves["omega"])


def test_a_mean_vorticity_moves_nothing(waves):
    u, v = flow.velocity(waves["omega"] + 3, LENGTHS)
    torch.testing.assert_close(u, waves["u"])
    torch.testing.assert_close(v, waves["v"])


def test_mean_squares(waves):
    omega = waves["omega"]
    speed = waves["u"].square() + waves["v"].square()
    torch.testing.assert_close(flow.kinetic_energy(omega, LENGTHS), 0.5 * speed.mean())
    torch.testing.assert_close(flow.enstrophy(omega), 0.5 * omega.square().mean())
    torch.testing.assert_close(flow.palinstrophy(omega, LENGTHS), 4.25 * flow.enstrophy(omega))


def test_spectra_put_a_wave_in_its_shell(waves):
    shell = round(math.sqrt(4.25) / 0.5)
    k = isotropic_wavenumbers((18, 24), LENGTHS)
    assert k[shell].item() == pytest.approx(0.5 * shell)
    for spectrum, total in [
        (
            flow.energy_spectrum(waves["omega"], LENGTHS),
            flow.kinetic_energy(waves["omega"], LENGTHS),
        ),
        (flow.enstrophy_spectrum(waves["omega"], LENGTHS), flow.enstrophy(waves["omega"])),
    ]:
        torch.testing.assert_close(spectrum[shell], total)
        assert spectrum.sum() - spectrum[shell] < 1e-12


def test_batches_are_what_the_members_are():
    fields = torch.randn(2, 3, 16, 15, dtype=torch.float64)
    together = flow.energy_spectrum(fields, LENGTHS)
    for i in range(2):
        for j in range(3):
            torch.testing.assert_close(together[i, j], flow.energy_spectrum(fields[i, j], LENGTHS))


def test_energy_of_velocity_and_of_vorticity_agree():
    fields = torch.randn(4, 17, 15, dtype=torch.float64)
    u, v = flow.velocity(fields, LENGTHS)
    energy = 0.5 * (u.square() + v.square()).mean((-2, -1))
    torch.testing.assert_close(flow.kinetic_energy(fields, LENGTHS), energy)
