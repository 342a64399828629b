using System.Text;
using System.Text.Json.Nodes;
using Microsoft.ML.Contrastive.Endurance;

namespace Microsoft.ML.Contrastive.Tests;

/// <summary>
/// Mutated files against every reader, as in the long runs of `endurance mutations`, for some seconds. Runs alone: resident memory is
/// the process's.
/// </summary>
[CollectionDefinition(nameof(HostileFilesTests), DisableParallelization = true)]
[Collection(nameof(HostileFilesTests))]
public sealed class HostileFilesTests(ModelZipTests.Saved saved) : IClassFixture<ModelZipTests.Saved>, IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory();

    [Fact]
    public void Five_thousand_mutated_files_are_accepted_or_refused_clearly_in_little_time_and_memory()
    {
        HostileReader[] readers = HostileReaders.All(saved.Zip, _folder.FullName);
        ulong each = 5000 / (ulong)readers.Length;
        Assert.All(readers, reader =>
        {
            reader.Read(reader.Valid);
            var results = new HashSet<string>();
            for (ulong index = 0; index < each; index++)
            {
                HostileOutcome outcome = reader.Try(reader.Make(seed: 20, index));
                Assert.True(outcome.Fault is null, $"{reader.Name}, index {index}: {outcome.Fault}");
                results.Add(outcome.Result);
            }
            string[] expected = reader.Name == "checkpoint" ? [nameof(InvalidDataException)] : ["accepted", nameof(InvalidDataException)]; // its digest lets none pass
            Assert.Superset(expected.ToHashSet(), results);
        });
    }

    [Fact]
    public void A_mutated_file_is_another_and_its_seed_and_index_make_it_again()
    {
        foreach (HostileReader reader in HostileReaders.All(saved.Zip, _folder.FullName))
        {
            byte[][] files = [.. Enumerable.Range(0, 50).Select(index => reader.Make(seed: 7, (ulong)index))];
            Assert.All(files, (file, index) => Assert.Equal(file, reader.Make(seed: 7, (ulong)index)));
            Assert.InRange(files.Count(file => !file.AsSpan().SequenceEqual(reader.Valid)), 40, 50);
            Assert.InRange(files.Select(Convert.ToHexString).Distinct().Count(), 40, 50);
        }
    }

    public static TheoryData<string, string> Harms => new()
    {
        { "unclear", "ArgumentOutOfRangeException instead of InvalidDataException" },
        { "control", "control characters" },
        { "managed", "managed bytes" },
        { "native", "resident memory" },
    };

    [Theory]
    [MemberData(nameof(Harms))]
    public void A_file_that_does_harm_is_a_fault(string harm, string fault)
    {
        Action<byte[]> read = harm switch
        {
            "unclear" => _ => new ImageShape(0, 1, 1).Validate(),
            "control" => _ => SafeTensors.LoadInto(new MemoryStream(), ImageEncoder.SmallConvNet(1).CreateModule(1, seed: 1), "a\nname"),
            "managed" => _ => GC.KeepAlive(new byte[50_000_000]),
            _ => _ => TorchSharp.torch.ones(40_000_000).Dispose(),
        };
        if (harm == "native" && !OperatingSystem.IsLinux())
            Assert.Skip("Only Linux tells.");
        Assert.Contains(fault, new HostileReader(harm, [1], FileMutator.MutateBytes, read).Try([1]).Fault, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{ "kind": "resNet", "depth": 50 }""")]
    [InlineData("""{ "kind": "smallConvNet", "width": 256 }""")]
    public void A_small_model_can_not_ask_for_a_large_network(string encoder)
    {
        HostileReader reader = HostileReaders.All(saved.Zip, _folder.FullName).Single(each => each.Name == "zip");
        List<KeyValuePair<string, byte[]>> entries = FileMutator.ReadZip(reader.Valid);
        int place = entries.FindIndex(entry => entry.Key.EndsWith("manifest.json", StringComparison.Ordinal));
        JsonNode manifest = JsonNode.Parse(entries[place].Value)!;
        (manifest["encoder"], manifest["height"], manifest["width"]) = (JsonNode.Parse(encoder), 32, 32);
        entries[place] = new(entries[place].Key, Encoding.UTF8.GetBytes(manifest.ToJsonString()));
        reader.Read(reader.Valid);
        HostileOutcome outcome = reader.Try(FileMutator.WriteZip(entries));
        Assert.Null(outcome.Fault);
        Assert.Equal(nameof(InvalidDataException), outcome.Result);
    }

    public void Dispose()
    {
        try
        {
            _folder.Delete(recursive: true);
        }
        catch (DirectoryNotFoundException)
        {
            Directory.Delete(_folder.FullName, recursive: true); // ML.NET took a folder of its own away meanwhile
        }
    }
}
