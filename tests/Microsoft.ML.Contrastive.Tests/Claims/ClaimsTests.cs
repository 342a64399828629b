using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Microsoft.ML.Contrastive.Benchmarks;
using Microsoft.ML.Contrastive.Tests.Texts;

namespace Microsoft.ML.Contrastive.Tests.Claims;

/// <summary>The command as it is run: as a program, on made pictures and sentences.</summary>
public sealed partial class ClaimsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("claims-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Claims_are_tried_on_pictures_and_texts_and_a_second_run_repeats_none()
    {
        WritePictures("train", 40);
        WritePictures("test", 12);
        string[] options =
        [
            "--images", _folder, "--corpus", Write("corpus.txt", SmallCorpus.Make(80, seed: 1).Select(row => row.Text)),
            "--sts", Write("pairs.tsv", SmallCorpus.Make(20, seed: 2).SelectMany(row => new[] { $"4.5\t{row.Text}\t{row.Positive}", $"1.0\t{row.Text}\t{row.Negative}" })),
            "--only", "simsiam-stop,simcse-course", "--quick", "--steps", "4",
        ];
        string text = Run(0, [.. options, "--seeds", "2", "--workers", "2"]);
        Assert.DoesNotContain("kept", text, StringComparison.Ordinal);
        string[] made = [.. text.Split('\n').Where(line => line.Contains(", seed ", StringComparison.Ordinal)).Select(line => line.Split(':')[0])];
        Assert.Equal(2 * (3 + 5), made.Length); // none by both workers
        Assert.Distinct(made);
        Assert.Contains("simsiam-stop: Without the stopped gradient SimSiam collapses.\n  with stop: kNN, % ", text, StringComparison.Ordinal);
        Assert.Contains("\n  kNN, %: with stop above without stop: ", text, StringComparison.Ordinal);
        Assert.Equal(2, text.Split("\n  verdict: ").Length - 1);
        JsonElement claims = JsonElement.Parse(File.ReadAllText(Out("claims.json"))).GetProperty("claims");
        Assert.Equal(["simsiam-stop", "simcse-course"], claims.EnumerateArray().Select(claim => claim.GetProperty("name").GetString()));
        Assert.All(claims.EnumerateArray(), claim =>
        {
            Assert.True(claim.GetProperty("comparisons").GetArrayLength() > 0);
            Assert.All(claim.GetProperty("comparisons").EnumerateArray(), comparison => Assert.Equal(2, comparison.GetProperty("seeds").GetInt32()));
            Assert.All(claim.GetProperty("arms").EnumerateArray(), arm => Assert.True(arm.GetProperty("figures").EnumerateObject().Any()));
        });
        Assert.Contains("## simsiam-stop: ", File.ReadAllText(Out("claims.md")), StringComparison.Ordinal);

        Dictionary<string, DateTime> written = Directory.GetFiles(Out("runs")).ToDictionary(file => file, File.GetLastWriteTimeUtc);
        Assert.Equal(2 * (3 + 5), written.Count);
        text = Run(0, [.. options, "--seeds", "3", "--workers", "1"]);
        Assert.Contains("simsiam-stop, with stop, seed 2: kept", text, StringComparison.Ordinal);
        Assert.DoesNotContain("seed 3: kept", text, StringComparison.Ordinal);
        Assert.All(written, file => Assert.Equal(file.Value, File.GetLastWriteTimeUtc(file.Key)));
        Assert.Equal(3 * (3 + 5), Directory.GetFiles(Out("runs")).Length);

        Assert.DoesNotContain(", seed ", Run(0, [.. options, "--page"]), StringComparison.Ordinal); // trains nothing
        LooksWhole(File.ReadAllText(Out("claims.html")));
    }

    [Fact]
    public void A_claim_whose_data_are_missing_is_named_and_left_out()
    {
        string text = Run(1, ["--only", "clip-prompts", "--data", Path.Combine(_folder, "nowhere"), "--quick"]);
        Assert.Contains("clip-prompts: left out. There is no file", text, StringComparison.Ordinal);
        Assert.Contains("Not run yet.", File.ReadAllText(Out("claims.html")), StringComparison.Ordinal);
    }

    [Fact]
    public void The_list_says_what_each_claim_states()
    {
        string text = Run(0, ["--list"], outFolder: false);
        Assert.All(AllClaims.List, claim => Assert.Contains(claim.Statement, text, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("'nothing' is none of instdisc-moco", "--only", "nothing")]
    [InlineData("--seeds needs a whole number", "--seeds", "0")]
    [InlineData("--steps needs a value", "--steps")]
    [InlineData("'--stes' is no option", "--stes", "1")]
    [InlineData("--train and --test go together", "--train", "a.zip")]
    [InlineData("--pairs, --pair-images and --classes go together", "--pair-images", "a.zip")]
    [InlineData("--sts: there is no file 'nowhere'", "--sts", "nowhere")]
    public void A_wrong_option_is_named(string expected, params string[] options) => Assert.Contains(expected, Run(2, options), StringComparison.Ordinal);

    [Fact]
    public void Every_method_of_the_library_stands_in_the_history_and_its_picture_is_drawn()
    {
        Assert.Equal(
            Benchmarks.AllMethods.ByName.Keys.Concat(Benchmarks.AllMethods.OfTexts.Keys).Concat(Benchmarks.AllMethods.OfPairs.Keys).Order(StringComparer.Ordinal),
            History.All.Select(each => each.Method).Order(StringComparer.Ordinal));
        Assert.All(History.All, each =>
        {
            XElement svg = XElement.Parse(each.Flow.Svg(each.Name));
            IEnumerable<string> names = svg.Descendants("text").Select(text => text.Value);
            Assert.Superset(each.Flow.Lanes.SelectMany(lane => lane.Boxes).Select(box => box.Name).Append(each.Flow.Loss).ToHashSet(), names.ToHashSet());
            Assert.Equal(each.Flow.Lanes.Any(lane => lane.Stops), names.Contains("stop"));
        });
        Assert.Equal(History.All.Where(each => !each.OfTexts).Select(each => each.When).Order(StringComparer.Ordinal), History.All.Where(each => !each.OfTexts).Select(each => each.When));
    }

    /// <summary>Well-formed, with nothing from elsewhere, and with all that a page needs.</summary>
    private static void LooksWhole(string page)
    {
        XElement html = XElement.Parse(page[(page.IndexOf('\n', StringComparison.Ordinal) + 1)..]);
        Assert.DoesNotContain("http", page, StringComparison.OrdinalIgnoreCase);
        Assert.Empty(html.Descendants("script"));
        Assert.Empty(html.Descendants("link"));
        Assert.All(html.Descendants("img"), image => Assert.StartsWith("data:image/png;base64,", image.Attribute("src")!.Value, StringComparison.Ordinal));
        Assert.NotEmpty(html.Descendants("img"));
        HashSet<string> places = [.. html.Descendants().Select(each => each.Attribute("id")?.Value).OfType<string>()];
        Assert.All(html.Descendants("a"), link => Assert.Contains(link.Attribute("href")!.Value[1..], places));
        Assert.Equal(2, html.Descendants("article").Count());
        Assert.DoesNotMatch(NotANumber(), string.Concat(html.Descendants("path").Select(path => path.Attribute("d")?.Value)));
    }

    private void WritePictures(string part, int count)
    {
        foreach (PictureRow row in Pictures.Make(count, seed: part.Length, classes: 2))
        {
            string folder = Directory.CreateDirectory(Path.Combine(_folder, part, row.Label)).FullName;
            File.WriteAllBytes(Path.Combine(folder, $"{row.Id}.png"), PngImage.Encode(row.Image, Pictures.Shape()));
        }
    }

    private string Write(string name, IEnumerable<string> lines)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllLines(path, lines);
        return path;
    }

    private string Out(string name) => Path.Combine(_folder, "out", name);

    private string Run(int expected, string[] options, bool outFolder = true)
    {
        (int exitCode, string output, string error) = BuiltProgram.Run(BuiltProgram.Benchmarks, ["claims", .. outFolder ? ["--out", Out("")] : Array.Empty<string>(), .. options]);
        Assert.True(exitCode == expected, output + error);
        return output + error;
    }

    [GeneratedRegex("NaN|∞|Infinity")]
    private static partial Regex NotANumber();
}
