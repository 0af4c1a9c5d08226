"""What the fuzz draws: series, masses, costs and legal parameters, each as the text of a Python expression.

Text, and not objects: what is printed with a finding is what was run, digit for digit.
"""

import math

import numpy as np

from stotmetrics.spec.parameters import Parameter

# Beyond these no difference of two numbers, or no quotient by a length, is sure to be a double.
SMALLEST, LARGEST = 1e-300, 1e300


class Script:
    """Lines of Python that a person can paste, and the names of what they draw."""

    def __init__(self, rng):
        self.rng = rng
        self.lines = []
        # Whether everything drawn is of a size that measured data have: then nothing may be refused as out of scale.
        self.moderate = True

    def let(self, name, text):
        self.lines.append(f"{name} = {text}")
        return name

    def chance(self, share):
        return self.rng.random() < share

    def pick(self, *values):
        return values[int(self.rng.integers(len(values)))]

    def scale(self, extreme=0.3):
        """A power of ten: of measured data, or of any size that a double has."""
        if self.chance(extreme):
            exponent = self.rng.uniform(-300, 300)
            self.moderate &= abs(exponent) < 30
            return 10.0**exponent
        return 10.0 ** self.rng.uniform(-3, 3)

    def text(self):
        head = ["import numpy as np", "import stotmetrics as sm", "import stotmetrics.transport as tr"]
        return "\n".join([*head, *self.lines])


def array_text(array):
    """An expression for an array, exact to the last digit."""
    return f"np.array({array.tolist()!r})".replace("inf", "np.inf")


def clipped(array):
    return np.clip(np.nan_to_num(array, nan=0.0, posinf=LARGEST, neginf=-LARGEST), -LARGEST, LARGEST)


def length(script, most=12):
    return int(script.rng.integers(1, most + 1)) if script.chance(0.9) else int(script.rng.integers(1, 5 * most))


def values(script, T, d, scale, nonnegative=False):
    """Values (T, d) of one of the kinds in which faults hide."""
    rng, kind = script.rng, script.pick("normal", "ties", "constant", "ramp", "spike", "zero", "mixed")
    if kind == "normal":
        drawn = rng.standard_normal((T, d))
    elif kind == "ties":
        drawn = rng.integers(-2, 3, (T, d)).astype(float)
    elif kind == "constant":
        drawn = np.broadcast_to(rng.standard_normal((1, d)), (T, d))
    elif kind == "ramp":
        drawn = np.arange(T)[:, None] * rng.standard_normal((1, d))
    elif kind == "spike":
        drawn = np.zeros((T, d))
        drawn[rng.integers(T), rng.integers(d)] = 1.0
    elif kind == "zero":
        drawn = np.zeros((T, d))
    else:
        drawn = rng.standard_normal((T, d)) * 10.0 ** rng.uniform(-12, 0, (T, d))
    drawn = np.abs(drawn) if nonnegative else drawn
    if script.chance(0.15) and not nonnegative:
        drawn = drawn + 10.0 ** rng.uniform(0, 12)
    with np.errstate(over="ignore"):  # clipped next
        return clipped(drawn * scale)


def times(script, T):
    """Strictly increasing times, on any scale and from any origin."""
    gaps = script.rng.random(T) + 0.01 if script.chance(0.6) else np.ones(T)
    stamps = clipped(np.cumsum(gaps) + (10.0 ** script.rng.uniform(0, 9) if script.chance(0.3) else 0.0))
    stamps = clipped(stamps * script.scale(0.15))
    return stamps if (np.diff(stamps) > 0).all() else np.arange(T, dtype=float)


def weights(script, T):
    masses = script.rng.random(T) * (script.rng.random(T) < script.pick(1.0, 0.7))
    masses[script.rng.integers(T)] = 1.0
    return clipped(masses * script.scale(0.15))


def series(script, name, traits, T, d, scale, frame=None):
    """One series that a metric with these traits takes."""
    drawn = values(script, T, d, scale, nonnegative=traits.needs_mass)
    if frame:
        drawn = drawn.reshape(T, *frame)
    extra = ""
    if traits.uses_times and script.chance(0.4):
        extra += f", times={array_text(times(script, T))}"
    if traits.uses_weights and script.chance(0.4):
        extra += f", weights={array_text(weights(script, T))}"
    return script.let(name, f"sm.as_series({array_text(drawn)}{extra})")


def shape(script, traits):
    """(d, frame shape or None) of what a metric with these traits compares."""
    if not traits.compares_frames:
        return int(script.rng.integers(1, 4)) if traits.multivariate and script.chance(0.3) else 1, None
    if script.chance(0.25):
        frame = tuple(int(k) for k in script.rng.integers(1, 4, 2))
        return frame[0] * frame[1], frame
    return int(script.rng.integers(1, 9)), None


def pair(script, traits, most=12):
    """x and y, unrelated, equal, near or on different scales."""
    d, frame = shape(script, traits)
    T, scale = max(traits.min_length, length(script, most)), script.scale()
    other = max(traits.min_length, length(script, most)) if traits.unequal_length and script.chance(0.7) else T
    series(script, "x", traits, T, d, scale, frame)
    kind = script.pick("other", "other", "other", "equal", "near", "apart")
    if kind == "equal":
        script.let("y", "x")
    elif kind == "near":
        near = script.pick("1 + 1e-15", "1 + 1e-9", "1.001", "1 - 1e-6")
        rest = ", x.times if x.has_times else None, x.weights if x.has_weights else None, x.frame_shape"
        # What underflows here is the hand's that draws.
        script.lines.append(f"with np.errstate(under='ignore'): near = x.values * ({near})")
        script.let("y", f"sm.Series(near{rest})")
    else:
        series(script, "y", traits, other, d, script.scale() if kind == "apart" else scale, frame)


def collection(script, name, traits, count, most=8):
    """A list of series that one metric can compare with each other."""
    d, frame = shape(script, traits)
    T, scale = max(traits.min_length, length(script, most)), script.scale()
    names = []
    for k in range(count):
        own = max(traits.min_length, length(script, most)) if traits.unequal_length and script.chance(0.5) else T
        names.append(series(script, f"{name}{k}", traits, own, d, scale, frame))
    script.let(name, f"[{', '.join(names)}]")
    return d, frame


def number(script, low, high, low_open=False):
    """A number of a range: on a logarithmic scale, an end of it, or a plain one."""
    kind = script.pick("plain", "plain", "wide", "end")
    if kind == "end":
        ends = [end for end in (low, high) if math.isfinite(end) and not (low_open and end == low)]
        if ends:
            drawn = script.pick(*ends)
            script.moderate &= drawn == 0 or 1e-30 < abs(drawn) < 1e30
            return drawn
    drawn = 10.0 ** (script.rng.uniform(-300, 300) if kind == "wide" else script.rng.uniform(-3, 1.5))
    drawn = min(max(drawn, low), high)
    if low_open and drawn <= low:
        drawn = 1.0
    script.moderate &= drawn == 0 or 1e-30 < drawn < 1e30
    return drawn


def parameter(script, name, declared: Parameter, default):
    """A legal value of a declared parameter, as text."""
    if declared.convert is not None or script.chance(0.4):
        return None
    options = [value for value in declared.allow if value != default]
    if options and script.chance(0.3):
        return repr(script.pick(*options)).replace("inf", "np.inf")
    if declared.kind is bool:
        return repr(script.pick(True, False))
    if declared.kind is str:
        return repr(script.pick(*declared.choices))
    if declared.kind is int:
        low, high = max(declared.low, 0), min(declared.high, 300)
        return repr(int(script.rng.integers(low, high + 1)))
    drawn = number(script, declared.low, declared.high, declared.low_open)
    if name == "p":
        drawn = script.pick(1.0, 1.5, 2.0, 3.0, min(max(drawn, 1.0), 1000.0))
        script.moderate &= drawn <= 8
    return repr(float(drawn))


def parameters(script, spec, points=None):
    """Keyword arguments of a metric, as text."""
    texts = {}
    for name, declared in spec.parameters.items():
        text = parameter(script, name, declared, getattr(spec.params, name))
        if text is not None:
            texts[name] = text
        elif declared.convert is not None and points is not None and script.chance(0.4):
            texts[name] = ground(script, points)
    return "".join(f", {name}={text}" for name, text in texts.items())


def ground(script, points):
    """An expression for a ground of so many points."""
    rng, kind = script.rng, script.pick("points", "grid", "cost")
    if kind == "grid":
        return f"sm.Ground.grid(({points},), {10.0 ** rng.uniform(-3, 3)!r}, {script.pick(1.0, 1.5, 2.0)!r})"
    places = rng.standard_normal((points, int(rng.integers(1, 3)))) * script.scale(0.1)
    if kind == "points":
        return f"sm.Ground.from_points({array_text(places)}, {script.pick(1.0, 2.0)!r})"
    cost = np.abs(places[:, None, 0] - places[None, :, 0])
    return f"sm.Ground.from_cost({array_text(cost)})"
