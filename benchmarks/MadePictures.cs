using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>Pictures made on the fly, so that no benchmark needs data: random patches of 4x4 pixels under noise.</summary>
internal static class MadePictures
{
    private const int Patch = 4, Noise = 32;

    /// <summary>Planar bytes, one array per picture.</summary>
    public static byte[][] Make(int count, int side, int channels, int seed = 1)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => MakeOne(side, channels, random))];
    }

    /// <summary>The pictures as a view with a column Image, and one of four labels for each, in turn.</summary>
    public static IDataView View(MLContext ml, int count, int side, int channels, int seed = 1)
    {
        SchemaDefinition schema = SchemaDefinition.Create(typeof(Row));
        schema[nameof(Row.Image)].ColumnType = new VectorDataViewType(NumberDataViewType.Byte, channels * side * side);
        return ml.Data.LoadFromEnumerable(Make(count, side, channels, seed).Select((image, index) => new Row { Image = image, Label = $"class {index % 4}" }).ToArray(), schema);
    }

    /// <summary>Any number of pictures, each made when it is read: coarse random patches, the same for the same row.</summary>
    public static IDataView Endless(MLContext ml, long count, int side, int channels)
    {
        SchemaDefinition schema = SchemaDefinition.Create(typeof(Row));
        schema[nameof(Row.Image)].ColumnType = new VectorDataViewType(NumberDataViewType.Byte, channels * side * side);
        return ml.Data.LoadFromEnumerable(Rows(), schema);

        IEnumerable<Row> Rows()
        {
            var row = new Row { Image = new byte[channels * side * side] };
            for (long index = 0; index < count; index++)
            {
                var random = new SeededRandom(7, (ulong)index);
                for (int line = 0; line < channels * side; line++) // a line of one value per patch
                {
                    if (line % Patch == 0)
                        for (int x = 0; x < side; x += Patch)
                            row.Image.AsSpan(line * side + x, Math.Min(Patch, side - x)).Fill((byte)random.NextBits());
                    else
                        row.Image.AsSpan((line - 1) * side, side).CopyTo(row.Image.AsSpan(line * side));
                }
                yield return row;
            }
        }
    }

    private static byte[] MakeOne(int side, int channels, Random random)
    {
        int patches = (side + Patch - 1) / Patch;
        var coarse = new byte[channels * patches * patches];
        random.NextBytes(coarse);
        var pixels = new byte[channels * side * side];
        for (int i = 0; i < pixels.Length; i++)
        {
            int channel = i / (side * side), y = i / side % side, x = i % side;
            pixels[i] = (byte)Math.Min(255, coarse[(channel * patches + y / Patch) * patches + x / Patch] + random.Next(Noise));
        }
        return pixels;
    }

    private sealed class Row
    {
        public byte[] Image { get; set; } = [];

        public string Label { get; set; } = "";
    }
}
