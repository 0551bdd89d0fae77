"""What every trainer shares: the loop, its checkpoints and events, and the command-line entry."""

from trainers.common.loop import LoopConfig, train

__all__ = ["LoopConfig", "train"]
