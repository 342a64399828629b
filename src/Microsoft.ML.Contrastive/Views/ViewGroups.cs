using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>Multi-crop (Caron et al. 2020, section 3.3): the first views of an example are large, those behind them small, each size one batch.</summary>
internal static class ViewGroups
{
    /// <summary>
    /// Each view through a network, in the views' order. The first <paramref name="large"/> views pass as one batch, and so do neighbours
    /// of one size among the others, so that batch norm sees large and small views apart; or each view passes alone.
    /// </summary>
    /// <param name="views">At least <paramref name="large"/>, and those of one size.</param>
    /// <param name="network">[rows, ...] to [rows, D].</param>
    /// <param name="large">How many views at the start belong together.</param>
    /// <param name="joint">False: each view passes alone.</param>
    public static Tensor[] Projected(this Views views, Func<Tensor, Tensor> network, int large, bool joint)
        => Projected(views, network, large, views.Count, joint);

    /// <summary>The first <paramref name="large"/> views alone, as one batch or each by itself.</summary>
    public static Tensor[] ProjectedLarge(this Views views, Func<Tensor, Tensor> network, int large, bool joint)
        => Projected(views, network, large, large, joint);

    private static Tensor[] Projected(Views views, Func<Tensor, Tensor> network, int large, int count, bool joint)
    {
        var projected = new List<Tensor>();
        while (projected.Count < count)
        {
            int first = projected.Count, next = first + 1;
            while (joint && next < count && BelongsWith(next, first))
                next++;
            Tensor[] group = [.. Enumerable.Range(first, next - first).Select(view => views[view])];
            projected.AddRange(group.Length == 1 ? [network(group[0])] : network(cat(group, 0)).chunk(group.Length, 0));
        }
        return [.. projected];

        bool BelongsWith(int view, int first) => view < large
            || (first >= large && views[view].shape.AsSpan().SequenceEqual(views[first].shape));
    }
}
