"""A growing folder for a store that takes only whole objects: written locally, copied to the store.

In: where the folder belongs. Out: a local folder to write into; `copy` uploads what has changed. If the place
is local already, it is that folder, and nothing is copied.
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
        """Upload the files that have grown since the last copy.

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
        """Copy once more, then delete the local folder.

        Raises:
            StorageFault: as `copy`.
        """
        try:
            self.copy()
        finally:
            self.drop()

    def drop(self) -> None:
        """Delete the local folder without copying; a local place stays."""
        if self.folder != self.place:
            shutil.rmtree(self.folder, ignore_errors=True)
