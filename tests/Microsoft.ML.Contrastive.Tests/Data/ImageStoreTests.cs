using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Microsoft.ML.Contrastive.Tests.Data;

public sealed class ImageStoreTests : IDisposable
{
    private const int ChunkSize = 500;
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("image-store-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(499)]
    [InlineData(5_000)]
    [InlineData(long.MaxValue)]
    public void Pictures_come_back_in_any_order_on_any_thread_wherever_the_budget_ends(long budget)
    {
        StoredPicture[] pictures = Make(200);
        Assert.Contains(pictures, picture => picture.Pixels.Length > ChunkSize);
        using ImageStore store = Store(pictures, budget);

        Assert.Equal(pictures.Length, store.Count);
        int[] order = [.. Enumerable.Range(0, 3 * pictures.Length).Select(i => i % pictures.Length)];
        new Random(1).Shuffle(order);
        Parallel.ForEach(order, row =>
        {
            Picture picture = store[row];
            Assert.Equal((pictures[row].Height, pictures[row].Width, 3), (picture.Height, picture.Width, picture.Channels));
            Assert.Equal(pictures[row].Pixels, picture.Pixels.ToArray());
        });

        long total = pictures.Sum(picture => picture.Pixels.Length), kept = total - store.ScratchLength;
        Assert.True(kept <= budget);
        if (kept < total)
            Assert.True(kept > budget - pictures.Max(picture => picture.Pixels.Length), $"only {kept} bytes are in memory, of a budget of {budget}");
    }

    [Fact]
    public void Only_pictures_in_the_scratch_file_are_read_ahead()
    {
        StoredPicture[] pictures = Make(10);
        using ImageStore store = Store(pictures, pictures[..4].Sum(picture => (long)picture.Pixels.Length));
        var asked = new List<byte[]>();
        store.Prefetch([7, 3, 0, 4, 9], bytes =>
        {
            asked.Add(bytes.ToArray());
            return true;
        });
        Assert.Equal([pictures[7].Pixels, pictures[4].Pixels, pictures[9].Pixels], asked);
    }

    [Fact]
    public void What_fits_in_memory_touches_no_folder()
    {
        string missing = Path.Combine(_folder.FullName, "missing");
        using var store = new ImageStore(3, memoryBudget: 100, missing);
        store.Expect(rows: 2, 4, 4, largestSide: 4);
        for (int row = 0; row < 2; row++)
            store.Add(4, 4).Clear();
        store.Seal();
        Assert.Equal(0, store.ScratchLength);
        Assert.False(Path.Exists(missing));
    }

    [Fact]
    public void The_fingerprint_is_the_hash_of_channels_and_rows_wherever_they_lie()
    {
        StoredPicture[] pictures = Make(20);
        byte[] expected = [.. Number(3), .. pictures.SelectMany(picture => (byte[])[.. Number(picture.Height), .. Number(picture.Width), .. picture.Pixels])];
        foreach (long budget in new[] { 0, 2_000, long.MaxValue })
            Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(expected)), Fingerprint(pictures, budget));

        static byte[] Number(int number)
        {
            var bytes = new byte[4];
            BinaryPrimitives.WriteInt32LittleEndian(bytes, number);
            return bytes;
        }
    }

    [Fact]
    public void The_fingerprint_changes_with_any_byte_size_and_order()
    {
        StoredPicture[] pictures = [new(2, 6, Noise(36, 1)), new(2, 6, Noise(36, 2))];
        var seen = new HashSet<string> { Fingerprint(pictures) };
        Assert.True(seen.Add(Fingerprint([pictures[0] with { Height = 3, Width = 4 }, pictures[1]])));
        Assert.True(seen.Add(Fingerprint([pictures[1], pictures[0]])));
        Assert.True(seen.Add(Fingerprint(pictures[..1])));
        foreach (StoredPicture picture in pictures)
            for (int i = 0; i < picture.Pixels.Length; i++)
            {
                picture.Pixels[i] ^= 1;
                Assert.True(seen.Add(Fingerprint(pictures)));
                picture.Pixels[i] ^= 1;
            }
        Assert.False(seen.Add(Fingerprint(pictures)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(long.MaxValue)]
    public void The_normalisation_is_mean_and_deviation_of_each_channels_pixels(long budget)
    {
        StoredPicture[] pictures = [new(1, 2, [0, 51, 255, 255, 10, 20]), new(1, 1, [102, 255, 30])];
        using ImageStore store = Store(pictures, budget);
        Normalization measured = store.MeasureNormalization();
        double[][] channels = [[0, 51, 102], [255, 255, 255], [10, 20, 30]];
        foreach ((int channel, double[] pixels) in channels.Index())
        {
            double mean = pixels.Average();
            Assert.Equal(mean / 255, measured.Mean[channel], 1e-6);
            Assert.Equal(Math.Max(1e-3, Math.Sqrt(pixels.Average(pixel => (pixel - mean) * (pixel - mean))) / 255), measured.Deviation[channel], 1e-6);
        }
    }

    [Fact]
    public void One_coloured_picture_among_gray_ones_is_colour()
    {
        StoredPicture gray = new(1, 2, [7, 8, 7, 8, 7, 8]), blue = new(1, 2, [7, 8, 7, 8, 7, 9]);
        using ImageStore without = Store([gray, gray], long.MaxValue), with = Store([gray, blue], long.MaxValue);
        Assert.False(without.HasColor());
        Assert.True(with.HasColor());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(long.MaxValue)]
    public void A_store_is_added_to_then_sealed_then_read_then_disposed_and_says_so(long budget)
    {
        ImageStore store = Filled(Make(3), budget);
        Assert.Contains("Seal", Assert.Throws<InvalidOperationException>(() => store[0].Height).Message, StringComparison.Ordinal);
        store.Seal();
        store.Seal();
        Assert.Contains("sealed", Assert.Throws<InvalidOperationException>(() => store.Add(1, 1).Length).Message, StringComparison.Ordinal);
        Assert.True(store[0].Height > 0);
        store.Dispose();
        store.Dispose();
        Assert.Throws<ObjectDisposedException>(() => store[0].Height);
        Assert.Throws<ObjectDisposedException>(() => store.Add(1, 1).Length);
        Assert.Throws<ObjectDisposedException>(store.Seal);
    }

    [Fact]
    public void Two_stores_share_a_folder()
    {
        StoredPicture[] pictures = Make(20), others = Make(20, seed: 2);
        using ImageStore other = Filled(others, 0);
        using (ImageStore store = Store(pictures, 0))
            Assert.Equal(pictures[7].Pixels, store[7].Pixels.ToArray());
        other.Seal();
        Assert.Equal(others[7].Pixels, other[7].Pixels.ToArray());
    }

    [Fact]
    public void A_disk_that_is_too_small_for_what_exceeds_the_budget_is_refused_before_the_first_picture()
    {
        using var store = new ImageStore(3, memoryBudget: 1_000, _folder.FullName);
        var error = Assert.Throws<IOException>(() => store.Expect(1L << 40, 1_024, 1_024, largestSide: 1_024));
        Assert.Contains($"{(3L << 60) - 1_000} bytes", error.Message, StringComparison.Ordinal);
        Assert.Matches(@" has \d+ bytes free", error.Message);
        Assert.All([_folder.FullName, "TrainingOptions.ScratchFolder", "TrainingOptions.MemoryBudget"], part => Assert.Contains(part, error.Message, StringComparison.Ordinal));
    }

    [Fact]
    public void The_room_asked_for_is_that_of_shrunk_pictures_and_none_for_what_fits_in_memory()
    {
        const long Rows = 1L << 30;
        using var small = new ImageStore(1, memoryBudget: Rows - 1, _folder.FullName);
        small.Expect(Rows, 1 << 14, 1 << 14, largestSide: 1);
        using var large = new ImageStore(1, memoryBudget: long.MaxValue, _folder.FullName);
        large.Expect(Rows, 1 << 14, 1 << 14, largestSide: 1 << 14);
    }

    private string Fingerprint(StoredPicture[] pictures, long budget = 0)
    {
        using ImageStore store = Store(pictures, budget);
        return store.Fingerprint();
    }

    private ImageStore Store(StoredPicture[] pictures, long budget)
    {
        ImageStore store = Filled(pictures, budget);
        store.Seal();
        return store;
    }

    private ImageStore Filled(StoredPicture[] pictures, long budget)
    {
        var store = new ImageStore(3, new ByteStore(budget, _folder.FullName, ChunkSize));
        foreach (StoredPicture picture in pictures)
            picture.Pixels.CopyTo(store.Add(picture.Height, picture.Width));
        return store;
    }

    private static StoredPicture[] Make(int count, int seed = 1)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(row =>
        {
            int height = random.Next(1, 20), width = random.Next(1, 20);
            return new StoredPicture(height, width, Noise(3 * height * width, row));
        })];
    }

    private static byte[] Noise(int length, int seed)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private sealed record StoredPicture(int Height, int Width, byte[] Pixels);
}
