using Microsoft.ML.Runtime;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.Contrastive;

/// <summary>Reads the entries of a transformer in ML.NET's model zip, and says of each fault in which entry it is and what to do.</summary>
internal static class ModelEntries
{
    /// <summary>The largest ResNet's header has some 130 KB. What is parsed takes some ten times as much, and a zip makes a long one of a short file.</summary>
    public const int LongestWeightsHeader = 1 << 20;

    /// <summary>Reads one entry; a zip may be damaged where only its own reader sees it.</summary>
    /// <exception cref="InvalidDataException">There is no such entry, or <paramref name="read"/> refused it.</exception>
    public static void Read(ModelLoadContext ctx, string name, Action<Stream> read)
    {
        const string advice = "If the file was changed since it was saved, load an unchanged copy, or save the model again.";
        bool found;
        try
        {
            found = ctx.TryLoadBinaryStream(name, reader => read(reader.BaseStream));
        }
        catch (InvalidDataException error)
        {
            throw new InvalidDataException($"The model can't be loaded, because of its entry {name}: {error.Message} {advice}", error);
        }
        if (!found)
            throw new InvalidDataException($"The model has no entry {name}: it is damaged or was edited. {advice}");
    }

    /// <summary>A network from its weights, in evaluation mode on a device.</summary>
    /// <param name="stream">A safetensors file; it stays ML.NET's to close.</param>
    /// <param name="name">The entry's.</param>
    /// <param name="weights">Numbers that the network has: a file with far fewer is refused before memory is taken.</param>
    /// <param name="create">Makes the network.</param>
    /// <param name="device">Where it goes.</param>
    /// <exception cref="InvalidDataException">The weights are damaged, or of another network.</exception>
    public static nn.Module<Tensor, Tensor> ReadModule(Stream stream, string name, long weights, Func<nn.Module<Tensor, Tensor>> create, Device device)
    {
        var reader = new SafeTensorsReader(stream, name, LongestWeightsHeader);
        SafeTensors.CheckEnough(reader, weights);
        nn.Module<Tensor, Tensor> module = create();
        try
        {
            SafeTensors.LoadInto(reader, module.state_dict());
            module.to(device).eval();
            return module;
        }
        catch
        {
            module.Dispose();
            throw;
        }
    }

    /// <summary>The tokenizer of an encoder of texts: its two files.</summary>
    /// <exception cref="InvalidDataException">An entry is missing or damaged.</exception>
    public static Tokenizer ReadTokenizer(ModelLoadContext ctx)
    {
        var files = new Dictionary<string, byte[]>();
        foreach (string name in new[] { TokenizerFiles.Json, TokenizerFiles.Config })
            Read(ctx, name, stream => files[name] = ReadBytes(stream, name));
        return TokenizerFiles.Read(files.GetValueOrDefault, "the model");
    }

    private static byte[] ReadBytes(Stream stream, string name)
    {
        var bytes = new MemoryStream();
        byte[] piece = new byte[1 << 16];
        for (int count; (count = stream.Read(piece)) > 0;)
        {
            bytes.Write(piece, 0, count);
            if (bytes.Length > TokenizerFiles.MaxBytes)
                throw new InvalidDataException($"{name} has more than {TokenizerFiles.MaxBytes} bytes.");
        }
        return bytes.ToArray();
    }

    /// <summary>Refuses what a newer library wrote.</summary>
    /// <exception cref="InvalidDataException">The entry is damaged, or of a newer version.</exception>
    public static void CheckVersion(ModelLoadContext ctx, VersionInfo version)
    {
        try
        {
            ctx.CheckAtModel(version);
        }
        catch (Exception error) when (error is FormatException or InvalidOperationException)
        {
            throw new InvalidDataException(
                $"The model's encoder is damaged, or was written by a newer version of ContrastiveML: {Printable.Message(error.Message)} If the file was not changed since it was saved, update the package ContrastiveML.", error);
        }
    }
}
