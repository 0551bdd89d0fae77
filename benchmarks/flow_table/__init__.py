"""Table 1 of the Rectified Flow paper at pocket scale: `python -m benchmarks.flow_table`."""
