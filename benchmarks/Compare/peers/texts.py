"""A BERT-shaped encoder in plain PyTorch: SimCSE's step, embedding sorted by length, and the export to ONNX."""
import numpy
import torch
from peer import seconds, serve, tensors
from networks import load
from torch import nn
from torch.nn import functional as F


class Layer(nn.Module):
    def __init__(self, width, heads, middle, dropout):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, middle), nn.Linear(middle, width)
        self.norm1, self.norm2 = nn.LayerNorm(width, 1e-12), nn.LayerNorm(width, 1e-12)

    def forward(self, x, bias):
        rows, tokens, width = x.shape
        q, k, v = self.qkv(x).view(rows, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        weights = F.dropout((q @ k.transpose(2, 3) * (width // self.heads) ** -0.5 + bias).softmax(-1), self.dropout, self.training)
        mixed = self.out((weights @ v).transpose(1, 2).reshape(rows, tokens, width))
        x = self.norm1(x + F.dropout(mixed, self.dropout, self.training))
        return self.norm2(x + F.dropout(self.down(F.gelu(self.up(x))), self.dropout, self.training))


class Encoder(nn.Module):
    """Token ids [N, T], -1 behind each text's end, to means over tokens [N, D]."""

    def __init__(self, vocabulary, positions, width, depth, heads, middle, dropout):
        super().__init__()
        self.words, self.positions, self.norm = nn.Embedding(vocabulary, width), nn.Embedding(positions, width), nn.LayerNorm(width, 1e-12)
        self.layers, self.dropout = nn.ModuleList(Layer(width, heads, middle, dropout) for _ in range(depth)), dropout

    def forward(self, ids):
        mask = ids >= 0
        x = self.words(ids.clamp_min(0)) + self.positions(torch.arange(ids.shape[1]))
        x = F.dropout(self.norm(x), self.dropout, self.training)
        bias = torch.zeros(ids.shape).masked_fill(~mask, -1e9)[:, None, None]
        for layer in self.layers:
            x = layer(x, bias)
        weights = mask[..., None].float()
        return (x * weights).sum(1) / weights.sum(1)


def state(data, prefix):
    """The C# side's weights, which have Hugging Face's names, under the names of this file."""
    state, layers = {}, {}
    for name, value in data.items():
        if not name.startswith(prefix):
            continue
        name = name[len(prefix):]
        if not name.startswith("encoder.layer."):
            known = {"embeddings.word_embeddings": "words", "embeddings.position_embeddings": "positions", "embeddings.LayerNorm": "norm"}
            stem, kind = name.rsplit(".", 1)
            state[f"{known[stem]}.{kind}"] = value
            continue
        index, rest = name[len("encoder.layer."):].split(".", 1)
        layers.setdefault(int(index), {})[rest] = value
    known = {
        "attention.output.dense": "out", "attention.output.LayerNorm": "norm1", "intermediate.dense": "up", "output.dense": "down",
        "output.LayerNorm": "norm2"}
    for index, layer in layers.items():
        for kind in ("weight", "bias"):
            state[f"layers.{index}.qkv.{kind}"] = torch.cat([layer[f"attention.self.{part}.{kind}"] for part in ("query", "key", "value")])
            for theirs, ours in known.items():
                state[f"layers.{index}.{ours}.{kind}"] = layer[f"{theirs}.{kind}"]
    return state


def encoder(settings, data, prefix, dropout):
    shape = [settings[name] for name in ("vocabulary", "positions", "width", "depth", "heads", "middle")]
    return load(Encoder(*shape, dropout), state(data, prefix))


class SimCseStep:
    def __init__(self, settings):
        data = tensors(settings["file"])
        self.ids, self.times, self.temperature = data["ids"], settings["times"], settings["temperature"]
        self.net = encoder(settings, data, "encoder.", dropout=0.1).train()
        self.mlp = nn.Linear(settings["width"], settings["width"])
        self.mlp.load_state_dict({"weight": data["mlp.weight"], "bias": data["mlp.bias"]})
        self.parameters = [*self.net.parameters(), *self.mlp.parameters()]
        self.optimizer = torch.optim.AdamW(self.parameters, settings["rate"], weight_decay=0, foreach=True)

    def loss(self):
        first, second = F.normalize(self.mlp(self.net(torch.cat([self.ids, self.ids]))).tanh()).chunk(2)
        return F.cross_entropy(first @ second.t() / self.temperature, torch.arange(len(first)))

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss()
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 1)
        self.optimizer.step()
        return loss.item()

    def round(self):
        return seconds(self.step, self.times)

    def values(self):
        """The loss without dropout, which draws other numbers on each side."""
        self.net.eval()
        with torch.no_grad():
            loss = self.loss().item()
        self.net.train()
        return [loss]


class Embedding:
    """Texts sorted by length, in batches of like length with a budget of tokens."""

    def __init__(self, settings):
        data = tensors(settings["file"])
        ids = data.pop("ids").numpy()
        self.net = encoder(settings, data, "", dropout=0).eval()
        lengths = (ids >= 0).sum(1)
        self.order, self.texts, self.batches = numpy.argsort(-lengths, kind="stable"), [row[:length].tolist() for row, length in zip(ids, lengths)], []
        start = 0
        while start < len(self.order):
            count = max(1, settings["tokens"] // int(lengths[self.order[start]]))
            self.batches.append(self.order[start:start + count])
            start += count
        if "onnx" in settings:
            sample = torch.from_numpy(ids[:2, :8].copy())
            torch.onnx.export(
                self.net, sample, settings["onnx"], opset_version=14, input_names=["ids"], output_names=["vectors"],
                dynamic_axes={"ids": {0: "rows", 1: "tokens"}, "vectors": {0: "rows"}})

    def embed(self):
        vectors = [None] * len(self.texts)
        with torch.inference_mode():
            for batch in self.batches:
                length = max(len(self.texts[i]) for i in batch)
                ids = torch.tensor([self.texts[i] + [-1] * (length - len(self.texts[i])) for i in batch])
                for i, vector in zip(batch, self.net(ids)):
                    vectors[i] = vector
        return vectors

    def round(self):
        return seconds(self.embed) / len(self.texts)

    def values(self):
        return torch.cat(self.embed()).tolist()


serve(lambda settings: (SimCseStep if settings["what"] == "simcse" else Embedding)(settings))
