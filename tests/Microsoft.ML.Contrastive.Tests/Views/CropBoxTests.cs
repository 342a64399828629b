namespace Microsoft.ML.Contrastive.Tests;

public sealed class CropBoxTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 1000)]
    [InlineData(1000, 1)]
    [InlineData(2, 3)]
    [InlineData(375, 500)]
    public void Boxes_never_leave_the_picture(int height, int width)
    {
        var rule = new RandomResizedCrop(0.08, 1);
        var random = new SeededRandom(3);
        for (int i = 0; i < 2000; i++)
        {
            CropBox box = CropBox.Draw(height, width, rule, ref random, out _);
            Assert.InRange(box.Height, 1, height);
            Assert.InRange(box.Width, 1, width);
            Assert.InRange(box.Top, 0, height - box.Height);
            Assert.InRange(box.Left, 0, width - box.Width);
        }
    }

    [Fact]
    public void Areas_and_positions_are_spread_as_the_rule_says()
    {
        var rule = new RandomResizedCrop(0.2, 0.4);
        var random = new SeededRandom(5);
        CropBox[] boxes = new CropBox[20_000];
        for (int i = 0; i < boxes.Length; i++)
            boxes[i] = CropBox.Draw(1000, 1000, rule, ref random, out _);
        Assert.Equal(0.3, boxes.Average(box => box.Height * (double)box.Width) / 1e6, 0.002);
        Assert.All(boxes, box => Assert.InRange(box.Height * (double)box.Width / 1e6, 0.199, 0.401));
        Assert.Equal(500, boxes.Average(box => box.Left + box.Width / 2.0), 5.0);
        Assert.Equal(500, boxes.Average(box => box.Top + box.Height / 2.0), 5.0);
        Assert.Equal(0, boxes.Average(box => Math.Log((double)box.Width / box.Height)), 0.005);
    }
}
