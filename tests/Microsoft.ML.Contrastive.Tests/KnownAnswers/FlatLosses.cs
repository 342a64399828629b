using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests.KnownAnswers;

/// <summary>
/// Where an objective sits once all similarities are equal: its loss of such vectors, and what the library says of it. Where the loss would
/// need a matrix of more than 2^22 numbers, only what the library says.
/// </summary>
internal static partial class FlatLosses
{
    private const long LargestSide = 2048, Width = 2;

    /// <summary>The keys say what is asked for: moco_K4096, moco_v3_N256_tau02.</summary>
    public static JsonObject Answer(KnownAnswerCase given)
    {
        var answer = new JsonObject();
        foreach (JsonProperty asked in given.Expected.EnumerateObject())
            if (Of(asked.Name) is { } value)
                answer[asked.Name] = value;
        return answer;
    }

    private static double? Of(string key)
    {
        Match match = Key().Match(key);
        string what = match.Groups["what"].Value;
        long n = Number(match, "n");
        return what switch
        {
            "moco_K" => Agreed(InfoNce.Loss(Same(2), Same(2), Same(n), 0.2), InfoNce.FlatLoss(n)),
            "nt_xent_N" => Agreed(n > LargestSide / 2 ? null : NtXent.Loss(Same(n), Same(n), 0.5), NtXent.FlatLoss(n)),
            "moco_v3_N" => MoCoV3(n, Temperature(match.Groups["second"].Value)),
            "instdisc_nce_m" => Nce(n),
            "cmc_nce_m" => 2 * Nce(n), // both directions added, as CmcLearner does
            "invaspread_M" => Agreed(InvarianceSpread.Loss(Same(n / 2), Same(n / 2), 0.1), InvarianceSpread.FlatLoss(n / 2)),
            "cpc_candidates_" => Cpc(n, Number(match, "second")),
            "swav_K" => Agreed(
                CrossViewEntropy.Loss([Sinkhorn.Assign(zeros(2, n, ScalarType.Float64), 0.05, 3)], [Zeros(n), Zeros(n)], 0.1), CrossViewEntropy.FlatLoss(n)),
            "dino_K" => Agreed(
                CrossViewEntropy.Loss([SelfDistillation.Targets(Zeros(n), zeros(n, ScalarType.Float64), 0.04)], [Zeros(n), Zeros(n)], 0.1), CrossViewEntropy.FlatLoss(n)),
            "byol_identical" => NormalizedDistance.Symmetric(Same(2), Same(2), Same(2), Same(2)).item<double>(),
            "byol_orthogonal_sum" => NormalizedDistance.Symmetric(Same(2), Same(2), Orthogonal(2), Orthogonal(2)).item<double>(),
            "simsiam_identical" => NegativeCosine.Symmetric(Same(2), Same(2), Same(2), Same(2)).item<double>(),
            "simsiam_orthogonal" => NegativeCosine.Symmetric(Same(2), Same(2), Orthogonal(2), Orthogonal(2)).item<double>(),
            _ => null,
        };
    }

    private static double MoCoV3(long rows, double temperature) => Agreed(
        rows > LargestSide ? null : BatchInfoNce.Symmetric(Same(rows), Same(rows), Same(rows), Same(rows), temperature), BatchInfoNce.FlatLoss(rows, temperature));

    private static double Nce(long noise)
    {
        const long rows = 4; // of the bank; any number gives the same
        Tensor logits = InstanceDiscrimination.SampledLogits(Same(3), Same(rows), zeros(3, 1 + noise, ScalarType.Int64), 0.07);
        return Agreed(InstanceDiscrimination.NceLoss(logits, InstanceDiscrimination.LogPartition(logits, rows), rows), InstanceDiscrimination.NceFlatLoss(noise));
    }

    private static double Cpc(long positions, long examples)
    {
        Tensor parts = Same(examples * positions).view(examples, positions, 1, Width);
        return Agreed(
            CpcInfoNce.Loss(parts, parts.narrow(1, 1, positions - 1), firstRow: 1, CpcCandidates.AllPositions),
            CpcInfoNce.FlatLoss(examples, positions, CpcCandidates.AllPositions));
    }

    /// <summary>What the loss is, which the library must have said.</summary>
    private static double Agreed(Tensor? loss, double said)
    {
        if (loss is null)
            return said;
        double value = loss.item<double>();
        Assert.Equal(said, value, 1e-9);
        return value;
    }

    private static Tensor Same(long rows) => tensor(new[] { 0.6, 0.8 }).expand(rows, Width);

    private static Tensor Orthogonal(long rows) => tensor(new[] { 0.8, -0.6 }).expand(rows, Width);

    private static Tensor Zeros(long columns) => zeros(2, columns, ScalarType.Float64);

    private static long Number(Match match, string group)
        => match.Groups[group].Length == 0 ? 0 : long.Parse(match.Groups[group].Value, CultureInfo.InvariantCulture);

    /// <summary>02 stands for 0.2, 1 for 1.</summary>
    private static double Temperature(string digits)
        => double.Parse(digits.Length > 1 ? $"{digits[0]}.{digits[1..]}" : digits, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^(?<what>.+?_[KNMm]|cpc_candidates_|byol_.+|simsiam_.+?)(?<n>\d*)(?:(?:x|_tau)(?<second>\d+)|_total)?$")]
    private static partial Regex Key();
}
