"""A small disk of its own for one host: it can be full, stand still, or lose its power."""

import contextlib
import ctypes
import fcntl
import os
import shutil
import struct
import subprocess
import threading

CLONE_NEWNS = 0x00020000
# linux/ext4: EXT4_IOC_SHUTDOWN with EXT4_GOING_FLAGS_NOLOGFLUSH. What was not synced is never written.
EXT4_IOC_SHUTDOWN, NOLOGFLUSH = 0x8004587D, 2
_private = threading.Event()


def keep_mounts_private():
    """Mounts are seen by this run and its children only, and go when they go. Called on the main thread."""
    if not _private.is_set():
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS) != 0:
            raise OSError(ctypes.get_errno(), "no mount namespace can be made")
        _run("mount", "--make-rprivate", "/")
        _private.set()


def _run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(f"{' '.join(map(str, command))}: {done.stderr.strip()}")


class Disk:
    """ext4 in a file, by a loop device."""

    def __init__(self, folder, size_mb=400):
        keep_mounts_private()
        self.image, self.folder = folder.with_suffix(".img"), folder
        folder.mkdir(parents=True)
        self.image.write_bytes(b"")
        os.truncate(self.image, size_mb << 20)
        _run("mkfs.ext4", "-q", "-m", "0", self.image)
        self.mounted = self.frozen = False
        self.mount()

    def mount(self):
        _run("mount", "-o", "loop", self.image, self.folder)
        self.mounted = True

    def take_over(self, folder):
        """What is in `folder` lies on this disk from now on, at the same path."""
        target = self.folder / folder.name
        shutil.move(folder, target)
        folder.symlink_to(target)
        # What was there before the lab began has been on the disk for long.
        _run("sync", "--file-system", self.folder)

    # Faults.

    def fill(self):
        """Not a block is left."""
        with contextlib.suppress(OSError), (self.folder / "ballast").open("wb", buffering=0) as ballast:
            while True:
                ballast.write(bytes(4096) * 64)

    def empty(self):
        (self.folder / "ballast").unlink(missing_ok=True)

    def freeze(self):
        """Every write and fsync hangs; processes and connections stay."""
        _run("fsfreeze", "--freeze", self.folder)
        self.frozen = True

    def thaw(self):
        if self.frozen:
            _run("fsfreeze", "--unfreeze", self.folder)
            self.frozen = False

    def cut_power(self):
        """What no fsync has reached is gone after `restore_power`. Its server is to be killed in between."""
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, EXT4_IOC_SHUTDOWN, struct.pack("I", NOLOGFLUSH))
        finally:
            os.close(handle)

    def restore_power(self):
        self.unmount()
        self.mount()

    def unmount(self):
        if self.mounted:
            _run("umount", self.folder)
            self.mounted = False

    def close(self):
        self.thaw()
        self.unmount()
        self.image.unlink(missing_ok=True)


def why_no_disks(folder):
    """None where disks can be made, else the reason."""
    try:
        Disk(folder / "probe", 16).close()
    except (OSError, FileNotFoundError) as error:
        return str(error)
    return None
