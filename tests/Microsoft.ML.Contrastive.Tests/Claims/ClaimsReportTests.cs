using System.Xml.Linq;
using Microsoft.ML.Contrastive.Benchmarks;

namespace Microsoft.ML.Contrastive.Tests.Claims;

/// <summary>What is written and drawn of runs, which are made up here.</summary>
public sealed class ClaimsReportTests
{
    private static readonly ClaimsOptions s_options = ClaimsOptions.Parse(["--out", "nowhere"]);

    [Theory]
    [InlineData("InstDisc", "features averaged (InstDisc)", "instdisc-moco")]
    [InlineData("MoCoV2", "MoCo v2, 4x", "longer")]
    [InlineData("Byol", "BYOL, 4x", "longer")]
    [InlineData("SimClrV2", "3 layers, from the first", "simclr-v2-head")]
    [InlineData("Dino", "both", "dino-collapse")]
    [InlineData("MoCoV3", "frozen, batches of 64", "patch-projection")]
    [InlineData("SimCse", "p = 0.1", "simcse-dropout")]
    [InlineData("ConSert", "shuffle + feature cutoff", "consert-pairs")]
    [InlineData("ESimCse", "words repeated, momentum queue", "esimcse-length")]
    [InlineData("Clip", "captions in sentences", "clip-prompts")]
    public void A_methods_card_has_the_figures_and_curves_of_the_arm_that_is_the_method(string method, string label, string claim)
    {
        XElement card = Part(s_options, All(), $"m-{method}");
        Assert.StartsWith($"{label}: ", card.Descendants("b").Single().Value, StringComparison.Ordinal);
        Assert.EndsWith(" (2 seeds)", card.Descendants("b").Single().Value, StringComparison.Ordinal);
        Assert.Equal($"#{claim}", card.Descendants("a").Single().Attribute("href")!.Value);
        Assert.EndsWith($"({label})", card.Descendants("summary").Single().Value, StringComparison.Ordinal);
    }

    [Fact]
    public void Figures_of_the_survey_come_before_those_of_an_arm()
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("claims-");
        try
        {
            File.WriteAllText(Path.Combine(folder.FullName, "survey.json"), """[{ "method": "MoCoV2", "knn": 0.5, "linear": 0.25 }]""");
            XElement card = Part(ClaimsOptions.Parse(["--out", "nowhere", "--survey", folder.FullName]), All(), "m-MoCoV2");
            Assert.Equal("kNN 50.0 %, linear probe 25.0 % (survey, one seed)", card.Descendants("b").Single().Value);
            Assert.EndsWith("(MoCo v2, 4x)", card.Descendants("summary").Single().Value, StringComparison.Ordinal);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void Pairs_of_augmentations_are_a_matrix_which_is_deeper_where_it_is_higher()
    {
        ClaimOutcome outcome = Outcome("consert-pairs", arm => arm.Label switch { "none" => [50], "shuffle" => [60], "shuffle + feature cutoff" => [69, 71], _ => [] });
        XElement[][] rows = Cells(Part(s_options, [outcome], "consert-pairs").Descendants("table").First());
        string[][] expected =
        [
            ["none", "50.00", "60.00", "", "", ""],
            ["shuffle", "60.00", "", "", "70.00 ± 1.00", ""],
            ["token cutoff", "", "", "", "", ""],
            ["feature cutoff", "", "70.00 ± 1.00", "", "", ""],
            ["dropout", "", "", "", "", ""],
        ];
        Assert.Equal(expected, rows.Select(row => row.Select(cell => cell.Value).ToArray()));
        foreach ((int row, int column, string depth) in new[] { (0, 1, " 0%"), (0, 2, " 25%"), (1, 1, " 25%"), (1, 4, " 50%"), (3, 2, " 50%") })
            Assert.Contains(depth, rows[row][column].Attribute("style")!.Value, StringComparison.Ordinal);
        Assert.All(rows.SelectMany(row => row).Where(cell => !cell.Value.Contains('.', StringComparison.Ordinal)), cell => Assert.Null(cell.Attribute("style")));

        string markdown = ClaimsReport.Markdown(s_options, [outcome]);
        Assert.Contains("|  | none | shuffle | token cutoff | feature cutoff | dropout |\n|---|---|---|---|---|---|\n| none | 50.00 | 60.00 |  |  |  |\n", markdown, StringComparison.Ordinal);
        Assert.Contains("\n| feature cutoff |  | 70.00 ± 1.00 |  |  |  |\n", markdown, StringComparison.Ordinal);
    }

    [Fact]
    public void A_matrix_without_runs_is_empty()
    {
        ClaimOutcome outcome = Outcome("consert-pairs", _ => []);
        Assert.All(ReportTable.OfMatrix(outcome, outcome.Claim.Matrix!).Rows, row => Assert.All(row.Skip(1), cell => Assert.Equal(new ReportTable.Cell(""), cell)));
    }

    [Fact]
    public void Lengths_and_batches_are_one_table_in_which_missing_runs_are_blank()
    {
        ClaimOutcome[] outcomes =
        [
            Outcome("longer", arm => arm.Label switch { "SimCLR, 1x" => [0.5], "SimCLR, 2x" => [0.6], "SimCLR, 4x" => [0.7], "SimCLR, 8x" => [0.79, 0.81], "SwAV, 8x" => [0.3], _ => [] }),
            Outcome("batches", arm => arm.Label switch { "SimCLR, batches of 64" => [0.65], "SimCLR, batches of 256" => [0.7], "BYOL, batches of 256" => [0.2], "SimSiam, batches of 1024" => [0.4], _ => [] }),
        ];
        List<string> rows = [.. Cells(Part(s_options, outcomes, "budgets").Descendants("table").Single()).Select(row => string.Join('|', row.Select(cell => cell.Value)))];
        Assert.Equal(5 * 3, rows.Count);
        Assert.Contains("SimCLR|batch|no|64|||65.0|", rows);
        Assert.Contains("SimCLR|batch|no|256|50.0|60.0|70.0|80.0 ± 1.0", rows);
        Assert.Contains("SimCLR|batch|no|1024||||", rows);
        Assert.Contains("BYOL|none|yes|256|||20.0|", rows);
        Assert.Contains("SwAV|none (prototypes)|no|256||||30.0", rows);
        Assert.Contains("SimSiam|none|no|1024|||40.0|", rows);

        string markdown = ClaimsReport.Markdown(s_options, outcomes);
        Assert.Contains("\n| method | negatives | momentum encoder | batch | 1x | 2x | 4x | 8x |\n", markdown, StringComparison.Ordinal);
        Assert.Contains("\n| SimCLR | batch | no | 256 | 50.0 | 60.0 | 70.0 | 80.0 ± 1.0 |\n", markdown, StringComparison.Ordinal);
        Assert.Null(BudgetClaims.Table([Outcome("simsiam-stop", _ => [0.5]), Outcome("longer", _ => [])]));
    }

    [Fact]
    public void The_console_has_the_claim_its_figures_its_comparisons_and_the_verdict()
        => Assert.Equal(
            """
            simsiam-stop: Without the stopped gradient SimSiam collapses.
              with stop: kNN, % 60.0 ± 1.0; linear probe, % 60.0 ± 1.0; deviation of what the loss sees, at the end 0.600 ± 0.010; effective rank 0.6 ± 0.0 (2 seeds)
              without stop: kNN, % 40.0; linear probe, % 40.0; deviation of what the loss sees, at the end 0.400; effective rank 0.4 (one seed)
              as it starts: kNN, % 40.0; linear probe, % 40.0; deviation of what the loss sees, at the end 0.400; effective rank 0.4 (one seed)
              kNN, %: with stop above without stop: +19.0 (one seed), can't be told at this size
              linear probe, %: with stop above without stop: +19.0 (one seed), can't be told at this size
              deviation of what the loss sees, at the end: with stop above without stop: +0.190 (one seed), can't be told at this size
              verdict: can't be told at this size
            """,
            ClaimsReport.Plain(Outcome("simsiam-stop", arm => arm.Label == "with stop" ? [0.59, 0.61] : [0.4])));

    private static ClaimOutcome[] All() => [.. AllClaims.List.Select(claim => Outcome(claim.Name, _ => [0.5, 0.6]))];

    /// <summary>A claim whose arms had these values of all their figures, seed by seed.</summary>
    private static ClaimOutcome Outcome(string name, Func<Arm, double[]> values)
    {
        Claim claim = AllClaims.List.Single(each => each.Name == name);
        return new(claim, [.. claim.Arms.Select(arm => (arm, (IReadOnlyList<ClaimRow>)[.. values(arm).Select((value, index) => new ClaimRow
        {
            Setup = "{}", Seed = index + 1, Figures = claim.Figures.ToDictionary(figure => figure.Key, _ => value), Curve = [new(1, 3, 0.5), new(2, 2, 0.6), new(3, 1, 0.7)], Steps = 3,
        })]))]);
    }

    private static XElement Part(ClaimsOptions options, ClaimOutcome[] outcomes, string id)
    {
        string page = ClaimsPage.Html(options, outcomes);
        return XElement.Parse(page[(page.IndexOf('\n', StringComparison.Ordinal) + 1)..]).Descendants().Single(each => each.Attribute("id")?.Value == id);
    }

    private static XElement[][] Cells(XElement table) => [.. table.Elements("tr").Skip(1).Select(row => row.Elements("td").ToArray())];
}
