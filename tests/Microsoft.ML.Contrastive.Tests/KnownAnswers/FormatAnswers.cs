using System.Text.Json;
using System.Text.Json.Nodes;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.KnownAnswers;

/// <summary>Files in published formats: bytes that must be refused, bytes that must be read, bytes that we write.</summary>
internal static class FormatAnswers
{
    public static IReadOnlyDictionary<string, Answer> All { get; } = new Dictionary<string, Answer>
    {
        ["safetensors_files"] = ReadFiles,
        ["safetensors_minimal"] = WriteMinimal,
    };

    private static JsonObject? ReadFiles(KnownAnswerCase given)
    {
        foreach (JsonProperty file in given.Inputs.GetProperty("refuse_hex").EnumerateObject())
            Assert.Throws<InvalidDataException>(() => Read(file.Value));
        var accepted = given.Inputs.GetProperty("accept_hex").EnumerateObject().ToDictionary(file => file.Name, file => Read(file.Value));

        var answer = new JsonObject();
        foreach (string key in given.Expected.EnumerateObject().Select(expected => expected.Name))
        {
            JsonNode? value = key switch
            {
                "bf16_values" => Numbers(accepted["bf16"].Values.Single()),
                "f16_value" => Number(accepted["f16"].Values.Single()),
                "scalar" => Number(accepted["scalar"].Values.Single()),
                "reorder" => new JsonObject(accepted["offset_order_differs_from_json_order"].Select(pair => KeyValuePair.Create(pair.Key, (JsonNode?)Number(pair.Value)))),
                "unaligned_b" => Number(accepted["unaligned_f32"]["b"]),
                _ => null,
            };
            if (value is null)
                return null;
            answer[key] = value;
        }
        return answer;
    }

    private static JsonObject WriteMinimal(KnownAnswerCase given)
    {
        string name = given.Inputs.GetProperty("tensor").GetString()!;
        using Tensor values = tensor(given.Inputs.GetProperty("values").EnumerateArray().Select(value => value.GetSingle()).ToArray());
        using var file = new MemoryStream();
        SafeTensors.Save(file, [(name, values)]);
        byte[] bytes = file.ToArray();
        return new JsonObject
        {
            ["hex"] = Convert.ToHexStringLower(bytes),
            ["header_length"] = BitConverter.ToInt64(bytes),
            ["file_length"] = bytes.Length,
        };
    }

    /// <summary>Reads the bytes twice, once as a stream that can't seek; both must agree.</summary>
    private static Dictionary<string, double[]> Read(JsonElement hex)
    {
        byte[] bytes = Convert.FromHexString(hex.GetString()!);
        Dictionary<string, double[]> known = Read(new MemoryStream(bytes)), unknown = Read(new UnseekableStream(bytes));
        Assert.Equal(known, unknown);
        return known;
    }

    private static Dictionary<string, double[]> Read(Stream stream)
    {
        using var scope = NewDisposeScope();
        using var reader = new SafeTensorsReader(stream, "case");
        // A kind that we don't load is no fault of the file.
        return reader.ReadTensors(entry => SafeTensorsHeader.ScalarOf(entry.DType) is not null).ToDictionary(
            read => read.Entry.Name, read => read.Value.to(ScalarType.Float64).reshape(-1).data<double>().ToArray());
    }

    private static JsonValue Number(double[] values) => JsonValue.Create(Assert.Single(values));

    private static JsonArray Numbers(double[] values) => [.. values.Select(value => (JsonNode)value)];
}
