namespace Microsoft.ML.Contrastive;

/// <summary>
/// Sentences that a class's word is put into, so that it stands as it stood in training. The unit vectors of all of them are averaged and made unit again (Radford et al. 2021,
/// section 3.1.4).
/// </summary>
public sealed record PromptTemplates
{
    /// <summary>Where the word goes.</summary>
    public const string Placeholder = "{}";

    private const int MaxCount = 1000, MaxLength = 1000;

    /// <summary>Templates of one's own.</summary>
    /// <param name="templates">At least one and at most 1,000 of at most 1,000 characters, each with a "{}" where the word goes.</param>
    /// <exception cref="ArgumentException">There is none, or one has no place for the word.</exception>
    public PromptTemplates(params IReadOnlyList<string> templates)
    {
        ArgumentNullException.ThrowIfNull(templates);
        if (templates.Count is 0 or > MaxCount)
            throw new ArgumentException($"There are {templates.Count} templates: give from 1 to {MaxCount}, such as PromptTemplates.Simple.", nameof(templates));
        foreach ((int index, string template) in templates.Index())
        {
            if (template?.Contains(Placeholder, StringComparison.Ordinal) != true)
                throw new ArgumentException($"Template {index + 1}, '{template}', has no {Placeholder} where the label goes: write 'a photo of a {Placeholder}.', for instance.", nameof(templates));
            if (template.Length > MaxLength)
                throw new ArgumentException($"Template {index + 1} has {template.Length} characters; {MaxLength} are the most.", nameof(templates));
        }
        Templates = [.. templates];
    }

    /// <summary>The word alone.</summary>
    public static PromptTemplates None { get; } = new(Placeholder);

    /// <summary>One sentence: "a photo of a {}."</summary>
    public static PromptTemplates Simple { get; } = new("a photo of a {}.");

    /// <summary>Sentences about photographs: near and far, good and bad, of one and of many.</summary>
    public static PromptTemplates Photos { get; } = new(
        "a photo of a {}.", "a photo of the {}.", "a photo of one {}.", "a photo of several {}.", "a photograph showing a {}.", "a picture taken of a {}.",
        "a close photo of a {}.", "a distant photo of a {}.", "a small {} in a photo.", "a big {} in a photo.", "a sharp photo of a {}.", "a blurred photo of a {}.",
        "a dim photo of a {}.", "a bright photo of a {}.", "a black and white photo of a {}.", "a grainy photo of a {}.", "part of a {} in a photo.", "a {} outdoors.");

    /// <summary>Sentences about drawn pictures: sketches, icons, cartoons, paintings.</summary>
    public static PromptTemplates Drawings { get; } = new(
        "a drawing of a {}.", "a sketch of a {}.", "an icon of a {}.", "an emoji of a {}.", "a cartoon of a {}.", "a painting of a {}.",
        "an illustration of a {}.", "a symbol that stands for {}.", "a simple picture of a {}.", "a {} drawn in colour.", "a {} on a white background.", "clip art of a {}.");

    /// <summary>Each with a <see cref="Placeholder"/>.</summary>
    public IReadOnlyList<string> Templates { get; }

    /// <summary>Templates from a text file, one a line; blank lines don't count.</summary>
    /// <param name="path">UTF-8.</param>
    /// <exception cref="InvalidDataException">A line has no place for the word; file and line are named.</exception>
    /// <exception cref="IOException">The file can't be read.</exception>
    public static PromptTemplates FromFile(string path)
    {
        if (new FileInfo(path).Length > MaxCount * MaxLength)
            throw new InvalidDataException($"{path} is longer than {MaxCount} templates of {MaxLength} characters.");
        string[] lines = [.. File.ReadLines(path).Where(line => !string.IsNullOrWhiteSpace(line)).Select(line => line.Trim())];
        try
        {
            return new PromptTemplates(lines);
        }
        catch (ArgumentException error)
        {
            throw new InvalidDataException($"{path}: {Printable.Message(error.Message)}", error);
        }
    }

    /// <summary>All sentences for a word.</summary>
    internal IEnumerable<string> For(string label) => Templates.Select(template => template.Replace(Placeholder, label, StringComparison.Ordinal));

    /// <summary>The sentences, one behind the other.</summary>
    public override string ToString() => string.Join(" | ", Templates);

    /// <summary>Equal where the sentences are.</summary>
    public bool Equals(PromptTemplates? other) => other is not null && Templates.SequenceEqual(other.Templates);

    /// <inheritdoc/>
    public override int GetHashCode() => Templates.Aggregate(0, HashCode.Combine);
}
