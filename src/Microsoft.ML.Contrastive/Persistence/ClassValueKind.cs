using System.Globalization;
using Microsoft.ML.Data;

namespace Microsoft.ML.Contrastive;

/// <summary>Types of the values that a label's keys may stand for.</summary>
internal enum ClassValueKind
{
    Text,
    Boolean,
    SByte,
    Byte,
    Int16,
    UInt16,
    Int32,
    UInt32,
    Int64,
    UInt64,
    Single,
    Double,
}

/// <summary>A label's values from a schema into text, and back.</summary>
internal static class ClassValues
{
    private const string KeyValues = AnnotationUtils.Kinds.KeyValues;

    private static readonly Dictionary<ClassValueKind, Codec> s_codecs = new()
    {
        [ClassValueKind.Text] = new Codec<ReadOnlyMemory<char>>(TextDataViewType.Instance, text => text.AsMemory(), value => value.ToString()),
        [ClassValueKind.Boolean] = Parsed<bool>(BooleanDataViewType.Instance),
        [ClassValueKind.SByte] = Parsed<sbyte>(NumberDataViewType.SByte),
        [ClassValueKind.Byte] = Parsed<byte>(NumberDataViewType.Byte),
        [ClassValueKind.Int16] = Parsed<short>(NumberDataViewType.Int16),
        [ClassValueKind.UInt16] = Parsed<ushort>(NumberDataViewType.UInt16),
        [ClassValueKind.Int32] = Parsed<int>(NumberDataViewType.Int32),
        [ClassValueKind.UInt32] = Parsed<uint>(NumberDataViewType.UInt32),
        [ClassValueKind.Int64] = Parsed<long>(NumberDataViewType.Int64),
        [ClassValueKind.UInt64] = Parsed<ulong>(NumberDataViewType.UInt64),
        [ClassValueKind.Single] = Parsed<float>(NumberDataViewType.Single),
        [ClassValueKind.Double] = Parsed<double>(NumberDataViewType.Double),
    };

    /// <summary>The values of a key column, or nulls where its keys stand for none.</summary>
    /// <exception cref="ArgumentException">They are of a type that a model can't keep.</exception>
    public static (ClassValueKind? Kind, IReadOnlyList<string>? Values) Of(DataViewSchema.Column column)
    {
        if (column.Annotations.Schema.GetColumnOrNull(KeyValues)?.Type is not VectorDataViewType { ItemType: var type })
            return (null, null);
        foreach ((ClassValueKind kind, Codec codec) in s_codecs)
            if (codec.Type.Equals(type))
                return (kind, codec.Read(column.Annotations));
        throw new ArgumentException($"The keys of column '{column.Name}' stand for values of {type}, which a model can't keep: make them of text or numbers by MapValueToKey.");
    }

    /// <summary>The values' type in a schema.</summary>
    public static DataViewType TypeOf(ClassValueKind kind) => s_codecs[kind].Type;

    /// <summary>Throws <see cref="FormatException"/> or <see cref="OverflowException"/> for text that is no value of this kind.</summary>
    public static void Check(this ClassValueKind kind, IReadOnlyList<string> values)
    {
        if (!s_codecs.TryGetValue(kind, out Codec? codec))
            throw new FormatException("its 'kind' is unknown.");
        codec.Check(values);
    }

    /// <summary>Adds the values as an annotation.</summary>
    public static void AddValues(this DataViewSchema.Annotations.Builder builder, string annotation, ClassValueKind kind, IReadOnlyList<string> values)
        => s_codecs[kind].Add(builder, annotation, values);

    private static Codec<T> Parsed<T>(PrimitiveDataViewType type)
        where T : ISpanParsable<T>
        => new(type, text => T.Parse(text, CultureInfo.InvariantCulture), value => Convert.ToString(value, CultureInfo.InvariantCulture)!);

    private abstract class Codec(PrimitiveDataViewType type)
    {
        public PrimitiveDataViewType Type { get; } = type;

        public abstract IReadOnlyList<string> Read(DataViewSchema.Annotations annotations);

        public abstract void Check(IReadOnlyList<string> values);

        public abstract void Add(DataViewSchema.Annotations.Builder builder, string annotation, IReadOnlyList<string> values);
    }

    private sealed class Codec<T>(PrimitiveDataViewType type, Func<string, T> parse, Func<T, string> print) : Codec(type)
    {
        public override IReadOnlyList<string> Read(DataViewSchema.Annotations annotations)
        {
            VBuffer<T> values = default;
            annotations.GetValue(KeyValues, ref values);
            return [.. values.DenseValues().Select(print)];
        }

        public override void Check(IReadOnlyList<string> values)
        {
            foreach (string value in values)
                _ = parse(value);
        }

        public override void Add(DataViewSchema.Annotations.Builder builder, string annotation, IReadOnlyList<string> values)
        {
            T[] parsed = [.. values.Select(parse)];
            builder.Add(annotation, new VectorDataViewType(Type, parsed.Length), (ref VBuffer<T> value) =>
            {
                VBufferEditor<T> editor = VBufferEditor.Create(ref value, parsed.Length);
                parsed.CopyTo(editor.Values);
                value = editor.Commit();
            });
        }
    }
}
