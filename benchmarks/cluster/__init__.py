"""Studies on a cluster: a Slurm of one node, a study that is disturbed there, and many workers that start at once."""
