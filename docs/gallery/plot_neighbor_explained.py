"""
Why this neighbour?
===================

A nearest neighbour explains itself: here is the series that it is like, here is what was matched with what, and so
near was the nearest series of another class.

The series are utterances of vowels by nine speakers, twelve numbers at each time
(:func:`stotmetrics.datasets.load_builtin`, Kudo, Toyama, Shimbo, 1999): of different lengths, and real.
"""

import matplotlib.pyplot as plt
import numpy as np

import stotmetrics
from stotmetrics.datasets import load_builtin
from stotmetrics.plotting import plot_neighbor

data = load_builtin()
print(data.describe())

# %%
# All queries first. The error, and where speakers are taken for each other.

neighbors = stotmetrics.kneighbors(data.X_train, data.X_test, "dtw", n_jobs=2)
told = data.y_train[neighbors.indices[:, 0]]
wrong = np.flatnonzero(told != data.y_test)
print(f"{len(wrong)} of {len(data.y_test)} wrong, {neighbors.solved} of {neighbors.pairs} pairs solved")

# %%
# Two that are right and one that is wrong, in the first of their twelve channels.

right = np.flatnonzero(told == data.y_test)
figure, axes = plt.subplots(1, 3, figsize=(13, 3.8), layout="constrained")
for ax, q in zip(axes, (right[0], right[100], wrong[0]), strict=True):
    plot_neighbor(data.X_test[q], data.X_train, data.y_train, "dtw", ax=ax, channel=0)
    ax.set_xlabel(f"time; this is speaker {data.y_test[q]}")

# %%
# The same question under TiOT, which says how it weighed values against times.

figure, ax = plt.subplots(figsize=(6, 3.8), layout="constrained")
plot_neighbor(data.X_test[right[0]], data.X_train, data.y_train, "tiot", ax=ax, channel=0)

# %%
# The whole table, as the command line prints it: ``stotmetrics classify``.
