"""The interface of every forecaster: states in physical units in, the next states in physical units out."""

from abc import ABC, abstractmethod

from triton_earth.core.errors import UserError
from triton_earth.core.grid import Grid
from triton_earth.core.state import State
from triton_earth.core.time import Duration, describe_duration, same_duration
from triton_earth.core.variables import Role, Variables


class Forecaster(ABC):
    """Advances a state by one application: x(t + Δt), … = M[x(t), x(t − Δt), …; f(t + Δt), …].

    Attributes:
        variables: All it takes or gives: prognostic, diagnostic, forcing and static.
        grid: Where its cells are.
        time_step: Δt between successive states.
        history: Number of states that it starts from.
        block: Number of states that one application gives.
        name: What reports call it.

    Example:
        isinstance(model, triton_earth.Forecaster)
        next_state = model(store.windows(trajectories=[6], starts=[0], length=model.history))
    """

    variables: Variables
    grid: Grid
    time_step: Duration
    history: int
    block: int
    name: str

    @abstractmethod
    def __call__(self, window: State, forcing: State | None = None) -> State:
        """Return the state or states that follow a window.

        Args:
            window: The last `history` states, [batch, history, channel, y, x], newest last.
            forcing: Forcing and static variables at the target times; None for a model without them.

        Returns:
            State [batch, block, channel, y, x] of the prognostic and diagnostic variables at the next `block` times.
        """

    @property
    def prognostic(self) -> Variables:
        """Variables that are predicted and fed back."""
        return self.variables.with_role(Role.PROGNOSTIC)

    @property
    def predicted(self) -> Variables:
        """Variables that are predicted, fed back or not."""
        return self.variables.with_role(Role.PROGNOSTIC, Role.DIAGNOSTIC)

    @property
    def forcing(self) -> Variables:
        """Variables that are given from outside."""
        return self.variables.with_role(Role.FORCING, Role.STATIC)

    def require_fit(
        self, variables: Variables, grid: Grid, time_step: Duration, source: str
    ) -> None:
        """Refuse data that this forecaster was not made for.

        Args:
            variables: Variables of the data.
            grid: Grid of the data.
            time_step: Time step of the data.
            source: Where the data is, for the message.

        Raises:
            UserError: naming both sides, if a variable is missing or has other units, or grid or time step differ.
        """
        missing = [name for name in self.variables.names if name not in variables]
        if missing:
            raise UserError(
                f"{source}: the model '{self.name}' needs variables {missing}, which are not there; found "
                f"{variables.names}. Prepare a store with them, or choose another model."
            )
        for ours, theirs in zip(
            self.variables, variables.select(self.variables.names), strict=True
        ):
            if ours.units != theirs.units:
                raise UserError(
                    f"{source}: '{ours.name}' is in '{theirs.units}', but the model '{self.name}' was trained on "
                    f"'{ours.units}'. Convert the data."
                )
        if grid != self.grid:
            raise UserError(
                f"{source}: the grid is {grid}, but the model '{self.name}' was trained on {self.grid}. "
                "Prepare the data on the model's grid."
            )
        if not same_duration(time_step, self.time_step):
            raise UserError(
                f"{source}: the time step is {describe_duration(time_step)}, but the model '{self.name}' advances by "
                f"{describe_duration(self.time_step)}. Prepare the data with the model's step."
            )
