using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// A run as it stood between two steps, in one safetensors file: every tensor that the next step needs, what the run is, and a
/// digest of all that. Whatever a step draws is a function of the seed and the step's index, so there is no other state.
/// </summary>
internal sealed class Checkpoint
{
    private const int CurrentFormat = 1;
    private const string StateName = "checkpoint", DigestName = "sha256";
    private readonly string _path;

    private Checkpoint(string path, long step, JsonObject run, JsonObject environment)
        => (_path, Step, Run, Environment) = (path, step, run, environment);

    /// <summary>Steps done.</summary>
    public long Step { get; }

    /// <summary>What must be the same where the run goes on: method, settings, encoder, data, seed.</summary>
    public JsonObject Run { get; }

    /// <summary>What should be the same for equal bits: library, libtorch, threads, device.</summary>
    public JsonObject Environment { get; }

    /// <summary>Writes a file that is either whole or not there.</summary>
    public static void Write(string path, long step, JsonObject run, JsonObject environment, IEnumerable<(string Name, Tensor Value)> state)
    {
        (string, Tensor)[] tensors = [.. state];
        var metadata = new Dictionary<string, string>
        {
            [StateName] = new JsonObject
            {
                ["format"] = CurrentFormat,
                ["step"] = step,
                ["run"] = run.DeepClone(),
                ["environment"] = environment.DeepClone(),
            }.ToJsonString(),
        };
        metadata[DigestName] = Digest(stream => SafeTensors.Save(stream, tensors, metadata));
        SafeTensors.Save(path, tensors, metadata);
    }

    /// <summary>Reads what the run is, after the whole file has been held against its digest.</summary>
    /// <exception cref="InvalidDataException">The file is damaged, or no checkpoint.</exception>
    /// <exception cref="NotSupportedException">A newer version of the library wrote it.</exception>
    public static Checkpoint Read(string path)
    {
        using SafeTensorsReader reader = SafeTensorsReader.Open(path);
        if (!reader.Metadata.TryGetValue(StateName, out string? text) || !reader.Metadata.TryGetValue(DigestName, out string? digest))
            throw new InvalidDataException($"{path} is no checkpoint of this library.");
        if (digest != DigestOf(reader, path))
            throw new InvalidDataException($"{path} is damaged: its content doesn't have the digest that was written with it.");
        try
        {
            JsonNode state = JsonNode.Parse(text, documentOptions: new JsonDocumentOptions { MaxDepth = 32, AllowDuplicateProperties = false })!;
            return (int)state["format"]! <= CurrentFormat
                ? new Checkpoint(path, (long)state["step"]!, state["run"]!.AsObject(), state["environment"]!.AsObject())
                : throw new NotSupportedException($"{path} was written by a newer version of ContrastiveML. Update the package ContrastiveML, or give another CheckpointFolder.");
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or FormatException or NullReferenceException)
        {
            throw new InvalidDataException($"{path} is damaged: what it says of its run can't be read.", error);
        }
    }

    /// <summary>Throws unless the checkpoint is of this run.</summary>
    /// <exception cref="ArgumentException">It is of another: the message names each difference.</exception>
    public void Require(JsonObject run)
    {
        string[] differences = [.. Differences(Run, run).Take(20)];
        if (differences.Length > 0)
            throw new ArgumentException(
                $"The checkpoint {_path} is of another run: {string.Join("; ", differences)}. Give this Fit a CheckpointFolder of its own, or what the checkpoint was made with.",
                nameof(TrainingOptions.CheckpointFolder));
    }

    /// <summary>"where: this in the checkpoint, that in this Fit" for each leaf that differs.</summary>
    public static IEnumerable<string> Differences(JsonObject inCheckpoint, JsonObject inFit)
    {
        Dictionary<string, string> then = Leaves(inCheckpoint, ""), now = Leaves(inFit, "");
        return then.Keys.Union(now.Keys)
            .Where(name => then.GetValueOrDefault(name) != now.GetValueOrDefault(name))
            .Select(name => $"{name} is {then.GetValueOrDefault(name, "not set")} in the checkpoint, {now.GetValueOrDefault(name, "not set")} in this Fit");
    }

    /// <summary>Copies the state over tensors of the same names and shapes.</summary>
    /// <exception cref="InvalidDataException">The tensors are not those of this run.</exception>
    public void Restore(IEnumerable<(string Name, Tensor Value)> state)
    {
        using SafeTensorsReader reader = SafeTensorsReader.Open(_path);
        SafeTensors.LoadInto(reader, state.ToDictionary(tensor => tensor.Name, tensor => tensor.Value));
    }

    /// <summary>SHA-256 of the file as it would be without its digest: the writer gives the same bytes for the same content.</summary>
    private static string DigestOf(SafeTensorsReader reader, string path)
    {
        var header = SafeTensorsHeader.For(
            reader.Entries.Select(entry => (entry.Name, SafeTensorsHeader.ScalarOf(entry.DType) ?? throw new InvalidDataException($"{path} is damaged: a checkpoint has no tensor of kind {entry.DType}."), entry.Shape)),
            reader.Metadata.Where(pair => pair.Key != DigestName).ToDictionary());
        using FileStream file = File.OpenRead(path);
        file.Position = file.Length - header.DataLength;
        return Digest(stream =>
        {
            stream.Write(header.ToBytes());
            file.CopyTo(stream);
        });
    }

    /// <summary>SHA-256 of what is written, in lowercase hexadecimal.</summary>
    public static string Digest(Action<Stream> write)
    {
        using var sha = SHA256.Create();
        using (var stream = new CryptoStream(Stream.Null, sha, CryptoStreamMode.Write))
            write(stream);
        return Convert.ToHexStringLower(sha.Hash!);
    }

    private static Dictionary<string, string> Leaves(JsonNode? node, string path)
    {
        var leaves = new Dictionary<string, string>();
        IEnumerable<(string Name, JsonNode? Value)>? children = node switch
        {
            JsonObject item => item.Select(pair => (path.Length == 0 ? pair.Key : $"{path}.{pair.Key}", pair.Value)),
            JsonArray { Count: > 0 } list => list.Select((value, i) => ($"{path}[{i}]", value)),
            _ => null,
        };
        if (children is null)
            leaves[path] = node?.ToJsonString() ?? "null";
        else
            foreach ((string name, JsonNode? value) in children)
                foreach ((string leaf, string text) in Leaves(value, name))
                    leaves[leaf] = text;
        return leaves;
    }
}
