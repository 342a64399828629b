using System.Text.Json;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.KnownAnswers;

/// <summary>The tiny model of the case "tiny_clip_forward": its tensors by the rule that the case names, and what goes through it.</summary>
internal static class TinyClip
{
    public const int Heads = 2, ImageSize = 4;

    /// <summary>The case as the tests keep it.</summary>
    public static KnownAnswerCase Case { get; } = KnownAnswerFiles.Rows(Path.Combine(AppContext.BaseDirectory, "KnownAnswers", "Cases"), null, only: false)
        .Single(row => row.Case?.Name == "tiny_clip_forward").Case!;

    /// <summary>0.2 sin(0.9 k + 1.3 s) for number k of tensor s, in the order of their names; norms' weights 1 more.</summary>
    public static Dictionary<string, Tensor> Filled(JsonElement shapes)
    {
        var tensors = new Dictionary<string, Tensor>();
        foreach ((int s, JsonProperty entry) in shapes.EnumerateObject().OrderBy(entry => entry.Name, StringComparer.Ordinal).Index())
        {
            long[] shape = [.. entry.Value.EnumerateArray().Select(size => size.GetInt64())];
            Tensor value = arange(shape.Aggregate(1L, (product, size) => product * size), ScalarType.Float64).mul(0.9).add(1.3 * s).sin().mul(0.2).reshape(shape);
            bool isNorm = entry.Name.EndsWith("weight", StringComparison.Ordinal) && entry.Name.Split('.')[^2].StartsWith("ln_", StringComparison.Ordinal);
            tensors[entry.Name] = entry.Name == "logit_scale" ? tensor(Math.Log(1 / 0.07)) : isNorm ? value.add(1) : value;
        }
        return tensors;
    }

    /// <summary>The model's tensors under OpenAI's names, in double precision.</summary>
    public static Dictionary<string, Tensor> Tensors() => Filled(Case.Inputs.GetProperty("shapes"));

    public static Tensor TokenIds => Case.Inputs.GetProperty("token_ids").ToTensor().to(ScalarType.Int64);

    public static Tensor Pictures => Sines(0.37, 2, 3, ImageSize, ImageSize);

    /// <summary>sin(step k), flat.</summary>
    public static Tensor Sines(double step, params long[] shape)
        => arange(shape.Aggregate(1L, (product, size) => product * size), ScalarType.Float64).mul(step).sin().reshape(shape);
}
