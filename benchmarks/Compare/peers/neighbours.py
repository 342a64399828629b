"""The weighted vote of nearest neighbours by cosine: scikit-learn, PyTorch, faiss."""
import numpy
import torch
from peer import seconds, serve, tensors
from torch.nn import functional as F


class Vote:
    def __init__(self, settings):
        data = tensors(settings["file"])
        self.bank, self.queries, self.labels = F.normalize(data["bank"]), F.normalize(data["queries"]), data["labels"]
        self.k, self.temperature, self.classes = settings["k"], settings["temperature"], settings["classes"]
        self.versions = {}

    def count(self, cosines, rows):
        votes = torch.zeros(len(rows), self.classes)
        return votes.scatter_add_(1, self.labels[rows], (cosines / self.temperature).exp_()).argmax(1)

    def round(self):
        return seconds(self.predict)

    def values(self):
        return self.predict().tolist()


class PyTorch(Vote):
    def predict(self):
        with torch.inference_mode():
            return torch.cat([self.count(*(part @ self.bank.t()).topk(self.k)) for part in self.queries.split(512)])


class Faiss(Vote):
    def __init__(self, settings):
        import faiss

        super().__init__(settings)
        faiss.omp_set_num_threads(settings["threads"])
        self.versions = {"faiss": faiss.__version__}
        self.index = faiss.IndexFlatIP(self.bank.shape[1])
        self.index.add(self.bank.numpy())

    def predict(self):
        cosines, rows = self.index.search(self.queries.numpy(), self.k)
        return self.count(torch.from_numpy(cosines), torch.from_numpy(rows))


class ScikitLearn(Vote):
    def __init__(self, settings):
        import sklearn
        from sklearn.neighbors import KNeighborsClassifier

        super().__init__(settings)
        self.versions = {"scikit-learn": sklearn.__version__, "numpy": numpy.__version__}
        self.neighbours = KNeighborsClassifier(
            self.k, weights=lambda distances: numpy.exp((1 - distances) / self.temperature), algorithm="brute", metric="cosine",
            n_jobs=settings["threads"]).fit(self.bank.numpy(), self.labels.numpy())

    def predict(self):
        return self.neighbours.predict(self.queries.numpy())


serve(lambda settings: {"PyTorch": PyTorch, "faiss": Faiss, "scikit-learn": ScikitLearn}[settings["by"]](settings))
