using Microsoft.ML.Contrastive;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML;

/// <summary>Encoders that were trained elsewhere, on <c>mlContext.Model</c>.</summary>
public static class EncoderImportCatalog
{
    /// <summary>
    /// An encoder with weights from a safetensors file of torchvision, timm, or a training program that wraps their networks: without any
    /// training. It computes what theirs does, up to the classifier, which is left aside.
    /// </summary>
    /// <param name="catalog"><c>mlContext.Model</c>.</param>
    /// <param name="options">The file, the encoder, the columns.</param>
    /// <exception cref="ArgumentException">A setting is out of its range, or does not suit the encoder.</exception>
    /// <exception cref="InvalidDataException">The file is damaged, or not this encoder's; says what doesn't fit and what to do.</exception>
    /// <exception cref="IOException">The file can't be read.</exception>
    public static ImportedEncoder ImportEncoder(this ModelOperationsCatalog catalog, EncoderImportOptions options)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(options);
        EncoderManifest manifest = options.ToManifest();
        IHostEnvironment environment = CatalogUtils.GetEnvironment(catalog);
        using IChannel channel = environment.Register(nameof(ImportEncoder)).Start("Import");
        (Device device, string? warning) = ContextSettings.ChooseDevice(environment);
        if (warning is not null)
            channel.Warning(warning);
        using var reader = SafeTensorsReader.Open(options.Path);
        nn.Module<Tensor, Tensor> module = manifest.Input.CreateModule(ContextSettings.Seed(environment) ?? Random.Shared.Next());
        try
        {
            (string prefix, IReadOnlyList<ImportedTensor> tensors) = WeightImport.Load(reader, manifest.Pictures().Encoder, module, options.Prefix, options.AllowMissing);
            module.to(device).eval();
            var imported = new ImportedEncoder(new ContrastivePretrainTransformer(environment, new PretrainedEncoder(manifest, module, device)), prefix, tensors);
            channel.Info(imported.ToString());
            return imported;
        }
        catch
        {
            module.Dispose();
            throw;
        }
    }
}
