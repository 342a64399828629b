namespace Microsoft.ML.Contrastive;

/// <summary>What normalises the hidden layers of a projector or predictor.</summary>
public enum HeadNorm
{
    /// <summary>Batch norm, as published.</summary>
    Batch,

    /// <summary>Nothing: heads that see each example by itself.</summary>
    None,

    /// <summary>Group norm, in up to 16 groups: each example by itself (Richemond et al. 2020).</summary>
    Group,

    /// <summary>Nothing, but each layer starts scaled and shifted as batch norm would do it with the first batch (Richemond et al. 2020, section 3.2).</summary>
    FirstBatch,
}
