using Microsoft.ML.Data;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>Pictures of several columns, as the views without anything random.</summary>
internal sealed class MultiviewInputColumn(MultiviewInput input, DataViewSchema schema) : InputColumn
{
    private readonly PictureInputColumn[] _columns = [.. input.Views.Zip(input.Columns, (view, name) => new PictureInputColumn(view, name, schema))];

    /// <summary>The first's.</summary>
    public override int Index => _columns[0].Index;

    public override bool Reads(int column) => _columns.Any(each => each.Index == column);

    /// <summary>A row of which one picture is missing is missing.</summary>
    public override (InputBatch Batch, Func<int, long, bool> Read) CreateBatch(DataViewRow row, int slots)
    {
        (InputBatch Batch, Func<int, long, bool> Read)[] parts = [.. _columns.Select(column => column.CreateBatch(row, slots))];
        return (new MultiviewBatch([.. parts.Select(part => (PictureBatch)part.Batch)]), (slot, position) => Array.TrueForAll(parts, part => part.Read(slot, position)));
    }
}

/// <summary>Each view's pictures, beside each other as channels.</summary>
internal sealed class MultiviewBatch(PictureBatch[] views) : InputBatch
{
    public override IEnumerable<Part> Take(int rows, Device device)
        => [new Part([.. Enumerable.Range(0, rows)], cat([.. views.Select(view => view.Pictures(rows))], 1))];
}
