using Microsoft.ML;
using Microsoft.ML.Contrastive;
using Microsoft.ML.Data;
using ZeroShot;

namespace ZeroShotWeb;

/// <summary>A model that scores one picture at a time by any words.</summary>
internal sealed class Scorer : IDisposable
{
    private readonly MLContext _ml;
    private readonly ImageTextTransformer _model;
    private readonly ZeroShotClipTransformer _softmax;
    private readonly ZeroShotClipTransformer? _sigmoid;
    private readonly SemaphoreSlim _one = new(1);

    /// <summary>Takes the model over.</summary>
    public Scorer(MLContext ml, ImageTextTransformer model)
    {
        (_ml, _model) = (ml, model);
        _softmax = Create(ZeroShotScores.Softmax);
        _sigmoid = model.LogitBias is null ? null : Create(ZeroShotScores.Sigmoid);
    }

    /// <summary>Whether the model was trained with the bias that sigmoid scores need.</summary>
    public bool HasSigmoid => _sigmoid is not null;

    /// <summary>A score from 0 to 1 for each label, in their order. Words' vectors of the last few calls are remembered.</summary>
    public async Task<float[]> ScoreAsync(MLImage picture, string[] labels, PromptTemplates templates, bool isSigmoid, CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken);
        try
        {
            return await Task.Run(Score, CancellationToken.None);
        }
        finally
        {
            _one.Release();
        }

        float[] Score()
        {
            ZeroShotClipTransformer classifier = (isSigmoid ? _sigmoid! : _softmax).WithLabels(labels, templates);
            using var engine = _ml.Model.CreatePredictionEngine<Emoji, Named>(classifier); // it disposes the classifier; the networks stay
            return engine.Predict(new Emoji { Image = picture }).Score;
        }
    }

    public void Dispose()
    {
        _softmax.Dispose();
        _sigmoid?.Dispose();
        _model.Dispose();
        _one.Dispose();
    }

    private ZeroShotClipTransformer Create(ZeroShotScores scores) => _ml.Transforms
        .ZeroShotClip(new ZeroShotClipEstimator.Options { Labels = ["a picture"], Model = _model, Scores = scores })
        .Fit(_ml.Data.LoadFromEnumerable(Array.Empty<Emoji>()));
}
