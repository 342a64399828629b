"""SimCLR: encoder with projector, its loss, its optimizer."""
import torch
from torch import nn
from torch.nn import functional as F


class SimClr(nn.Module):
    def __init__(self, encoder, features):
        super().__init__()
        self.encoder = encoder
        self.projector = nn.Sequential(nn.Linear(features, features), nn.BatchNorm1d(features), nn.ReLU(inplace=True), nn.Linear(features, 128))

    def forward(self, views):
        return self.projector(self.encoder(views))


def nt_xent(z, temperature):
    """Of projections [2N, D], the second views under the first."""
    z = F.normalize(z)
    logits = (z @ z.t() / temperature).fill_diagonal_(float("-inf"))
    rows = len(z)
    return F.cross_entropy(logits, torch.arange(rows).roll(rows // 2))


def optimizer_of(net, rate):
    return torch.optim.SGD(net.parameters(), rate, momentum=0.9, weight_decay=5e-4, foreach=True)
