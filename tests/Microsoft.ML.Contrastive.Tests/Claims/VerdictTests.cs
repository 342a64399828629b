using Microsoft.ML.Contrastive.Benchmarks;

namespace Microsoft.ML.Contrastive.Tests.Claims;

public sealed class VerdictTests
{
    [Fact]
    public void A_paired_difference_has_the_mean_and_the_standard_error_of_its_definition()
    {
        // Differences 1, 2, 6: mean 3, deviation sqrt((4 + 1 + 9) / 2) = sqrt(7), standard error sqrt(7 / 3).
        PairedDifference difference = PairedDifference.Of([11, 4, 9], [10, 2, 3]);
        Assert.Equal((3, 3.0), (difference.Seeds, difference.Mean));
        Assert.Equal(Math.Sqrt(7.0 / 3), difference.StandardError!.Value, 12);
        Assert.Equal(Verdict.CannotBeTold, difference.Verdict); // 3 < 2 * 1.53
    }

    [Theory]
    [InlineData(2.0, "holds")]
    [InlineData(1.99, "can't be told at this size")]
    [InlineData(-1.99, "can't be told at this size")]
    [InlineData(-2.0, "does not hold here")]
    public void Two_standard_errors_decide_either_way(double errors, string expected)
        => Assert.Equal(expected, new PairedDifference(3, errors * 0.5, 0.5).Verdict.Text());

    [Fact]
    public void What_all_pairs_share_is_no_error()
    {
        // Seeds differ by far more than the arms do.
        Assert.Equal(Verdict.Holds, PairedDifference.Of([50.1, 70.2, 90.1], [50, 70, 90]).Verdict);
        Assert.Equal(Verdict.DoesNotHold, PairedDifference.Of([50, 70, 90], [50.1, 70.2, 90.1]).Verdict);
    }

    [Fact]
    public void One_seed_and_equal_arms_tell_nothing()
    {
        PairedDifference one = PairedDifference.Of([90], [10]);
        Assert.Null(one.StandardError);
        Assert.Equal(Verdict.CannotBeTold, one.Verdict);
        Assert.Equal("+80.000 (one seed)", one.Text(new Figure("any", "any")));
        Assert.Equal(Verdict.CannotBeTold, PairedDifference.Of([1, 2], [1, 2]).Verdict);
    }

    [Fact]
    public void An_outcome_pairs_rows_by_their_seeds_and_waits_for_those_that_are_missing()
    {
        Claim claim = AllClaims.List.Single(each => each.Name == "simsiam-stop");
        ClaimOutcome whole = Outcome([(1, 0.5), (2, 0.6), (3, 0.7)], [(2, 0.4), (1, 0.3), (3, 0.5)]);
        Assert.All(whole.Compared(), each => Assert.Equal(0.2, each.Difference.Mean, 12));
        Assert.Equal(Verdict.Holds, whole.Verdict);
        ClaimOutcome partly = Outcome([(1, 0.5), (2, 0.6)], [(2, 0.4), (3, 0.5)]);
        Assert.All(partly.Compared(), each => Assert.Equal((1, Verdict.CannotBeTold), (each.Difference.Seeds, each.Difference.Verdict)));
        Assert.Empty(Outcome([(1, 0.5)], []).Compared());
        Assert.Equal(Verdict.CannotBeTold, Outcome([(1, 0.5)], []).Verdict);

        ClaimOutcome Outcome((int Seed, double Value)[] with, (int Seed, double Value)[] without) => new(claim, [(claim.Arms[0], Rows(with)), (claim.Arms[1], Rows(without))]);

        ClaimRow[] Rows((int Seed, double Value)[] rows)
            => [.. rows.Select(row => new ClaimRow { Setup = "{}", Seed = row.Seed, Figures = claim.Figures.ToDictionary(figure => figure.Key, _ => row.Value) })];
    }

    [Fact]
    public void Pairs_must_be_pairs()
    {
        Assert.Throws<ArgumentException>(() => PairedDifference.Of([1, 2], [1]));
        Assert.Throws<ArgumentException>(() => PairedDifference.Of([], []));
    }

    [Fact]
    public void A_claim_holds_with_all_of_its_comparisons_and_falls_with_one()
    {
        Assert.Equal(Verdict.Holds, Verdicts.Together([Verdict.Holds, Verdict.Holds]));
        Assert.Equal(Verdict.CannotBeTold, Verdicts.Together([Verdict.Holds, Verdict.CannotBeTold]));
        Assert.Equal(Verdict.DoesNotHold, Verdicts.Together([Verdict.Holds, Verdict.CannotBeTold, Verdict.DoesNotHold]));
        Assert.Equal(Verdict.CannotBeTold, Verdicts.Together([]));
    }
}
