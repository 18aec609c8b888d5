"""The benchmarks `quality` and `ablation`: how well presets, baselines and changed presets rank."""
