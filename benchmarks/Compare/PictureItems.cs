using System.Diagnostics;
using System.Text.Json.Nodes;
using FewLabels;
using Microsoft.ML.Data;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>What a user of pictures waits for: a whole epoch of Fit, and files of pictures turned into features by a pipeline.</summary>
internal static class PictureItems
{
    private const double EpochRate = 0.12;

    public static Item Epoch { get; } = new(
        "epoch", "a SimCLR epoch on Fashion-MNIST, 256 in two views, views included", "PyTorch, torchvision, two loader processes", "epoch", 1.3, 2, Rounds: 2, OpenEpoch);

    public static IEnumerable<Item> Featurizing { get; } =
    [
        Featurize("featurize-32", "LoadImages to Features, PNG 32x32, small conv net", "small", ImageEncoder.SmallConvNet(), files: 2000, side: 32, size: 32, "png"),
        Featurize("featurize-224", "LoadImages to Features, JPEG 256x256 to 224x224, ResNet-18", "resnet18", ImageEncoder.ResNet18(Stem.ImageNet), files: 256, side: 256, size: 224, "jpg"),
    ];

    private static Contest OpenEpoch(Workshop workshop)
    {
        ImageSet set = FashionMnist.Open(null, Console.Error.WriteLine).ReadTraining();
        int rows = workshop.Quick ? 20 * 256 : set.Count;
        Row[] pictures = [.. Enumerable.Range(0, rows).Select(i => new Row { Image = set.Image(i) })];
        var ml = new MLContext(1);
        SchemaDefinition schema = SchemaDefinition.Create(typeof(Row));
        schema[nameof(Row.Image)].ColumnType = new VectorDataViewType(NumberDataViewType.Byte, ImageSet.Size);
        IDataView data = ml.Data.LoadFromEnumerable(pictures, schema);
        using Tensor stored = tensor(pictures.SelectMany(picture => picture.Image).ToArray()).view(rows, ImageSet.Side, ImageSet.Side);
        var losses = new List<double>();
        var peer = new Peer("epoch.py", workshop.Threads);
        return new Contest
        {
            Ours = () => Workshop.Seconds(Fit),
            Theirs = peer.Round,
            Check = new Check("mean loss of the epoch", 0.1, () => Check.Largest([losses.Average()], peer.Values()), AfterRounds: true),
            Threads = workshop.Threads,
            Versions = peer.Prepare(new JsonObject
            {
                ["threads"] = workshop.Threads, ["steps"] = rows / 256, ["batch"] = 256, ["rate"] = EpochRate, ["temperature"] = 0.2,
                ["file"] = workshop.Write("epoch", [("pictures", stored)]),
            }),
        }.Owning(peer);

        void Fit()
        {
            losses.Clear();
            ml.Transforms.ContrastivePretrain(
                "Features", nameof(Row.Image), new SimClrV1 { LearningRate = new(EpochRate, WarmupEpochs: 1) }, ImageEncoder.SmallConvNet(), new TrainingOptions
                {
                    Epochs = 1, BatchSize = 256, KeepFreedMemory = true, ReportEvery = 1, Progress = new OnProgress(progress => losses.Add(progress.Loss)),
                }, new ImageShape(ImageSet.Side, ImageSet.Side, 1)).Fit(data).Dispose();
        }
    }

    private static Item Featurize(string name, string what, string net, ImageEncoder shape, int files, int side, int size, string extension) => new(
        name, what, "PyTorch, torchvision, two loader processes", "picture", 1.5, 3, Rounds: 5, workshop => OpenFeaturizing(workshop, net, shape, files, side, size, extension));

    private static Contest OpenFeaturizing(Workshop workshop, string net, ImageEncoder shape, int files, int side, int size, string extension)
    {
        string folder = Directory.CreateDirectory(Path.Combine(workshop.Folder, net)).FullName;
        foreach ((int index, byte[] planes) in MadePictures.Make(files, side, 3).Index())
            Save(planes, side, Path.Combine(folder, FormattableString.Invariant($"{index:d5}.{extension}")));
        var ml = new MLContext(1);
        IDataView data = ml.Data.LoadFromEnumerable(Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal).Select(file => new FileRow { Path = Path.GetFileName(file) }).ToArray());
        ImageLoadingTransformer load = ml.Transforms.LoadImages("Image", folder, nameof(FileRow.Path)).Fit(data);
        ContrastivePretrainTransformer encoder = ml.Transforms.ContrastivePretrain(new ContrastivePretrainEstimator.Options
        {
            OutputColumnName = "Features", InputColumnName = "Image", Encoder = shape, Training = new() { BatchSize = 32 }, TransformBatchSize = 64, ImageSize = size,
        }).Untrained(load.Transform(data));
        Normalization normalization = ((PictureInput)encoder.Weights.Manifest.Input).Normalization;
        var peer = new Peer("pictures.py", workshop.Threads);
        return new Contest
        {
            Ours = () => Workshop.Seconds(() => Features()) / files,
            Theirs = peer.Round,
            Check = new Check("1 - least cosine of two vectors", 1e-4, () => Check.FarthestRow(Features(), peer.Values(), shape.FeatureSize)),
            Threads = workshop.Threads,
            Versions = peer.Prepare(new JsonObject
            {
                ["threads"] = workshop.Threads, ["folder"] = folder, ["size"] = size, ["batch"] = 64, ["net"] = net,
                ["mean"] = new JsonArray([.. normalization.Mean.Select(value => JsonValue.Create(value))]), ["deviation"] = new JsonArray([.. normalization.Deviation.Select(value => JsonValue.Create(value))]),
                ["file"] = workshop.Write(net, Workshop.State(encoder.Weights.Module)),
            }),
            Operations = net == "small" ? Flops.SmallConvNet(size, 3) : Flops.ResNet18(size, 3),
        }.Owning([encoder, peer]);

        double[] Features()
        {
            var features = new List<double>(files * shape.FeatureSize);
            foreach (float[] row in encoder.Transform(load.Transform(data)).GetColumn<float[]>("Features"))
                features.AddRange(Array.ConvertAll(row, number => (double)number));
            return [.. features];
        }
    }

    private static void Save(byte[] planes, int side, string path)
    {
        int size = side * side;
        var pixels = new byte[4 * size];
        for (int i = 0; i < size; i++)
            (pixels[4 * i], pixels[4 * i + 1], pixels[4 * i + 2], pixels[4 * i + 3]) = (planes[i], planes[size + i], planes[2 * size + i], 255);
        using var image = MLImage.CreateFromPixels(side, side, MLPixelFormat.Rgba32, pixels);
        image.Save(path);
    }

    private sealed class Row
    {
        public byte[] Image { get; set; } = [];
    }

    private sealed class FileRow
    {
        public string Path { get; set; } = "";
    }
}
