"""A cell as a wiring diagram: states from top to bottom, with a box for each operation between two states.

In: one part of a genotype. Out: a picture. The operations of a node stand side by side above it, so labels
never overlap. A line from the state just above goes straight down; a line from farther up runs in a lane
beside the states, on the left to the left operation and on the right to the right one. Lines cross only at
right angles, and never cross a box.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from raysernas.drawing.palette import series
from raysernas.drawing.shapes import Box, Line, Picture, Point, Shape, Words, width
from raysernas.record.genotype import CellKind, Gene, Genotype, GenotypePart, OperationName

MARGIN = 8.0
STATE_WIDTH, OUTPUT_WIDTH, STATE_HEIGHT = 64.0, 122.0, 26.0
# of an operation's box: height, room beside its text, gap between two boxes
OPERATION_HEIGHT, SIDES, APART = 24.0, 18.0, 14.0
LANE = 13.0  # distance between two lanes
STEP, BELOW = 50.0, 46.0  # from a state to the operations below it, and from these to their node
PORT = 12.0  # from the middle of a state to where a line leaves or enters it below or above
NARROWEST = 280.0  # width of a picture: TensorBoard scales all to one width
TURN = 6.0  # radius of the corners of lines
TEXT, LABEL = 11.5, 12.0  # sizes of type
INPUTS: dict[GenotypePart, int] = {"normal": 2, "reduction": 2, "recurrent": 1}
JOINED: dict[GenotypePart, str] = {"normal": "concat", "reduction": "concat", "recurrent": "mean"}


@dataclass(slots=True)
class CellLayout:
    """Where everything of a cell lies; x = 0 is the middle of the states."""

    inputs: int
    nodes: tuple[tuple[Gene, ...], ...]
    wide: float  # of an operation's box
    states: list[float] = field(default_factory=list)  # y of each state
    operations: list[float] = field(default_factory=list)  # y of each node's operations
    output: float = 0.0
    left: dict[int, int] = field(default_factory=dict)  # state -> its lane on the left, counted outwards
    right: dict[int, int] = field(default_factory=dict)

    @property
    def lanes(self) -> tuple[int, int]:
        """The number of lanes on each side."""
        return max(self.left.values(), default=-1) + 1, max(self.right.values(), default=-1) + 1

    @property
    def edge(self) -> float:
        """Where the lanes begin."""
        pair = any(len(genes) > 1 for genes in self.nodes)
        return max((self.wide + APART / 2) if pair else self.wide / 2, OUTPUT_WIDTH / 2)

    def lane(self, state: int, side: int) -> float:
        """x of the lane of a state; `side` is -1 or 1."""
        return side * (self.edge + LANE * (1 + (self.left if side < 0 else self.right)[state]))

    def at(self, node: int, place: int) -> float:
        """x of the centre of an operation: place 0 is the only or the left one, place 1 the right one."""
        return 0.0 if len(self.nodes[node]) == 1 else (2 * place - 1) * (self.wide + APART) / 2

    def side(self, node: int, place: int) -> int:
        """From which side a line comes to an operation: -1, 1, or 0 for straight from the state above."""
        above = self.nodes[node][place].source == node + self.inputs - 1
        return 0 if above else -1 if place == 0 else 1


def cell(part: GenotypePart, nodes: tuple[tuple[Gene, ...], ...]) -> Picture:
    """A `normal`, `reduction` or `recurrent` cell with at most two genes in each node."""
    layout = _layout(part, nodes)
    shapes: list[Shape] = [*_joins(layout), *_wires(layout)]
    shapes += [
        each
        for node in range(len(nodes))
        for place in range(len(nodes[node]))
        for each in _operation(layout, node, place)
    ]
    for state, y in enumerate(layout.states):
        shapes += _state(state_name(state, layout.inputs), y, STATE_WIDTH)
    shapes += _state(f"output ({JOINED[part]})", layout.output, OUTPUT_WIDTH)
    lanes = layout.lanes
    bus = LANE if len(nodes) > 1 else 0.0
    left, right = layout.edge + LANE * lanes[0] + MARGIN, layout.edge + LANE * lanes[1] + bus + MARGIN
    moved = [_moved(shape, left) for shape in shapes]
    high = layout.output + STATE_HEIGHT / 2 + MARGIN
    return Picture(left + right, high, f"{part} cell", moved, in_words(part, nodes))


def chain(genotype: Genotype) -> Picture:
    """The two chains of an ordered genotype, in the order of the forward pass."""
    slots = [
        gene.operation
        for pair in zip(genotype.conv, genotype.pool, strict=True)
        for node in pair
        for gene in node
    ]
    return _in_a_row(slots, "conv and pool chain")


def layer(genotype: Genotype) -> Picture:
    """The layer of the front end's frames that a genotype reads."""
    return _in_a_row([gene.operation for node in genotype.layer for gene in node], "layer of the frames")


def _in_a_row(slots: Sequence[OperationName], heading: str) -> Picture:
    """Input, operations and output from top to bottom; the two of a pair are closer."""
    wide = max(max(width(each, TEXT, mono=True) for each in slots) + SIDES, STATE_WIDTH)
    y = MARGIN + STATE_HEIGHT / 2
    shapes: list[Shape] = [*_state("input", y, STATE_WIDTH)]
    for number, name in enumerate([*slots, "output"]):
        step = 40.0 if number % 2 == 0 else 34.0
        shapes.append(_wire(((0, y + STATE_HEIGHT / 2), (0, y + step - STATE_HEIGHT / 2)), arrow=True))
        y += step
        shapes += _state(name, y, STATE_WIDTH) if number == len(slots) else _box(name, 0, y, wide)
    across = max(wide, NARROWEST) / 2 + MARGIN
    about = f"{heading.capitalize()}: input, then {', '.join(slots)}, then output."
    moved = [_moved(each, across) for each in shapes]
    return Picture(2 * across, y + STATE_HEIGHT / 2 + MARGIN, heading, moved, about)


def state_name(state: int, inputs: int) -> str:
    """`input 0` or `node 1`."""
    return f"input {state}" if state < inputs else f"node {state - inputs}"


def in_words(part: GenotypePart | CellKind, nodes: tuple[tuple[Gene, ...], ...]) -> str:
    """A cell in words."""
    inputs = INPUTS[part]
    each = [
        f"node {number} adds "
        + " and ".join(f"{gene.operation} of {state_name(gene.source, inputs)}" for gene in genes)
        for number, genes in enumerate(nodes)
    ]
    joins = "concatenation" if JOINED[part] == "concat" else "mean"
    return f"{part.capitalize()} cell: {'; '.join(each)}. The output is the {joins} of all nodes."


def _layout(part: GenotypePart, nodes: tuple[tuple[Gene, ...], ...]) -> CellLayout:
    inputs = INPUTS[part]
    names = [gene.operation for genes in nodes for gene in genes]
    layout = CellLayout(inputs, tuple(nodes), max(width(name, TEXT, mono=True) for name in names) + SIDES)
    y = MARGIN + STATE_HEIGHT / 2
    layout.states = [y + 36.0 * number for number in range(inputs)]
    for _ in nodes:
        layout.operations.append(layout.states[-1] + STEP)
        layout.states.append(layout.operations[-1] + BELOW)
    layout.output = layout.states[-1] + STEP
    layout.left, layout.right = (_lanes(layout, side) for side in (-1, 1))
    return layout


def _lanes(layout: CellLayout, side: int) -> dict[int, int]:
    """State -> its lane on a side: the innermost one that is free down to the last operation that takes from
    it.
    """
    ends: dict[int, float] = {}
    for node, genes in enumerate(layout.nodes):
        for place, gene in enumerate(genes):
            if layout.side(node, place) == side:
                ends[gene.source] = layout.operations[node]
    taken: list[list[tuple[float, float]]] = []
    found: dict[int, int] = {}
    for state, end in sorted(ends.items(), key=lambda item: (item[1] - layout.states[item[0]], item[0])):
        begin = layout.states[state]
        free = (number for number, lane in enumerate(taken) if all(end < a or b < begin for a, b in lane))
        number = next(free, len(taken))
        if number == len(taken):
            taken.append([])
        taken[number].append((begin, end))
        found[state] = number
    return found


def _wires(layout: CellLayout) -> list[Shape]:
    """Lines from each state to the operations that take from it, and from these to their nodes."""
    shapes: list[Shape] = []
    for node, genes in enumerate(layout.nodes):
        y, x_of = layout.operations[node], [layout.at(node, place) for place in range(len(genes))]
        for place, gene in enumerate(genes):
            x, side, begin = x_of[place], layout.side(node, place), layout.states[gene.source]
            if side == 0:
                top, port = begin + STATE_HEIGHT / 2, PORT * ((x > 0) - (x < 0))
                points = _stairs(port, top, x, y - OPERATION_HEIGHT / 2)
            else:
                lane = layout.lane(gene.source, side)
                points = (
                    (side * STATE_WIDTH / 2, begin),
                    (lane, begin),
                    (lane, y),
                    (x + side * layout.wide / 2, y),
                )
            shapes.append(_wire(points, gene.source))
            port, end = PORT * ((x > 0) - (x < 0)), layout.states[node + layout.inputs] - STATE_HEIGHT / 2
            shapes.append(_wire(_stairs(x, y + OPERATION_HEIGHT / 2, port, end), gene.source, arrow=True))
    return shapes


def _stairs(x0: float, y0: float, x1: float, y1: float) -> tuple[Point, ...]:
    """Down, across and down; straight if there is nothing to cross."""
    middle = (y0 + y1) / 2
    return ((x0, y0), (x1, y1)) if x0 == x1 else ((x0, y0), (x0, middle), (x1, middle), (x1, y1))


def _joins(layout: CellLayout) -> list[Shape]:
    """Lines from every node to the output: straight down from the last, on the far right from the others."""
    *earlier, last = layout.states[layout.inputs :]
    far = layout.edge + LANE * (layout.lanes[1] + 1)
    shapes: list[Shape] = [_wire(((STATE_WIDTH / 2, y), (far, y))) for y in earlier[1:]]
    if earlier:
        top, bottom = earlier[0], layout.output
        path = ((STATE_WIDTH / 2, top), (far, top), (far, bottom), (OUTPUT_WIDTH / 2, bottom))
        shapes.append(_wire(path, arrow=True))
    return [*shapes, _wire(((0, last + STATE_HEIGHT / 2), (0, layout.output - STATE_HEIGHT / 2)), arrow=True)]


def _wire(points: tuple[Point, ...], state: int | None = None, *, arrow: bool = False) -> Line:
    """A line in the colour of the state that it comes from."""
    return Line(points, "soft" if state is None else series(state)[0], 1.6, corner=TURN, arrow=arrow)


def _operation(layout: CellLayout, node: int, place: int) -> list[Shape]:
    x, y = layout.at(node, place), layout.operations[node]
    return _box(layout.nodes[node][place].operation, x, y, layout.wide)


def _box(name: str, x: float, y: float, wide: float) -> list[Shape]:
    """An operation; a skip connection, which computes nothing, is dashed."""
    skips = name == "skip_connect"
    place = x - wide / 2, y - OPERATION_HEIGHT / 2, wide, OPERATION_HEIGHT
    box = Box(*place, "" if skips else "band", outline="soft", radius=4, dashed=skips)
    return [box, Words(x, y, name, size=TEXT, anchor="middle", mono=True)]


def _state(name: str, y: float, wide: float) -> list[Shape]:
    place = -wide / 2, y - STATE_HEIGHT / 2, wide, STATE_HEIGHT
    box = Box(*place, "band", outline="ink", edge=2, radius=STATE_HEIGHT / 2)
    return [box, Words(0, y, name, size=LABEL, anchor="middle", bold=True)]


def _moved(shape: Shape, x: float) -> Shape:
    """The same shape, farther to the right."""
    if isinstance(shape, Line):
        return replace(shape, points=tuple((px + x, py) for px, py in shape.points))
    assert isinstance(shape, Box | Words)
    return replace(shape, x=shape.x + x)
