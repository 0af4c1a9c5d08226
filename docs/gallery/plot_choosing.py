"""
Choosing gamma, epsilon, rho and omega
======================================

What each parameter does, in pictures, and where to start.
"""

import matplotlib.pyplot as plt
import numpy as np

import stotmetrics
from stotmetrics.plotting import plot_frame_plan
from stotmetrics.transport import sinkhorn_unbalanced

rng = np.random.default_rng(0)
t = np.linspace(0, 1, 60)
x, y = (np.exp(-(((t - c) / 0.07) ** 2)) + 0.05 * rng.normal(size=60) for c in (0.35, 0.55))

# %%
# gamma: how many alignments count
# --------------------------------
#
# In the unit of a squared difference of values. Far below the noise it is DTW; far above the signal all alignments
# count alike. Start at the noise: for series of variance one, 0.01 to 0.1. ``gamma="median"`` is a first look at data
# of unknown scale.

figure, axes = plt.subplots(1, 3, figsize=(12, 4), layout="constrained")
for ax, gamma in zip(axes, (0.001, 0.05, 5.0), strict=True):
    stotmetrics.solve(x, y, metric="softdtw", gamma=gamma).plot("alignment", ax=ax)
    ax.set_xlabel(f"gamma = {gamma:g}")

# %%
# epsilon: how blurred the plan is
# --------------------------------
#
# In the unit of the ground cost. Small values are near the exact transport, and take longer to solve. For
# standardised series 0.01 to 0.1; exact ``tiot`` needs none.

figure, axes = plt.subplots(1, 3, figsize=(12, 4), layout="constrained")
for ax, epsilon in zip(axes, (0.005, 0.05, 0.5), strict=True):
    result = stotmetrics.solve(x, y, metric="etiot", epsilon=epsilon)
    result.plot("alignment", ax=ax)
    ax.set_xlabel(f"epsilon = {epsilon:g}, {result.n_iter} steps")

# %%
# rho: what it costs to make mass appear
# --------------------------------------
#
# In the unit of the ground cost too. Mass that would have to move at a cost far above rho is destroyed here and
# created there. Balanced transport is ``rho=inf``. ``Ground.rho(kept)`` gives the rho that keeps a share of the mass
# across the largest cost of the ground.

SIDE = 12
grid = np.indices((SIDE, SIDE))
a, b = (np.exp(-((grid[0] - r) ** 2 + (grid[1] - c) ** 2) / 3) + 1e-6 for r, c in ((3, 3), (8, 8)))
ground = stotmetrics.Ground.grid((SIDE, SIDE)).normalized()
figure, axes = plt.subplots(1, 3, figsize=(12, 4), layout="constrained")
for ax, rho in zip(axes, (0.1, 1.0, 100.0), strict=True):
    plan = sinkhorn_unbalanced(a.ravel(), b.ravel(), ground.cost(), reg=0.02, reg_m=rho)
    plot_frame_plan(plan, a, b, ax=ax)
    ax.set_title(f"rho = {rho:g}: {plan.sum() / a.sum():.0%} of the mass moves")
print(f"half of the mass is kept across the whole frame at rho = {ground.rho(kept=0.5):.2f}")

# %%
# omega: what a delay is worth
# ----------------------------
#
# The weight of the times in TAOT, or 1 - w in the other convention. At 0 a delay is free, and order in time is lost;
# a large one matches equal times. TiOT has none: it takes the worst.

figure, axes = plt.subplots(1, 3, figsize=(12, 3.6), sharey=True, layout="constrained")
for ax, omega in zip(axes, (0.01, 1.0, 100.0), strict=True):
    result = stotmetrics.solve(x, y, metric="taot", omega=omega)
    result.plot(ax=ax)
    ax.set_title(f"omega = {omega:g}")

# %%
# How quickly a distance grows with a delay shows what a parameter does to your data, before any label is used.

delays = np.linspace(0, 0.4, 21)
delayed = [np.exp(-(((t - 0.3 - d) / 0.07) ** 2)) for d in delays]
cases = {
    "euclidean": ("euclidean", {}),
    "dtw": ("dtw", {}),
    "softdtw_divergence, gamma = 1": ("softdtw_divergence", {"gamma": 1.0}),
    "taot, omega = 0.1": ("taot", {"omega": 0.1}),
    "taot, omega = 10": ("taot", {"omega": 10.0}),
    "tiot": ("tiot", {}),
}
figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for k, (name, (metric, params)) in enumerate(cases.items()):
    values = stotmetrics.pairwise(delayed[:1], delayed, metric=metric, **params)[0]
    flat = stotmetrics.distance(delayed[0], np.zeros(60), metric=metric, **params)
    ax.plot(delays, values / flat, label=name, linestyle=("-", "--", "-.", ":")[k % 4])
ax.set(xlabel="delay", ylabel="distance, relative to that of a flat line")
ax.legend(fontsize="small")
