using System.Globalization;
using System.Net;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Text;
using SkiaSharp;

namespace FewLabels;

/// <summary>Writes report.html: one file with everything inside, to be opened anywhere.</summary>
internal static class Report
{
    public static void Write(string file, string introduction, IReadOnlyList<(int Step, double Loss)> losses, Results results, ImageSet test, ImageSet training, int[] shown, int[][] byFeatures, int[][] byPixels) =>
        File.WriteAllText(file, $$"""
            <!DOCTYPE html>
            <html lang="en"><head><meta charset="utf-8"><title>Few labels</title><style>
            body { font: 16px/1.5 system-ui, sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; color: #222 }
            table { border-collapse: collapse; margin: 1em 0 } td, th { padding: .25em .8em; border-bottom: 1px solid #ddd; text-align: right }
            td:nth-child(-n+2), th:nth-child(-n+2), td:last-child, th:last-child { text-align: left } img { width: 56px; height: 56px; image-rendering: pixelated; border: 3px solid #ccc }
            img.same { border-color: #2a9d55 } img.other { border-color: #d1495b } figure { margin: 1em 0 } figcaption, .small { font-size: .85em; color: #555 }
            .pictures td { border: 0; padding: .15em .6em; white-space: nowrap }
            </style></head><body>
            <h1>Few labels, many pictures</h1>
            <p>{{Text(introduction)}}</p>
            <h2>Accuracy on the test images, per cent</h2>
            {{Table(Results.Head, results.Rows)}}
            <p class="small">{{Text(Results.Explanation)}}</p>
            <h2>Pretraining loss</h2>
            {{Curve(losses)}}
            <h2>Nearest neighbours</h2>
            <p>Ten test images, and the labelled-pool images most like each by cosine: by the pretrained features (left) and by raw pixels (right).
            Green: the same class. No label was used to find them.</p>
            <table class="pictures"><tr><th>image</th><th>by pretrained features</th><th>by pixels</th></tr>
            {{string.Join('\n', shown.Select((image, i) => $"<tr><td>{Picture(test, image, null)}</td><td>{Pictures(training, byFeatures[i], test.Labels[image])}</td><td>{Pictures(training, byPixels[i], test.Labels[image])}</td></tr>"))}}
            </table></body></html>
            """);

    /// <summary>For each of the asked images the numbers of the pool's images with the largest cosine to it.</summary>
    public static int[][] Nearest(Features asked, Features pool, int[] images, int count) =>
        [.. images.Select(i => pool.Vectors.OrderByDescending(o => TensorPrimitives.CosineSimilarity(asked.Vectors[i], o.Value)).Take(count).Select(o => o.Key).ToArray())];

    private static string Text(string text) => WebUtility.HtmlEncode(text);

    private static string Table(string[] head, IEnumerable<string[]> rows)
    {
        string Row(string[] cells, string tag) => $"<tr>{string.Concat(cells.Select(c => $"<{tag}>{Text(c)}</{tag}>"))}</tr>";
        return $"<table>{Row(head, "th")}{string.Concat(rows.Select(r => Row(r, "td")))}</table>";
    }

    private static string Curve(IReadOnlyList<(int Step, double Loss)> losses)
    {
        if (losses.Count < 2)
        {
            return "<p>No losses were recorded.</p>";
        }

        const int Width = 800, Height = 300, Left = 60, Bottom = 30, Top = 10;
        double low = losses.Min(p => p.Loss), high = losses.Max(p => p.Loss), span = Math.Max(high - low, 1e-9);
        int first = losses[0].Step, last = losses[^1].Step;
        FormattableString Point((int Step, double Loss) p) =>
            $"{Left + ((Width - Left) * (double)(p.Step - first) / Math.Max(1, last - first)):f1},{Top + ((Height - Top - Bottom) * (high - p.Loss) / span):f1}";
        string points = string.Join(' ', losses.Select(p => FormattableString.Invariant(Point(p))));
        return FormattableString.Invariant($"""
            <figure><svg viewBox="0 0 {Width} {Height}" role="img" aria-label="loss curve" style="width:100%">
            <path d="M{Left},{Top}V{Height - Bottom}H{Width}" fill="none" stroke="#999"/>
            <polyline points="{points}" fill="none" stroke="#2563eb" stroke-width="1.5"/>
            <g font-size="12" fill="#555"><text x="{Left - 6}" y="{Top + 10}" text-anchor="end">{high:f2}</text><text x="{Left - 6}" y="{Height - Bottom}" text-anchor="end">{low:f2}</text>
            <text x="{Left}" y="{Height - 10}">step {first}</text><text x="{Width}" y="{Height - 10}" text-anchor="end">step {last}</text></g>
            </svg></figure>
            """);
    }

    private static string Pictures(ImageSet set, int[] images, byte label) => string.Concat(images.Select(i => Picture(set, i, set.Labels[i] == label)));

    private static string Picture(ImageSet set, int image, bool? same)
    {
        using var bitmap = new SKBitmap(ImageSet.Side, ImageSet.Side, SKColorType.Gray8, SKAlphaType.Opaque);
        for (int y = 0; y < ImageSet.Side; y++)
        {
            Marshal.Copy(set.Pixels, (image * ImageSet.Size) + (y * ImageSet.Side), bitmap.GetPixels() + (y * bitmap.RowBytes), ImageSet.Side);
        }

        using var png = bitmap.Encode(SKEncodedImageFormat.Png, 100);
        string name = FashionMnist.ClassNames[set.Labels[image]];
        return $"<img class=\"{(same is null ? "" : same.Value ? "same" : "other")}\" alt=\"{name}\" title=\"{name}\" src=\"data:image/png;base64,{Convert.ToBase64String(png.ToArray())}\">";
    }
}
