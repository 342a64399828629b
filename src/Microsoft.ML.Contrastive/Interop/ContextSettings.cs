using System.Globalization;
using Microsoft.ML.Runtime;
using TorchSharp;

namespace Microsoft.ML.Contrastive;

/// <summary>
/// What the user's <see cref="MLContext"/> says about a run: its seed and its device. Ask with the context or a catalog's
/// environment when the run starts: a registered host keeps what was set when it was registered.
/// </summary>
internal static class ContextSettings
{
    /// <summary>The context's seed, or null when it has none. Unlike the host's generator, reading it moves nothing.</summary>
    internal static int? Seed(IHostEnvironment environment) => Settings(environment).Seed;

    /// <summary>
    /// The device that <see cref="MLContext.GpuDeviceId"/> and <see cref="MLContext.FallbackToCpu"/> ask for; loads the native back
    /// end. The warning says that a GPU was asked for and the CPU is used.
    /// </summary>
    /// <exception cref="InvalidOperationException">The GPU asked for is not there, and the context does not allow the CPU instead.</exception>
    internal static (torch.Device Device, string? Warning) ChooseDevice(IHostEnvironment environment)
    {
        IHostEnvironmentInternal settings = Settings(environment);
        NativeTorch.EnsureLoaded();
        if (settings.GpuDeviceId is not int wanted)
            return (torch.CPU, null);

        int found = torch.cuda.is_available() ? torch.cuda.device_count() : 0;
        if (wanted >= 0 && wanted < found)
            return (torch.device(DeviceType.CUDA, wanted), null);

        string missing = string.Create(CultureInfo.InvariantCulture, $"MLContext.GpuDeviceId asks for GPU {wanted}, but {found} GPU(s) can be used here");
        return settings.FallbackToCpu
            ? (torch.CPU, $"{missing}: using the CPU.")
            : throw new InvalidOperationException($"{missing}: install a CUDA back end (TorchSharp-cuda-linux or TorchSharp-cuda-windows), ask for another GPU, or set MLContext.FallbackToCpu.");
    }

    private static IHostEnvironmentInternal Settings(IHostEnvironment environment)
        => environment as IHostEnvironmentInternal
        ?? throw new ArgumentException($"{environment.GetType()} is not an environment of ML.NET's own.", nameof(environment));
}
