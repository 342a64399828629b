using System.Text.Json;
using System.Text.Json.Nodes;

namespace Microsoft.ML.Contrastive.Tests.KnownAnswers;

/// <summary>A picture of a case as planes in [0, 1]; <paramref name="IsFlat"/> where the file lists it without a channel axis.</summary>
internal sealed record TestPicture(float[] Planes, int Height, int Width, int Channels, bool IsFlat)
{
    /// <summary>Reads <c>picture</c>, [y][x] or [y][x][channel], or computes <c>picture_formula</c>.</summary>
    public static TestPicture Read(JsonElement inputs)
    {
        if (inputs.TryGetProperty("picture_formula", out JsonElement formula))
            return FromFormula(formula);
        JsonElement rows = inputs.GetProperty("picture");
        JsonElement corner = rows[0][0];
        bool flat = corner.ValueKind == JsonValueKind.Number;
        return FromBytes(rows.GetArrayLength(), rows[0].GetArrayLength(), flat ? 1 : corner.GetArrayLength(), flat,
            (y, x, c) => flat ? rows[y][x].GetInt32() : rows[y][x][c].GetInt32());
    }

    /// <summary>A box of the picture, resized; goes back to bytes, from which the library resizes.</summary>
    public TestPicture Resized(CropBox box, int height, int width, Interpolation interpolation)
    {
        var planes = new float[Channels * height * width];
        byte[] pixels = [.. Planes.Select(value => (byte)MathF.Round(value * 255))];
        new Resizer(interpolation).Resize(new Picture(pixels, Height, Width, Channels), box, height, width, planes);
        return new TestPicture(planes, height, width, Channels, IsFlat);
    }

    /// <summary>Blurs every plane in place.</summary>
    public void BlurWith(float[] kernelX, float[] kernelY)
    {
        var scratch = new float[Blur.ScratchSize(Height, Width, kernelX.Length, kernelY.Length)];
        for (int c = 0; c < Channels; c++)
            Blur.Apply(Planes.AsSpan(c * Height * Width, Height * Width), Height, Width, kernelX, kernelY, scratch);
    }

    /// <summary>The numbers in the layout in which the picture was listed.</summary>
    public JsonArray ToJson(Func<float, JsonNode>? number = null)
    {
        number ??= value => JsonValue.Create(value);
        return new JsonArray([.. Enumerable.Range(0, Height).Select(y => new JsonArray(
            [.. Enumerable.Range(0, Width).Select(x => IsFlat ? At(y, x, 0) : new JsonArray([.. Enumerable.Range(0, Channels).Select(c => At(y, x, c))]))]))]);

        JsonNode At(int y, int x, int c) => number(Planes[(c * Height + y) * Width + x]);
    }

    private static TestPicture FromFormula(JsonElement formula)
    {
        int a = Get("a"), b = Get("b"), d = Get("d"), e = Get("e"), s = Get("s"), channels = Get("channels");
        return FromBytes(Get("height"), Get("width"), channels, flat: false, (y, x, c) => (a * x + b * y + d * c + e * x * y + s) % 256);

        int Get(string name) => formula.GetProperty(name).GetInt32();
    }

    private static TestPicture FromBytes(int height, int width, int channels, bool flat, Func<int, int, int, int> pixel)
    {
        var bytes = new byte[channels * height * width];
        for (int i = 0; i < bytes.Length; i++)
            bytes[i] = (byte)pixel(i / width % height, i % width, i / (width * height));
        var planes = new float[bytes.Length];
        new Resizer().Resize(new Picture(bytes, height, width, channels), new CropBox(0, 0, height, width), height, width, planes);
        return new TestPicture(planes, height, width, channels, flat);
    }
}
