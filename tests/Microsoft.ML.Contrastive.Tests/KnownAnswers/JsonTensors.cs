using System.Text.Json;
using System.Text.Json.Nodes;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.KnownAnswers;

/// <summary>Nested lists of numbers, row-major, as tensors in double precision and back.</summary>
internal static class JsonTensors
{
    public static Tensor ToTensor(this JsonElement lists)
    {
        var shape = new List<long>();
        for (JsonElement level = lists; level.ValueKind == JsonValueKind.Array; level = level[0])
            shape.Add(level.GetArrayLength());
        return tensor(Leaves(lists).ToArray()).reshape([.. shape]);
    }

    public static JsonNode ToJson(this Tensor numbers)
    {
        if (numbers.dim() == 0)
            return numbers.to(ScalarType.Float64).item<double>();
        return new JsonArray([.. Enumerable.Range(0, (int)numbers.shape[0]).Select(row => numbers[row].ToJson())]);
    }

    private static IEnumerable<double> Leaves(JsonElement lists)
        => lists.ValueKind == JsonValueKind.Array ? lists.EnumerateArray().SelectMany(Leaves) : [lists.GetDouble()];
}
