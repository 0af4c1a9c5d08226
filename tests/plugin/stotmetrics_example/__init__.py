"""Two metrics for stotmetrics: one in Python, one with a compiled block."""
