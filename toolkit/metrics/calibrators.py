"""Fit and apply calibrators: maps from confidence to the probability of being right."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from toolkit import arguments
from toolkit.errors import ArgumentError, ToolkitWarning
from toolkit.metrics._arrays.types import Array
from toolkit.metrics._judged import Judged, floats, judged, probabilities

_PARAMETERS = {
    "temperature": ("temperature",),
    "platt": ("slope", "intercept"),
    "isotonic": ("x", "y"),
}
METHODS = tuple(_PARAMETERS)
Parameters: TypeAlias = dict[str, float | tuple[float, ...]]
_HOTTEST = 1000.0  # greatest temperature; the least is its inverse
_HALVINGS = 200  # most steps of the bisection; it ends when no number lies in between


@dataclass(frozen=True)
class Calibrator:
    """A fitted map from confidence to the probability of being right.

    Attributes
    ----------
    method : {"temperature", "platt", "isotonic"}
    parameters : dict
        ``temperature`` (above 1: the confidences were too extreme); or ``slope`` and
        ``intercept``; or ``x`` and ``y``, the points of a line that never falls, as tuples.
    n : int
        Number of answers it was fitted on.
    n_missing : int
        Answers omitted because they lack confidence or correctness.

    Examples
    --------
    >>> calibrator = Calibrator("temperature", {"temperature": 2.0}, n=10, n_missing=0)
    >>> calibrator([0.5, 0.9]).tolist()
    [0.5, 0.75]
    """

    method: str
    parameters: Parameters
    n: int
    n_missing: int

    def __post_init__(self) -> None:
        arguments.one_of("method", self.method, METHODS)
        object.__setattr__(self, "parameters", _parameters(self.method, self.parameters))
        for name in ("n", "n_missing"):
            object.__setattr__(self, name, arguments.whole(name, getattr(self, name), 0))

    def transform(self, confidence: npt.ArrayLike) -> Array | pd.Series:
        """Return the calibrated confidences, in [0, 1].

        Parameters
        ----------
        confidence : array_like of shape (n,)
            On the scale of the fit: in [0, 1] for temperature, else any scores. Null stays null.

        Returns
        -------
        ndarray of float64, or Series
            A Series with the same index and name if `confidence` is a Series.

        Raises
        ------
        ArgumentError
            If the values are not numbers, or outside [0, 1] for temperature.

        Examples
        --------
        >>> Calibrator("platt", {"slope": 1.0, "intercept": 0.0}, 9, 0).transform([0.0]).tolist()
        [0.5]
        """
        if self.method == "temperature":
            temperature = self.parameters["temperature"]
            values = _sigmoid(_log_odds(probabilities(confidence)) / temperature)
        elif self.method == "platt":
            slope, intercept = self.parameters["slope"], self.parameters["intercept"]
            values = _sigmoid(floats("confidence", confidence) * slope + intercept)
        else:
            # Beyond its ends the line stays level: it is not extrapolated.
            x, y = self.parameters["x"], self.parameters["y"]
            values = np.interp(floats("confidence", confidence), x, y)
        if isinstance(confidence, pd.Series):
            return pd.Series(values, index=confidence.index, name=confidence.name)
        return values

    def __call__(self, confidence: npt.ArrayLike) -> Array | pd.Series:
        """Return the calibrated confidences; see `transform`."""
        return self.transform(confidence)

    def to_dict(self) -> dict[str, object]:
        """Return the calibrator as a dict that can be saved as JSON.

        Returns
        -------
        dict

        Examples
        --------
        >>> Calibrator("temperature", {"temperature": 2.0}, n=10, n_missing=0).to_dict()
        {'method': 'temperature', 'parameters': {'temperature': 2.0}, 'n': 10, 'n_missing': 0}
        """
        plain = {k: list(v) if isinstance(v, tuple) else v for k, v in self.parameters.items()}
        return {
            "method": self.method,
            "parameters": plain,
            "n": self.n,
            "n_missing": self.n_missing,
        }

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Calibrator:
        """Build a calibrator from the dict that `to_dict` returned.

        Parameters
        ----------
        saved : mapping

        Returns
        -------
        Calibrator

        Raises
        ------
        ArgumentError
            If a key is missing or unknown, or a value is invalid.

        Examples
        --------
        >>> one = Calibrator("temperature", {"temperature": 2.0}, n=10, n_missing=0)
        >>> Calibrator.from_dict(one.to_dict()) == one
        True
        """
        names = list(cls.__dataclass_fields__)
        arguments.instance("saved", saved, Mapping, "the mapping that to_dict returns")
        if set(saved) != set(names):
            raise arguments.invalid("saved", dict(saved), f"a mapping of {names}")
        return cls(**saved)


def fit_calibrator(
    confidence: npt.ArrayLike, correct: npt.ArrayLike, *, method: str = "temperature"
) -> Calibrator:
    """Fit a calibrator: a map from confidence to the probability of being right.

    Evaluate it on other answers than those it was fitted on, because on these it always looks good,
    isotonic most of all.

    Parameters
    ----------
    confidence : array_like of shape (n,)
        Probabilities in [0, 1] for temperature; for the other methods any scores that are higher
        for more certain answers. Null for unknown.
    correct : array_like of shape (n,)
        Whether each answer is right: True/False or 1/0; null for unknown. Answers that lack
        either value are omitted and counted.
    method : {"temperature", "platt", "isotonic"}
        ``temperature``: one parameter that divides the log-odds; it keeps 0.5 and every order; for
        few answers. ``platt``: two parameters, a logistic curve of the score; for few answers and
        any score. ``isotonic``: a line of any shape that never falls; for about a thousand answers
        or more, and it makes ties. The last two need the extra ``stats`` (scikit-learn).

    Returns
    -------
    Calibrator
        Call it, or its ``transform``, with confidences; ``parameters`` are readable, ``to_dict``
        and ``Calibrator.from_dict`` save and restore it. Its use does not need scikit-learn.

    Raises
    ------
    ArgumentError
        If an argument has a wrong type, shape or range; if no answer remains to fit on (for
        temperature: none with a confidence other than 0, 0.5 and 1); if a score is infinite; if the
        extra is needed and not installed.

    Warns
    -----
    ToolkitWarning
        If the temperature reaches its bound (0.001 or 1000), because all answers are on the right
        side of 0.5, or because confidence says nothing about them.

    Notes
    -----
    Temperature scaling (Guo et al. 2017) of the binary log-odds minimises the log loss;
    confidences of 0 and 1 do not change with temperature and do not affect it. Platt (1999) with
    smoothed targets (N₊ + 1)/(N₊ + 2) and 1/(N₋ + 2). Isotonic regression by pool adjacent
    violators (Zadrozny and Elkan 2002).

    Examples
    --------
    >>> calibrator = fit_calibrator([0.9] * 10 + [0.1] * 10, [1] * 8 + [0] * 10 + [1] * 2)
    >>> round(calibrator.parameters["temperature"], 3)
    1.585
    >>> calibrator([0.9, 0.5]).round(3).tolist()
    [0.8, 0.5]
    """
    arguments.one_of("method", method, METHODS)
    group = judged(confidence, correct, as_probability=method == "temperature")
    if not len(group.confidence):
        raise ArgumentError("confidence: no answer has both a confidence and a correctness")
    if np.isinf(group.confidence).any():
        raise ArgumentError("confidence has infinite values: expected finite ones")
    return Calibrator(method, _FITS[method](group), len(group.confidence), group.n_missing)


def _parameters(method: str, given: object) -> Parameters:
    """Return checked parameters, numbers as floats and lists as tuples."""
    names = _PARAMETERS[method]
    if not isinstance(given, Mapping) or set(given) != set(names):
        raise arguments.invalid("parameters", given, f"a mapping of {list(names)} for {method}")
    if method == "temperature":
        return {"temperature": arguments.positive("temperature", given["temperature"])}
    if method == "platt":
        return {name: arguments.finite(name, given[name]) for name in names}
    x, y = (floats(f"parameters: {name}", given[name]) for name in names)
    fits = len(x) == len(y) > 0 and np.isfinite(x).all() and (np.diff(x) > 0).all()
    if not fits or not ((y >= 0) & (y <= 1)).all() or (np.diff(y) < 0).any():
        expected = "x that increases and y, as long, that never falls, between 0 and 1"
        raise arguments.invalid("parameters", given, expected)
    return {"x": tuple(x.tolist()), "y": tuple(y.tolist())}


def _fit_temperature(group: Judged) -> Parameters:
    """Find by bisection where the slope of the log loss along log temperature changes sign."""
    log_odds, right = _log_odds(group.confidence), group.correct
    informative = np.isfinite(log_odds) & (log_odds != 0)
    # Sorted, so that the order of the answers does not change how the sums are rounded.
    order = np.lexsort((right[informative], log_odds[informative]))
    log_odds, right = log_odds[informative][order], right[informative][order]
    if not len(log_odds):
        raise ArgumentError("confidence: only 0, 0.5 and 1, which no temperature changes")
    low, high = -math.log(_HOTTEST), math.log(_HOTTEST)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        # Above 0: less extreme confidences would fit better.
        slope = float(((_sigmoid(log_odds * math.exp(-middle)) - right) * log_odds).sum())
        low, high = (middle, high) if slope > 0 else (low, middle)
    temperature = math.exp((low + high) / 2)
    if not 1.001 / _HOTTEST < temperature < _HOTTEST / 1.001:
        warnings.warn(
            f"the temperature reached its bound, {temperature:.4g}: "
            + (
                "confidence says nothing about these answers"
                if temperature > 1
                else "all answers are on the right side of 0.5, so any lower one fits them better"
            ),
            ToolkitWarning,
            stacklevel=3,
        )
    return {"temperature": temperature}


def _fit_platt(group: Judged) -> Parameters:
    linear_model = _scikit_learn("linear_model")
    n_right = float(group.correct.sum())
    n_wrong = len(group.correct) - n_right
    target = np.where(group.correct > 0, (n_right + 1) / (n_right + 2), 1 / (n_wrong + 2))
    # A target between 0 and 1 is one weighted answer of each kind. The solver's tolerance assumes
    # scores of unit scale.
    centre, scale = group.confidence.mean(), group.confidence.std() or 1.0
    scores = np.tile((group.confidence - centre) / scale, 2)[:, None]
    kinds = np.repeat([1, 0], len(target))
    model = linear_model.LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
    model.fit(scores, kinds, sample_weight=np.concatenate([target, 1 - target]))
    slope = float(model.coef_[0, 0]) / scale
    return {"slope": slope, "intercept": float(model.intercept_[0]) - slope * centre}


def _fit_isotonic(group: Judged) -> Parameters:
    model = _scikit_learn("isotonic").IsotonicRegression(y_min=0.0, y_max=1.0)
    model.fit(group.confidence, group.correct)
    return {"x": tuple(model.X_thresholds_.tolist()), "y": tuple(model.y_thresholds_.tolist())}


def _scikit_learn(module: str) -> ModuleType:
    try:
        from sklearn import isotonic, linear_model
    except ImportError as error:
        raise ArgumentError(
            "method: platt and isotonic need scikit-learn, and temperature does not: "
            "pip install 'logprob-toolkit[stats]'"
        ) from error
    return {"isotonic": isotonic, "linear_model": linear_model}[module]


_FITS: dict[str, Callable[[Judged], Parameters]] = {
    "temperature": _fit_temperature,
    "platt": _fit_platt,
    "isotonic": _fit_isotonic,
}


def _log_odds(probability: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.log(probability) - np.log1p(-probability)


def _sigmoid(log_odds: Array) -> Array:
    # The argument of exp is never above 0, so it cannot overflow.
    small = np.exp(-np.abs(log_odds))
    return np.where(log_odds < 0, small, 1.0) / (1.0 + small)
