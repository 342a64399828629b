using System.Text.Json.Nodes;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Benchmarks;

/// <summary>SimCLR's views by what Fit's view threads run, on one core; the pictures are of random patches.</summary>
internal static class ViewItems
{
    private const int Pictures = 64;

    public static IEnumerable<Item> All { get; } =
    [
        Of(32, "torchvision on PIL", "Pillow", 10, 30), Of(32, "OpenCV", "OpenCV", 1.5, 3),
        Of(224, "torchvision on PIL", "Pillow", 2, 5), Of(224, "OpenCV", "OpenCV", 1, 2),
    ];

    private static Item Of(int size, string against, string by, double floor, double aim) => new(
        FormattableString.Invariant($"views-{size}-{by.ToLowerInvariant()}"),
        size == 32 ? "SimCLR's views, 32x32x3, without blur, per core" : "SimCLR's views, 256x256x3 to 224x224x3, per core", against, "view", floor, aim, Rounds: 9,
        workshop => Open(workshop, size, by));

    private static Contest Open(Workshop workshop, int size, string by)
    {
        bool small = size < 64;
        (int side, int count) = small ? (size, 2000) : (256, 60);
        double strength = small ? 0.5 : 1;
        byte[][] pictures = MadePictures.Make(Pictures, side, 3);
        Tensor stored = tensor(pictures.SelectMany(picture => picture).ToArray()).view(Pictures, 3, side, side);
        var maker = new ImageBatchMaker(
            row => new Picture(pictures[row % Pictures], side, side, 3), [ImageAugmentations.SimClr(strength, blur: !small)], new Normalization([0.5f, 0.5f, 0.5f], [0.5f, 0.5f, 0.5f]), size, size, 3);
        var peer = new Peer("views.py", threads: 1);
        ulong epoch = 0;
        return new Contest
        {
            Ours = () => Workshop.Seconds(() => Make(count).Dispose()) / count,
            Theirs = peer.Round,
            Check = new Check("mean and deviation of random views", 0.05, () =>
            {
                using Views views = Make(2048);
                return Check.Largest([views[0].mean().item<float>(), views[0].std().item<float>()], peer.Values());
            }),
            Threads = 1,
            Versions = peer.Prepare(new JsonObject
            {
                ["threads"] = 1, ["by"] = by, ["size"] = size, ["count"] = small && by == "OpenCV" ? count : count / 4, ["strength"] = strength, ["blur"] = !small,
                ["file"] = workshop.Write(FormattableString.Invariant($"views-{size}"), [("pictures", stored)]),
            }),
        }.Owning([peer, stored]);

        Views Make(int rows) => maker.Make([.. Enumerable.Range(0, rows)], (long)epoch++, seed: 1);
    }
}
