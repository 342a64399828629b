using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using TorchSharp;

namespace Microsoft.ML.Contrastive.Tests;

public sealed class ContextSettingsTests
{
    [Theory]
    [InlineData(5)]
    [InlineData(null)]
    public void The_seed_is_the_contexts_own_and_reading_it_moves_no_generator(int? seed)
    {
        var context = new MLContext(seed);
        Assert.Equal(seed, ContextSettings.Seed(context));
        Assert.Equal(seed, ContextSettings.Seed(CatalogUtils.GetEnvironment(context.Transforms)));
        if (seed is null)
            return;
        int expected = ((IHostEnvironment)new MLContext(seed)).Register("host").Rand.Next();
        Assert.Equal(expected, ((IHostEnvironment)context).Register("host").Rand.Next());
    }

    [Fact]
    public void No_gpu_asked_for_means_the_cpu_without_a_warning()
    {
        (torch.Device device, string? warning) = ContextSettings.ChooseDevice(new MLContext());
        Assert.Equal(DeviceType.CPU, device.type);
        Assert.Null(warning);
    }

    [Fact]
    public void An_absent_gpu_is_an_error_that_says_what_to_do()
    {
        var context = new MLContext { GpuDeviceId = 999, FallbackToCpu = false };
        string message = Assert.Throws<InvalidOperationException>(() => ContextSettings.ChooseDevice(context)).Message;
        Assert.Contains("GPU 999", message, StringComparison.Ordinal);
        Assert.Contains("FallbackToCpu", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(999)]
    [InlineData(-1)]
    public void An_absent_gpu_means_the_cpu_with_a_warning_when_the_context_allows_it(int gpu)
    {
        (torch.Device device, string? warning) = ContextSettings.ChooseDevice(new MLContext { GpuDeviceId = gpu, FallbackToCpu = true });
        Assert.Equal(DeviceType.CPU, device.type);
        Assert.Contains($"GPU {gpu}", warning, StringComparison.Ordinal);
    }

    [Fact]
    public void The_first_gpu_is_chosen_where_there_is_one()
    {
        NativeTorch.EnsureLoaded();
        Assert.SkipUnless(torch.cuda.is_available(), "No GPU that libtorch can use.");
        (torch.Device device, string? warning) = ContextSettings.ChooseDevice(new MLContext { GpuDeviceId = 0 });
        Assert.Equal((DeviceType.CUDA, 0), (device.type, device.index));
        Assert.Null(warning);
    }

    [Fact]
    public void The_catalogs_environment_follows_a_later_choice_but_a_host_registered_before_does_not()
    {
        var context = new MLContext();
        IHostEnvironment environment = CatalogUtils.GetEnvironment(context.Transforms);
        IHost early = environment.Register("early");
        context.GpuDeviceId = 999;
        context.FallbackToCpu = true;
        Assert.NotNull(ContextSettings.ChooseDevice(environment).Warning);
        Assert.Null(ContextSettings.ChooseDevice(early).Warning);
    }

    [Fact]
    public void Trimming_the_heap_works_or_does_nothing()
    {
        CLibrary.TrimHeap();
        CLibrary.TrimHeap();
    }
}
