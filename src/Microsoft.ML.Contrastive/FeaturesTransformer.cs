using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.Contrastive;

/// <summary>A fitted encoder: adds a known-size vector of Single, the representation of what each row holds.</summary>
public abstract class FeaturesTransformer : NetworkTransformer
{
    private const int PassesBeforeHint = 20;

    private int _passes;

    private protected FeaturesTransformer(IHost host, PretrainedEncoder encoder)
        : base(host, encoder)
    {
    }

    /// <summary>Name of the column of features.</summary>
    public string OutputColumnName => Manifest.OutputColumn;

    /// <summary>D, the length of the feature vector.</summary>
    public int FeatureSize => Manifest.Input.Network.FeatureSize;

    private protected override IBatchMapper CreateMapper(DataViewSchema schema) => new Mapper(this, schema);

    private void CountPass()
    {
        if (Interlocked.Increment(ref _passes) == PassesBeforeHint)
            Log(channel => channel.Warning(
                $"Column '{OutputColumnName}' has been computed {PassesBeforeHint} times. Some trainers read their input hundreds of times: put AppendCacheCheckpoint(mlContext) between this transformer and the trainer."));
    }

    /// <summary>Binds the encoder to one input schema.</summary>
    private sealed class Mapper(FeaturesTransformer owner, DataViewSchema schema) : IBatchMapper
    {
        private readonly InputColumn _column = InputColumn.Bind(owner.Network, schema, owner.CutTexts);

        public DataViewSchema.DetachedColumn[] GetOutputColumns()
            => [new(owner.OutputColumnName, new VectorDataViewType(NumberDataViewType.Single, owner.FeatureSize))];

        public Func<int, bool> GetDependencies(Func<int, bool> activeOutput) => column => _column.Reads(column) && activeOutput(0);

        public ITransformer GetTransformer() => owner;

        public void CountPass() => owner.CountPass();

        public IBatchWorker CreateWorker(DataViewRow input, Func<int, bool> activeOutput, int slots)
            => new NetworkWorker(owner.Weights, input, _column, slots, owner.FeatureSize);

        void ICanSaveModel.Save(ModelSaveContext ctx) => ((ICanSaveModel)owner).Save(ctx);
    }
}
