"""Faults: kills, full disks, damaged files, hostile names, readers beside loaders. Short by default, long with --soak.

Everything is real: processes, SIGKILL, files, file systems. Each checker is shown to catch what it is there for.
"""
