namespace Microsoft.ML.Contrastive;

/// <summary>The run: how long, in which batches, and how it is watched. The recipe belongs to the method.</summary>
public sealed record TrainingOptions
{
    /// <summary>Passes over the rows, at least 1. Null: <see cref="Steps"/> decides, and without it <see cref="DefaultEpochs"/>.</summary>
    public int? Epochs { get; init; }

    /// <summary>Training steps, at least 1; wins over <see cref="Epochs"/>. The default value is null.</summary>
    public int? Steps { get; init; }

    /// <summary>Passes when neither <see cref="Epochs"/> nor <see cref="Steps"/> is set.</summary>
    public const int DefaultEpochs = 20;

    /// <summary>N, examples a step, at least 2. The default value is 256. The last partial batch of an epoch is dropped.</summary>
    public int BatchSize { get; init; } = 256;

    /// <summary>
    /// Of texts: the rows of so many batches that follow each other are dealt out to them by length, at least 1, so that fewer fillers are computed; the batches then come in random
    /// order. A batch's negatives become more alike in length. The default value is 1: batches are drawn at random.
    /// </summary>
    public int SortedBatches { get; init; } = 1;

    /// <summary>
    /// Rows of a batch that pass the network together, at least 1: so a batch that memory would not hold trains with its whole gradient, for about half as much time again. For
    /// methods whose learner is an <see cref="IChunkedLearner"/>: SimCLR, MoCo v3, DINO, SimCSE, CLIP. Batch norm in training takes its statistics of each chunk, as if each sat on a
    /// device of its own; the chunks must then divide <see cref="BatchSize"/>. Null, the default: all rows together.
    /// </summary>
    public int? ChunkSize { get; init; }

    /// <summary>In which numbers products are computed. The default value is <see cref="Precision.Single"/>.</summary>
    public Precision Precision { get; init; }

    /// <summary>
    /// How linear layers are computed on a CPU. The default value, <see cref="LinearKernel.Fastest"/>, is decided once for a run: a checkpoint keeps the decision, so that a resumed run takes the same way.
    /// </summary>
    public LinearKernel LinearKernel { get; init; }

    /// <summary>
    /// Threads that libtorch computes with, at least 1. It holds for the whole process and stays after Fit, as <c>torch.set_num_threads</c> does. Null, the default, leaves them as they are.
    /// </summary>
    public int? ComputeThreads { get; init; }

    /// <summary>Threads that make views beside training, at least 1. The default value is 1. It never changes the result.</summary>
    public int ViewThreads { get; init; } = 1;

    /// <summary>
    /// Where the run is kept, so that the same Fit with the same folder goes on where it stopped, however it stopped, and ends with
    /// the same weights: every <see cref="CheckpointSteps"/> or <see cref="CheckpointInterval"/>, when it is cancelled, and at
    /// its end. A folder serves one run; it is made where there is none. Null, the default, for no checkpoints.
    /// </summary>
    public string? CheckpointFolder { get; init; }

    /// <summary>Steps between two checkpoints, at least 1. Null, the default, leaves it to <see cref="CheckpointInterval"/> alone.</summary>
    public int? CheckpointSteps { get; init; }

    /// <summary>Longest time between two checkpoints, above zero. The default value is ten minutes.</summary>
    public TimeSpan CheckpointInterval { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Newest checkpoints that are kept, at least 1. The default value is 3: should one be damaged, the one before it serves.</summary>
    public int CheckpointsKept { get; init; } = 3;

    /// <summary>
    /// Lets the C library keep freed memory for the next step: on Linux with glibc the small conv net trained 1.6 to 2.1 times
    /// as fast (docs/platform.md). It holds for the whole process and stays after Fit, and so is the program's to decide. The default value is false.
    /// </summary>
    public bool KeepFreedMemory { get; init; }

    /// <summary>
    /// Bytes of decoded pictures (channels * height * width each) that are kept in memory, at least 0: those beyond it lie in a
    /// scratch file until Fit ends. Null, the default, stands for a quarter of the memory that the process may use; 0 for all to
    /// the file. It never changes the result.
    /// </summary>
    public long? MemoryBudget { get; init; }

    /// <summary>
    /// Folder of the scratch file, on a disk with room for all that exceeds <see cref="MemoryBudget"/>; made where it is missing, and not touched
    /// where all fits. Null, the default, stands for the system's folder for temporary files, which on some systems itself lies in memory.
    /// </summary>
    public string? ScratchFolder { get; init; }

    /// <summary>Receives <see cref="TrainingProgress"/> at the first step, the last, every <see cref="ReportEvery"/> steps between, and whenever <see cref="Monitor"/> has measured. The default value is null.</summary>
    public IProgress<TrainingProgress>? Progress { get; init; }

    /// <summary>Steps between two reports, at least 1. The default value is 10.</summary>
    public int ReportEvery { get; init; } = 10;

    /// <summary>
    /// By what training is watched, and its best encoder kept: a <see cref="KnnMonitor"/> for pictures, a <see cref="SimilarityMonitor"/> for texts. The default value is null:
    /// nothing.
    /// </summary>
    public TrainingMonitor? Monitor { get; init; }

    /// <summary>Stops training between two steps with an <see cref="OperationCanceledException"/>, after a checkpoint where there is a <see cref="CheckpointFolder"/>.</summary>
    public CancellationToken CancellationToken { get; init; }

    internal void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Epochs ?? 1, 1, nameof(Epochs));
        ArgumentOutOfRangeException.ThrowIfLessThan(Steps ?? 1, 1, nameof(Steps));
        ArgumentOutOfRangeException.ThrowIfLessThan(SortedBatches, 1, nameof(SortedBatches));
        ArgumentOutOfRangeException.ThrowIfLessThan(ChunkSize ?? 1, 1, nameof(ChunkSize));
        ArgumentOutOfRangeException.ThrowIfLessThan(ViewThreads, 1, nameof(ViewThreads));
        ArgumentOutOfRangeException.ThrowIfLessThan(ComputeThreads ?? 1, 1, nameof(ComputeThreads));
        if (!Enum.IsDefined(Precision))
            throw new ArgumentOutOfRangeException(nameof(Precision), Precision, "Choose Precision.Single or Precision.BFloat16.");
        if (!Enum.IsDefined(LinearKernel))
            throw new ArgumentOutOfRangeException(nameof(LinearKernel), LinearKernel, "Choose LinearKernel.Fastest, Product or Convolution.");
        ArgumentOutOfRangeException.ThrowIfLessThan(ReportEvery, 1, nameof(ReportEvery));
        ArgumentOutOfRangeException.ThrowIfNegative(MemoryBudget ?? 0, nameof(MemoryBudget));
        if (ScratchFolder is not null)
            ArgumentException.ThrowIfNullOrWhiteSpace(ScratchFolder, nameof(ScratchFolder));
        if (CheckpointFolder is not null)
            ArgumentException.ThrowIfNullOrWhiteSpace(CheckpointFolder, nameof(CheckpointFolder));
        ArgumentOutOfRangeException.ThrowIfLessThan(CheckpointSteps ?? 1, 1, nameof(CheckpointSteps));
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(CheckpointInterval, TimeSpan.Zero, nameof(CheckpointInterval));
        ArgumentOutOfRangeException.ThrowIfLessThan(CheckpointsKept, 1, nameof(CheckpointsKept));
        Monitor?.Validate();
        if (BatchSize < 2)
            throw new ArgumentOutOfRangeException(nameof(BatchSize), BatchSize, "A batch needs at least two examples: batch norm and in-batch negatives have nothing to compare one with. Set BatchSize to 2 or more, better to 32 or more; where memory is short, ChunkSize lets a batch pass the network in parts.");
    }
}
