"""Where consecutive rows of a forecast, initial conditions and members counted together, lie in its store."""

from collections.abc import Iterator

import zarr


def chunk_files(array: zarr.Array, rows: slice, members: int, lead: int) -> Iterator[str]:
    """Yield the files of a store that one lead of some rows lies in, beginning with the name of the array.

    Args:
        array: One that leads are written into.
        rows: Which forecasts, counted over initial conditions and members.
        members: Members of each ensemble.
        lead: Index into the lead times.
    """
    rest = [0] * (array.ndim - (2 if members == 1 else 3))
    parts = [(rows, slice(0, 1))] if members == 1 else [(i, m) for _, i, m in boxes(rows, members)]
    for inits, chosen in parts:
        for init in range(inits.start // array.chunks[0], (inits.stop - 1) // array.chunks[0] + 1):
            if members == 1:
                places = [[init, lead // array.chunks[1]]]
            else:
                first, last = (at // array.chunks[1] for at in (chosen.start, chosen.stop - 1))
                places = [
                    [init, member, lead // array.chunks[2]] for member in range(first, last + 1)
                ]
            for place in places:
                yield "/".join([array.basename, "c", *map(str, place + rest)])


def boxes(rows: slice, members: int) -> Iterator[tuple[slice, slice, slice]]:
    """Yield the parts of consecutive rows that are boxes of initial conditions and members, at most three.

    Args:
        rows: Rows init · members + member.
        members: Members of each ensemble.

    Yields:
        Positions within `rows`, initial conditions, and members of each box.
    """
    row = rows.start
    while row < rows.stop:
        init, member = divmod(row, members)
        whole = (rows.stop - row) // members if member == 0 else 0
        inits = max(1, whole)
        last = members if whole else min(members, member + rows.stop - row)
        count = inits * (last - member)
        yield (
            slice(row - rows.start, row - rows.start + count),
            slice(init, init + inits),
            slice(member, last),
        )
        row += count
