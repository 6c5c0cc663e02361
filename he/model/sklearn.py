"""Reader for scikit-learn: LogisticRegression, alone or behind a StandardScaler, which is folded into it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from he.model.layers import Dense


def recognises(net: object) -> bool:
    """Whether `net` is an estimator or a pipeline of scikit-learn; nothing is imported to find out."""
    return type(net).__module__.partition(".")[0] == "sklearn"


def read(net: Any) -> tuple[tuple[Dense, ...], NDArray[Any]]:
    """(layers, classes) of a fitted classifier; its scores are those of `decision_function`.

    TypeError names a step that is not known, ValueError says that one is not fitted.
    """
    steps = [step for _, step in net.steps] if _name(net) == "Pipeline" else [net]
    *scalers, model = [step for step in steps if step not in (None, "passthrough")]
    if _name(model) != "LogisticRegression":
        raise TypeError(f"{_name(model)} given, expected LogisticRegression, alone or last in a pipeline")
    _expect_fitted(model, "coef_")
    dense = Dense(model.coef_, model.intercept_)
    for scaler in reversed(scalers):
        dense = _fold(scaler, dense)
    return (dense,), model.classes_


def _fold(scaler: Any, dense: Dense) -> Dense:
    """W ((x - mean) / scale) + b as one layer."""
    if _name(scaler) != "StandardScaler":
        raise TypeError(f"{_name(scaler)} given before the model, expected StandardScaler")
    _expect_fitted(scaler, "n_features_in_")
    weights = dense.weights / scaler.scale_ if scaler.with_std else dense.weights
    mean = scaler.mean_ if scaler.with_mean else np.zeros(weights.shape[1])
    return Dense(weights, dense.bias - weights @ mean)


def _expect_fitted(step: Any, attribute: str) -> None:
    if not hasattr(step, attribute):
        raise ValueError(f"{_name(step)} is not fitted, expected it after fit()")


def _name(step: object) -> str:
    return type(step).__name__
