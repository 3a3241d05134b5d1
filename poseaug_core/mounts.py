"""Mounts: whether a folder lies on a disk of this machine or on a network file system."""

from __future__ import annotations

import os
import re
from pathlib import Path

#: Kinds of file systems, as Linux names them, whose files other machines may write at the same time.
NETWORK = {
    "9p", "afs", "beegfs", "beegfs_nodev", "ceph", "cifs", "coda", "davfs", "fuse.beegfs", "fuse.ceph",
    "fuse.ceph-fuse", "fuse.davfs2", "fuse.gcsfuse", "fuse.glusterfs", "fuse.goofys", "fuse.juicefs", "fuse.mfs",
    "fuse.moosefs", "fuse.rclone", "fuse.s3fs", "fuse.smbnetfs", "fuse.sshfs", "glusterfs", "gpfs", "lustre",
    "ncpfs", "nfs", "nfs4", "ocfs2", "gfs2", "orangefs", "panfs", "pvfs2", "smb", "smb2", "smb3",
    "smbfs", "virtiofs", "wekafs",
}  # fmt: skip
MOUNTS = Path("/proc/self/mountinfo")


def network_file_system(path: str | Path) -> str:
    """The kind of the network file system that path lies on, as the system names it ('nfs4', 'cifs'); '' where it is
    on a disk of this machine, and where the system does not tell.

    A path that is not there yet lies where its nearest folder does.
    """
    place = os.path.realpath(path)
    if os.name == "nt":
        return "smb" if place.startswith("\\\\") and not place.startswith(("\\\\?\\", "\\\\.\\")) else ""
    try:
        lines = MOUNTS.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return ""
    longest, kind = "", ""
    for line in lines:
        before, _, after = line.partition(" - ")
        fields, kinds = before.split(" "), after.split(" ")
        if len(fields) < 5 or not after:
            continue
        point = re.sub(r"\\(\d{3})", lambda found: chr(int(found[1], 8)), fields[4])
        # Of two mounts on one point the later one hides the first.
        if len(point) >= len(longest) and (place == point or place.startswith(point.rstrip("/") + "/")):
            longest, kind = point, kinds[0]
    return kind if kind in NETWORK else ""
