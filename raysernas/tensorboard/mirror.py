"""A folder that grows byte by byte, where the store takes only whole objects: written here, copied there.

In: the place where it shall lie. Out: a local folder to write into; `copy` brings its files there. A local
place is its own folder, and nothing is copied.
"""

import shutil
import tempfile
from pathlib import Path

from raysernas.record import storage


class Mirror:
    """The folder of one trial's TensorBoard run."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.folder = place if storage.is_local(place) else Path(tempfile.mkdtemp(prefix="rsn-"))
        self._copied: dict[Path, int] = {}  # size of each file when it was copied

    def copy(self) -> None:
        """Bring over what has grown since the last time.

        Raises:
            StorageFault: when the place cannot be written.
        """
        if self.folder == self.place:
            return
        for path in sorted(self.folder.rglob("*")):
            if path.is_file() and path.stat().st_size != self._copied.get(path):
                content = path.read_bytes()
                storage.put(self.place.joinpath(*path.relative_to(self.folder).parts), content)
                self._copied[path] = len(content)

    def close(self) -> None:
        """Bring over the rest and forget the folder here.

        Raises:
            StorageFault: as `copy`.
        """
        try:
            self.copy()
        finally:
            self.drop()

    def drop(self) -> None:
        """Forget the folder here as it is; a local place stays."""
        if self.folder != self.place:
            shutil.rmtree(self.folder, ignore_errors=True)
