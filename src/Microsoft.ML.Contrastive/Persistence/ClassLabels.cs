using System.Text.Json;

namespace Microsoft.ML.Contrastive;

/// <summary>A classifier's classes: what a reader of the zip's classes.json sees. Data only.</summary>
internal sealed record ClassLabels
{
    /// <summary>Most classes that can be fitted and loaded.</summary>
    public const int MaxCount = 65_536;

    /// <summary>Characters of the entry that are written and read.</summary>
    public const int MaxLength = 1 << 20;

    /// <summary>The column that the labels came from; null where the classifier learned from a teacher alone.</summary>
    public string? LabelColumn { get; init; }

    public required string PredictedLabelColumn { get; init; }

    /// <summary>How many there are.</summary>
    public required int Count { get; init; }

    /// <summary>Type of the values that the keys stand for; null where they stand for none.</summary>
    public ClassValueKind? Kind { get; init; }

    /// <summary>Those values as text, key 1 first.</summary>
    public IReadOnlyList<string>? Values { get; init; }

    /// <summary>The same classes, whatever the columns are called.</summary>
    public bool SameClasses(ClassLabels other)
        => Count == other.Count && Kind == other.Kind && (Values ?? []).SequenceEqual(other.Values ?? []);

    public string ToJson() => JsonSerializer.Serialize(this, EncoderManifest.Json);

    /// <summary>Reads no further than the entry can be long: in a zip a megabyte of blanks takes a kilobyte.</summary>
    /// <exception cref="InvalidDataException">Not such an entry, or one with values out of range.</exception>
    public static ClassLabels Read(TextReader reader)
    {
        var text = new char[MaxLength + 1];
        int length = reader.ReadBlock(text);
        if (length > MaxLength)
            throw new InvalidDataException($"The model's classes.json is damaged or edited: it has more than {MaxLength} characters.");
        try
        {
            ClassLabels labels = JsonSerializer.Deserialize<ClassLabels>(text.AsSpan(0, length), EncoderManifest.StrictJson) ?? throw new JsonException("it is empty");
            labels.Check();
            return labels;
        }
        catch (Exception error) when (error is JsonException or ArgumentException or FormatException or OverflowException)
        {
            throw new InvalidDataException($"The model's classes.json is damaged or edited: {Printable.Message(error.Message)}", error);
        }
    }

    private void Check()
    {
        if (Count is < 1 or > MaxCount)
            throw new ArgumentException("its 'count' is out of range.");
        if (string.IsNullOrEmpty(PredictedLabelColumn) || LabelColumn is "")
            throw new ArgumentException("a column has no name.");
        if (Kind is null != Values is null || (Values is not null && Values.Count != Count) || Values?.Contains(null!) == true)
            throw new ArgumentException("its 'values' are not one for each class.");
        if (Kind is { } kind)
            kind.Check(Values!);
    }
}
