"""The doors: one module for each way in. A door reads its input, calls the pipeline, and writes the answer once."""
