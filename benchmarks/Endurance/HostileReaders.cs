using System.Runtime.ExceptionServices;
using System.Text;
using Microsoft.ML.Contrastive.Tests;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Endurance;

/// <summary>All kinds of files that the library reads, each with a valid example.</summary>
internal static class HostileReaders
{
    private const string ManifestEntry = "manifest.json", WeightsEntry = "weights.safetensors";

    /// <summary>The readers of every file. A new one is one more line.</summary>
    /// <param name="zip">A saved model with an encoder in it, whose entries are the other examples too.</param>
    /// <param name="folder">An empty folder; a folder in it is where ML.NET may extract entries.</param>
    public static HostileReader[] All(byte[] zip, string folder)
    {
        byte[] small = SmallSafeTensors();
        zip = WithoutSchema(zip);
        return
        [
            new("safetensors", small, FileMutator.MutateSafeTensors, bytes => ReadTensors(new MemoryStream(bytes))),
            new("safetensors-unseekable", small, FileMutator.MutateSafeTensors, bytes => ReadTensors(new UnseekableStream(bytes))),
            new("weights", Entry(zip, WeightsEntry), FileMutator.MutateSafeTensors, LoadWeights(zip)),
            new("import", ForeignWeights(), FileMutator.MutateSafeTensors, ImportWeights()),
            new("manifest", Entry(zip, ManifestEntry), FileMutator.MutateJson, bytes => ReadManifest(bytes)),
            new("manifest-multiview", ManifestOfTwoColumns(zip), FileMutator.MutateJson, bytes => ReadManifest(bytes)),
            new("classes", SmallClasses, FileMutator.MutateJson, bytes => ClassLabels.Read(new StreamReader(new MemoryStream(bytes)))),
            new("checkpoint", SmallCheckpoint(folder), FileMutator.MutateSafeTensors, bytes => ReadCheckpoint(bytes, folder)),
            new("checkpoint-state", WithDigest(State), MutateState, bytes => ReadCheckpoint(bytes, folder)),
            .. HostileTokenizers.All(),
            new("word-vectors", "3 2\nthe 0.1 -2\nof 1e-3 4\n. . 5 6\n"u8.ToArray(), FileMutator.MutateBytes, bytes => WordVectorFile.Read(new MemoryStream(bytes), "vectors.txt")),
            .. HostileClip.All(folder),
            new("zip", zip, FileMutator.MutateZip, LoadZip(folder)),
        ];
    }

    // ML.NET reads a changed Schema for ever (CodecFactory.GetVBufferCodec of ML.NET 5.0.1 reads on at the end of the entry), before it
    // asks for our loader; and there is no way to stop it. It does without one.
    private static byte[] WithoutSchema(byte[] zip) => FileMutator.WriteZip(FileMutator.ReadZip(zip).Where(entry => entry.Key != "Schema"));

    private static byte[] Entry(byte[] zip, string name)
        => FileMutator.ReadZip(zip).Single(entry => entry.Key.EndsWith($"/{name}", StringComparison.Ordinal) || entry.Key.EndsWith($"\\{name}", StringComparison.Ordinal)).Value;

    private static byte[] SmallSafeTensors()
    {
        using var scope = NewDisposeScope();
        using var file = new MemoryStream();
        SafeTensors.Save(
            file,
            [("weight", arange(6, ScalarType.Float32).reshape(2, 3)), ("flag", ones(1, ScalarType.Bool)), ("n", tensor(3L)), ("none", zeros(0))],
            new Dictionary<string, string> { ["format"] = "pt" });
        return file.ToArray();
    }

    private static void ReadTensors(Stream stream)
    {
        using var scope = NewDisposeScope();
        using var reader = new SafeTensorsReader(stream, "file.safetensors");
        foreach (var _ in reader.ReadTensors())
        {
        }
    }

    private static Action<byte[]> LoadWeights(byte[] zip)
    {
        EncoderManifest manifest = ReadManifest(Entry(zip, ManifestEntry));
        Dictionary<string, Tensor> state = manifest.Input.CreateModule(seed: 1).state_dict();
        return bytes => SafeTensors.LoadInto(
            new SafeTensorsReader(new MemoryStream(bytes), WeightsEntry, ModelEntries.LongestWeightsHeader), state);
    }

    private static VisionTransformer Foreign => new() { Patch = 4, Width = 16, Depth = 1, Heads = 2, Positions = PositionEmbedding.Learned };

    /// <summary>Another program's file: behind a prefix, with a classifier, and positions of another grid.</summary>
    private static byte[] ForeignWeights()
    {
        using var scope = NewDisposeScope();
        using var file = new MemoryStream();
        var state = Foreign.CreateModule(channels: 3, seed: 1, imageSize: 12).state_dict();
        SafeTensors.Save(file, [.. state.Select(pair => ($"module.{pair.Key}", pair.Value)), ("module.head.weight", zeros(2, 16))]);
        return file.ToArray();
    }

    private static Action<byte[]> ImportWeights()
    {
        var module = Foreign.CreateModule(channels: 3, seed: 1, imageSize: 8);
        return bytes => WeightImport.Load(
            new SafeTensorsReader(new MemoryStream(bytes), "file.safetensors"), Foreign, module, prefix: null, allowMissing: false);
    }

    private static EncoderManifest ReadManifest(byte[] json) => EncoderManifest.Read(new StreamReader(new MemoryStream(json)));

    private static byte[] ManifestOfTwoColumns(byte[] zip)
    {
        EncoderManifest manifest = ReadManifest(Entry(zip, ManifestEntry));
        var view = (PictureInput)manifest.Input;
        return Encoding.UTF8.GetBytes((manifest with { Input = new MultiviewInput { Columns = ["Image", "Depth"], Views = [view, view] } }).ToJson());
    }

    private static byte[] SmallClasses
        => """{"labelColumn":"Label","predictedLabelColumn":"PredictedLabel","count":3,"kind":"single","values":["0.5","-1","2"]}"""u8.ToArray();

    private static byte[] SmallCheckpoint(string folder)
    {
        using var scope = NewDisposeScope();
        string path = Path.Combine(folder, "checkpoint");
        Checkpoint.Write(path, step: 7, new() { ["seed"] = 1 }, new() { ["threads"] = 2 }, [("weight", arange(6, ScalarType.Float32)), ("steps", tensor(3L))]);
        byte[] bytes = File.ReadAllBytes(path);
        File.Delete(path);
        return bytes;
    }

    private static byte[] State => """{"format":1,"step":7,"run":{"seed":1,"settings":{"temperature":0.2}},"environment":{"threads":2}}"""u8.ToArray();

    private static byte[] MutateState(byte[] valid, ref SeededRandom random) => WithDigest(FileMutator.MutateJson(State, ref random));

    /// <summary>A checkpoint whose digest is right, so that what it says of its run is read.</summary>
    private static byte[] WithDigest(byte[] state)
    {
        using var scope = NewDisposeScope();
        (string, Tensor)[] tensors = [("weight", arange(6, ScalarType.Float32)), ("steps", tensor(3L))];
        var metadata = new Dictionary<string, string> { ["checkpoint"] = Encoding.UTF8.GetString(state) };
        metadata["sha256"] = Checkpoint.Digest(stream => SafeTensors.Save(stream, tensors, metadata));
        using var file = new MemoryStream();
        SafeTensors.Save(file, tensors, metadata);
        return file.ToArray();
    }

    private static void ReadCheckpoint(byte[] bytes, string folder)
    {
        string path = Path.Combine(folder, "checkpoint");
        File.WriteAllBytes(path, bytes);
        try
        {
            Checkpoint checkpoint = Checkpoint.Read(path);
            _ = Checkpoint.Differences(checkpoint.Run, checkpoint.Environment).Count();
            using Tensor weight = zeros(6), steps = zeros(1, ScalarType.Int64);
            checkpoint.Restore([("weight", weight), ("steps", steps.squeeze())]);
        }
        catch (NotSupportedException)
        {
            // Another format's number: a clear refusal of its own.
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static Action<byte[]> LoadZip(string folder)
    {
        string inside = Directory.CreateDirectory(Path.Combine(folder, "a", "b")).FullName;
        var ml = new MLContext(1) { TempFilePath = inside };
        return bytes =>
        {
            Exception? refusal = null;
            try
            {
                using var stream = new MemoryStream(bytes);
                (ml.Model.Load(stream, out _) as IDisposable)?.Dispose();
            }
            catch (Exception error)
            {
                refusal = error;
            }
            string[] beside = [.. Directory.GetFileSystemEntries(folder), .. Directory.GetFileSystemEntries(Path.GetDirectoryName(inside)!)];
            if (beside.Length != 2)
                throw new HostileFileEscapedException($"Something lies outside the folder for temporary files: {string.Join(", ", beside)}");
            if (refusal is not null)
                ExceptionDispatchInfo.Throw(refusal);
        };
    }
}
