"""Learn from judged answers how to turn confidence into a probability of being right."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

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
_HOTTEST = 1000.0
_HALVINGS = 200


@dataclass(frozen=True)
class Calibrator:
    """A fitted map from confidence to the probability of being right.

    Attributes
    ----------
    method : {"temperature", "platt", "isotonic"}
    parameters : dict
        ``temperature`` (above 1: the confidences were too extreme); or ``slope`` and
        ``intercept``; or ``x`` and ``y``, the corners of a line that never falls, as tuples.
    n : int
        Answers it was fitted on.
    n_missing : int
        Answers left out because they lack confidence or correctness.

    Examples
    --------
    >>> calibrator = Calibrator("temperature", {"temperature": 2.0}, n=10, n_missing=0)
    >>> calibrator([0.5, 0.9]).tolist()
    [0.5, 0.75]
    """

    method: str
    parameters: dict[str, float | tuple[float, ...]]
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
            As it was fitted on: in [0, 1] for temperature, else any scores; null stays null.

        Returns
        -------
        ndarray of float64, or Series
            A Series, with its index and name, for a Series.

        Raises
        ------
        ArgumentError
            If these are no numbers, or outside [0, 1] for temperature.

        Examples
        --------
        >>> Calibrator("platt", {"slope": 1.0, "intercept": 0.0}, 9, 0).transform([0.0]).tolist()
        [0.5]
        """
        if self.method == "temperature":
            values = _tempered(probabilities(confidence), self.parameters["temperature"])
        else:
            values = floats("confidence", confidence)
            if self.method == "platt":
                values = _sigmoid(_line(values, **self.parameters))
            else:
                # Not extrapolated: beyond the ends it stays where it is there.
                values = np.interp(values, self.parameters["x"], self.parameters["y"])
        if isinstance(confidence, pd.Series):
            return pd.Series(values, index=confidence.index, name=confidence.name)
        return values

    def __call__(self, confidence: npt.ArrayLike) -> Array | pd.Series:
        """Return `transform` of it."""
        return self.transform(confidence)

    def to_dict(self) -> dict[str, object]:
        """Return it as a dict that JSON can hold.

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
    def from_dict(cls, saved: Mapping[str, object]) -> Calibrator:
        """Build it from what `to_dict` returned.

        Parameters
        ----------
        saved : mapping

        Returns
        -------
        Calibrator

        Raises
        ------
        ArgumentError
            If keys are missing or others stand there, or a value is none that it can have.

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
    """Fit a map from confidence to the probability of being right.

    Judge it on other answers than those it was fitted on: on its own it always looks good,
    isotonic most of all.

    Parameters
    ----------
    confidence : array_like of shape (n,)
        Probabilities in [0, 1] for temperature; for the others any scores that are higher for
        more certain. Null for unknown.
    correct : array_like of shape (n,)
        Whether each answer is right: True/False or 1/0; null for unknown. Answers that lack
        either are left out and counted.
    method : {"temperature", "platt", "isotonic"}
        ``temperature``: one parameter, divides the log-odds; keeps 0.5 where it is and every
        order; for few answers. ``platt``: two parameters, a logistic curve on the score; for few
        answers and any score. ``isotonic``: a line that never falls, any shape; for about a
        thousand answers or more, and it makes ties. The last two need the extra ``stats``
        (scikit-learn).

    Returns
    -------
    Calibrator
        Call it, or its ``transform``, with confidences; ``parameters`` are readable, ``to_dict``
        and ``Calibrator.from_dict`` keep it as JSON. Using it needs no scikit-learn.

    Raises
    ------
    ArgumentError
        If an argument is of another type, shape or range; if no answer is left to fit on (for
        temperature: none of a confidence other than 0, 0.5 and 1; for the others: infinite
        scores); if the extra is needed and not installed.

    Warns
    -----
    ToolkitWarning
        If the temperature ends at its bound (0.001 or 1000): the answers are all on the right
        side of 0.5, or confidence says nothing about them.

    Notes
    -----
    Temperature scaling (Guo et al. 2017) of the binary log-odds minimises the log loss;
    confidences of 0 and 1 stay so at every temperature and do not bear on it. Platt (1999) with
    his smoothed targets (N₊ + 1)/(N₊ + 2) and 1/(N₋ + 2). Isotonic regression by pool adjacent
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
    group = judged(confidence, correct, scores=method != "temperature")
    if not len(group.confidence):
        raise ArgumentError("confidence: no answer has both a confidence and a correctness")
    if np.isinf(group.confidence).any():
        raise ArgumentError("confidence must be finite to fit on; leave such answers out")
    fit = {"temperature": _fit_temperature, "platt": _fit_platt, "isotonic": _fit_isotonic}[method]
    return Calibrator(method, fit(group), len(group.confidence), group.n_missing)


def _parameters(method: str, given: object) -> dict[str, float | tuple[float, ...]]:
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


def _fit_temperature(group: Judged) -> dict[str, float]:
    """Halve the range in which the slope of the log loss along log temperature changes sign."""
    log_odds, right = _log_odds(group.confidence), group.correct
    telling = np.isfinite(log_odds) & (log_odds != 0)
    log_odds, right = log_odds[telling], right[telling]
    if not len(log_odds):
        raise ArgumentError("confidence: only 0, 0.5 and 1, which no temperature changes")
    low, high = -math.log(_HOTTEST), math.log(_HOTTEST)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        # Above 0: less extreme confidences would fit better.
        slope = math.fsum((_sigmoid(log_odds * math.exp(-middle)) - right) * log_odds)
        low, high = (middle, high) if slope > 0 else (low, middle)
    temperature = math.exp((low + high) / 2)
    if not 1.001 / _HOTTEST < temperature < _HOTTEST / 1.001:
        warnings.warn(
            f"the temperature went to its bound, {temperature:.4g}: "
            + (
                "confidence says nothing about these answers"
                if temperature > 1
                else "all answers are on the right side of 0.5, so any lower one fits them better"
            ),
            ToolkitWarning,
            stacklevel=3,
        )
    return {"temperature": temperature}


def _fit_platt(group: Judged) -> dict[str, float]:
    linear_model = _scikit_learn("linear_model")
    n_right = float(group.correct.sum())
    n_wrong = len(group.correct) - n_right
    target = np.where(group.correct > 0, (n_right + 1) / (n_right + 2), 1 / (n_wrong + 2))
    # A target between 0 and 1 is one answer of each kind, weighted. Scores of unit scale are what
    # the solver's tolerance is made for.
    centre, scale = group.confidence.mean(), group.confidence.std() or 1.0
    scores = np.tile((group.confidence - centre) / scale, 2)[:, None]
    kinds = np.repeat([1, 0], len(target))
    model = linear_model.LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
    model.fit(scores, kinds, sample_weight=np.concatenate([target, 1 - target]))
    slope = float(model.coef_[0, 0]) / scale
    return {"slope": slope, "intercept": float(model.intercept_[0]) - slope * centre}


def _fit_isotonic(group: Judged) -> dict[str, tuple[float, ...]]:
    model = _scikit_learn("isotonic").IsotonicRegression(y_min=0.0, y_max=1.0)
    model.fit(group.confidence, group.correct)
    return {"x": tuple(model.X_thresholds_.tolist()), "y": tuple(model.y_thresholds_.tolist())}


def _scikit_learn(module: str) -> object:
    try:
        from sklearn import isotonic, linear_model
    except ImportError as error:
        raise ArgumentError(
            "method: platt and isotonic need scikit-learn: pip install 'logprob-toolkit[stats]'; "
            "temperature does not"
        ) from error
    return {"isotonic": isotonic, "linear_model": linear_model}[module]


def _log_odds(probability: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.log(probability) - np.log1p(-probability)


def _tempered(probability: Array, temperature: float) -> Array:
    return _sigmoid(_log_odds(probability) / temperature)


def _line(values: Array, *, slope: float, intercept: float) -> Array:
    return values * slope + intercept


def _sigmoid(log_odds: Array) -> Array:
    # exp of what is not above 0 cannot overflow.
    small = np.exp(-np.abs(log_odds))
    return np.where(log_odds < 0, small, 1.0) / (1.0 + small)
