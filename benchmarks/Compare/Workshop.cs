using System.Diagnostics;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>What items are made with: threads, a scratch folder that ends with the run, tensors handed to peers in files.</summary>
internal sealed class Workshop(int threads, bool quick) : IDisposable
{
    /// <summary>Of each side, where an item takes more than one.</summary>
    public int Threads { get; } = threads;

    /// <summary>Whether an item that takes minutes may do a part of its work.</summary>
    public bool Quick { get; } = quick;

    public string Folder { get; } = Directory.CreateTempSubdirectory("contrastiveml-compare-").FullName;

    /// <summary>Writes tensors for a peer: the path of a safetensors file.</summary>
    public string Write(string name, IEnumerable<(string Name, Tensor Value)> tensors)
    {
        string path = Path.Combine(Folder, name + ".safetensors");
        SafeTensors.Save(path, tensors);
        return path;
    }

    /// <summary>A module's weights and running statistics by name.</summary>
    public static IEnumerable<(string Name, Tensor Value)> State(nn.Module module) => module.state_dict().Select(entry => (entry.Key, entry.Value));

    /// <summary>Seconds of one call, the mean of several.</summary>
    public static double Seconds(Action work, int times = 1)
    {
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < times; i++)
            work();
        return Stopwatch.GetElapsedTime(start).TotalSeconds / times;
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}
