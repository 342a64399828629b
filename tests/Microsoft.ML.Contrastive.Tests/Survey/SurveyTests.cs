using System.Globalization;
using System.IO.Compression;
using System.Text.Json;
using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive.Tests.Survey;

/// <summary>The survey as it is run: as a program, on a folder of picture files.</summary>
public sealed class SurveyTests : IDisposable
{
    private const int Side = 16;
    private readonly string _folder = Directory.CreateTempSubdirectory("survey-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    [Trait("speed", "slow")]
    public void A_survey_runs_through_and_a_second_one_keeps_its_runs()
    {
        WritePictures("train", perClass: 24, seed: 1);
        WritePictures("test", perClass: 8, seed: 2);
        string results = Path.Combine(_folder, "out");
        string[] first = ["--images", _folder, "--out", results, "--epochs", "1", "--methods", "raw,SimClrV1"];
        (int exitCode, string text) = Run(first);
        Assert.True(exitCode == 0, text);
        Assert.All(Rows(results), row => Assert.InRange(row.GetProperty("knn").GetDouble(), 0, 1));
        string run = Path.Combine(results, "runs", "SimClrV1-1.json");
        DateTime written = File.GetLastWriteTimeUtc(run);

        (exitCode, text) = Run([.. first[..^1], "raw,untrained,frozen,SimClrV1", "--seeds", "2"]);
        Assert.True(exitCode is 0 or 1, text); // on 16 test pictures the frozen encoder may gain by chance
        Assert.DoesNotContain("ended with", text, StringComparison.Ordinal);
        Assert.Contains("SimClrV1, seed 1: kept", text, StringComparison.Ordinal);
        Assert.Equal(written, File.GetLastWriteTimeUtc(run));
        JsonElement[] rows = Rows(results);
        Assert.Equal(
            ["SimClrV1 1", "SimClrV1 2", "frozen 1", "frozen 2", "raw 1", "untrained 1", "untrained 2"],
            rows.Select(row => $"{row.GetProperty("method")} {row.GetProperty("seed")}").Order(StringComparer.Ordinal));
        JsonElement trained = rows.First(row => row.GetProperty("method").GetString() == "SimClrV1");
        Assert.Equal(1, trained.GetProperty("steps").GetInt64()); // one batch of all 48
        Assert.InRange(trained.GetProperty("peakMemoryBytes").GetInt64(), 50_000_000, 8_000_000_000);
        Assert.InRange(trained.GetProperty("linear").GetDouble(), 0, 1);
        Assert.True(trained.GetProperty("seconds").GetDouble() > 0);
        string table = File.ReadAllText(Path.Combine(results, "survey.md"));
        Assert.All(["| raw | 1 |", "| untrained | 2 |", "| frozen | 2 |", "| SimClrV1 | 2 |"], line => Assert.Contains(line, table, StringComparison.Ordinal));

        (exitCode, text) = Run(["--images", _folder, "--out", results, "--epochs", "2", "--methods", "raw"]);
        Assert.Equal(2, exitCode);
        Assert.Contains("another --out", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Pictures_of_several_sizes_in_a_zip_are_brought_to_one()
    {
        WritePictures("data/train", perClass: 6, seed: 1);
        WritePictures("data/test", perClass: 3, seed: 2, side: 70, lastSide: 90);
        string zip = Path.Combine(_folder, "pictures.zip");
        ZipFile.CreateFromDirectory(Path.Combine(_folder, "data"), zip, CompressionLevel.Fastest, includeBaseDirectory: true);
        string results = Path.Combine(_folder, "out");

        (int exitCode, string text) = Run(["--images", zip, "--out", results, "--size", "20", "--methods", "raw"]);

        Assert.True(exitCode == 0, text);
        JsonElement row = Assert.Single(Rows(results));
        Assert.Equal(6, row.GetProperty("testPictures").GetInt32());
        Assert.Equal(1, row.GetProperty("linear").GetDouble()); // dark and light are told apart at any size
    }

    [Theory]
    [InlineData("'Nothing' is none of raw, untrained, frozen, Byol", "--methods", "Nothing")]
    [InlineData("--epochs needs a whole number from 1 to 1,000,000, not '0'", "--epochs", "0")]
    [InlineData("--train and --test go together", "--train", "a.zip")]
    [InlineData("--seeds needs a value", "--seeds")]
    [InlineData("'--sedes' is no option", "--sedes", "1")]
    [InlineData("There is no folder or zip 'nowhere'", "--images", "nowhere")]
    public void A_wrong_option_is_named(string expected, params string[] options)
    {
        (int exitCode, string text) = Run(["--out", Path.Combine(_folder, "out"), .. options]);
        Assert.Equal(2, exitCode);
        Assert.Contains(expected, text, StringComparison.Ordinal);
    }

    private void WritePictures(string part, int perClass, int seed, int side = Side, int lastSide = Side)
    {
        var random = new Random(seed);
        foreach ((int kind, string name) in new[] { "dark", "light" }.Index())
        {
            string folder = Directory.CreateDirectory(Path.Combine(_folder, part, name)).FullName;
            for (int i = 0; i < perClass; i++)
            {
                int height = i == perClass - 1 ? lastSide : side;
                var pixels = new byte[4 * height * side]; // RGBA
                for (int at = 0; at < pixels.Length; at++)
                    pixels[at] = at % 4 == 3 ? (byte)255 : (byte)(random.Next(120) + (kind == 1 ? 120 : 0));
                using MLImage image = MLImage.CreateFromPixels(side, height, MLPixelFormat.Rgba32, pixels);
                image.Save(Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"{i}.png")));
            }
        }
    }

    private static JsonElement[] Rows(string results)
        => [.. JsonElement.Parse(File.ReadAllText(Path.Combine(results, "survey.json"))).EnumerateArray()];

    private static (int ExitCode, string Text) Run(string[] options)
    {
        (int exitCode, string output, string error) = BuiltProgram.Run(BuiltProgram.Benchmarks, ["survey", .. options]);
        return (exitCode, output + error);
    }
}
