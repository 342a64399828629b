namespace Microsoft.ML.Contrastive.Tests.Architecture;

/// <summary>That a type of one room mentions a type of another, in a signature or in a body.</summary>
internal sealed record Dependency(string FromRoom, string FromType, string ToRoom, string ToType);

/// <summary>Which room of the library may know which: the table of the design, without cycles. The root, "", may know all.</summary>
internal static class RoomTable
{
    public const string Root = "";

    /// <summary>What all rooms stand on.</summary>
    public const string Ground = "Numbers";

    public static IReadOnlyDictionary<string, string[]> MayKnow { get; } = new Dictionary<string, string[]>
    {
        [Ground] = [],
        ["Objectives"] = [],
        ["Encoders"] = [],
        ["Tokenizers"] = [],
        ["Views"] = [],
        ["Memory"] = [],
        ["Evaluation"] = [],
        ["Interop"] = [],
        ["Data"] = ["Tokenizers", "Views"],
        ["Methods"] = ["Views", "Encoders", "Objectives", "Memory"],
        ["Training"] = ["Data", "Methods", "Memory", "Evaluation"],
        ["Persistence"] = ["Encoders", "Tokenizers", "Methods", "Memory", "Interop"],
    };

    /// <summary>
    /// Single types that a room carries from one that it knows to another that it knows: Training gets each batch from Data
    /// and hands it to <see cref="Learner.Loss"/>.
    /// </summary>
    public static IReadOnlyDictionary<string, string[]> MayCarry { get; } = new Dictionary<string, string[]>
    {
        ["Training"] = ["Views/Views", "Encoders/Arithmetic", "Encoders/LinearKernel", "Encoders/Precision", "Encoders/SmallWork"],
        ["Persistence"] = ["Views/ImageShape", "Views/SequenceShape", "Views/Normalization", "Views/PlainResizing", "Data/MissingImages", "Data/EmptyTexts"],
    };

    /// <summary>"Room/Type -> Room/Type" for each dependency that the table does not allow, each once.</summary>
    public static IEnumerable<string> Violations(IEnumerable<Dependency> dependencies)
        => dependencies
            .Where(dependency => dependency.FromRoom != dependency.ToRoom && dependency.FromRoom != Root && dependency.ToRoom != Ground
                && !MayKnow.GetValueOrDefault(dependency.FromRoom, []).Contains(dependency.ToRoom)
                && !MayCarry.GetValueOrDefault(dependency.FromRoom, []).Contains($"{dependency.ToRoom}/{dependency.ToType}"))
            .Select(dependency => $"{dependency.FromRoom}/{dependency.FromType} -> {dependency.ToRoom}/{dependency.ToType}")
            .Distinct().Order(StringComparer.Ordinal);
}
