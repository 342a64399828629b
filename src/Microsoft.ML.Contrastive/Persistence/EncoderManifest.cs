using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// All of a fitted encoder but its weights: what a reader of the zip's manifest.json sees. Data only: nothing in it names
/// code. How it was trained is kept for the record and is not needed to load.
/// </summary>
internal sealed record EncoderManifest
{
    /// <summary>The newest form that this library knows; a file with a higher number is refused.</summary>
    public const int CurrentFormat = 1;

    /// <summary>Bound of what can be fitted and loaded.</summary>
    public const int MaxBatchSize = 65_536;

    /// <summary>Characters of a manifest that are read; one of ours has some thousands.</summary>
    public const int MaxLength = 1 << 18;

    public required int Format { get; init; }

    /// <summary>Version of the library that wrote it.</summary>
    public required string Library { get; init; }

    public required string OutputColumn { get; init; }

    public required string InputColumn { get; init; }

    /// <summary>What the network takes, and the network.</summary>
    public required ModelInput Input { get; init; }

    /// <summary>Rows that are featurized together.</summary>
    public required int BatchSize { get; init; }

    /// <summary>In which numbers the network's products are computed; null for single precision.</summary>
    public Precision? Precision { get; init; }

    /// <summary>Method with all its settings, steps, seed, rows: whatever Fit decided.</summary>
    public JsonObject? Training { get; init; }

    internal static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase, allowIntegerValues: false) },
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        MaxDepth = 32,
        NumberHandling = JsonNumberHandling.Strict,
    };

    // What comes from outside may leave nothing out.
    internal static readonly JsonSerializerOptions StrictJson = new(Json) { RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true };

    public string ToJson() => JsonSerializer.Serialize(this, Json);

    /// <summary>Settings of any record as JSON, by its own type or, so that it says which kind it is, as its base.</summary>
    /// <exception cref="ArgumentException">A setting can't be written as JSON.</exception>
    public static JsonNode? Describe(object settings, Type? by = null)
    {
        try
        {
            return JsonSerializer.SerializeToNode(settings, by ?? settings.GetType(), Json);
        }
        catch (Exception error) when (error is JsonException or ArgumentException or NotSupportedException)
        {
            throw new ArgumentException($"A setting of {settings.GetType().Name} can't be kept in the model's manifest.json: {error.Message} Mark it with [JsonIgnore].", nameof(settings), error);
        }
    }

    /// <summary>Reads no further than a manifest can be long: in a zip a megabyte of blanks takes a kilobyte.</summary>
    /// <exception cref="InvalidDataException">Not a manifest, one of a newer library, or one with settings out of range.</exception>
    public static EncoderManifest Read(TextReader reader) => Parse(ReadText(reader, MaxLength, "manifest.json"));

    /// <summary>An entry's text, of which no more is kept than it can be long.</summary>
    /// <exception cref="InvalidDataException">It is longer.</exception>
    public static string ReadText(TextReader reader, int most, string entry)
    {
        var text = new StringBuilder();
        char[] piece = new char[4096];
        for (int count; (count = reader.Read(piece)) > 0;)
        {
            text.Append(piece, 0, count);
            if (text.Length > most)
                throw new InvalidDataException($"The model's {entry} is damaged or edited: it has more than {most} characters.");
        }
        return text.ToString();
    }

    /// <exception cref="InvalidDataException">Not a manifest, one of a newer library, or one with settings out of range.</exception>
    public static EncoderManifest Parse(string json)
    {
        try
        {
            int? format = (int?)JsonNode.Parse(json, documentOptions: new JsonDocumentOptions { MaxDepth = 32 })?["format"];
            if (format > CurrentFormat)
                throw new InvalidDataException($"This model was written in format {format} by a newer version of ContrastiveML; this version reads up to {CurrentFormat}. Update the package ContrastiveML.");
            EncoderManifest manifest = JsonSerializer.Deserialize<EncoderManifest>(json, StrictJson) ?? throw new JsonException("it is empty");
            manifest.Check();
            return manifest;
        }
        catch (Exception error) when (error is JsonException or ArgumentException or FormatException or InvalidOperationException or NotSupportedException)
        {
            throw new InvalidDataException($"The model's manifest.json is damaged or edited: {Printable.Message(error.Message)}", error);
        }
    }

    private void Check()
    {
        Input.Check();
        Require(Format >= 1, nameof(Format));
        Require(BatchSize is >= 1 and <= MaxBatchSize, nameof(BatchSize));
        Require(!string.IsNullOrEmpty(OutputColumn) && !string.IsNullOrEmpty(InputColumn), nameof(InputColumn));

        static void Require(bool condition, string field)
        {
            if (!condition)
                throw new ArgumentException($"its '{field}' is out of range.");
        }
    }
}
