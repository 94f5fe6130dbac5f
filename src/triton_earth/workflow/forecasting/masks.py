"""Whether a store has values where a model was trained to have them."""

import numpy as np
from jaxtyping import Bool
from torch import Tensor

from triton_earth.core.errors import UserError
from triton_earth.core.variables import Variables
from triton_earth.data.store.training_store import TrainingStore
from triton_earth.models.forecaster import NetworkForecaster


def require_same_mask(forecaster: NetworkForecaster, store: TrainingStore) -> None:
    """Refuse a store that does not fit a model, or is defined elsewhere than where the model was trained.

    Args:
        forecaster: The model.
        store: Where its initial states, its forcings and its truth are.

    Raises:
        UserError: naming the variable and how many cells differ.
    """
    forecaster.require_fit(store.variables, store.grid, store.time_step, str(store.path))
    _require_mask(forecaster, store, forecaster.predicted, forecaster.valid_mask)
    require_same_forcing_mask(forecaster, store)


def require_same_forcing_mask(forecaster: NetworkForecaster, store: TrainingStore) -> None:
    """Refuse a store whose forcings are defined elsewhere than where those of the training were.

    Args:
        forecaster: The model.
        store: Where its forcings are; all of them are there.

    Raises:
        UserError: naming the variable and how many cells differ.
    """
    _require_mask(forecaster, store, forecaster.forcing, forecaster.forcing_mask)


def _require_mask(
    forecaster: NetworkForecaster,
    store: TrainingStore,
    variables: Variables,
    mask: Bool[Tensor, "channel y x"] | None,
) -> None:
    channels = store.variables.indices(variables.names)
    everywhere = np.ones((len(channels), *store.grid.shape), dtype=bool)
    ours = everywhere if mask is None else mask.cpu().numpy()
    theirs = everywhere if store.valid_mask is None else store.valid_mask[channels]
    for name, one, other in zip(variables.names, ours, theirs, strict=True):
        if not np.array_equal(one, other):
            raise UserError(
                f"{store.path}: '{name}' is defined in {int(other.sum())} cells, but the model '{forecaster.name}' was "
                f"trained where it is in {int(one.sum())}; {int((one != other).sum())} cells differ. Prepare the store "
                "with the model's mask, or train on it."
            )
