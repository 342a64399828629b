using System.Text.Json;
using System.Text.Json.Nodes;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.KnownAnswers;

/// <summary>Measures of representations.</summary>
internal static class EvaluationAnswers
{
    // Partners of uniformity's rows: its cases ask for them and may leave them out of the inputs, being those of the case "alignment".
    private static readonly double[,] s_partners = { { 0.5, 0.6, -0.4, -0.1 }, { 0.3, 0.7, 0.4, 0.1 }, { -0.3, -0.2, 0.6, 0.5 }, { 0.8, -0.2, 0.5, -0.3 } };

    public static IReadOnlyDictionary<string, Answer> All { get; } = new Dictionary<string, Answer>
    {
        ["weighted_knn"] = Knn,
        ["alignment"] = Alignment,
        ["uniformity"] = Uniformity,
    };

    private static JsonObject Knn(KnownAnswerCase given)
    {
        Tensor query = given.Inputs.GetProperty("query_raw").ToTensor(), bank = given.Inputs.GetProperty("bank_raw").ToTensor();
        Tensor labels = given.Inputs.GetProperty("bank_labels").ToTensor().to(ScalarType.Int64);
        int classes = (int)labels.max().item<long>() + 1, k = given.Parameters.GetProperty("k").GetInt32();
        double temperature = given.Parameters.GetProperty("temperature").GetDouble();
        return new JsonObject
        {
            ["class_scores"] = WeightedKnn.Votes(query, bank, labels, classes, k, temperature).ToJson(),
            ["predicted"] = WeightedKnn.Predict(query, bank, labels, classes, k, temperature).ToJson(),
        };
    }

    private static JsonObject Alignment(KnownAnswerCase given)
    {
        Tensor x = given.Inputs.GetProperty("x_raw").ToTensor(), y = given.Inputs.GetProperty("y_raw").ToTensor();
        return new JsonObject
        {
            ["value"] = UnitSphere.Alignment(x, y, given.Parameters.GetProperty("alpha").GetDouble()).ToJson(),
            ["value_alpha1"] = UnitSphere.Alignment(x, y, alpha: 1).ToJson(),
        };
    }

    private static JsonObject Uniformity(KnownAnswerCase given)
    {
        Tensor x = given.Inputs.GetProperty("x_raw").ToTensor();
        Tensor y = given.Inputs.TryGetProperty("y_raw", out JsonElement partners) ? partners.ToTensor() : tensor(s_partners);
        double t = given.Parameters.GetProperty("t").GetDouble();
        double ofX = UnitSphere.Uniformity(x, t).item<double>(), ofY = UnitSphere.Uniformity(y, t).item<double>();
        return new JsonObject
        {
            ["value"] = ofX,
            ["value_y"] = ofY,
            ["average_xy"] = (ofX + ofY) / 2,
            ["lower_bound_n4"] = -2 * t * 4 / 3,
            ["regular_simplex_n4"] = UnitSphere.Uniformity(eye(4, dtype: ScalarType.Float64).sub(0.25), t).ToJson(),
            ["all_equal"] = UnitSphere.Uniformity(ones(4, 3, ScalarType.Float64), t).ToJson(),
            ["infinite_uniform_limit"] = -2 * t,
        };
    }
}
