using System.Buffers.Binary;
using System.IO.Compression;
using System.Security.Cryptography;

namespace FewLabels;

/// <summary>Gray pictures of 28x28 pixels with their classes, one after the other in one array.</summary>
internal sealed record ImageSet(byte[] Pixels, byte[] Labels)
{
    public const int Side = 28, Size = Side * Side;

    public int Count => Labels.Length;

    public byte[] Image(int index) => Pixels.AsSpan(index * Size, Size).ToArray();
}

/// <summary>
/// Fashion-MNIST (Xiao, Rasul, Vollgraf 2017, MIT licence): 60,000 and 10,000 pictures of clothes in ten classes. It is
/// looked for in the folder that the user names, in a local cache, in Debian's package, at its public address; the
/// unpacked files are the same everywhere and are checked by SHA-256.
/// </summary>
internal sealed class FashionMnist
{
    private sealed record DataFile(string Name, int Count, int Length, string Sha256);

    private static readonly DataFile TrainImages = new("train-images-idx3-ubyte", 60_000, 16 + (60_000 * ImageSet.Size), "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888");
    private static readonly DataFile TrainLabels = new("train-labels-idx1-ubyte", 60_000, 8 + 60_000, "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9");
    private static readonly DataFile TestImages = new("t10k-images-idx3-ubyte", 10_000, 16 + (10_000 * ImageSet.Size), "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b");
    private static readonly DataFile TestLabels = new("t10k-labels-idx1-ubyte", 10_000, 8 + 10_000, "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34");
    private static readonly DataFile[] All = [TrainImages, TrainLabels, TestImages, TestLabels];

    private const string DebianPackageName = "dataset-fashion-mnist";
    private const string DebianFolder = "usr/share/datasets/fashion-mnist";

    private static readonly string[] Addresses =
    [
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ];

    private static string WaysToGetIt => $"""
        Ways to get Fashion-MNIST:
          1. name a folder that holds the four files, packed (.gz) or not: --data FOLDER, or the variable FASHION_MNIST
          2. put them into the cache: {CacheFolder}
          3. on Debian or Ubuntu: apt-get update, then run this again (or apt-get install {DebianPackageName})
          4. download {string.Join(", ", All.Select(f => f.Name + ".gz"))}
             from {Addresses[0]}
        """;

    public static readonly string[] ClassNames =
        ["T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"];

    private FashionMnist(string folder) => Folder = folder;

    public string Folder { get; }

    public static string CacheFolder { get; } = LocalCache.Folder("fashion-mnist");

    /// <summary>Finds the data, fetching it into the cache where needed, and checks all four files.</summary>
    public static FashionMnist Open(string? namedFolder, Action<string> say)
    {
        namedFolder ??= Environment.GetEnvironmentVariable("FASHION_MNIST");
        if (!string.IsNullOrEmpty(namedFolder))
        {
            // What the user names is taken or refused: silently taking other data would hide a mistake.
            return Problem(namedFolder) is { } problem ? throw new DataException($"{problem}\n{WaysToGetIt}") : new(namedFolder);
        }

        if (Problem(CacheFolder) is not { } cacheProblem)
        {
            return new(CacheFolder);
        }

        var problems = new List<string> { cacheProblem };
        foreach (var source in new Action<Action<string>>[] { FromDebian, FromPublicAddress })
        {
            try
            {
                source(say);
                return new(CacheFolder);
            }
            catch (Exception e) when (e is DataException or IOException or UnauthorizedAccessException or HttpRequestException or OperationCanceledException)
            {
                problems.Add(e.Message);
            }
        }

        throw new DataException($"{string.Join('\n', problems)}\n{WaysToGetIt}");
    }

    public ImageSet ReadTraining() => new(Idx.Pixels(Read(Folder, TrainImages), TrainImages.Count), Idx.Labels(Read(Folder, TrainLabels), TrainLabels.Count));

    public ImageSet ReadTest() => new(Idx.Pixels(Read(Folder, TestImages), TestImages.Count), Idx.Labels(Read(Folder, TestLabels), TestLabels.Count));

    private static string? Problem(string folder)
    {
        try
        {
            foreach (var file in All)
            {
                Read(folder, file);
            }

            return null;
        }
        catch (Exception e) when (e is DataException or IOException or UnauthorizedAccessException)
        {
            return e.Message;
        }
    }

    /// <summary>The unpacked, checked content of a file that stands in the folder packed or not.</summary>
    private static byte[] Read(string folder, DataFile file)
    {
        string path = Path.Combine(folder, file.Name);
        bool packed = !File.Exists(path) && File.Exists(path + ".gz");
        path = packed ? path + ".gz" : path;
        if (!File.Exists(path))
        {
            throw new DataException($"{path} is missing.");
        }

        byte[] content = new byte[file.Length + 1]; // one more, so that a longer file is noticed and no file fills the memory
        int length;
        try
        {
            using var stream = File.OpenRead(path);
            using Stream unpacked = packed ? new GZipStream(stream, CompressionMode.Decompress) : stream;
            length = unpacked.ReadAtLeast(content, content.Length, throwOnEndOfStream: false);
        }
        catch (InvalidDataException e)
        {
            throw new DataException($"{path} is damaged: {e.Message}");
        }

        if (length != file.Length)
        {
            throw new DataException($"{path} is damaged: {(length > file.Length ? "longer than" : $"{length:N0} instead of")} {file.Length:N0} bytes{(packed ? " unpacked" : "")}.");
        }

        Array.Resize(ref content, length);
        string sum = Convert.ToHexStringLower(SHA256.HashData(content));
        return sum == file.Sha256 ? content : throw new DataException($"{path} is damaged: its SHA-256 is {sum} instead of {file.Sha256}.");
    }

    private static void FromDebian(Action<string> say)
    {
        string installed = "/" + DebianFolder;
        if (Directory.Exists(installed))
        {
            IntoCache(file => Read(installed, file));
            return;
        }

        DebianPackage.Unpacked(DebianPackageName, "31 MB", say, unpacked => IntoCache(file => Read(Path.Combine(unpacked, DebianFolder), file)));
    }

    private static void FromPublicAddress(Action<string> say)
    {
        using var handler = new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(15) };
        using var client = new HttpClient(handler) { Timeout = TimeSpan.FromMinutes(5) };
        DebianPackage.InScratchFolder("fashion-mnist", scratch =>
        {
            IntoCache(file =>
            {
                say($"Downloading {file.Name}.gz ...");
                var failures = new List<string>();
                foreach (string address in Addresses)
                {
                    try
                    {
                        using (var answer = client.GetStreamAsync(new Uri(address + file.Name + ".gz")).GetAwaiter().GetResult())
                        using (var target = File.Create(Path.Combine(scratch, file.Name + ".gz")))
                        {
                            answer.CopyTo(target);
                        }

                        return Read(scratch, file);
                    }
                    catch (Exception e) when (e is HttpRequestException or OperationCanceledException or IOException or DataException)
                    {
                        failures.Add($"{address}{file.Name}.gz: {e.Message}");
                    }
                }

                throw new DataException(string.Join('\n', failures));
            });
        });
    }

    /// <summary>Each file appears in the cache whole and checked or not at all, whoever else is writing it.</summary>
    private static void IntoCache(Func<DataFile, byte[]> content)
    {
        Directory.CreateDirectory(CacheFolder);
        foreach (var file in All)
        {
            byte[] bytes = content(file);
            string partial = Path.Combine(CacheFolder, $".{file.Name}.{Guid.NewGuid():N}");
            try
            {
                File.WriteAllBytes(partial, bytes);
                File.Move(partial, Path.Combine(CacheFolder, file.Name), overwrite: true);
            }
            finally
            {
                File.Delete(partial);
            }
        }
    }
}

/// <summary>The IDX format: two zero bytes, the item type (8: byte), the number of sizes, the sizes (big-endian), the items.</summary>
internal static class Idx
{
    public static byte[] Pixels(ReadOnlySpan<byte> file, int count) => Items(file, count, ImageSet.Side, ImageSet.Side);

    public static byte[] Labels(ReadOnlySpan<byte> file, int count)
    {
        byte[] labels = Items(file, count);
        return labels.All(label => label < FashionMnist.ClassNames.Length) ? labels : throw new DataException("An IDX label is no class of Fashion-MNIST.");
    }

    private static byte[] Items(ReadOnlySpan<byte> file, params int[] sizes)
    {
        int header = 4 + (4 * sizes.Length), items = sizes.Aggregate((a, b) => checked(a * b));
        if (file.Length < header || BinaryPrimitives.ReadUInt32BigEndian(file) != 0x0800u + (uint)sizes.Length)
        {
            throw new DataException($"Not an IDX file of bytes with {sizes.Length} sizes.");
        }

        for (int i = 0; i < sizes.Length; i++)
        {
            uint size = BinaryPrimitives.ReadUInt32BigEndian(file[(4 + (4 * i))..]);
            if (size != sizes[i])
            {
                throw new DataException($"Size {i} of the IDX file is {size}, not {sizes[i]}.");
            }
        }

        return file.Length == header + items ? file[header..].ToArray() : throw new DataException($"The IDX file has {file.Length - header:N0} items instead of {items:N0}.");
    }
}
