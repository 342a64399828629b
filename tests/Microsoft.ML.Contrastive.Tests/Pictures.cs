using Microsoft.ML.Data;
using Microsoft.ML.Transforms.Image;

namespace Microsoft.ML.Contrastive.Tests;

/// <summary>One example: a small picture, planar bytes, its class, and a column that must pass through.</summary>
public sealed class PictureRow
{
    public byte[] Image { get; set; } = [];

    public string Label { get; set; } = "";

    public int Id { get; set; }
}

/// <summary>Pictures made on the fly: a bright bar, orange where there is colour, at an angle that is the class, at a random place, in noise.</summary>
internal static class Pictures
{
    public const int Side = 16;

    public static PictureRow[] Make(int count, int seed = 1, int channels = 1, int classes = 4, int noise = 40)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(id => MakeOne(id, id % classes, classes, channels, noise, random))];
    }

    /// <summary>The rows as a view whose Image is a known-size vector of bytes.</summary>
    public static IDataView View(this MLContext ml, IEnumerable<PictureRow> rows, int channels = 1)
    {
        SchemaDefinition schema = SchemaDefinition.Create(typeof(PictureRow));
        schema[nameof(PictureRow.Image)].ColumnType = new VectorDataViewType(NumberDataViewType.Byte, channels * Side * Side);
        return ml.Data.LoadFromEnumerable(rows, schema);
    }

    /// <summary>Gray pictures, or colour where the method needs it.</summary>
    public static int ChannelsFor(ContrastiveMethod method) => method is Cmc ? 3 : 1;

    /// <summary>As many pictures as <see cref="Make"/> makes, which suit the method.</summary>
    public static IDataView ViewFor(this MLContext ml, ContrastiveMethod method, int count)
        => ml.View(Make(count, channels: ChannelsFor(method)), ChannelsFor(method));

    /// <summary>The shape of what <see cref="ViewFor"/> gives.</summary>
    public static ImageShape ShapeFor(ContrastiveMethod method) => Shape(ChannelsFor(method));

    public static ImageShape Shape(int channels = 1) => new(Side, Side, channels);

    public static float[][] Features(this IDataView view, string column = "Features")
        => [.. view.GetColumn<float[]>(column)];

    private static PictureRow MakeOne(int id, int kind, int classes, int channels, int noise, Random random)
    {
        var pixels = new byte[channels * Side * Side];
        double angle = Math.PI / 2 * kind / (classes - 1), // no two classes are each other's mirror image
             x0 = 5 + 6 * random.NextDouble(), y0 = 5 + 6 * random.NextDouble();
        for (int i = 0; i < pixels.Length; i++)
        {
            int y = i / Side % Side, x = i % Side;
            double distance = Math.Abs((x - x0) * Math.Sin(angle) - (y - y0) * Math.Cos(angle));
            double brightness = 200 - 70 * (i / (Side * Side)); // of red, or gray, then green and blue
            pixels[i] = (byte)Math.Clamp(brightness * Math.Exp(-distance * distance / 2) + noise * random.NextDouble(), 0, 255);
        }
        return new PictureRow { Image = pixels, Label = $"class {kind}", Id = id };
    }
}
