using Microsoft.ML.Contrastive.Benchmarks;

namespace Microsoft.ML.Contrastive.Tests.CompareVerb;

/// <summary>What <c>./build.sh compare</c> says and keeps, without peers.</summary>
public sealed class CompareTests
{
    [Theory]
    [InlineData("'--fast' is no option", "--fast")]
    [InlineData("--only needs a value", "--only")]
    [InlineData("'resnet' is none of resnet18-step", "--only", "resnet")]
    [InlineData("--rounds needs a whole number from 1 to 1,000,000, not '0'", "--rounds", "0")]
    public void A_wrong_option_is_named(string message, params string[] options)
    {
        (int exitCode, string _, string error) = BuiltProgram.Run(BuiltProgram.Benchmarks, ["compare", .. options]);
        Assert.Equal(2, exitCode);
        Assert.Contains(message, error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1.4, 0, "aim met")]
    [InlineData(1.1, 0, "floor met")]
    [InlineData(0.9, 0, "missed")]
    [InlineData(1.4, 0.1, "RESULTS DIFFER")]
    public void A_ratio_counts_where_both_sides_agree(double ratio, double difference, string verdict)
    {
        CompareRow row = Row() with { Ours = [2, 1, 3], Theirs = [2 * ratio, ratio, 3 * ratio], Difference = difference };
        Assert.Equal(ratio, row.Ratio, 1e-12);
        Assert.Equal(verdict, row.Verdict);
    }

    [Fact]
    public void Results_are_read_as_they_were_written_and_other_files_are_refused()
    {
        string folder = Directory.CreateTempSubdirectory().FullName;
        try
        {
            string path = Path.Combine(folder, "compare.json");
            Assert.Empty(CompareRow.ReadAll(path));
            var machine = new Machine("two cores", 400, 10, "none");
            CompareRow row = Row() with { Ours = [1], Theirs = [2], Difference = 0 };
            CompareRow.WriteAll(path, machine, [row, Row() with { Name = "other", Missing = "a | b" }]);
            IReadOnlyList<CompareRow> read = CompareRow.ReadAll(path);
            Assert.Equal((2, 2.0, "a | b"), (read.Count, read[0].Ratio, read[1].Missing));
            Assert.Contains("not run: a \\| b", CompareTable.Markdown(machine, read), StringComparison.Ordinal);
            File.WriteAllText(path, "[");
            Assert.Contains(path, Assert.Throws<BenchmarkException>(() => CompareRow.ReadAll(path)).Message, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void Results_that_are_no_numbers_or_fewer_never_agree()
    {
        Assert.Equal(0.5, Check.Largest([1, 3], [1, 2]));
        Assert.Equal(double.PositiveInfinity, Check.Largest([1, double.NaN], [1, 2]));
        Assert.Equal(double.PositiveInfinity, Check.Largest([1], [1, 2]));
        Assert.Equal(1, Check.FarthestRow([1, 0, 0, 1], [2, 0, 1, 0], width: 2), 1e-12);
        Assert.Equal(double.PositiveInfinity, Check.FarthestRow([0, 0], [1, 0], width: 2));
        Assert.Equal(0.25, Check.ShareApart([1, 2, 3, 4], [1, 2, 3, 5]));
    }

    private static CompareRow Row() => new() { Name = "step", What = "a step", Against = "a peer", Unit = "step", Floor = 1, Aim = 1.3, Limit = 0.01 };
}
