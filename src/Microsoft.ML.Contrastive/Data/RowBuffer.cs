using System.Reflection;
using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive;

/// <summary>One column's values over the rows of a batch, kept because the input has moved on when they are read.</summary>
internal abstract class RowBuffer : IDisposable
{
    /// <summary>A buffer that fits the column's type.</summary>
    /// <exception cref="NotSupportedException">The values must be disposed, and we don't know how to copy them.</exception>
    public static RowBuffer Create(DataViewRow input, DataViewSchema.Column column, int rows)
    {
        Type type = column.Type.RawType;
        if (type == typeof(MLImage))
            return new Images(input.GetGetter<MLImage?>(column), rows);
        if (typeof(IDisposable).IsAssignableFrom(type))
            throw new NotSupportedException($"Column '{column.Name}' holds {type} values, which can't be kept for a batch: leave the column out.");
        bool isVector = type.IsGenericType && type.GetGenericTypeDefinition() == typeof(VBuffer<>);
        MethodInfo make = typeof(RowBuffer).GetMethod(isVector ? nameof(MakeVectors) : nameof(MakeValues), BindingFlags.NonPublic | BindingFlags.Static)!;
        return make.MakeGenericMethod(isVector ? type.GetGenericArguments()[0] : type)
            .CreateDelegate<Func<DataViewRow, DataViewSchema.Column, int, RowBuffer>>()(input, column, rows);
    }

    /// <summary>Keeps the value of the input's current row.</summary>
    public abstract void Read(int slot);

    /// <summary>A ValueGetter of the column's raw type for the row in whatever slot is current.</summary>
    public abstract Delegate Getter(Func<int> slot);

    public virtual void Dispose()
    {
    }

    private static Values<T> MakeValues<T>(DataViewRow input, DataViewSchema.Column column, int rows) => new(input.GetGetter<T>(column), rows);

    private static Vectors<T> MakeVectors<T>(DataViewRow input, DataViewSchema.Column column, int rows) => new(input.GetGetter<VBuffer<T>>(column), rows);

    /// <summary>Numbers, keys, times, text. The characters behind a text never change (ML.NET's own cache relies on that too).</summary>
    private sealed class Values<T>(ValueGetter<T> source, int rows) : RowBuffer
    {
        private readonly T[] values = new T[rows];

        public override void Read(int slot) => source(ref values[slot]);

        public override Delegate Getter(Func<int> slot) => (ValueGetter<T>)((ref T value) => value = values[slot()]);
    }

    /// <summary>A vector's memory belongs to whoever passed it in, so a reader gets a copy, dense or sparse as it was.</summary>
    private sealed class Vectors<T>(ValueGetter<VBuffer<T>> source, int rows) : RowBuffer
    {
        private readonly VBuffer<T>[] values = new VBuffer<T>[rows];

        public override void Read(int slot) => source(ref values[slot]);

        public override Delegate Getter(Func<int> slot) => (ValueGetter<VBuffer<T>>)((ref VBuffer<T> value) => values[slot()].CopyTo(ref value));
    }

    /// <summary>
    /// Images. ML.NET's own getters dispose the image that is passed in, and some keep the one that they give and dispose it at
    /// their next call (a resizing that changes nothing); rows in memory give the user's own. So what the input gives is copied
    /// at once and never disposed here, and a reader gets a copy of the copy, in exchange for the image it passes in.
    /// </summary>
    private sealed class Images(ValueGetter<MLImage?> source, int rows) : RowBuffer
    {
        private readonly MLImage?[] values = new MLImage?[rows];
        private MLImage? current;

        public override void Read(int slot)
        {
            source(ref current);
            values[slot]?.Dispose();
            values[slot] = null;
            values[slot] = Copy(current);
        }

        public override Delegate Getter(Func<int> slot) => (ValueGetter<MLImage?>)((ref MLImage? value) =>
        {
            MLImage? copy = Copy(values[slot()]);
            value?.Dispose();
            value = copy;
        });

        public override void Dispose()
        {
            foreach (MLImage? image in values)
                image?.Dispose();
            base.Dispose();
        }

        private static MLImage? Copy(MLImage? image)
        {
            if (image is null)
                return null;
            MLImage copy = MLImage.CreateFromPixels(image.Width, image.Height, image.PixelFormat, image.Pixels);
            copy.Tag = image.Tag;
            return copy;
        }
    }
}
