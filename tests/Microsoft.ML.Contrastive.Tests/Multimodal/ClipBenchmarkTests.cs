using System.Text.Json;
using Microsoft.ML.Contrastive.Benchmarks;
using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive.Tests.Multimodal;

/// <summary>The benchmark of pictures and words as it is run: as a program, on a user's own pictures, captions and classes.</summary>
public sealed class ClipBenchmarkTests : IDisposable
{
    private static readonly string[] s_colours = ["red", "green", "blue"];
    private readonly string _folder = Directory.CreateTempSubdirectory("clip-benchmark-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    [Trait("speed", "slow")]
    public void Own_pairs_are_trained_on_and_own_tests_measured_with_all_captions_of_a_picture()
    {
        WritePictures("train", perColour: 8);
        WritePictures("test", perColour: 2);
        string train = WriteTable("train.tsv", "train", 8), test = WriteTable("test.tsv", "test", 2);
        File.AppendAllText(test, "red/0.png\t \ttest\n");
        File.WriteAllBytes(Path.Combine(_folder, "test", "red", "._0.png"), [1]); // what macOS leaves beside a file
        string results = Path.Combine(_folder, "out");
        (int exitCode, string text) = Run(
            "--out", results, "--pairs", train, "--images", Path.Combine(_folder, "train"), "--test-pairs", test, "--test-images", Path.Combine(_folder, "test"),
            "--classes", Path.Combine(_folder, "test"), "--epochs", "20", "--size", "16");
        Assert.True(exitCode == 0, text);
        Assert.Contains("1 rows with a blank caption are left out", text, StringComparison.Ordinal);
        JsonElement[] rows = [.. JsonElement.Parse(File.ReadAllText(Path.Combine(results, "clip.json"))).GetProperty("rows").EnumerateArray()];
        Assert.Equal(
            ["own pairs, picture to text", "own pairs, picture to text", "own pairs, text to picture", "own classes", "own classes"], rows.Select(row => row.GetProperty("task").GetString()));
        // Six pictures, six captions, each picture with two of them and each caption of two.
        Assert.All(rows[..3], row => Assert.Equal((6, 6, 2 / 6.0), (row.GetProperty("queries").GetInt32(), row.GetProperty("gallery").GetInt32(), row.GetProperty("chance").GetDouble())));
        Assert.All(rows[3..], row => Assert.Equal((6, 3, 1 / 3.0), (row.GetProperty("queries").GetInt32(), row.GetProperty("gallery").GetInt32(), row.GetProperty("chance").GetDouble())));
        Assert.Equal(20, rows[0].GetProperty("steps").GetInt64()); // as asked for: one batch of all 48 pairs
        Assert.All(rows, row => Assert.Equal(row.GetProperty("accuracy").GetDouble(), row.GetProperty("recall1").GetDouble()));
        Assert.All(rows, row => Assert.InRange(row.GetProperty("recall5").GetDouble(), row.GetProperty("recall1").GetDouble(), row.GetProperty("recall10").GetDouble()));
        Assert.True(rows[2].GetProperty("accuracy").GetDouble() > 0.6, text); // three colours are not hard
        Assert.True(File.Exists(Path.Combine(results, "clip.md")) && File.Exists(Path.Combine(results, "clip.html")));
    }

    [Fact]
    public void Of_several_right_candidates_the_best_counts_and_equals_count_against_it()
    {
        Assert.Equal(2, ZeroShotRanks.Rank([0.9f, 0.9f, 0.1f], [1]));
        Assert.Equal(1, ZeroShotRanks.Rank([0.9f, 0.9f, 0.1f], [1, 0]));
        Assert.Equal(2, ZeroShotRanks.Rank([0.5f, 0.9f, 0.1f, 0.5f], [2, 3, 0]));
        Assert.Equal(3, ZeroShotRanks.Rank([0.5f, float.NaN, 0.1f], [1])); // no number is no nearness
    }

    [Fact]
    public void What_is_missing_is_said_before_anything_is_trained()
    {
        string train = WriteTable("train.tsv", "train", 1), empty = Path.Combine(_folder, "empty.tsv");
        File.WriteAllText(empty, "");
        WritePictures("train", perColour: 1);
        string pictures = Path.Combine(_folder, "train"), results = Path.Combine(_folder, "out");
        Refused("no file", "--pairs", Path.Combine(_folder, "gone.tsv"), "--images", pictures, "--classes", pictures);
        Refused("has no rows", "--pairs", empty, "--images", pictures, "--classes", pictures);
        Refused("no folder and no zip", "--pairs", train, "--images", train, "--classes", pictures);
        Refused("no pictures as CLASS/NAME", "--pairs", train, "--images", pictures, "--classes", Path.Combine(pictures, "red"));
        Refused("no file", "--pairs", train, "--images", pictures, "--test-pairs", Path.Combine(_folder, "gone.tsv"), "--test-images", pictures);
        Refused("go together", "--pairs", train);
        Refused("to measure", "--pairs", train, "--images", pictures);
        Refused("--tasks leaves out", "--pairs", train, "--images", pictures, "--classes", pictures, "--tasks", "cifar");
        Refused("emoji-captions.tsv", "--data", _folder);

        void Refused(string words, params string[] options)
        {
            (int exitCode, string text) = Run(["--out", results, .. options]);
            Assert.Equal(2, exitCode);
            Assert.Contains(words, text, StringComparison.Ordinal);
        }
    }

    private void WritePictures(string part, int perColour)
    {
        var random = new Random(perColour);
        foreach ((int channel, string colour) in s_colours.Index())
        {
            string folder = Directory.CreateDirectory(Path.Combine(_folder, part, colour)).FullName;
            for (int number = 0; number < perColour; number++)
            {
                var pixels = new byte[4 * 16 * 16]; // RGBA
                for (int at = 0; at < pixels.Length; at++)
                    pixels[at] = at % 4 == 3 ? (byte)255 : (byte)(random.Next(100) + (at % 4 == channel ? 150 : 0));
                using MLImage image = MLImage.CreateFromPixels(16, 16, MLPixelFormat.Rgba32, pixels);
                image.Save(Path.Combine(folder, FormattableString.Invariant($"{number}.png")));
            }
        }
    }

    /// <summary>Two captions of each picture, which those of one colour share.</summary>
    private string WriteTable(string name, string part, int perColour)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllLines(path, s_colours.SelectMany(colour => Enumerable.Range(0, perColour).SelectMany(number => new[] { $"a {colour} thing", $"something {colour}" }
            .Select(caption => FormattableString.Invariant($"{colour}/{number}.png\t{caption}\t{part}")))).Prepend("file\tcaption\tpart"));
        return path;
    }

    private static (int ExitCode, string Text) Run(params string[] options)
    {
        (int exitCode, string output, string error) = BuiltProgram.Run(BuiltProgram.Benchmarks, ["clip", .. options]);
        return (exitCode, output + error);
    }
}
