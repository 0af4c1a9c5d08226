"""The reference implementation of every metric: slow, in plain NumPy, written to be read beside the paper.

``stotmetrics.reference.<metric>`` holds a function ``<metric>(x, y, params)``. Nothing here is chosen at run time, and
nothing here imports production code, so that no fault is shared: each standardises, weighs and takes costs itself.
"""
