"""Damaged and made-up files for every reader: what is refused in a sentence, and what is not.

``python -m benchmarks.fuzz --reader all --inputs 1000 --seed 0 --json FILE [--only NAME] [--save FOLDER]``
"""
