using System.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive.Tests;

public sealed class SafeTensorsTests
{
    [Fact]
    public void Every_kind_and_shape_comes_back_as_it_was()
    {
        using var scope = NewDisposeScope();
        (string, Tensor)[] tensors =
        [
            ("f64", tensor(new[] { double.NaN, double.NegativeInfinity, 1e300 })),
            ("f32", arange(6, ScalarType.Float32).reshape(2, 3).t()), // not contiguous
            ("f16", tensor(new[] { 0.333251953125f, -0.0f }).to(ScalarType.Float16)),
            ("bf16", tensor(new[] { 1f, -2.5f }).to(ScalarType.BFloat16)),
            ("i64", tensor(new[] { long.MinValue, long.MaxValue }).reshape(2, 1)),
            ("i32", tensor(new[] { int.MinValue, 7 })),
            ("u8", tensor(new byte[] { 0, 255 })),
            ("bool", arange(3).remainder(2).to(ScalarType.Bool)),
            ("scalar", tensor(2.5f)),
            ("empty", zeros(0, 3)),
            ("Ünïcode \"quoted\" \\ 名前", ones(1)),
        ];
        var metadata = new Dictionary<string, string> { ["format"] = "pt", ["a\nb"] = "é" };
        byte[] bytes = Write(tensors, metadata);
        foreach (Stream stream in new[] { new MemoryStream(bytes), new UnseekableStream(bytes) })
        {
            using var reader = new SafeTensorsReader(stream, "file");
            Assert.Equal(metadata, reader.Metadata);
            var read = reader.ReadTensors().ToDictionary(pair => pair.Entry.Name, pair => pair.Value);
            Assert.Equal(tensors.Length, read.Count);
            foreach ((string name, Tensor expected) in tensors)
                AssertSame(expected.contiguous(), read[name]);
        }
    }

    [Fact]
    public void The_same_tensors_give_the_same_bytes_in_any_order_and_lie_aligned()
    {
        using var scope = NewDisposeScope();
        (string, Tensor)[] tensors = [("c", tensor(new byte[] { 1 })), ("b", ones(3)), ("a", ones(1)), ("d", ones(1, ScalarType.Int64)), ("e", ones(1, ScalarType.Float16))];
        byte[] bytes = Write(tensors, new Dictionary<string, string> { ["x"] = "1", ["y"] = "2" });
        Assert.Equal(bytes, Write(tensors.Reverse(), new Dictionary<string, string> { ["y"] = "2", ["x"] = "1" }));
        Assert.Equal(0, BitConverter.ToInt64(bytes) % 8);
        using var reader = new SafeTensorsReader(new MemoryStream(bytes), "file");
        Assert.Equal(["d", "a", "b", "e", "c"], reader.Entries.Select(entry => entry.Name));
    }

    [Fact]
    public void A_tensor_of_several_pieces_comes_back_and_others_can_be_skipped()
    {
        using var scope = NewDisposeScope();
        Tensor large = arange(SafeTensorsReader.PieceLength / 4 * 5 / 2, ScalarType.Int32);
        byte[] bytes = Write([("large", large), ("last", ones(1, ScalarType.Byte)), ("first", ones(3, ScalarType.Int64))]);
        foreach (Func<Stream> open in new Func<Stream>[] { () => new MemoryStream(bytes), () => new UnseekableStream(bytes) })
        {
            using var reader = new SafeTensorsReader(open(), "file");
            AssertSame(large, reader.ReadTensors().Single(read => read.Entry.Name == "large").Value);
            using var again = new SafeTensorsReader(open(), "file");
            Assert.Equal("last", again.ReadTensors(entry => entry.Name == "last").Single().Entry.Name);
        }
    }

    [Theory]
    [InlineData("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"more":1}}""", 1, "'more'")]
    [InlineData("""{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}""", 1, "'dtype'")]
    [InlineData("""{"a":{"dtype":"U8","shape":[1e0],"data_offsets":[0,1]}}""", 1, "shape")]
    [InlineData("""{"a":{"dtype":"U8","shape":[-0],"data_offsets":[0,0]}}""", 0, "shape")]
    [InlineData("""{"a":{"dtype":"U8","shape":["1"],"data_offsets":[0,1]}}""", 1, "shape")]
    [InlineData("""{"a":{"dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,1]}}""", 1, "shape")]
    [InlineData("""{"a":{"dtype":"U8","shape":[0,9223372036854775807,3],"data_offsets":[0,0]}}""", 0, "64 bits")]
    [InlineData("""{"a":{"dtype":1,"shape":[1],"data_offsets":[0,1]}}""", 1, "dtype")]
    [InlineData("""{"a":{"dtype":"U8","shape":[[1]],"data_offsets":[0,1]}}""", 1, "shape")]
    [InlineData("""{"a":[]}""", 0, "'a'")]
    [InlineData("""{"a\u0000\u202e":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}""", 1, @"'a\u0000\u202e'")]
    [InlineData("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\u0061":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}""", 2, "twice")]
    [InlineData("""{"\ud800":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}""", 1, "JSON")]
    [InlineData("""{"__metadata__":{},"__metadata__":{}}""", 0, "twice")]
    [InlineData("""{"__metadata__":{"a":"1","a":"1"}}""", 0, "twice")]
    [InlineData("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},}""", 1, "JSON")]
    [InlineData("""{}/**/""", 0, "JSON")]
    [InlineData("""{"a":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}}""", 1, "'a' is BOOL")]
    [InlineData("""{"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}""", 1, "'a' has the unsupported dtype F8_E4M3")]
    public void A_refusal_names_the_file_and_the_fault(string json, int dataLength, string fault)
    {
        byte[] bytes = File(json, Enumerable.Repeat((byte)2, dataLength).ToArray());
        foreach (Stream stream in new[] { new MemoryStream(bytes), new UnseekableStream(bytes) })
        {
            string message = Assert.Throws<InvalidDataException>(() => ReadAll(stream)).Message;
            Assert.StartsWith("file.safetensors is not a whole safetensors file: ", message);
            Assert.Contains(fault, message);
            Assert.DoesNotContain(message, char.IsControl);
        }
    }

    [Fact]
    public void Too_deep_and_too_many_dimensions_are_refused()
    {
        string deep = new string('[', 100_000);
        Assert.Throws<InvalidDataException>(() => ReadAll(File($"{{\"a\":{deep}", [])));
        string ones = string.Join(",", Enumerable.Repeat("1", SafeTensorsHeader.MaxRank));
        ReadAll(File($$$"""{"a":{"dtype":"U8","shape":[{{{ones}}}],"data_offsets":[0,1]}}""", [1]));
        Assert.Throws<InvalidDataException>(() => ReadAll(File($$$"""{"a":{"dtype":"U8","shape":[{{{ones}}},1],"data_offsets":[0,1]}}""", [1])));
    }

    [Fact]
    public void A_file_cut_anywhere_or_continued_is_refused()
    {
        byte[] bytes = SmallFile();
        for (int length = 0; length < bytes.Length; length++)
        {
            Assert.Throws<InvalidDataException>(() => ReadAll(bytes[..length]));
            Assert.Throws<InvalidDataException>(() => ReadAll(new UnseekableStream(bytes[..length])));
        }
        Assert.Throws<InvalidDataException>(() => ReadAll([.. bytes, 0]));
        Assert.Throws<InvalidDataException>(() => ReadAll(new UnseekableStream([.. bytes, 0])));
    }

    [Fact]
    public void A_reader_that_expects_few_tensors_refuses_a_long_header_before_it_is_read()
    {
        byte[] bytes = File("{}" + new string(' ', 999_998), []);
        foreach (Stream stream in new[] { new MemoryStream(bytes), new UnseekableStream(bytes) })
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            string message = Assert.Throws<InvalidDataException>(() => new SafeTensorsReader(stream, "file", longestHeader: 999_999)).Message;
            Assert.Contains("claims 1000000 bytes, more than the 999999 that are read here", message);
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 100_000);
        }
        Assert.Empty(new SafeTensorsReader(new MemoryStream(bytes), "file", longestHeader: 1_000_000).Entries);
    }

    [Fact]
    public void Huge_declared_sizes_take_no_memory()
    {
        byte[][] files =
        [
            [.. BitConverter.GetBytes(99_999_999L), (byte)'{'],
            File("""{"a":{"dtype":"U8","shape":[68719476736],"data_offsets":[0,68719476736]}}""", [1, 2, 3]),
            File("""{"a":{"dtype":"U8","shape":[9223372036854775807],"data_offsets":[0,9223372036854775807]}}""", []),
        ];
        foreach (byte[] bytes in files)
        {
            foreach (Stream stream in new[] { new MemoryStream(bytes), new UnseekableStream(bytes) })
            {
                long before = GC.GetAllocatedBytesForCurrentThread(), peak = PeakAddressSpace();
                Assert.Throws<InvalidDataException>(() => ReadAll(stream));
                Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
                Assert.InRange(PeakAddressSpace() - peak, 0, 16L << 30); // native memory
            }
        }
    }

    [Fact]
    public void A_modules_weights_and_statistics_travel()
    {
        using var scope = NewDisposeScope();
        using var from = Network(3);
        using var to = Network(3);
        from.forward(randn(5, 2)); // moves the statistics of the batch norm
        using var file = new MemoryStream();
        SafeTensors.Save(file, from);
        file.Position = 0;
        SafeTensors.LoadInto(file, to, "weights.safetensors");
        var expected = from.state_dict();
        var loaded = to.state_dict();
        Assert.Equal(7, loaded.Count);
        Assert.All(loaded, pair => AssertSame(expected[pair.Key], pair.Value));
        Assert.All(to.parameters(), parameter => Assert.True(parameter.requires_grad));
    }

    [Fact]
    public void Half_precision_weights_load_into_single()
    {
        using var scope = NewDisposeScope();
        Tensor target = zeros(2);
        byte[] bytes = Write([("w", tensor(new[] { 1f, -2.5f }).to(ScalarType.BFloat16))]);
        SafeTensors.LoadInto(new SafeTensorsReader(new MemoryStream(bytes), "f"), new Dictionary<string, Tensor> { ["w"] = target });
        Assert.Equal([1f, -2.5f], target.data<float>().ToArray());
    }

    [Fact]
    public void All_that_does_not_fit_is_said_at_once_and_the_module_stays()
    {
        using var scope = NewDisposeScope();
        using var module = Network(3);
        Tensor[] before = [.. module.state_dict().Values.Select(value => value.clone())];
        var tensors = module.state_dict().Where(pair => pair.Key != "0.bias").Select(pair => (pair.Key, pair.Value)).ToDictionary(pair => pair.Key, pair => pair.Value + 1);
        tensors["0.weight"] = zeros(4, 2);
        tensors["1.num_batches_tracked"] = tensor(1f);
        tensors["2.extra"] = zeros(5);
        using var file = new MemoryStream(Write(tensors.Select(pair => (pair.Key, pair.Value))));
        string message = Assert.Throws<InvalidDataException>(() => SafeTensors.LoadInto(file, module, "weights.safetensors")).Message;
        Assert.StartsWith("weights.safetensors doesn't fit the model: ", message);
        Assert.Contains("'0.weight' is [4, 2] in the file, [3, 2] in the model", message);
        Assert.Contains("'1.num_batches_tracked' is F32 in the file, Int64 in the model", message);
        Assert.Contains("unexpected '2.extra' [5]", message);
        Assert.Contains("missing '0.bias' [3]", message);
        Assert.All(module.state_dict().Values.Zip(before), pair => AssertSame(pair.Second, pair.First));
    }

    [Fact]
    public void A_file_that_turns_out_damaged_leaves_the_module_alone()
    {
        using var scope = NewDisposeScope();
        Tensor target = zeros(2);
        byte[] bytes = Write([("w", ones(2))]);
        Assert.Throws<InvalidDataException>(() => SafeTensors.LoadInto(
            new SafeTensorsReader(new UnseekableStream([.. bytes, 0]), "f"), new Dictionary<string, Tensor> { ["w"] = target }));
        Assert.Equal([0f, 0f], target.data<float>().ToArray());
    }

    [Fact]
    public void What_cannot_be_saved_is_refused_by_name()
    {
        using var scope = NewDisposeScope();
        Assert.Contains("'w' is Int16", Assert.Throws<ArgumentException>(() => Write([("w", zeros(1, ScalarType.Int16))])).Message);
        Assert.Throws<ArgumentException>(() => Write([("__metadata__", zeros(1))]));
        Assert.Throws<ArgumentException>(() => Write([("w", zeros(1)), ("w", zeros(1))]));
        Assert.Throws<ArgumentException>(() => Write([("w\n", zeros(1))]));
    }

    [Fact]
    public void A_file_is_replaced_as_a_whole_or_not_at_all()
    {
        string folder = Directory.CreateTempSubdirectory().FullName;
        try
        {
            using var scope = NewDisposeScope();
            string path = Path.Combine(folder, "w.safetensors");
            SafeTensors.Save(path, [("w", ones(2))]);
            Assert.Throws<InvalidOperationException>(() => AtomicFile.Write(path, stream =>
            {
                stream.WriteByte(1);
                throw new InvalidOperationException();
            }));
            Assert.Equal([path], Directory.GetFiles(folder));
            using (SafeTensorsReader reader = SafeTensorsReader.Open(path))
                Assert.Equal("w", Assert.Single(reader.Entries).Name);
            SafeTensors.Save(path, [("v", ones(2))]);
            using (SafeTensorsReader reader = SafeTensorsReader.Open(path))
                Assert.Equal("v", Assert.Single(reader.Entries).Name);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static long PeakAddressSpace()
    {
        using var process = System.Diagnostics.Process.GetCurrentProcess();
        return process.PeakVirtualMemorySize64;
    }

    private static void AssertSame(Tensor expected, Tensor actual)
    {
        Assert.Equal(expected.dtype, actual.dtype);
        Assert.Equal(expected.shape, actual.shape);
        Assert.Equal(expected.bytes, actual.bytes);
    }

    private static nn.Module<Tensor, Tensor> Network(long width) => nn.Sequential(nn.Linear(2, width), nn.BatchNorm1d(width));

    private static byte[] Write(IEnumerable<(string, Tensor)> tensors, Dictionary<string, string>? metadata = null)
    {
        using var file = new MemoryStream();
        SafeTensors.Save(file, tensors, metadata);
        return file.ToArray();
    }

    private static byte[] SmallFile()
    {
        using var scope = NewDisposeScope();
        return Write([("weight", arange(6, ScalarType.Float32).reshape(2, 3)), ("flag", ones(1, ScalarType.Bool)), ("n", tensor(3L)), ("none", zeros(0))],
            new Dictionary<string, string> { ["format"] = "pt" });
    }

    private static byte[] File(string json, byte[] data)
    {
        byte[] header = Encoding.UTF8.GetBytes(json);
        return [.. BitConverter.GetBytes((long)header.Length), .. header, .. data];
    }

    private static void ReadAll(byte[] bytes) => ReadAll(new MemoryStream(bytes));

    private static void ReadAll(Stream stream)
    {
        using var scope = NewDisposeScope();
        using var reader = new SafeTensorsReader(stream, "file.safetensors");
        foreach (var _ in reader.ReadTensors())
        {
        }
    }
}
