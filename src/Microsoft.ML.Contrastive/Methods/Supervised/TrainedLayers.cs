namespace Microsoft.ML.Contrastive;

/// <summary>What of a pretrained encoder changes when it is fine-tuned; the classifier's own layer always does.</summary>
public enum TrainedLayers
{
    /// <summary>All of it.</summary>
    All,

    /// <summary>Its last stages: blocks of a <see cref="VisionTransformer"/>, the stages of a <see cref="ResNet"/>, layers of a <see cref="SmallConvNet"/>.</summary>
    LastStages,

    /// <summary>Nothing: a linear classifier on frozen features, of views that change each time.</summary>
    Head,
}
