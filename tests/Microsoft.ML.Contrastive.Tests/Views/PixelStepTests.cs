namespace Microsoft.ML.Contrastive.Tests;

public sealed class PixelStepTests
{
    // 3 x 5 x 7 and 13 x 11: no plane fills whole vectors, so that the rest of a loop is always at work.
    [Fact]
    public void Flipping_twice_gives_the_picture_back_and_once_does_not()
    {
        float[] planes = Floats(3 * 5 * 7), before = [.. planes];
        HorizontalFlip.Apply(planes, 7);
        Assert.NotEqual(before, planes);
        Assert.Equal(before[0], planes[6]);
        HorizontalFlip.Apply(planes, 7);
        Assert.Equal(before, planes);
    }

    [Theory]
    [InlineData(ColorStep.Brightness, 1)]
    [InlineData(ColorStep.Contrast, 1)]
    [InlineData(ColorStep.Saturation, 1)]
    [InlineData(ColorStep.Hue, 0)]
    internal void A_neutral_color_step_changes_nothing(ColorStep step, float neutral)
    {
        float[] planes = Floats(3 * 13 * 11), before = [.. planes];
        ColorAdjust.Apply(step, planes, 3, neutral);
        Assert.Equal(before, planes, ResizerTests.Near(1e-6f));
    }

    [Theory]
    [InlineData(ColorStep.Saturation, 0.2f)]
    [InlineData(ColorStep.Hue, 0.3f)]
    internal void Saturation_and_hue_leave_one_channel_alone(ColorStep step, float amount)
    {
        float[] plane = Floats(13 * 11), before = [.. plane];
        ColorAdjust.Apply(step, plane, 1, amount);
        Assert.Equal(before, plane);
    }

    [Theory]
    [InlineData(ColorStep.Brightness, 9)]
    [InlineData(ColorStep.Contrast, 9)]
    [InlineData(ColorStep.Saturation, 9)]
    [InlineData(ColorStep.Hue, 0.5)]
    internal void Color_steps_stay_in_zero_to_one(ColorStep step, float amount)
    {
        float[] planes = Floats(3 * 13 * 11);
        ColorAdjust.Apply(step, planes, 3, amount);
        Assert.All(planes, value => Assert.InRange(value, 0, 1));
    }

    [Fact]
    public void Hue_goes_round_the_circle()
    {
        float[] planes = Floats(3 * 13 * 11), before = [.. planes];
        for (int i = 0; i < 4; i++)
            ColorAdjust.Hue(planes, 0.25f);
        Assert.Equal(before, planes, ResizerTests.Near(1e-5f));
    }

    [Fact]
    public void A_third_of_a_turn_makes_red_green()
    {
        float[] planes = [0.9f, 0.1f, 0.1f];
        ColorAdjust.Hue(planes, 1f / 3);
        Assert.Equal([0.1f, 0.9f, 0.1f], planes, ResizerTests.Near(1e-6f));
    }

    [Fact]
    public void No_contrast_leaves_the_mean_gray()
    {
        float[] planes = Floats(3 * 500 * 501); // many stretches of the sum, and a rest
        double mean = Enumerable.Range(0, 500 * 501)
            .Average(i => 0.2989 * planes[i] + 0.587 * planes[500 * 501 + i] + 0.114 * planes[2 * 500 * 501 + i]);
        ColorAdjust.Contrast(planes, 3, 0);
        Assert.All(planes, value => Assert.Equal(mean, value, 2e-7));
    }

    [Fact]
    public void Solarize_inverts_from_the_threshold_on()
    {
        float[] values = [0, 0.49999f, 0.5f, 0.75f, 1];
        Solarize.Apply(values, 0.5f);
        Assert.Equal([0, 0.49999f, 0.5f, 0.25f, 0], values);
        float[] low = [0.1f, 0.3f];
        Solarize.Apply(low, 0.2f);
        Assert.Equal([0.1f, 0.7f], low);
    }

    internal static float[] Floats(int count)
    {
        var random = new Random(2);
        return [.. Enumerable.Range(0, count).Select(_ => random.NextSingle())];
    }
}
