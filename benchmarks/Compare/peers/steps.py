"""Training steps of pictures' networks and of a tiny MLP, with the C# side's weights."""
import itertools

import torch
from networks import load, resnet18, small_conv_net
from peer import seconds, serve, tensors
from simclr import SimClr, nt_xent, optimizer_of
from torch import nn
from torch.nn import functional as F


class TrainingStep:
    """What both steps have in common; a class of it says its loss."""

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def round(self):
        return seconds(self.step, self.times)

    def values(self):
        return [self.step() for _ in range(3)]


class SimClrStep(TrainingStep):
    def __init__(self, settings):
        encoder, features = (resnet18 if settings["net"] == "resnet18" else small_conv_net)(settings["channels"])
        data = tensors(settings["file"])
        batches = [data.pop(f"batch.{i}").contiguous(memory_format=torch.channels_last) for i in range(settings["batches"])]
        self.batches, self.times = itertools.cycle(batches), settings["times"]
        self.net = load(SimClr(encoder, features), data).to(memory_format=torch.channels_last).train()
        self.optimizer = optimizer_of(self.net, settings["rate"])
        self.temperature = settings["temperature"]

    def loss(self):
        return nt_xent(self.net(next(self.batches)), self.temperature)


class MlpStep(TrainingStep):
    def __init__(self, settings):
        data = tensors(settings["file"])
        self.rows, self.labels, self.times = data.pop("batch.0"), data.pop("labels"), settings["times"]
        inputs, hidden, outputs = self.rows.shape[1], settings["hidden"], settings["classes"]
        self.net = load(nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, outputs)), data)
        self.optimizer = torch.optim.SGD(self.net.parameters(), settings["rate"], momentum=0.9)

    def loss(self):
        return F.cross_entropy(self.net(self.rows), self.labels)


serve(lambda settings: (MlpStep if settings["net"] == "mlp" else SimClrStep)(settings))
