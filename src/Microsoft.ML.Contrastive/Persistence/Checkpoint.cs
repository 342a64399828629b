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

    private Checkpoint(string path, long step, JsonElement run, JsonElement environment)
        => (_path, Step, Run, Environment) = (path, step, run, environment);

    /// <summary>Steps done.</summary>
    public long Step { get; }

    /// <summary>What must be the same where the run goes on: method, settings, encoder, data, seed.</summary>
    public JsonElement Run { get; }

    /// <summary>What should be the same for equal bits: library, libtorch, threads, device.</summary>
    public JsonElement Environment { get; }

    /// <summary>The run's seed; null where a file says none.</summary>
    public int? Seed => Run.TryGetProperty("seed", out JsonElement seed) && seed.ValueKind == JsonValueKind.Number && seed.TryGetInt32(out int value) ? value : null;

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
            using var document = JsonDocument.Parse(text, new JsonDocumentOptions { MaxDepth = 32, AllowDuplicateProperties = false });
            JsonElement state = document.RootElement.Clone();
            if (state.GetProperty("format").GetInt32() > CurrentFormat)
                throw new NotSupportedException($"{path} was written by a newer version of ContrastiveML. Update the package ContrastiveML, or give another CheckpointFolder.");
            return state.GetProperty("step").GetInt64() is >= 0 and long step && state.GetProperty("run") is { ValueKind: JsonValueKind.Object } run
                ? new Checkpoint(path, step, run, state.GetProperty("environment"))
                : throw new FormatException("no step, or no run");
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or FormatException or KeyNotFoundException)
        {
            throw new InvalidDataException($"{path} is damaged: what it says of its run can't be read.", error);
        }
    }

    /// <summary>Throws unless the checkpoint is of this run.</summary>
    /// <exception cref="ArgumentException">It is of another: the message names each difference.</exception>
    public void Require(JsonElement run)
    {
        string[] differences = [.. Differences(Run, run).Take(20)];
        if (differences.Length > 0)
            throw new ArgumentException(
                $"The checkpoint {_path} is of another run: {string.Join("; ", differences)}. Give this Fit a CheckpointFolder of its own, or what the checkpoint was made with.",
                nameof(TrainingOptions.CheckpointFolder));
    }

    /// <summary>"where is this in the checkpoint, that in this Fit" for each value that differs.</summary>
    public static IEnumerable<string> Differences(JsonElement inCheckpoint, JsonElement inFit)
    {
        return Compare("", inCheckpoint, inFit);

        static IEnumerable<string> Compare(string path, JsonElement? then, JsonElement? now)
        {
            if (then is { ValueKind: JsonValueKind.Object } a && now is { ValueKind: JsonValueKind.Object } b)
                return a.EnumerateObject().Concat(b.EnumerateObject()).Select(property => property.Name).Distinct()
                    .SelectMany(name => Compare(path.Length == 0 ? name : $"{path}.{name}", Property(a, name), Property(b, name)));
            if (then is { ValueKind: JsonValueKind.Array } one && now is { ValueKind: JsonValueKind.Array } other && one.GetArrayLength() == other.GetArrayLength())
                return one.EnumerateArray().Zip(other.EnumerateArray()).SelectMany((pair, i) => Compare($"{path}[{i}]", pair.First, pair.Second));
            string before = Show(then), after = Show(now);
            return before == after ? [] : [$"{path} is {before} in the checkpoint, {after} in this Fit"];
        }

        static JsonElement? Property(JsonElement item, string name) => item.TryGetProperty(name, out JsonElement value) ? value : null;

        static string Show(JsonElement? value) => value is { } given ? Printable.Message(given.GetRawText()) : "not set";
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
}
