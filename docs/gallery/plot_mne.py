"""
STA for users of MNE
====================

From a ``SourceEstimate`` to frames, from a source space to the ground, and what units and two hemispheres ask for.
The objects are MNE's own; the cortex is a sphere for each hemisphere, so that nothing is downloaded. Needs MNE (``pip
install mne``).
"""

import matplotlib.pyplot as plt
import mne
import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import ConvexHull

import stotmetrics
from stotmetrics import Ground
from stotmetrics.plotting import plot_matrix, plot_mesh

VERTICES = 100

# %%
# Surfaces and estimates
# ----------------------
#
# With real data these come from ``mne.read_source_spaces`` and ``mne.minimum_norm.apply_inverse``.


def sphere(center):
    """Vertices (in metres, as MNE has them) and triangles of one hemisphere."""
    k = np.arange(VERTICES)
    z, angle = 1 - 2 * (k + 0.5) / VERTICES, np.pi * (1 + 5**0.5) * k
    points = np.stack([np.sqrt(1 - z**2) * np.cos(angle), np.sqrt(1 - z**2) * np.sin(angle), z], axis=1)
    return 0.05 * points + center, ConvexHull(points).simplices


surfaces = [sphere(np.array([x, 0.0, 0.0])) for x in (-0.06, 0.06)]


def estimate(hemisphere, vertex, peak, rng):
    """Activity that peaks at one vertex and time; in ampere metres, so about 1e-9."""
    points = surfaces[hemisphere][0]
    place = np.exp(-(((points - points[vertex]) ** 2).sum(axis=1)) / 0.012**2)
    time = np.exp(-(((np.arange(10) - peak) / 1.2) ** 2))
    data = np.zeros((2 * VERTICES, 10))
    data[hemisphere * VERTICES : (hemisphere + 1) * VERTICES] = np.outer(place, time)
    data = 1e-9 * rng.uniform(1, 2) * (data + 0.01 * rng.random(data.shape))
    return mne.SourceEstimate(data, [np.arange(VERTICES)] * 2, tmin=0.0, tstep=0.01)


rng = np.random.default_rng(0)
GROUPS = [(0, 20, 3), (0, 20, 7), (0, 70, 3), (1, 20, 3)]
stcs, labels = [], []
for hemisphere, vertex, peak in GROUPS:
    near = np.argsort(np.linalg.norm(surfaces[hemisphere][0] - surfaces[hemisphere][0][vertex], axis=1))[:5]
    for _ in range(5):
        stcs.append(estimate(hemisphere, rng.choice(near), peak, rng))
        labels.append(f"{'LR'[hemisphere]}{vertex}, {peak * 10} ms")
print(stcs[0])

# %%
# From an estimate to frames
# --------------------------
#
# ``stc.data`` is (vertices, times): a frame is a row here, so it is transposed. STA compares masses: estimates with a
# sign (``pick_ori="normal"``) need ``signed="abs"`` or ``"split"``. The tolerance is relative to the mass, so that
# 1e-9 is no trouble, but ``rho`` prices a difference in mass: divide by one number for the whole study, not by one
# for each sample, unless amplitude should not count.

scale = np.median([stc.data.sum(axis=0).max() for stc in stcs])
frames = np.array([stc.data.T / scale for stc in stcs]) + 1e-6
print(frames.shape, "samples, times, vertices")

# %%
# From a source space to the ground
# ---------------------------------
#
# Geodesic distances along the surface (``mne.add_source_space_distances`` on a real one). There is no way from one
# hemisphere to the other: the distance is infinite, and a ground cost must be finite. A cost well above ``rho`` does
# the same, for mass is then destroyed on one side and created on the other.


def geodesics(points, faces):
    edges = np.unique(np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1), axis=0)
    lengths = np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1)
    return dijkstra(csr_matrix((lengths, edges.T), shape=(len(points), len(points))), directed=False)


within = [geodesics(*surface) ** 2 for surface in surfaces]
unit = np.median(np.concatenate([cost.ravel() for cost in within]))
RHO = 1.0
M = np.full((2 * VERTICES, 2 * VERTICES), 20 * RHO)
M[:VERTICES, :VERTICES], M[VERTICES:, VERTICES:] = within[0] / unit, within[1] / unit
ground = Ground.from_cost(M)
print(f"largest cost within a hemisphere {max(cost.max() for cost in within) / unit:.1f}, between them {M.max():.0f}")

# %%
# Distances
# ---------

D = stotmetrics.pairwise(
    frames, metric="sta", gamma=0.1, ground=ground, epsilon=10 / VERTICES, rho=RHO, tol=1e-4, n_jobs=2
)
figure, ax = plt.subplots(figsize=(6, 5.5), layout="constrained")
plot_matrix(D, labels, ax=ax)
nearest = (D + np.diag(np.full(len(D), np.inf))).argmin(axis=1)
print(f"leave-one-out 1-NN error {np.mean(np.array(labels)[nearest] != labels):.2f}")

# %%
# The barycenter of a group goes back into MNE as an estimate.

group = [k for k, label in enumerate(labels) if label == labels[0]]
center = stotmetrics.barycenter(
    frames[group],
    metric="sta",
    max_iter=15,
    gamma=0.1,
    ground=ground,
    epsilon=10 / VERTICES,
    metric_params={"tol": 1e-3},
)
mean = mne.SourceEstimate(center.values.T * scale, stcs[0].vertices, tmin=0.0, tstep=0.01)
print(mean)
figure, axes = plt.subplots(1, 2, figsize=(8, 4), layout="constrained")
points, faces = surfaces[0]
for ax, stc, title in zip(axes, (stcs[0], mean), ("one sample", "barycenter of its group"), strict=True):
    # Seen from above the vertex of the group.
    x, y, z = points[20] - points.mean(axis=0)
    plot_mesh(
        points,
        faces,
        stc.lh_data[:, 3],
        ax=ax,
        elevation=np.rad2deg(np.arctan2(z, np.hypot(x, y))),
        azimuth=np.rad2deg(np.arctan2(y, x)),
    )
    ax.set_title(f"{title}, left hemisphere, 30 ms", fontsize="medium")
