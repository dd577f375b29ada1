"""Laws of the cells: mixed and chosen edges, shapes, drop-path."""

import numpy as np
import pytest
import torch
from torch import nn

from raysernas.config.schema import NetworkConfig
from raysernas.model.cells import ChosenCell, SearchCell, _drop
from raysernas.model.mixed import MixedEdge
from raysernas.record.genotype import CELL_OPERATIONS, draw, sources, space


def test_mixed_edge_is_the_weighted_sum_of_its_operations():
    torch.manual_seed(1)
    edge = MixedEdge(4, (1, 1)).double()
    x, mixing = (
        torch.randn(3, 4, 8, 6, dtype=torch.float64),
        torch.rand(len(CELL_OPERATIONS), dtype=torch.float64),
    )
    expected = torch.stack([weight * op(x) for weight, op in zip(mixing, edge.operations, strict=True)]).sum(
        0
    )
    torch.testing.assert_close(edge(x, mixing), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["normal", "reduction"])
@pytest.mark.parametrize("nodes", [1, 2, 4])
def test_cells_concatenate_their_nodes_whatever_came_before(kind, nodes):
    stride = 2 if kind == "reduction" else 1
    x = torch.randn(2, 6, 10, 8)
    mixing = torch.full((len(sources(nodes)), len(CELL_OPERATIONS)), 1 / len(CELL_OPERATIONS))
    searched = SearchCell(kind, nodes, (6, 6), 4, halved_before=False)(x, x, mixing)
    genes = getattr(draw(np.random.default_rng(0), space(NetworkConfig(nodes=nodes))), kind)
    chosen = ChosenCell(kind, genes, (6, 6), 4, halved_before=False)(x, x, 0.0)
    assert searched.shape == chosen.shape == (2, 4 * nodes, 10 // stride, 8 // stride)


def test_drop_path_silences_whole_edges_of_a_clip_never_an_identity_and_never_in_eval():
    genes = draw(np.random.default_rng(2), space(NetworkConfig(nodes=3))).normal
    cell = ChosenCell("normal", genes, (4, 4), 4, halved_before=False)
    x = torch.randn(64, 4, 6, 6)
    cell.eval()
    torch.testing.assert_close(cell(x, x, 0.9), cell(x, x, 0.0))
    identities = [edge for edge in cell.edges if isinstance(edge, nn.Identity)]
    cell.train()
    torch.manual_seed(0)
    dropped = _drop(nn.ReLU(), torch.ones(4000, 1, 1, 1), 0.25, cell).flatten()
    assert dropped.unique().tolist() == pytest.approx([0.0, 1 / 0.75])
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.05)
    for edge in [*identities, nn.Identity()]:
        assert torch.equal(_drop(edge, x, 0.9, cell), x)
