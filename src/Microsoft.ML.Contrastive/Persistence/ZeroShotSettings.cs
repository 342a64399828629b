using System.Text.Json;

namespace Microsoft.ML.Contrastive;

/// <summary>How words are compared with pictures: what a reader of the zip's zeroshot.json sees. Data only; the words are in classes.json.</summary>
internal sealed record ZeroShotSettings
{
    /// <summary>Characters of the entry that are read: a thousand templates of a thousand characters, some of them escaped.</summary>
    public const int MaxLength = 1 << 22;

    /// <summary>Sentences, each with a place for the word.</summary>
    public required IReadOnlyList<string> Templates { get; init; }

    /// <summary>Each class by itself, instead of all as alternatives.</summary>
    public bool IsSigmoid { get; init; }

    /// <summary>What cosines are multiplied with.</summary>
    public required double Scale { get; init; }

    /// <summary>What is added to the products.</summary>
    public double Bias { get; init; }

    /// <summary>The column of boxes, and the two that are added for them; null where there are none.</summary>
    public BoxColumns? Boxes { get; init; }

    public string ToJson() => JsonSerializer.Serialize(this, EncoderManifest.Json);

    /// <exception cref="InvalidDataException">Not such an entry, or one with values out of range.</exception>
    public static ZeroShotSettings Read(TextReader reader)
    {
        string text = EncoderManifest.ReadText(reader, MaxLength, "zeroshot.json");
        try
        {
            ZeroShotSettings settings = JsonSerializer.Deserialize<ZeroShotSettings>(text, EncoderManifest.StrictJson) ?? throw new JsonException("it is empty");
            if (!(settings.Scale > 0 && double.IsFinite(settings.Scale) && double.IsFinite(settings.Bias)))
                throw new ArgumentException("its 'scale' or 'bias' is out of range.");
            if (settings.Boxes is { } boxes && (boxes.Boxes.Length == 0 || boxes.Labels.Length == 0 || boxes.Scores.Length == 0))
                throw new ArgumentException("a column of its 'boxes' has no name.");
            return settings;
        }
        catch (Exception error) when (error is JsonException or ArgumentException)
        {
            throw new InvalidDataException($"The model's zeroshot.json is damaged or edited: {Printable.Message(error.Message)}", error);
        }
    }
}

/// <summary>Columns of boxes.</summary>
/// <param name="Boxes">Is read.</param>
/// <param name="Labels">Is added: each box's likeliest class.</param>
/// <param name="Scores">Is added: each box's scores.</param>
internal sealed record BoxColumns(string Boxes, string Labels, string Scores);
