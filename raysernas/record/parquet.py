"""Parquet files that are sealed when they are written, and checked when they are read."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from raysernas.record import seal, storage

SEAL = b"seal"  # key in the metadata of the file
TOO_LARGE = "it is larger than any file of this kind"


def write(path: Path, table: pa.Table) -> None:
    """Write a table whole or not at all.

    Raises:
        StorageFault: when the place cannot be written.
    """
    marked = table.replace_schema_metadata({**(table.schema.metadata or {}), SEAL: seal.BLANK})

    def fill(part: Path) -> None:
        pq.write_table(marked, part, compression="zstd", write_page_checksum=True)
        seal.seal_file(part)

    storage.write(path, fill)


def read(
    path: Path, columns: Sequence[str] | None = None, max_rows: int = 10**9, max_bytes: int = 10**12
) -> pa.Table:
    """Read a table without its metadata.

    Args:
        columns: those to read, as far as the file has them; None for all.
        max_rows, max_bytes: the most that the file may hold; `max_bytes` also uncompressed.

    Raises:
        FileNotFoundError: when there is no such file.
        ArrowException, OSError, ValueError: for a file that is no Parquet file, or too large.
        DamagedFault: for a file that is not as it was written.
        StorageFault: when an object store does not answer.
    """
    if storage.is_local(path) and path.stat().st_size > max_bytes:
        raise ValueError(TOO_LARGE)
    content = storage.read(path)
    if not seal.is_sound(content):
        raise seal.DamagedFault(path)
    with pq.ParquetFile(BytesIO(content), page_checksum_verification=True) as file:
        size = sum(file.metadata.row_group(each).total_byte_size for each in range(file.num_row_groups))
        if size > max_bytes or file.metadata.num_rows > max_rows:
            raise ValueError(TOO_LARGE)
        return file.read(None if columns is None else list(columns)).replace_schema_metadata(None)
