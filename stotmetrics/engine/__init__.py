"""Many pairs: tiles and workers, the resumable matrix, nearest neighbours, barycenters."""
