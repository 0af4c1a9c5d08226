"""
Learning with STA as a loss
===========================

A small network learns what comes next in a film of a moving spot, under the squared error and under STA. The squared
error compares pixel by pixel, so a spot that is one pixel off is as wrong as one far away; the gradient of STA says
which way to move it, in space and in time. Needs PyTorch (extra ``torch``).
"""

import matplotlib.pyplot as plt
import numpy as np
import torch

import stotmetrics
from stotmetrics.hosts.torch import STALoss

torch.manual_seed(0)
torch.set_num_threads(1)
SIDE, SEEN, AHEAD = 8, 4, 3
grid = np.indices((SIDE, SIDE))


def films(count, seed):
    """Spots that move straight on, at a speed that wavers once they are out of sight: (count, times, SIDE, SIDE)."""
    rng = np.random.default_rng(seed)
    sequences = []
    for _ in range(count):
        start, way = rng.uniform(1, 3, 2), rng.uniform(0.4, 0.9, 2)
        steps = np.r_[np.ones(SEEN), rng.uniform(0.5, 1.5, AHEAD)]
        places = start + np.cumsum(steps)[:, None] * way
        frames = [np.exp(-((grid[0] - r) ** 2 + (grid[1] - c) ** 2) / 1.5) for r, c in places]
        sequences.append([frame / frame.sum() for frame in frames])
    return torch.tensor(np.array(sequences), dtype=torch.float32)


class Forecaster(torch.nn.Module):
    """From the frames that were seen to those ahead, each a distribution over the pixels."""

    def __init__(self):
        super().__init__()
        pixels = SIDE * SIDE
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(SEEN * pixels, 96), torch.nn.ReLU(), torch.nn.Linear(96, AHEAD * pixels)
        )

    def forward(self, seen):
        scores = self.layers(seen.flatten(1)).reshape(-1, AHEAD, SIDE * SIDE)
        return torch.softmax(scores, dim=2).reshape(-1, AHEAD, SIDE, SIDE) + 1e-5


# %%
# Two trainings from the same start, alike but for the loss.

train, test = films(48, seed=0), films(16, seed=1)
ground = stotmetrics.Ground.grid((SIDE, SIDE)).normalized()
LOSSES = {
    "squared error": lambda output, target: ((output - target) ** 2).sum(dim=(1, 2, 3)).mean(),
    "STA": STALoss(gamma=0.05, ground=ground, epsilon=0.1, tol=1e-3),
}
STEPS = 120


def learn(name):
    torch.manual_seed(0)
    model, curve = Forecaster(), []
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    draw = np.random.default_rng(0)
    for _ in range(STEPS):
        batch = train[draw.choice(len(train), 8, replace=False)]
        loss = LOSSES[name](model(batch[:, :SEEN]), batch[:, SEEN:] + 1e-5)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        curve.append(float(loss.detach()))
    return model, curve


models = {}
figure, axes = plt.subplots(1, 2, figsize=(10, 3.2), layout="constrained")
for ax, name in zip(axes, LOSSES, strict=True):
    models[name], curve = learn(name)
    ax.plot(curve)
    ax.set(title=name, xlabel="step", ylabel="loss")

# %%
# What they say comes next, beside what did, and both under both measures. On films as simple as these either loss
# gets there; the page is about how one is put in the place of the other.

with torch.no_grad():
    said = {name: model(test[:, :SEEN]).numpy() for name, model in models.items()}
rows = {"what came": test[:, SEEN:].numpy(), **said}
figure, axes = plt.subplots(3, AHEAD + 1, figsize=(7, 5), layout="constrained")
for row, (name, frames) in enumerate(rows.items()):
    axes[row, 0].text(0.5, 0.5, name, ha="center", va="center")
    axes[row, 0].axis("off")
    for t in range(AHEAD):
        axes[row, t + 1].imshow(frames[0, t], cmap="cividis")
        axes[row, t + 1].axis("off")

for name, frames in said.items():
    far = [
        stotmetrics.sta(f, g + 1e-5, gamma=0.0, ground=ground, epsilon=0.1)
        for f, g in zip(frames, rows["what came"], strict=True)
    ]
    squared = ((frames - rows["what came"]) ** 2).sum(axis=(1, 2, 3)).mean()
    print(f"trained on {name:<14} STA at gamma 0: {np.mean(far):.3f}, squared error: {squared:.3f}")
