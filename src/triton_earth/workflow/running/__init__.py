"""The run folder of a training, and how a run starts or goes on."""
