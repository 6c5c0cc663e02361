"""Reader for scikit-learn: linear models, perceptrons, polynomial kernels, behind scalers and PCA."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from he.model.builder import Builder
from he.model.graph import INPUT, Graph
from he.model.nonlinear import ActivationKind

LINEAR = (
    *("LogisticRegression", "LinearSVC", "RidgeClassifier", "SGDClassifier"),
    *("LinearRegression", "Ridge", "Lasso", "ElasticNet", "LinearSVR", "SGDRegressor"),
)
KERNEL = ("SVC", "SVR")
PERCEPTRON = ("MLPClassifier", "MLPRegressor")
BEFORE = ("StandardScaler", "MinMaxScaler", "PCA")
ACTIVATIONS: dict[str, ActivationKind] = {"relu": "relu", "tanh": "tanh", "logistic": "sigmoid"}


def recognises(net: object) -> bool:
    """Whether `net` is an estimator or a pipeline of scikit-learn; nothing is imported to find out."""
    return type(net).__module__.partition(".")[0] == "sklearn"


def read(net: Any, samples: ArrayLike | None = None) -> tuple[Graph, NDArray[Any]]:
    """(graph, classes) of a fitted estimator or pipeline.

    The scores of a classifier are those of `decision_function`, of an MLPClassifier those before its softmax
    or logistic function; those of a regressor are `predict`, and its classes 0, 1, ... mean nothing. The
    shapes lie in the estimator: `samples` are not needed. TypeError names a step that cannot be read,
    ValueError one that is not fitted.
    """
    *before, model = _steps(net)
    _expect_known(model, before)
    for step in (*before, model):
        if not hasattr(step, "n_features_in_"):
            raise ValueError(f"{_name(step)} is not fitted, expected it after fit()")
    builder = Builder(((before or [model])[0].n_features_in_,))
    x = INPUT
    for step in before:
        x = _transform(builder, x, step)
    x = _scores(builder, x, model)
    graph = builder.graph(x)
    return graph, np.asarray(getattr(model, "classes_", np.arange(max(2, graph.output_shape[0]))))


def _steps(net: Any) -> list[Any]:
    """The estimators of a pipeline, of those in it too."""
    if _name(net) != "Pipeline":
        return [net]
    return [inner for _, step in net.steps if step not in (None, "passthrough") for inner in _steps(step)]


def _expect_known(model: Any, before: list[Any]) -> None:
    known = (*LINEAR, *PERCEPTRON, *KERNEL)
    if _name(model) not in known:
        raise TypeError(f"{_name(model)} given, expected one of {', '.join(known)}")
    for step in before:
        if _name(step) not in BEFORE:
            raise TypeError(f"{_name(step)} given before the model, expected one of {', '.join(BEFORE)}")
        if getattr(step, "clip", False):
            raise TypeError(
                f"{_name(step)}(clip=True) given, expected clip=False: it has no exact form on ciphertexts"
            )
    if _name(model) in KERNEL and model.kernel not in ("poly", "linear"):
        raise TypeError(f"{_name(model)} with kernel {model.kernel!r} given, expected 'poly' or 'linear'")
    labels = getattr(model, "classes_", None)
    if _name(model) == "SVC" and labels is not None and len(labels) > 2:
        raise TypeError(
            f"SVC of {len(labels)} classes given, expected 2: its pairs of classes vote; take one SVC a class"
        )
    if getattr(model, "out_activation_", None) == "logistic" and model.n_outputs_ > 1:
        raise TypeError(f"{_name(model)} of {model.n_outputs_} labels at once given, expected one")


def _transform(builder: Builder, x: int, step: Any) -> int:
    name = _name(step)
    if name == "MinMaxScaler":
        return builder.scale(name, x, step.scale_, step.min_)
    if name == "PCA":
        roots = np.sqrt(step.explained_variance_) if step.whiten else np.ones(len(step.components_))
        weights = step.components_ / roots[:, None]
        return builder.dense(name, x, weights, -weights @ step.mean_)
    factor = 1 / step.scale_ if step.with_std else np.ones(step.n_features_in_)
    return builder.scale(name, x, factor, -step.mean_ * factor if step.with_mean else 0.0)


def _scores(builder: Builder, x: int, model: Any) -> int:
    name = _name(model)
    if name in PERCEPTRON:
        return _perceptron(builder, x, model)
    if name in KERNEL and model.kernel == "poly":
        vectors = model.support_vectors_ * model._gamma  # scikit-learn keeps gamma's number nowhere else
        x = builder.power(name, builder.dense(name, x, vectors, _all(model.coef0, vectors)), model.degree)
        return builder.dense(name, x, model.dual_coef_, model.intercept_)
    weights = np.atleast_2d(model.coef_)
    return builder.dense(name, x, weights, _all(model.intercept_, weights))


def _perceptron(builder: Builder, x: int, model: Any) -> int:
    """Without the last softmax or logistic function: order and signs of the scores are the classes."""
    last = len(model.coefs_) - 1
    for place, (weights, bias) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        x = builder.dense(f"layer {place} ({_name(model)})", x, weights.T, bias)
        if place < last and model.activation != "identity":
            kind = ACTIVATIONS[model.activation]
            x = builder.activation(f"{kind} {place} ({_name(model)})", x, kind)
    return x


def _all(bias: Any, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.broadcast_to(np.asarray(bias, dtype=np.float64), (len(weights),))


def _name(step: object) -> str:
    return type(step).__name__
