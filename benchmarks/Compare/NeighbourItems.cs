using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>The weighted vote of nearest neighbours, <see cref="WeightedKnn"/>, on rows around ten centres.</summary>
internal static class NeighbourItems
{
    private const int Queries = 10_000, Bank = 50_000, Width = 128, Classes = 10, K = 200;
    private const double Temperature = 0.1;

    public static IEnumerable<Item> All { get; } = [Of("scikit-learn", 2, 5, rounds: 3), Of("PyTorch", 1, 2, rounds: 5), Of("faiss", 0.8, 1.2, rounds: 5)];

    private static Item Of(string by, double floor, double aim, int rounds) => new(
        $"knn-{by.ToLowerInvariant()}", "weighted kNN, k 200, 10,000 queries against 50,000 x 128", by == "faiss" ? "faiss (flat)" : by, "pass", floor, aim, rounds,
        workshop => Open(workshop, by));

    private static Contest Open(Workshop workshop, string by)
    {
        using var generator = new Generator(5);
        Tensor centres = randn(Classes, Width, generator: generator), labels = randint(0, Classes, Bank, ScalarType.Int64, generator: generator);
        Tensor bank = Around(labels), queries = Around(randint(0, Classes, Queries, ScalarType.Int64, generator: generator));
        var peer = new Peer("neighbours.py", workshop.Threads);
        return new Contest
        {
            Ours = () => Workshop.Seconds(() => Predict().Dispose()),
            Theirs = peer.Round,
            Check = new Check("share of queries with another class", 1e-3, () =>
            {
                using Tensor classes = Predict();
                return Check.ShareApart(Array.ConvertAll(MemoryMarshal.Cast<byte, long>(classes.bytes).ToArray(), value => (double)value), peer.Values());
            }),
            Threads = workshop.Threads,
            Versions = peer.Prepare(new JsonObject
            {
                ["threads"] = workshop.Threads, ["by"] = by, ["k"] = K, ["temperature"] = Temperature, ["classes"] = Classes,
                ["file"] = workshop.Write("neighbours", [("bank", bank), ("queries", queries), ("labels", labels)]),
            }),
            Operations = 2.0 * Queries * Bank * Width,
        }.Owning([peer, centres, labels, bank, queries]);

        Tensor Around(Tensor classes) => centres.index_select(0, classes).add_(randn(classes.shape[0], Width, generator: generator), alpha: 3);

        Tensor Predict() => WeightedKnn.Predict(queries, bank, labels, Classes, K, Temperature);
    }
}
