using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// The views of one batch, in single precision, normalised per channel: of pictures one tensor [N, C, H, W] per view, of sequences one [N, T, d].
/// Row i of every view comes from the same example. Disposing it disposes the tensors.
/// </summary>
public sealed class Views : IDisposable
{
    private readonly Tensor[] _views;
    private readonly Tensor? _rowIndices, _labels;

    /// <summary>Takes ownership of one tensor per view; all have the same number of rows.</summary>
    /// <exception cref="ArgumentException">No view, or views with different numbers of rows.</exception>
    public Views(params Tensor[] views)
    {
        ArgumentNullException.ThrowIfNull(views);
        if (views.Length == 0)
            throw new ArgumentException("A batch needs at least one view.", nameof(views));
        if (views.Any(view => view.shape[0] != views[0].shape[0]))
            throw new ArgumentException("All views of a batch must have the same number of rows.", nameof(views));
        _views = views;
    }

    private Views(Tensor[] views, Tensor? rowIndices, Tensor? labels) => (_views, _rowIndices, _labels) = (views, rowIndices, labels);

    /// <summary>How many views each example has.</summary>
    public int Count => _views.Length;

    /// <summary>N, the number of examples in the batch.</summary>
    public long Rows => _views[0].shape[0];

    /// <summary>
    /// Which example of the data each row is, from 0 to n - 1 (n pictures were read), no example twice: [N] of int64, on the views'
    /// device. For methods that remember something of every example. Disposed with the views.
    /// </summary>
    /// <exception cref="InvalidOperationException">The views were made without it.</exception>
    /// <exception cref="ArgumentException">Set to something else than [N] of int64.</exception>
    public Tensor RowIndices
    {
        get => _rowIndices ?? throw new InvalidOperationException("These views don't say which rows of the data they were made from: set RowIndices where they are made.");
        init => _rowIndices = value.dim() == 1 && value.shape[0] == Rows && value.dtype == ScalarType.Int64
            ? value
            : throw new ArgumentException($"Row indices must be [{Rows}] of int64, not [{string.Join(", ", value.shape)}] of {value.dtype}.", nameof(value));
    }

    /// <summary>The class of each row, from 0, where the data has some: [N] of int64, on the views' device. Disposed with the views.</summary>
    /// <exception cref="InvalidOperationException">The views were made without.</exception>
    /// <exception cref="ArgumentException">Set to something else than [N] of int64.</exception>
    public Tensor Labels
    {
        get => _labels ?? throw new InvalidOperationException("These views have no labels: set Labels where they are made.");
        init => _labels = value.dim() == 1 && value.shape[0] == Rows && value.dtype == ScalarType.Int64
            ? value
            : throw new ArgumentException($"Labels must be [{Rows}] of int64, not [{string.Join(", ", value.shape)}] of {value.dtype}.", nameof(value));
    }

    /// <summary>Rows of the data as <see cref="RowIndices"/> has them.</summary>
    internal static Tensor IndicesOf(ReadOnlySpan<int> rows) => tensor(Array.ConvertAll(rows.ToArray(), row => (long)row));

    /// <summary>View number <paramref name="index"/>, from 0: [N, ...].</summary>
    public Tensor this[int index] => _views[index];

    /// <summary>All views under each other, view 0 first: [Count * N, ...].</summary>
    /// <exception cref="InvalidOperationException">The views differ in size.</exception>
    public Tensor Stacked()
    {
        if (_views.Any(view => !view.shape.AsSpan().SequenceEqual(_views[0].shape)))
            throw new InvalidOperationException("Views of different sizes can't be stacked: let each size pass by itself.");
        return _views.Length == 1 ? _views[0].alias() : cat(_views, 0);
    }

    /// <summary>Both of two views through a network: as one batch of 2N, which batch norm sees together, or one after the other.</summary>
    internal (Tensor First, Tensor Second) Projected(Func<Tensor, Tensor> network, bool joint)
    {
        if (!joint)
            return (network(this[0]), network(this[1]));
        Tensor[] both = network(Stacked()).chunk(2, 0);
        return (both[0], both[1]);
    }

    /// <summary>The views of some rows that follow each other; they share the memory.</summary>
    internal Views Narrow(long start, long count) => _rowIndices is null
        ? new Views([.. _views.Select(view => view.narrow(0, start, count))])
        : new Views([.. _views.Select(view => view.narrow(0, start, count))]) { RowIndices = _rowIndices.narrow(0, start, count) };

    /// <summary>The same views on a device; where they are there already, these.</summary>
    internal Views To(Device device)
    {
        if (_views[0].device == device)
            return this;
        using (this)
            return new Views([.. _views.Select(view => view.to(device))], _rowIndices?.to(device), _labels?.to(device));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Tensor view in _views)
            view.Dispose();
        _rowIndices?.Dispose();
        _labels?.Dispose();
    }
}
