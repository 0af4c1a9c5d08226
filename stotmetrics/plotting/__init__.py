"""Pictures of alignments, plans, matrices and neighbours, with matplotlib (extra ``plot``).

Every function takes the axes to draw on (``ax``) and returns them.
"""

from .frames import plot_frame_plan, plot_mesh
from .pairs import plot_alignment, plot_cost_matrix, plot_expected_alignment, plot_result
from .sets import plot_barycenter, plot_matrix, plot_neighbor
from .weights import plot_weight

__all__ = [
    "plot_alignment",
    "plot_barycenter",
    "plot_cost_matrix",
    "plot_expected_alignment",
    "plot_frame_plan",
    "plot_matrix",
    "plot_mesh",
    "plot_neighbor",
    "plot_result",
    "plot_weight",
]
