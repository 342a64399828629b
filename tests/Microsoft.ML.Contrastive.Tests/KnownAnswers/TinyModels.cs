using System.Text.Json;
using System.Text.Json.Nodes;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.KnownAnswers;

/// <summary>The tiny models of the known answers, whose weights are a formula.</summary>
internal static class TinyModels
{
    /// <summary>A case's settings as the config.json that they come from.</summary>
    public static JsonPart Config(JsonElement settings, string modelType)
    {
        JsonObject config = JsonNode.Parse(settings.GetRawText())!.AsObject();
        config["model_type"] = modelType;
        return new JsonPart(JsonSerializer.SerializeToElement(config), "config.json", "");
    }

    /// <summary>Tensor s in the order of names has 0.2 sin(0.9 k + 1.3 s) at place k, weights of layer norms 1 more; in double precision.</summary>
    public static Dictionary<string, Tensor> Weights(JsonElement shapes)
    {
        var weights = new Dictionary<string, Tensor>();
        foreach ((int index, JsonProperty entry) in shapes.EnumerateObject().OrderBy(entry => entry.Name, StringComparer.Ordinal).Index())
        {
            long[] shape = [.. entry.Value.EnumerateArray().Select(size => size.GetInt64())];
            Tensor values = arange(shape.Aggregate(1L, (product, size) => product * size), ScalarType.Float64).mul(0.9).add(1.3 * index).sin().mul(0.2);
            weights[entry.Name] = (entry.Name.EndsWith("LayerNorm.weight", StringComparison.Ordinal) ? values.add(1) : values).view(shape);
        }
        return weights;
    }
}
