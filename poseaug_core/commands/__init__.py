"""The commands of ``poseaug``, one file each. What is slow to load (torch, rich) they load when they run."""
