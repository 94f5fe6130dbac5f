"""Which scales a forecast still has and still gets right: ratio, error and coherence by wavenumber."""

import numpy as np
from jaxtyping import Float64

COHERENT = 0.5
"""Coherence below which forecast and truth are no longer correlated at a wavenumber."""

FACTOR = 2.0
"""Largest factor, up or down, between the spectra of forecast and truth at a scale that counts as resolved."""

NEGLIGIBLE = 1e-10
"""Part of the truth's whole spectrum below which a wavenumber is empty, and not judged."""

Spectrum = Float64[np.ndarray, "*shape wavenumber"]


def spectrum_ratio(forecast: Spectrum, truth: Spectrum) -> Spectrum:
    """Return Z_f(k) / Z_t(k), dimensionless; NaN where the truth has nothing."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(_present(truth), forecast / truth, np.nan)


def spectral_error(forecast: Spectrum, truth: Spectrum, cross: Spectrum) -> Spectrum:
    """Return the error at each wavenumber relative to the truth, dimensionless.

        ε(k) = Z_{f−t}(k) / Z_t(k) = (Z_f + Z_t − 2 X) / Z_t

    0 of a perfect forecast, 1 where the forecast has nothing, 2 where it has the right spectrum in unrelated waves.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.maximum(forecast + truth - 2 * cross, 0.0)
        return np.where(_present(truth), error / truth, np.nan)


def coherence(forecast: Spectrum, truth: Spectrum, cross: Spectrum) -> Spectrum:
    """Return the correlation of forecast and truth at each wavenumber, −1 … 1.

        γ(k) = X / √(Z_f Z_t)

    NaN where either has nothing.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        value = cross / np.sqrt(forecast * truth)
        kept = _present(truth) & _present(forecast)
        return np.where(kept, np.clip(value, -1.0, 1.0), np.nan)


def effective_wavenumber(
    ratio: Spectrum, wavenumbers: Float64[np.ndarray, " wavenumber"]
) -> Float64[np.ndarray, "*shape"]:
    """Return the largest wavenumber up to which the spectrum of the forecast is within a factor 2 of the truth's.

        max { k : ½ ≤ Z_f(k′) / Z_t(k′) ≤ 2 for all 0 < k′ ≤ k },    effective resolution 2π / k

    Args:
        ratio: `spectrum_ratio`; empty (NaN) wavenumbers are passed over.
        wavenumbers: k, ascending from 0, in rad m⁻¹.

    Returns:
        In rad m⁻¹; 0 where the first wavenumber fails already, NaN where the forecast is not finite.
    """
    there = ~np.isnan(ratio) & (wavenumbers > 0)
    with np.errstate(invalid="ignore"):
        fails = there & ((ratio < 1 / FACTOR) | (ratio > FACTOR))
    count = len(wavenumbers)
    first = np.where(fails.any(axis=-1), fails.argmax(axis=-1), count)
    kept = there & (np.arange(count) < first[..., None])
    last = count - 1 - kept[..., ::-1].argmax(axis=-1)
    largest = np.where(kept.any(axis=-1), wavenumbers[last], 0.0)
    return np.where(there.any(axis=-1), largest, np.nan)


def decorrelation_wavenumber(
    coherent: Spectrum, wavenumbers: Float64[np.ndarray, " wavenumber"]
) -> Float64[np.ndarray, "*shape"]:
    """Return the smallest wavenumber at which forecast and truth are decorrelated.

        min { k > 0 : γ(k) < ½ },    decorrelation scale 2π / k

    Args:
        coherent: `coherence`; empty (NaN) wavenumbers are passed over.
        wavenumbers: k, ascending from 0, in rad m⁻¹.

    Returns:
        In rad m⁻¹; +∞ where all are still correlated, NaN where none can be judged.
    """
    judged = np.asarray(wavenumbers > 0) & ~np.isnan(coherent)
    with np.errstate(invalid="ignore"):
        lost = judged & (coherent < COHERENT)
    smallest = np.where(lost.any(axis=-1), wavenumbers[lost.argmax(axis=-1)], np.inf)
    return np.where(judged.any(axis=-1), smallest, np.nan)


def _present(spectrum: Spectrum) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.asarray(spectrum > NEGLIGIBLE * spectrum.sum(axis=-1, keepdims=True))
