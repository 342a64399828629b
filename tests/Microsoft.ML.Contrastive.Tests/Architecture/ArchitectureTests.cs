using ArchUnitNET.Domain;
using ArchUnitNET.Domain.Dependencies;
using ArchUnitNET.Loader;

namespace Microsoft.ML.Contrastive.Tests.Architecture;

/// <summary>Holds the library to the table of who may know whom.</summary>
public sealed class ArchitectureTests
{
    private const int MaxLines = 400;

    /// <summary>What makes an object of a number, or calls what does.</summary>
    private static readonly string[] s_freeing =
    [
        "Scalar::op_Implicit", "Tensor::add(TorchSharp.torch/Tensor)", "Tensor::add_(TorchSharp.torch/Tensor)", "Tensor::square(", "::softplus(", "torch::arange(",
        "Tensor::op_Addition", "Tensor::op_Subtraction", "Tensor::op_Multiply", "Tensor::op_Division", "Tensor::op_Modulus",
    ];
    private static readonly string[] CatchAlls = ["Utils", "Util", "Utilities", "Helpers", "Helper", "Common", "Misc", "Shared"];

    private static readonly IReadOnlyList<SourceFile> Sources = SourceTree.Read();
    private static readonly Dictionary<string, string> RoomOfType = Sources
        .SelectMany(file => SourceTree.DeclaredTypes(file).Select(type => (type, file.Room)))
        .Distinct().ToDictionary(entry => entry.type, entry => entry.Room); // throws for a type with parts in two rooms
    private static readonly ArchUnitNET.Domain.Architecture Library = new ArchLoader().LoadAssembly(typeof(Learner).Assembly).Build();
    private static readonly IReadOnlyList<Dependency> Dependencies = [.. Library.Types
        .SelectMany(type => type.Dependencies, (type, dependency) => (From: OutermostType(type), To: OutermostType(dependency.Target)))
        .Distinct()
        .Where(pair => RoomOfType.ContainsKey(pair.From) && RoomOfType.ContainsKey(pair.To))
        .Select(pair => new Dependency(RoomOfType[pair.From], SimpleName(pair.From), RoomOfType[pair.To], SimpleName(pair.To)))];

    [Fact]
    public void Rooms_know_only_whom_the_table_allows() => Assert.Empty(RoomTable.Violations(Dependencies));

    [Fact]
    public void Every_file_lies_in_a_room_of_the_table_or_in_the_root()
        => Assert.DoesNotContain(Sources, file => file.Room != RoomTable.Root && !RoomTable.MayKnow.ContainsKey(file.Room));

    [Fact]
    public void Every_type_is_found_in_a_source_file()
        => Assert.DoesNotContain(
            Library.Types.Select(OutermostType),
            type => type.StartsWith("Microsoft.ML.", StringComparison.Ordinal) && !RoomOfType.ContainsKey(type));

    [Fact]
    public void No_folder_is_a_catch_all()
        => Assert.DoesNotContain(Sources, file => file.Folders.Intersect(CatchAlls, StringComparer.OrdinalIgnoreCase).Any());

    [Fact]
    public void No_file_holds_two_things()
        => Assert.DoesNotContain(Sources, file => file.Text.Count(c => c == '\n') > MaxLines);

    [Fact]
    public void The_table_has_no_cycle()
    {
        var left = RoomTable.MayKnow.ToDictionary(row => row.Key, row => row.Value.ToHashSet());
        while (left.FirstOrDefault(row => row.Value.Count == 0).Key is { } free)
        {
            left.Remove(free);
            foreach (HashSet<string> known in left.Values)
                known.Remove(free);
        }
        Assert.Empty(left.Keys);
    }

    /// <summary>
    /// TorchSharp may free a number's object while native code reads it (docs/platform.md), also one that it makes itself where the first argument of these methods is the only one.
    /// <see cref="Numbers"/> has each of them with an object that lives.
    /// </summary>
    [Fact]
    public void No_number_goes_to_native_code_that_a_collection_could_free()
    {
        string[] calls = [.. Library.Types.Where(type => OutermostType(type) is not ("Microsoft.ML.Contrastive.Numbers" or "Microsoft.ML.Contrastive.Number"))
            .SelectMany(type => type.Members).SelectMany(member => member.MemberDependencies).OfType<MethodCallDependency>()
            .Where(call => FreesWhatIsRead(call.TargetMember.FullName)).Select(call => $"{call.OriginMember.FullName} -> {call.TargetMember.FullName}").Distinct()];
        Assert.Empty(calls);
    }

    [Theory]
    [InlineData(true, "TorchSharp.Scalar TorchSharp.Scalar::op_Implicit(System.Double)")]
    [InlineData(true, "TorchSharp.torch/Tensor TorchSharp.torch/Tensor::add(TorchSharp.torch/Tensor)")]
    [InlineData(true, "TorchSharp.torch/Tensor TorchSharp.torch/Tensor::op_Addition(TorchSharp.torch/Tensor,System.Double)")]
    [InlineData(false, "TorchSharp.torch/Tensor TorchSharp.torch/Tensor::add(TorchSharp.torch/Tensor,TorchSharp.Scalar)")]
    [InlineData(false, "TorchSharp.torch/Tensor TorchSharp.torch/Tensor::mul(TorchSharp.torch/Tensor)")]
    public void A_call_that_frees_what_is_read_is_told(bool frees, string method) => Assert.Equal(frees, FreesWhatIsRead(method));

    [Fact]
    public void A_forbidden_dependency_is_found_and_named_once()
    {
        Dependency[] dependencies =
        [
            new("Objectives", "NtXent", "Methods", "Learner"),
            new("Objectives", "NtXent", "Methods", "Learner"),
            new("Training", "Trainer", "Interop", "NativeTorch"),
            new("Views", "Picture", "", "ContrastiveCatalog"),
            new("Attic", "Chest", "Views", "Picture"),
            new("Methods", "SimSiam", "Objectives", "NegativeCosine"),
            new("Memory", "KeyQueue", "Memory", "MomentumPair"),
            new("", "ContrastiveCatalog", "Interop", "NativeTorch"),
            new("Persistence", "ModelFile", "Interop", "NativeTorch"),
        ];
        Assert.Equal(
            ["Attic/Chest -> Views/Picture", "Objectives/NtXent -> Methods/Learner", "Training/Trainer -> Interop/NativeTorch", "Views/Picture -> /ContrastiveCatalog"],
            RoomTable.Violations(dependencies));
    }

    /// <summary>Were the scan blind to bodies, lambdas or iterators, the first test would pass on anything.</summary>
    [Theory]
    [InlineData("Methods", "MomentumContrastLearner", "Objectives", "InfoNce")]
    [InlineData("Methods", "MoCoV2", "Encoders", "Mlp")]
    [InlineData("Methods", "SimClrV1Learner", "Views", "Views")]
    [InlineData("Training", "FlatParameters", "Memory", "MomentumPair")]
    public void The_scan_sees_a_dependency_that_is_there(string fromRoom, string fromType, string toRoom, string toType)
        => Assert.Contains(new Dependency(fromRoom, fromType, toRoom, toType), Dependencies);

    [Theory]
    [InlineData("namespace N;\npublic sealed record A(int B);\n", "N.A")]
    [InlineData("namespace N;\n[Flags] internal enum A\n{\n    class Inner\n}\n", "N.A")]
    [InlineData("namespace N;\ninternal static partial class A<TIn, TOut>\n", "N.A`2")]
    [InlineData("namespace N;\npublic readonly record struct A;\n// class Not\n", "N.A")]
    [InlineData("namespace N;\npublic delegate int A<T>(T x);\n", "N.A`1")]
    [InlineData("namespace N;\ninternal delegate Dictionary<string, int> A(int x);\n", "N.A")]
    public void Declarations_are_found_in_sources(string text, string type)
        => Assert.Equal([type], SourceTree.DeclaredTypes(new SourceFile("Room/File.cs", text)));

    private static bool FreesWhatIsRead(string method) => s_freeing.Any(part => method.Contains(part, StringComparison.Ordinal));

    private static string OutermostType(IType type) => type.FullName.Split('+', '/')[0];

    private static string SimpleName(string fullName) => fullName[(fullName.LastIndexOf('.') + 1)..];
}
