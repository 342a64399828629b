using System.Globalization;
using System.Reflection;
using Microsoft.ML;
using Microsoft.ML.Contrastive.Tests;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

[assembly: LoadableClass(typeof(MLNetInternalsTests.Increment), null, typeof(SignatureLoadModel), "Increment of the tests", MLNetInternalsTests.Increment.LoaderSignature)]

namespace Microsoft.ML.Contrastive.Tests;

/// <summary>
/// The members of ML.NET that are not public and that the library uses. A new version of ML.NET that changes one would fail at run
/// time, at the first call; here it fails with the member's name.
/// </summary>
public sealed class MLNetInternalsTests
{
    [Theory]
    [InlineData("Microsoft.ML.Runtime.IHostEnvironmentInternal", "System.Nullable`1[System.Int32] Seed")]
    [InlineData("Microsoft.ML.Runtime.IHostEnvironmentInternal", "System.Nullable`1[System.Int32] GpuDeviceId")]
    [InlineData("Microsoft.ML.Runtime.IHostEnvironmentInternal", "Boolean FallbackToCpu")]
    [InlineData("Microsoft.ML.Runtime.Contracts", "Void CheckAlive(Microsoft.ML.Runtime.IHostEnvironment)")]
    [InlineData("Microsoft.ML.Runtime.Contracts", "System.Exception ExceptSchemaMismatch(Microsoft.ML.Runtime.IExceptionContext, System.String, System.String, System.String)")]
    [InlineData("Microsoft.ML.Runtime.Contracts", "System.Exception ExceptSchemaMismatch(Microsoft.ML.Runtime.IExceptionContext, System.String, System.String, System.String, System.String, System.String)")]
    [InlineData("Microsoft.ML.Data.CatalogUtils", "Microsoft.ML.Runtime.IHostEnvironment GetEnvironment(Microsoft.ML.Data.IInternalCatalog)")]
    [InlineData("Microsoft.ML.Data.ColumnBindings", "Void .ctor(Microsoft.ML.DataViewSchema, DetachedColumn[])")]
    [InlineData("Microsoft.ML.Data.ColumnBindings", "Int32 MapColumnIndex(Boolean ByRef, Int32)")]
    [InlineData("Microsoft.ML.Data.ColumnBindings", "Boolean[] GetActiveInput(System.Func`2[System.Int32,System.Boolean])")]
    [InlineData("Microsoft.ML.Data.ColumnBindings", "Microsoft.ML.DataViewSchema Schema")]
    [InlineData("Microsoft.ML.Data.RowToRowMapperTransform", "Void .ctor(Microsoft.ML.Runtime.IHostEnvironment, Microsoft.ML.IDataView, Microsoft.ML.Data.IRowMapper, System.Func`2[Microsoft.ML.DataViewSchema,Microsoft.ML.Data.IRowMapper])")]
    [InlineData("Microsoft.ML.Data.RowToRowMapperTransform", "Microsoft.ML.DataViewSchema GetOutputSchema(Microsoft.ML.DataViewSchema, Microsoft.ML.Data.IRowMapper)")]
    [InlineData("Microsoft.ML.Data.IRowMapper", "System.Func`2[System.Int32,System.Boolean] GetDependencies(System.Func`2[System.Int32,System.Boolean])")]
    [InlineData("Microsoft.ML.Data.IRowMapper", "System.Delegate[] CreateGetters(Microsoft.ML.DataViewRow, System.Func`2[System.Int32,System.Boolean], System.Action ByRef)")]
    [InlineData("Microsoft.ML.Data.IRowMapper", "DetachedColumn[] GetOutputColumns()")]
    [InlineData("Microsoft.ML.Data.IRowMapper", "Microsoft.ML.ITransformer GetTransformer()")]
    [InlineData("Microsoft.ML.Data.EmptyDataView", "Void .ctor(Microsoft.ML.Runtime.IHostEnvironment, Microsoft.ML.DataViewSchema)")]
    [InlineData("Microsoft.ML.SchemaShape+Column", "Void .ctor(System.String, VectorKind, Microsoft.ML.Data.DataViewType, Boolean, Microsoft.ML.SchemaShape)")]
    [InlineData("Microsoft.ML.ModelSaveContext", "Void CheckAtModel()")]
    [InlineData("Microsoft.ML.ModelSaveContext", "Void SetVersionInfo(Microsoft.ML.VersionInfo)")]
    [InlineData("Microsoft.ML.ModelSaveContext", "Void SaveTextStream(System.String, System.Action`1[System.IO.TextWriter])")]
    [InlineData("Microsoft.ML.ModelSaveContext", "Void SaveBinaryStream(System.String, System.Action`1[System.IO.BinaryWriter])")]
    [InlineData("Microsoft.ML.ModelLoadContext", "Void CheckAtModel(Microsoft.ML.VersionInfo)")]
    [InlineData("Microsoft.ML.ModelLoadContext", "Boolean TryLoadTextStream(System.String, System.Action`1[System.IO.TextReader])")]
    [InlineData("Microsoft.ML.ModelLoadContext", "Boolean TryLoadBinaryStream(System.String, System.Action`1[System.IO.BinaryReader])")]
    [InlineData("Microsoft.ML.VersionInfo", "Void .ctor(System.String, UInt32, UInt32, UInt32, System.String, System.String, System.String)")]
    [InlineData("Microsoft.ML.LoadableClassAttribute", "Void .ctor(System.Type, System.Type, System.Type, System.String, System.String[])")]
    public void The_member_is_there(string type, string member)
    {
        Type? found = typeof(IHostEnvironment).Assembly.GetType(type) ?? typeof(TextLoader).Assembly.GetType(type);
        Assert.True(found is not null, $"ML.NET has no type {type} any more.");
        string[] members = [.. found.GetMembers(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static).Select(m => m.ToString()!)];
        Assert.True(members.Contains(member), $"{type} has no '{member}' any more, but:\n{string.Join('\n', members)}");
    }

    [Fact]
    public void A_transformer_of_another_assembly_maps_rows_is_saved_and_loads()
    {
        var context = new MLContext(1);
        IDataView rows = context.Data.LoadFromEnumerable([new Row { Value = 1 }, new Row { Value = 41 }]);
        using var zip = new MemoryStream();
        context.Model.Save(new Increment(context, 1), rows.Schema, zip);
        zip.Position = 0;
        ITransformer loaded = new MLContext().Model.Load(zip, out DataViewSchema schema);
        Assert.Equal(["Value"], schema.Select(column => column.Name));
        Assert.Equal([2f, 42f], loaded.Transform(rows).GetColumn<float>("Value"));
    }

    private sealed class Row
    {
        public float Value { get; set; }
    }

    /// <summary>The smallest transformer that uses what the library's own use.</summary>
    internal sealed class Increment(IHostEnvironment environment, int by) : ITransformer
    {
        internal const string LoaderSignature = "TestIncrement";

        private readonly IHost host = environment.Register(nameof(Increment));
        private readonly int by = by;

        public bool IsRowToRowMapper => true;

        public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => RowToRowMapperTransform.GetOutputSchema(inputSchema, new Mapper(this, inputSchema));

        public IRowToRowMapper GetRowToRowMapper(DataViewSchema inputSchema) => Map(new EmptyDataView(host, inputSchema));

        public IDataView Transform(IDataView input) => Map(input);

        void ICanSaveModel.Save(ModelSaveContext ctx)
        {
            ctx.CheckAtModel();
            ctx.SetVersionInfo(Version);
            ctx.SaveTextStream("manifest.json", writer => writer.Write(by));
            ctx.SaveBinaryStream("weights.bin", writer => writer.Write(by));
        }

        // Found by ML.NET through the LoadableClass attribute above.
        private static Increment Create(IHostEnvironment environment, ModelLoadContext ctx)
        {
            ctx.CheckAtModel(Version);
            string text = "";
            int number = 0;
            Assert.True(ctx.TryLoadTextStream("manifest.json", reader => text = reader.ReadToEnd()));
            Assert.True(ctx.TryLoadBinaryStream("weights.bin", reader => number = reader.ReadInt32()));
            Assert.Equal(text, number.ToString(CultureInfo.InvariantCulture));
            return new(environment, number);
        }

        private static VersionInfo Version => new("TESTINCR", 0x00010001, 0x00010001, 0x00010001, typeof(Increment).Assembly.GetName().Name, LoaderSignature);

        private RowToRowMapperTransform Map(IDataView input) => new(host, input, new Mapper(this, input.Schema), schema => new Mapper(this, schema));

        private sealed class Mapper(Increment owner, DataViewSchema schema) : IRowMapper
        {
            public DataViewSchema.DetachedColumn[] GetOutputColumns() => [new("Value", NumberDataViewType.Single)];

            public Func<int, bool> GetDependencies(Func<int, bool> activeOutput) => column => column == schema["Value"].Index && activeOutput(0);

            public ITransformer GetTransformer() => owner;

            void ICanSaveModel.Save(ModelSaveContext ctx) => ((ICanSaveModel)owner).Save(ctx);

            public Delegate[] CreateGetters(DataViewRow input, Func<int, bool> activeOutput, out Action? disposer)
            {
                disposer = null;
                ValueGetter<float> value = input.GetGetter<float>(schema["Value"]);
                return [(ValueGetter<float>)((ref float target) =>
                {
                    value(ref target);
                    target += owner.by;
                })];
            }
        }
    }
}
